use super::{days, image, mode, own_namespace, rule_level, rule_name};
use crate::policy::exception::MaxLength;

#[test]
fn a_mistyped_mode_is_told_and_never_means_advisory() {
    assert_eq!(
        mode("Enforcing"),
        Err("valid values are advisory, enforcing".to_owned())
    );
}

#[test]
fn a_mistyped_rule_is_answered_with_the_nearest_one() {
    let unknown = |nearest: &str| format!("there is no such rule; did you mean {nearest}? docs/rules.md lists all");
    assert_eq!(rule_name("cpu-limits-missing"), Err(unknown("cpu-limit-missing")));
    assert_eq!(rule_name("app-lable-missing"), Err(unknown("app-label-missing")));
    assert_eq!(
        rule_level("run-as-nonroot=deny"),
        Err(unknown("run-as-non-root")),
        "the rule of a level, too"
    );
    assert_eq!(rule_name("app-label-removed"), Err("this rule has no level".to_owned()));
    assert_eq!(
        rule_level("cpu-limit-missing=refuse"),
        Err("valid levels are off, audit, warn, deny".to_owned())
    );
}

#[test]
fn images_are_what_a_kubelet_takes() {
    let digest = format!("dorgu@sha256:{}", "0a".repeat(32));
    for text in [
        "dorgu",
        "dorgu:0.9.0",
        "team/dorgu",
        "localhost/dorgu:x",
        "registry.example.com:5000/team/dorgu:0.9.0-rc_1",
        "[fd00::1]:5000/dorgu",
        &digest,
    ] {
        assert_eq!(image(text), Ok(text.to_owned()));
    }
    for text in [
        "",
        " ",
        "dorgu:",
        "dorgu:a b",
        "Dorgu",
        "dorgu@sha256:12",
        "/dorgu",
        "https://example.com/dorgu",
        "dorgu\nreplicas: 9",
        "dorgu:-x",
    ] {
        let mistake = image(text).expect_err(text);
        assert!(mistake.contains("registry.example.com/team/dorgu"), "{mistake}");
    }
}

#[test]
fn an_installation_lives_in_a_namespace_of_its_own() {
    assert_eq!(own_namespace("dorgu-system"), Ok("dorgu-system".to_owned()));
    for (text, words) in [
        ("kube-system", "Kubernetes' own"),
        ("default", "Kubernetes' own"),
        ("", "must consist of lower case letters"),
        ("Dorgu", "must consist of lower case letters"),
    ] {
        let mistake = own_namespace(text).expect_err(text);
        assert!(mistake.contains(words), "{mistake}");
    }
}

#[test]
fn the_length_of_an_exception_is_in_days_or_a_duration() {
    for (text, seconds) in [
        ("90d", 7_776_000),
        ("1d", 86_400),
        ("12h", 43_200),
        ("1h30m", 5_400),
        ("10s", 10),
    ] {
        assert_eq!(days(text), Ok(MaxLength(seconds)), "{text}");
    }
    for text in ["", "90", "0d", "0", "-1d", "1.5d", "d", "500ms", "99999d"] {
        assert!(days(text).is_err(), "{text}");
    }
}
