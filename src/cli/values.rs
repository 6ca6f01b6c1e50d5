//! Parses values of flags. A value outside its set is rejected with the list of valid ones. An error does not repeat the
//! value, since clap prints it before.

use crate::api::levels::{Level, RuleName};
use crate::api::names::dns_label;
use crate::policy::exception::MaxLength;
use crate::policy::image::Reference;
use crate::policy::{Matching, Rule};
use crate::server::address::{BadAddress, BindAddress};

/// An address to listen on.
pub(super) fn address(text: &str) -> Result<BindAddress, String> {
    text.parse()
        .map_err(|bad: BadAddress| format!("it is {}", bad.reason()))
}

/// A namespace for an installation; system namespaces are rejected.
pub(super) fn own_namespace(text: &str) -> Result<String, String> {
    dns_label(text)?;
    if text == "default" || text.starts_with("kube-") {
        let reason =
            "it is Kubernetes' own, and what is printed would put restricted Pod Security on it; choose another";
        return Err(reason.to_owned());
    }
    Ok(text.to_owned())
}

/// A namespace.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    dns_label(text)?;
    Ok(text.to_owned())
}

/// A reference to a container image, as a kubelet takes one.
pub(super) fn image(text: &str) -> Result<String, String> {
    if Reference::parse(text).is_some() {
        return Ok(text.to_owned());
    }
    let reason =
        "it is no image such as dorgu:0.9.0, registry.example.com/team/dorgu:0.9.0 or dorgu@sha256:<64 hex digits>";
    Err(reason.to_owned())
}

/// A page on the web, or nothing.
pub(super) fn page(text: &str) -> Result<String, String> {
    let uri = text.parse::<http::Uri>().ok();
    let is_page = |uri: http::Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    if text.is_empty() || (uri.is_some_and(is_page) && !text.contains('#')) {
        return Ok(text.to_owned());
    }
    Err("it is no page such as https://example.com/rules, to which #RULE can be added".to_owned())
}

/// How long an exception may last.
pub(super) fn days(text: &str) -> Result<MaxLength, String> {
    crate::world::exception_max(text)
}

/// A rule.
pub(super) fn rule(text: &str) -> Result<Rule, String> {
    Rule::by_name(text).ok_or_else(|| {
        let nearest = Rule::most_like(text, Rule::ALL);
        format!("there is no such rule; did you mean {nearest}? `dorgu explain` lists all")
    })
}

/// The names of Deployments for which a label can be required.
pub(super) fn require_label(matching: Matching) -> Result<(), String> {
    match matching {
        Matching::Label => Ok(()),
        Matching::Chain => Err(
            "--require-label needs --match label: with --match chain personas also govern Deployments without the label"
                .to_owned(),
        ),
    }
}

/// A rule whose level can be set.
pub(super) fn rule_name(text: &str) -> Result<RuleName, String> {
    Rule::parse_settable(text).map_err(|error| error.to_string())
}

/// A rule and its level: `RULE=LEVEL`.
pub(super) fn rule_level(text: &str) -> Result<(RuleName, Level), String> {
    let (rule, level) = text
        .split_once('=')
        .ok_or_else(|| "it is not RULE=LEVEL, such as cpu-limit-missing=deny".to_owned())?;
    let rule = rule_name(rule)?;
    let level = Level::by_name(level).ok_or_else(|| "valid levels are off, audit, warn, deny".to_owned())?;
    Ok((rule, level))
}

/// Makes a clap parser out of a closed set of words.
macro_rules! words {
    ($function:ident -> $type:ty { $($word:literal => $value:expr),+ $(,)? }) => {
        pub(super) fn $function(text: &str) -> Result<$type, String> {
            match text {
                $($word => Ok($value),)+
                _ => Err(format!("valid values are {}", [$($word),+].join(", "))),
            }
        }
    };
}

words!(mode -> crate::policy::Mode {
    "advisory" => crate::policy::Mode::Advisory,
    "enforcing" => crate::policy::Mode::Enforcing,
});
words!(rules -> crate::policy::RuleSet {
    "complete" => crate::policy::RuleSet::Complete,
    "upstream" => crate::policy::RuleSet::Upstream,
});
words!(matching -> crate::policy::Matching {
    "label" => crate::policy::Matching::Label,
    "chain" => crate::policy::Matching::Chain,
});
words!(fail_on -> crate::report::FailOn {
    "error" => crate::report::FailOn::Error,
    "warning" => crate::report::FailOn::Warning,
    "never" => crate::report::FailOn::Never,
});
words!(test_format -> crate::suite::Format {
    "table" => crate::suite::Format::Table,
    "json" => crate::suite::Format::Json,
    "junit" => crate::suite::Format::Junit,
});
words!(log_format -> crate::telemetry::LogFormat {
    "auto" => crate::telemetry::LogFormat::Auto,
    "json" => crate::telemetry::LogFormat::Json,
    "text" => crate::telemetry::LogFormat::Text,
});
words!(simulation -> SimulationFormat {
    "table" => SimulationFormat::Table,
    "json" => SimulationFormat::Json,
    "yaml" => SimulationFormat::Yaml,
});

/// The output format of `persona simulate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SimulationFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// The same as YAML.
    Yaml,
}

words!(report -> ReportFormat {
    "text" => ReportFormat::Text,
    "json" => ReportFormat::Json,
});
words!(manifest -> ManifestFormat {
    "yaml" => ManifestFormat::Yaml,
    "json" => ManifestFormat::Json,
});

/// The output format of a command that prints objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ManifestFormat {
    /// Documents with comments.
    Yaml,
    /// One List.
    Json,
}

/// The output format of a command that reports findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReportFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[cfg(test)]
mod tests;
