//! Tests of the translation. That an API server decides by it as dorgu does is tested where one is
//! (`tests/it/cluster/second_line.rs`).

use serde_json::{Value, json};

use super::*;
use crate::api::ApplicationPersona;
use crate::api::levels::RuleName;

fn persona(spec: Value) -> Persona {
    let object = json!({"metadata": {"name": "orders", "namespace": "shop"}, "spec": spec});
    let object: ApplicationPersona = serde_json::from_value(object).expect("a persona");
    Persona::parse(&object)
}

fn scaled() -> Persona {
    persona(json!({"name": "orders", "type": "api", "scaling": {"minReplicas": 2, "maxReplicas": 6}}))
}

fn translated_in(mode: Mode, persona: &Persona, platform: &PlatformRules) -> Translation {
    Translation::of(persona, Setting { mode, platform }).expect("it can be translated")
}

/// Names of policies, with the rules of each.
fn rules(translation: &Translation) -> Vec<(String, Vec<String>)> {
    let policies = translation.policies.iter().map(|(policy, binding)| {
        assert_eq!(policy.metadata, binding.metadata);
        let validations = policy.spec.as_ref().and_then(|spec| spec.validations.as_ref());
        let messages = validations
            .into_iter()
            .flatten()
            .filter_map(|validation| validation.message.as_deref());
        let rules = messages.filter_map(|message| Some(message.split_once(": ")?.0.to_owned()));
        (policy.metadata.name.clone().unwrap_or_default(), rules.collect())
    });
    policies.collect()
}

fn named(name: &str, rules: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), rules.iter().map(|rule| (*rule).to_owned()).collect())
}

#[test]
fn an_enforced_error_denies_and_warns_where_it_was_there_before() {
    let enforcing = translated_in(Mode::Enforcing, &scaled(), &PlatformRules::NONE);
    assert_eq!(
        rules(&enforcing),
        [
            named("shop.orders.deny", &["replicas-below-minimum", "app-label-removed"]),
            named(
                "shop.orders.warn",
                &["replicas-below-minimum", "replicas-above-maximum"]
            ),
        ]
    );
    let advisory = translated_in(Mode::Advisory, &scaled(), &PlatformRules::NONE);
    let all = ["replicas-below-minimum", "replicas-above-maximum", "app-label-removed"];
    assert_eq!(rules(&advisory), [named("shop.orders.warn", &all)]);
}

#[test]
fn the_persona_may_ask_for_the_stricter_mode() {
    let mut strict = scaled();
    strict.mode = crate::policy::ModeWish::Set(Mode::Enforcing);
    let translation = translated_in(Mode::Advisory, &strict, &PlatformRules::NONE);
    assert_eq!(translation.mode, Mode::Enforcing);
    assert_eq!(translation.policies.len(), 2);
}

#[test]
fn levels_decide_what_denies_warns_and_is_left_out() {
    let platform = PlatformRules::of_flags(
        [
            (RuleName::ReplicasAboveMaximum, Level::Deny),
            (RuleName::ReplicasBelowMinimum, Level::Audit),
        ],
        [],
    );
    let translation = translated_in(Mode::Enforcing, &scaled(), &platform);
    assert_eq!(
        rules(&translation),
        [
            named("shop.orders.deny", &["replicas-above-maximum", "app-label-removed"]),
            named("shop.orders.warn", &["replicas-above-maximum"]),
        ]
    );
    let audited = NotCovered::audited(Rule::ReplicasBelowMinimum);
    assert!(
        translation.not_covered.contains(&audited),
        "{:?}",
        translation.not_covered
    );
}

#[test]
fn what_no_policy_can_say_is_rejected_or_listed() {
    let setting = Setting {
        mode: Mode::Advisory,
        platform: &PlatformRules::NONE,
    };
    let default = persona(json!({"name": "*", "type": "api"}));
    assert_eq!(
        Translation::of(&default, setting),
        Err(Untranslatable::Default("shop/orders".to_owned()))
    );
    let long = Persona {
        name: "a".repeat(MAX_NAME - "shop..den".len()),
        ..scaled()
    };
    assert!(matches!(
        Translation::of(&long, setting),
        Err(Untranslatable::LongName(_))
    ));
    let listed = |persona: &Persona| {
        let list = translated_in(Mode::Advisory, persona, &PlatformRules::NONE).not_covered;
        list.into_iter().map(|left_out| left_out.what).collect::<Vec<_>>()
    };
    let of_all = [
        "PersonaExceptions",
        "other personas",
        "app-label-changed",
        "large objects",
    ];
    assert_eq!(listed(&persona(json!({"name": "orders", "type": "api"}))), of_all);
    assert!(listed(&scaled()).contains(&"kubectl scale, autoscalers".to_owned()));
    let flawed = persona(json!({
        "name": "orders", "type": "api", "selector": {"matchLabels": {"tier": "api"}},
        "resources": {"limits": {"cpu": "abc"}},
    }));
    let listed = listed(&flawed);
    assert!(
        listed.contains(&"spec.resources.limits.cpu 'abc'".to_owned()),
        "{listed:?}"
    );
    assert!(listed.iter().any(|what| what.contains("spec.selector")), "{listed:?}");
}

#[test]
fn a_text_of_a_persona_cannot_leave_its_literal() {
    assert_eq!(text("/live"), "'/live'");
    assert_eq!(text(r"a' || true || 'b\"), r"'a\' || true || \'b\\'");
    assert_eq!(text("\u{131}\n"), r"'\U00000131\U0000000a'");
}

#[test]
fn a_policy_has_the_variables_that_it_reads() {
    let all = [
        ("pod", "object.spec".to_owned()),
        ("podIsSilent", "variables.pod.x".to_owned()),
        ("other", "true".to_owned()),
    ];
    let names = |expressions: &[&str]| {
        let read = cel::read_by(&all, expressions);
        read.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(&["variables.podIsSilent"]), ["pod", "podIsSilent"]);
    assert_eq!(names(&["variables.pod.y"]), ["pod"]);
    assert!(names(&["true"]).is_empty());
}

#[test]
fn both_formats_hold_the_same_objects() {
    let translations = [translated_in(Mode::Enforcing, &scaled(), &PlatformRules::NONE)];
    let (documents, list) = (yaml(&translations).expect("YAML"), json(&translations).expect("JSON"));
    assert!(documents.starts_with("# ApplicationPersona shop/orders in mode enforcing, by dorgu "));
    assert!(
        documents.contains("\n# - PersonaExceptions: CEL has no clock"),
        "{documents}"
    );
    let documents = documents
        .split("---\n")
        .map(|text| serde_saphyr::from_str::<Value>(text).expect("YAML"));
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(json!(documents.collect::<Vec<_>>()), list["items"]);
    assert_eq!(list["notCovered"][0]["persona"], "shop/orders");
}
