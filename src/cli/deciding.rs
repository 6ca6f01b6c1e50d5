//! Flags that decide about a workload, with the same names and meaning in `dorgu serve` and in the commands that judge files.

use clap::Args;

use super::values;
use crate::api::levels::{Level, RuleName};
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
