//! Values of flags: each is parsed once, and a value outside its set is refused with the list of valid ones.

use std::time::Duration;

/// A duration as Go and people write it: `10s`, `1m30s`, `500ms`; `0` is none.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parsed: Option<jiff::SignedDuration> = text.parse().ok();
    parsed
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| format!("'{text}' is not a duration such as 10s, 1m30s or 500ms"))
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
words!(matching -> crate::webhook::Match {
    "label" => crate::webhook::Match::Label,
    "chain" => crate::webhook::Match::Chain,
});
words!(log_format -> crate::telemetry::LogFormat {
    "auto" => crate::telemetry::LogFormat::Auto,
    "json" => crate::telemetry::LogFormat::Json,
    "text" => crate::telemetry::LogFormat::Text,
});
words!(report -> ReportFormat {
    "text" => ReportFormat::Text,
    "json" => ReportFormat::Json,
});

/// How a command that judges tells what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReportFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[cfg(test)]
mod tests;
