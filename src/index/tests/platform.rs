//! ClusterPersonas in the index: what the platform requires, and whom a change of it affects.

use super::*;
use crate::api::levels::{PlatformRule, RuleName};
use crate::policy::{Level, Levels, Rule};

#[test]
fn a_cluster_persona_changes_what_the_platform_requires_and_affects_every_app() {
    let mut flags = PlatformRules::default();
    flags.require(RuleName::RequestsMissing, Level::Off);
    let index = Index::new(Matching::Label, flags);
    index.personas(Change::Put(personified(0, 0, 0, 1)));
    index.personas(Change::Put(personified(1, 1, 1, 1)));
    let rules = |name: &str, level| ClusterRules {
        name: name.into(),
        rules: [RuleName::CpuLimitMissing, RuleName::RequestsMissing]
            .map(|rule| PlatformRule {
                rule,
                level: Some(level),
                locked: None,
            })
            .into(),
    };
    let level = |rule| index.load().platform().level(rule, &Levels::default());
    assert_eq!(index.cluster_rules(Change::Put(rules("a", Level::Deny))).len(), 2);
    assert_eq!(level(Rule::CpuLimitMissing), Level::Deny);
    assert_eq!(level(Rule::RequestsMissing), Level::Off, "the flag wins");
    assert_eq!(
        index.cluster_rules(Change::Put(rules("b", Level::Audit))),
        [],
        "the strictest counts"
    );
    let gone = |name: &str| Change::Remove {
        namespace: String::new(),
        name: name.to_owned(),
    };
    assert_eq!(index.cluster_rules(gone("a")).len(), 2);
    assert_eq!(level(Rule::CpuLimitMissing), Level::Audit);
    assert!(!index.has(Kind::ClusterPersona), "no list yet");
    let list = |objects: Vec<ClusterRules>, kept: &[&str]| Change::Replace {
        objects: objects.into_iter().map(Arc::new).collect(),
        kept: kept.iter().map(|name| (String::new(), (*name).to_owned())).collect(),
    };
    assert_eq!(
        index.cluster_rules(list(Vec::new(), &["b"])),
        [],
        "one that cannot be read stays"
    );
    assert!(index.has(Kind::ClusterPersona));
    assert_eq!(index.cluster_rules(list(Vec::new(), &[])).len(), 2);
    assert_eq!(level(Rule::CpuLimitMissing), Rule::CpuLimitMissing.built_in());
}
