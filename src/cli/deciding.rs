//! Flags that decide about a workload, with the same names and meaning in `dorgu serve` and in the commands that judge files.

use clap::error::Error;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::values;
use crate::api::levels::{Level, RuleName};
use crate::doctor::Arguments;
use crate::policy::exception::MaxLength;
use crate::policy::{Matching, Mode, PlatformRules, RuleSet, Rulebook};
use crate::world::Deciding;

/// The flags, without the mode, which has two names.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// complete: what a persona means. upstream: exactly what the Go operator checks.
    #[arg(long, value_name = "SET", env = "DORGU_RULES", default_value = "complete", value_parser = values::rules)]
    pub(super) rules: RuleSet,
    /// label: by app.kubernetes.io/name. chain: also by label app, name and selector.
    #[arg(long = "match", value_name = "HOW", env = "DORGU_MATCH", default_value = "label", value_parser = values::matching)]
    pub(super) matching: Matching,
    /// A Deployment without the label app.kubernetes.io/name is a finding, app-label-missing; needs --match label. The webhook
    /// configuration has to send such Deployments.
    #[arg(long, value_name = "BOOL", env = "DORGU_REQUIRE_LABEL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub(super) require_label: bool,
    /// The namespace whose default personas (spec.name "*") also govern every other namespace that is opted in and has none of
    /// its own; empty: none
    #[arg(
        long,
        value_name = "NAME",
        env = "DORGU_DEFAULT_PERSONAS_NAMESPACE",
        default_value = ""
    )]
    pub(super) default_personas_namespace: String,
    /// What happens to the findings of a rule, such as cpu-limit-missing=deny: deny, warn, audit or off. A persona may only
    /// raise it. Repeatable.
    #[arg(long = "rule-level", value_name = "RULE=LEVEL", env = "DORGU_RULE_LEVEL", value_delimiter = ',', value_parser = values::rule_level)]
    pub(super) rule_levels: Vec<(RuleName, Level)>,
    /// A rule that no persona may lower and no exception cover. Repeatable.
    #[arg(long = "rule-locked", value_name = "RULE", env = "DORGU_RULE_LOCKED", value_delimiter = ',', value_parser = values::rule_name)]
    pub(super) rules_locked: Vec<RuleName>,
    /// How long a PersonaException may last, in days (90d) or as a duration; one that is longer covers nothing.
    #[arg(long, value_name = "TIME", env = "DORGU_EXCEPTION_MAX", default_value = "90d", value_parser = values::days)]
    pub(super) exception_max: MaxLength,
}

impl Flags {
    /// The settings, and the flags that have no effect with these rules.
    ///
    /// # Errors
    /// Two flags exclude each other.
    pub(super) fn settings(self, mode: Mode) -> Result<(Deciding, Vec<String>), String> {
        if self.require_label {
            values::require_label(self.matching)?;
        }
        let mut ignored = Vec::new();
        let mut platform = PlatformRules::of_flags(self.rule_levels, self.rules_locked);
        if self.rules == RuleSet::Upstream {
            let mut ignore = |is_set: bool, flags: &str| {
                if is_set {
                    ignored.push(format!("{flags} (with --rules upstream)"));
                }
            };
            ignore(platform != PlatformRules::NONE, "--rule-level, --rule-locked");
            ignore(self.exception_max != MaxLength::DEFAULT, "--exception-max");
            ignore(self.require_label, "--require-label");
            platform = PlatformRules::NONE;
        }
        let deciding = Deciding {
            rulebook: Rulebook { set: self.rules, mode },
            matching: self.matching,
            platform,
            requires_label: self.require_label && self.rules == RuleSet::Complete,
            default_personas_namespace: Some(self.default_personas_namespace).filter(|name| !name.is_empty()),
            exception_max: self.exception_max,
        };
        Ok((deciding, ignored))
    }
}

/// The flags, and whether the user gave one of them. Those of an operator count where none is given.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) flags: Flags,
    pub(super) is_any: bool,
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        Flags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args_for_update(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        let all = Flags::augment_args(Command::new(""));
        let given = [ValueSource::CommandLine, ValueSource::EnvVariable];
        let mut sources = all
            .get_arguments()
            .map(|flag| matches.value_source(flag.get_id().as_str()));
        let is_any = sources.any(|source| source.is_some_and(|source| given.contains(&source)));
        let flags = Flags::from_arg_matches_mut(matches)?;
        Ok(Given { flags, is_any })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Flags {
    /// The flags of a process in a cluster, and its mode.
    ///
    /// # Errors
    /// One of them has a value that this version does not know.
    pub(super) fn of_process(arguments: &Arguments) -> Result<(Flags, Mode), String> {
        let all = Flags::augment_args(Command::new("serve").no_binary_name(true));
        let mut words = Vec::new();
        for name in all.get_arguments().filter_map(clap::Arg::get_long) {
            let word = |value: &str| format!("--{name}={value}");
            match name {
                // Alone it means true.
                "require-label" => words.extend(arguments.switch(name).map(|is_on| word(&is_on.to_string()))),
                "rule-level" | "rule-locked" => {
                    let values = arguments.values(name);
                    words.extend(values.iter().filter(|value| !value.is_empty()).map(|value| word(value)));
                }
                _ => words.extend(arguments.value(name).map(|value| word(&value))),
            }
        }
        let mode = arguments.value("webhook-mode");
        let mode = mode.map_or(Ok(Mode::Advisory), |mode| values::mode(&mode))?;
        let read = all.try_get_matches_from(words);
        let flags = read.and_then(|matches| Flags::from_arg_matches(&matches));
        let flags = flags.map_err(|error| {
            let said = error.to_string();
            said.lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned()
        });
        Ok((flags?, mode))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    use super::*;

    fn of(args: &[&str]) -> Result<(Flags, Mode), String> {
        let container = json!({
            "name": "manager", "command": ["/dorgu", "serve"], "args": args,
            "env": [{"name": "DORGU_EXCEPTION_MAX", "value": "7d"}, {"name": "DORGU_RULES", "value": "complete"}],
        });
        let object = json!({"spec": {"selector": {}, "template": {"spec": {"containers": [container]}}}});
        let deployment: Deployment = serde_json::from_value(object).expect("a Deployment");
        Flags::of_process(&Arguments::of_deployment(&deployment))
    }

    #[test]
    fn the_settings_of_a_process_are_read_from_its_arguments() {
        let (flags, mode) = of(&[
            "--enable-webhook",
            "--webhook-mode=enforcing",
            "--rules",
            "upstream",
            "--require-label",
            "--rule-level=run-as-non-root=warn,cpu-limit-missing=deny",
            "--rule-level=requests-missing=off",
            "--rule-locked=run-as-non-root",
            "--default-personas-namespace=platform",
        ])
        .expect("they are read");
        assert_eq!((flags.rules, mode), (RuleSet::Upstream, Mode::Enforcing));
        assert_eq!((flags.rule_levels.len(), flags.rules_locked.len()), (3, 1));
        assert!(flags.require_label);
        assert_eq!(flags.default_personas_namespace, "platform");
        assert_eq!(flags.exception_max, values::days("7d").expect("days"));
        let (flags, mode) = of(&["--match=chain"]).expect("they are read");
        assert_eq!((flags.matching, mode), (Matching::Chain, Mode::Advisory));
    }

    #[test]
    fn a_value_that_this_version_does_not_know_is_named() {
        let error = of(&["--match=newer"]).expect_err("unknown");
        assert!(error.contains("newer") && !error.contains('\n'), "{error}");
    }
}
