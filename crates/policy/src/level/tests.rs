use super::*;

#[test]
fn every_settable_rule_has_the_name_of_its_rule() {
    for (name, rule) in Rule::all_settable() {
        let written = serde_json::to_value(name).expect("a name is JSON");
        assert_eq!(written, rule.name());
        assert_eq!(rule.settable(), Some(name));
        assert_eq!(Rule::from(name), rule);
    }
    let fixed: Vec<&str> = Rule::ALL
        .into_iter()
        .filter(|rule| rule.settable().is_none())
        .map(Rule::name)
        .collect();
    assert_eq!(
        fixed,
        [
            "app-label-removed",
            "app-label-changed",
            "persona-value-unreadable",
            "persona-duplicate",
            "mode-unknown",
            "object-unreadable"
        ]
    );
}

#[test]
fn a_persona_raises_every_rule_and_lowers_what_the_platform_does_not_name() {
    for (name, rule) in Rule::all_settable() {
        for floor in Level::ALL.into_iter().map(Some).chain([None]) {
            for locked in [false, true] {
                for wish in Level::ALL.into_iter().map(Some).chain([None]) {
                    let mut platform = PlatformRules::default();
                    floor.into_iter().for_each(|level| platform.require(name, level));
                    if locked {
                        platform.lock(name);
                    }
                    let mut wishes = Levels::default();
                    wish.into_iter().for_each(|level| wishes.set(name, level));
                    let floor = floor.or(locked.then(|| rule.built_in()));
                    let expected = match (floor, wish) {
                        (Some(floor), _) => wish.map_or(floor, |wish| wish.max(floor)),
                        (None, wish) => wish.unwrap_or(rule.built_in()),
                    };
                    assert_eq!(platform.level(rule, &wishes), expected, "{floor:?} {wish:?}");
                    let others = Rule::ALL.into_iter().filter(|other| *other != rule);
                    for other in others {
                        assert_eq!(platform.level(other, &wishes), other.built_in());
                    }
                }
            }
        }
    }
}

#[test]
fn of_several_cluster_personas_the_strictest_counts_and_a_flag_wins() {
    let rule = |rule, level, locked| PlatformRule { rule, level, locked };
    let of_cluster = PlatformRules::of_cluster([
        &[
            rule(RuleName::CpuLimitMissing, Some(Level::Audit), None),
            rule(RuleName::RunAsNonRoot, None, Some(true)),
        ][..],
        &[
            rule(RuleName::CpuLimitMissing, Some(Level::Deny), None),
            rule(RuleName::RequestsMissing, Some(Level::Off), Some(false)),
        ][..],
    ]);
    let none = Levels::default();
    assert_eq!(of_cluster.level(Rule::CpuLimitMissing, &none), Level::Deny);
    assert_eq!(of_cluster.level(Rule::RequestsMissing, &none), Level::Off);
    assert!(of_cluster.is_locked(Rule::RunAsNonRoot));
    assert!(!of_cluster.is_locked(Rule::RequestsMissing));

    let mut flags = PlatformRules::default();
    flags.require(RuleName::CpuLimitMissing, Level::Warn);
    flags.lock(RuleName::CpuLimitMissing);
    let both = flags.or(&of_cluster);
    assert_eq!(both.level(Rule::CpuLimitMissing, &none), Level::Warn);
    assert_eq!(both.level(Rule::RequestsMissing, &none), Level::Off);
    assert!(both.is_locked(Rule::RunAsNonRoot) && both.is_locked(Rule::CpuLimitMissing));
}

#[test]
fn of_a_rule_that_a_persona_lists_twice_the_stricter_counts() {
    let entry = |level| RuleLevel {
        rule: RuleName::RunAsNonRoot,
        level,
    };
    for list in [
        [entry(Level::Off), entry(Level::Warn)],
        [entry(Level::Warn), entry(Level::Off)],
    ] {
        assert_eq!(Levels::from(&list[..]).get(Rule::RunAsNonRoot), Some(Level::Warn));
    }
}
