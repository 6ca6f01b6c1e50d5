//! Decides the level of a finding from three levels: the one that is built into the rule, the one that the platform
//! requires, and the one that the persona wishes.

pub use dorgu_api::levels::Level;
use dorgu_api::levels::{PlatformRule, RuleLevel, RuleName};

use super::rule::{Rule, Rules, Severity};

/// Levels of single rules; of most personas and platforms there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Levels(Option<Box<[Option<Level>; Rule::ALL.len()]>>);

impl Levels {
    /// The level of a rule, where one is set.
    pub fn get(&self, rule: Rule) -> Option<Level> {
        self.0.as_ref().and_then(|levels| levels[rule as usize])
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Sets the level of a rule.
    pub fn set(&mut self, rule: RuleName, level: Level) {
        self.0.get_or_insert_default()[Rule::from(rule) as usize] = Some(level);
    }
}

impl From<&[RuleLevel]> for Levels {
    /// What a persona wishes. Of one rule that is listed twice, which no API server stores, the stricter counts.
    fn from(list: &[RuleLevel]) -> Self {
        let mut levels = Levels::default();
        for RuleLevel { rule, level } in list {
            let before = levels.get((*rule).into());
            levels.set(*rule, before.map_or(*level, |before| before.max(*level)));
        }
        levels
    }
}

/// What the platform requires of every persona.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlatformRules {
    levels: Levels,
    /// Those that no exception covers.
    locked: Rules,
}

impl PlatformRules {
    /// Nothing is required.
    pub const NONE: PlatformRules = PlatformRules {
        levels: Levels(None),
        locked: Rules::NONE,
    };

    /// Requires a level of a rule: a floor for every persona.
    pub fn require(&mut self, rule: RuleName, level: Level) {
        self.levels.set(rule, level);
    }

    /// Locks a rule: no exception covers it. Where no level is required, the one that is built in becomes the floor.
    pub fn lock(&mut self, rule: RuleName) {
        self.locked = self.locked.with(rule.into());
    }

    /// What the flags of a process require: of a rule that is named twice, the level that is given last.
    pub fn of_flags(
        levels: impl IntoIterator<Item = (RuleName, Level)>,
        locked: impl IntoIterator<Item = RuleName>,
    ) -> PlatformRules {
        let mut all = PlatformRules::default();
        levels.into_iter().for_each(|(rule, level)| all.require(rule, level));
        locked.into_iter().for_each(|rule| all.lock(rule));
        all
    }

    /// What ClusterPersonas require together: of each rule the strictest level.
    pub fn of_cluster<'a>(lists: impl IntoIterator<Item = &'a [PlatformRule]>) -> PlatformRules {
        let mut all = PlatformRules::default();
        for PlatformRule { rule, level, locked } in lists.into_iter().flatten() {
            if let Some(level) = level {
                let before = all.levels.get((*rule).into());
                all.require(*rule, before.map_or(*level, |before| before.max(*level)));
            }
            if *locked == Some(true) {
                all.lock(*rule);
            }
        }
        all
    }

    /// These, with what `other` says of rules that these do not name. Locks of both count.
    #[must_use]
    pub fn or(&self, other: &PlatformRules) -> PlatformRules {
        let mut joined = self.clone();
        joined.locked = joined.locked.union(other.locked);
        for rule in Rule::ALL {
            let of_other = other.levels.get(rule).filter(|_| self.levels.get(rule).is_none());
            if let Some((name, level)) = rule.settable().zip(of_other) {
                joined.require(name, level);
            }
        }
        joined
    }

    /// Whether no exception covers the rule.
    pub fn is_locked(&self, rule: Rule) -> bool {
        self.locked.contains(rule)
    }

    /// The level of a rule's findings for a persona with these wishes.
    pub fn level(&self, rule: Rule, wishes: &Levels) -> Level {
        // Nearly always nothing is set.
        if self.levels.is_empty() && self.locked == Rules::NONE && wishes.is_empty() {
            return rule.built_in();
        }
        let locked = self.is_locked(rule).then(|| rule.built_in());
        match (self.levels.get(rule).or(locked), wishes.get(rule)) {
            (Some(floor), Some(wish)) => floor.max(wish),
            (Some(level), None) | (None, Some(level)) => level,
            (None, None) => rule.built_in(),
        }
    }
}

impl Rule {
    /// The level without any setting.
    pub fn built_in(self) -> Level {
        self.severity().level()
    }

    /// The rule with a level that can be set; `None` for rules about leaving an app, about personas and about modes.
    pub fn settable(self) -> Option<RuleName> {
        RULES.iter().find_map(|(name, rule)| (*rule == self).then_some(*name))
    }

    /// The rule of that name, if its level can be set.
    ///
    /// # Errors
    /// What is wrong with the name, for the user who wrote it.
    pub fn parse_settable(name: &str) -> Result<RuleName, NotSettable> {
        if let Some(settable) = Rule::settable_by_name(name) {
            return Ok(settable);
        }
        if Rule::by_name(name).is_some() {
            return Err(NotSettable::WithoutLevel);
        }
        let nearest = Rule::most_like(name, Rule::all_settable().map(|(_, rule)| rule));
        Err(NotSettable::Unknown { nearest })
    }

    /// The rule of that name, if its level can be set.
    pub fn settable_by_name(name: &str) -> Option<RuleName> {
        Rule::by_name(name)?.settable()
    }

    /// Every rule with a level that can be set.
    pub fn all_settable() -> impl Iterator<Item = (RuleName, Rule)> {
        RULES.iter().copied()
    }
}

/// Why the level of a rule cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSettable {
    /// The rule has none.
    #[error("this rule has no level")]
    WithoutLevel,
    /// No rule has this name.
    #[error("there is no such rule; did you mean {nearest}? docs/rules.md lists all")]
    Unknown {
        /// The rule whose name is most like it.
        nearest: &'static str,
    },
}

macro_rules! settable {
    ($($rule:ident),* $(,)?) => {
        /// The rules whose level can be set.
        const RULES: &[(RuleName, Rule)] = &[$((RuleName::$rule, Rule::$rule)),*];

        impl From<RuleName> for Rule {
            fn from(name: RuleName) -> Rule {
                match name {
                    $(RuleName::$rule => Rule::$rule,)*
                }
            }
        }
    };
}

settable! {
    CpuLimitAbovePersona,
    MemoryLimitAbovePersona,
    CpuLimitMissing,
    MemoryLimitMissing,
    RequestsMissing,
    ReplicasBelowMinimum,
    ReplicasAboveMaximum,
    LivenessProbeMissing,
    LivenessPathDiffers,
    ReadinessProbeMissing,
    RunAsNonRoot,
    PrivilegeEscalation,
    PrivilegeEscalationUnset,
    WritableRootFilesystem,
    ImageRegistryNotAllowed,
    ImageTagLatest,
    ImageDigestMissing,
    AppLabelMissing,
}

impl Severity {
    /// The level that findings of this severity have without any setting.
    pub fn level(self) -> Level {
        match self {
            Severity::Info => Level::Audit,
            Severity::Warning => Level::Warn,
            Severity::Error => Level::Deny,
        }
    }

    /// The severity of a finding with this level; `None` where it is dropped.
    pub fn of(level: Level) -> Option<Severity> {
        match level {
            Level::Off => None,
            Level::Audit => Some(Severity::Info),
            Level::Warn => Some(Severity::Warning),
            Level::Deny => Some(Severity::Error),
        }
    }
}

#[cfg(test)]
mod tests;
