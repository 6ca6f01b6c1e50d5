//! Joins the settings of a suite with those of flags: what the suite says wins, so that it has one result everywhere.

use super::format::{MatchWord, ModeWord, RulesWord, Settings};
use crate::api::levels::{Level, RuleName};
use crate::policy::{Matching, Mode, PlatformRules, Rule, RuleSet};
use crate::world::{Deciding, exception_max};

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The setting, as a JSON pointer into `settings`.
    pub(super) pointer: String,
    pub(super) reason: String,
}

impl Settings {
    /// The settings of the suite over those of flags.
    pub(super) fn over(&self, flags: &Deciding) -> Result<Deciding, Wrong> {
        let mut all = flags.clone();
        if let Some(mode) = self.mode {
            all.rulebook.mode = match mode {
                ModeWord::Advisory => Mode::Advisory,
                ModeWord::Enforcing => Mode::Enforcing,
            };
        }
        if let Some(rules) = self.rules {
            all.rulebook.set = match rules {
                RulesWord::Complete => RuleSet::Complete,
                RulesWord::Upstream => RuleSet::Upstream,
            };
        }
        if let Some(matching) = self.matching {
            all.matching = match matching {
                MatchWord::Label => Matching::Label,
                MatchWord::Chain => Matching::Chain,
            };
        }
        all.requires_label = self.require_label.unwrap_or(all.requires_label);
        if let Some(name) = &self.default_personas_namespace {
            all.default_personas_namespace = Some(name.clone()).filter(|name| !name.is_empty());
        }
        if let Some(length) = &self.exception_max {
            all.exception_max =
                exception_max(length).map_err(|reason| wrong("/exceptionMax", format!("{length:?}: {reason}")))?;
        }
        if self.rule_levels.is_some() || self.rules_locked.is_some() {
            let locked = self.rules_locked.iter().flatten().copied();
            all.platform = PlatformRules::of_flags(self.levels()?, locked);
        }
        if all.requires_label && all.matching == Matching::Chain {
            let reason = "with match: chain a Deployment has names without the label; set one of the two";
            return Err(wrong("/requireLabel", reason.to_owned()));
        }
        if all.rulebook.set == RuleSet::Upstream {
            // They know neither; flags are ignored like this, too.
            let is_set = [
                (self.rule_levels.is_some(), "/ruleLevels"),
                (self.rules_locked.is_some(), "/rulesLocked"),
                (self.require_label == Some(true), "/requireLabel"),
            ];
            if let Some((_, pointer)) = is_set.into_iter().find(|(is_set, _)| *is_set) {
                let reason = "has no effect with rules: upstream; remove one of the two".to_owned();
                return Err(wrong(pointer, reason));
            }
            all.platform = PlatformRules::NONE;
            all.requires_label = false;
        }
        Ok(all)
    }

    fn levels(&self) -> Result<Vec<(RuleName, Level)>, Wrong> {
        let levels = self.rule_levels.iter().flatten();
        let named = levels.map(|(name, level)| match Rule::parse_settable(name) {
            Ok(rule) => Ok((rule, *level)),
            Err(error) => Err(wrong(&format!("/ruleLevels/{name}"), format!("{name}: {error}"))),
        });
        named.collect()
    }
}

fn wrong(pointer: &str, reason: String) -> Wrong {
    Wrong {
        pointer: pointer.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(yaml: &str) -> Settings {
        let documents = crate::manifest::read(yaml).documents;
        serde_json::from_value(documents[0].to_value()).expect("settings")
    }

    #[test]
    fn what_a_suite_leaves_out_is_as_flags_say() {
        let flags = Deciding {
            matching: Matching::Chain,
            default_personas_namespace: Some("platform".to_owned()),
            ..Deciding::default()
        };
        let all = settings("{mode: enforcing}").over(&flags).unwrap();
        assert_eq!(all.rulebook.mode, Mode::Enforcing);
        assert_eq!(all.matching, Matching::Chain);
        assert_eq!(all.default_personas_namespace.as_deref(), Some("platform"));
        let all = settings("{match: label, defaultPersonasNamespace: '', exceptionMax: 2d}")
            .over(&flags)
            .unwrap();
        assert_eq!(all.matching, Matching::Label);
        assert_eq!(all.default_personas_namespace, None);
        assert_eq!(all.exception_max.0, 2 * 24 * 60 * 60);
    }

    #[test]
    fn a_setting_that_cannot_hold_is_named() {
        for (yaml, pointer, words) in [
            ("{exceptionMax: soon}", "/exceptionMax", "90d or 12h"),
            (
                "{ruleLevels: {cpu-limit-mising: deny}}",
                "/ruleLevels/cpu-limit-mising",
                "did you mean cpu-limit-missing?",
            ),
            ("{match: chain, requireLabel: true}", "/requireLabel", "match: chain"),
            (
                "{rules: upstream, rulesLocked: [run-as-non-root]}",
                "/rulesLocked",
                "no effect",
            ),
        ] {
            let wrong = settings(yaml).over(&Deciding::default()).unwrap_err();
            assert_eq!(wrong.pointer, pointer);
            assert!(wrong.reason.contains(words), "{}", wrong.reason);
        }
    }
}
