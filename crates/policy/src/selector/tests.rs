//! What selectors match, and which labels are read.

use serde_json::{Value, json};

use super::*;
use crate::persona::{Flaw, Persona};
use crate::text::Text;

fn persona(name: &str, selector: Value) -> Persona {
    let object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {"name": name, "type": "api", "selector": selector},
    });
    Persona::parse(&serde_json::from_value(object).expect("a persona"))
}

fn expression(operator: &str, values: &[&str]) -> Value {
    json!({"matchExpressions": [{"key": "tier", "operator": operator, "values": values}]})
}

#[test]
fn a_persona_governs_the_workloads_whose_labels_match() {
    let tiers = ["api", "cache", ""].map(|tier| format!(r#"{{"app.kubernetes.io/name":"orders","tier":"{tier}"}}"#));
    let labels = [&*tiers[0], &*tiers[1], &*tiers[2], r#"{"app":"orders"}"#, "null", ""];
    let both = json!({
        "matchLabels": {"tier": "api"},
        "matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "NotIn", "values": ["carts"]}],
    });
    let cases = [
        (json!(null), [true; 6]),
        (json!({}), [true; 6]),
        (
            json!({"matchLabels": {"tier": "api"}}),
            [true, false, false, false, false, false],
        ),
        (
            expression("In", &["api", "web"]),
            [true, false, false, false, false, false],
        ),
        (
            expression("NotIn", &["api", "web"]),
            [false, true, true, true, true, true],
        ),
        (expression("Exists", &[]), [true, true, true, false, false, false]),
        (expression("DoesNotExist", &[]), [false, false, false, true, true, true]),
        (both, [true, false, false, false, false, false]),
    ];
    for (selector, expected) in cases {
        let persona = persona("orders", selector.clone());
        assert_eq!(persona.problems, []);
        let governed = labels.map(|labels| persona.governs(ObjectLabels::Json(labels)));
        assert_eq!(governed, expected, "{selector}");
    }
}

#[test]
fn a_requirement_that_cannot_be_read_narrows_nothing_and_is_named() {
    let of_expressions = "spec.selector.matchExpressions";
    let cases = [
        (expression("Near", &["api"]), of_expressions, "tier Near (api)"),
        (expression("In", &[]), of_expressions, "tier In ()"),
        (expression("Exists", &["api"]), of_expressions, "tier Exists (api)"),
        (expression("In", &["a b"]), of_expressions, "tier In (a b)"),
        (
            json!({"matchLabels": {"a b": "c"}}),
            "spec.selector.matchLabels",
            "a b=c",
        ),
        (
            json!({"matchLabels": {"tier": "-"}}),
            "spec.selector.matchLabels",
            "tier=-",
        ),
    ];
    for (selector, field, value) in cases {
        let persona = persona("orders", selector);
        let [problem] = &*persona.problems else {
            panic!("{:?}", persona.problems)
        };
        assert_eq!(
            (problem.field, &*problem.value, problem.flaw),
            (field, value, Flaw::NotARequirement)
        );
        assert!(persona.governs(ObjectLabels::Json("{}")), "{value}");
    }
    // What can be read counts.
    let mut selector = expression("Near", &["api"]);
    selector["matchLabels"] = json!({"track": "stable"});
    assert!(!persona("orders", selector).governs(ObjectLabels::Json("{}")));
}

#[test]
fn a_default_persona_is_not_narrowed() {
    let persona = persona("*", json!({"matchLabels": {"tier": "api"}}));
    assert_eq!(persona.selector, None);
    let [problem] = &*persona.problems else {
        panic!("{:?}", persona.problems)
    };
    assert_eq!(
        (problem.field, &*problem.value, problem.flaw),
        ("spec.selector", "", Flaw::NarrowedDefault)
    );
}

#[test]
fn only_labels_that_are_selected_by_are_kept() {
    let persona = persona("orders", json!({"matchLabels": {"tier": "api"}}));
    let selectors = || persona.selector.as_deref().into_iter();
    let read = |labels| ReadLabels::of(selectors(), ObjectLabels::Json(labels)).0;
    let tier = |value: &str| BTreeMap::from([("tier".to_owned(), value.to_owned())]);
    assert_eq!(read(r#"{"a": 1, "tier": "api", "b": {"tier": "no"}}"#), tier("api"));
    assert_eq!(read(r#"{"ti\u0065r": "a\u0070i"}"#), tier("api"));
    assert_eq!(read(r#"{"tier": null}"#), tier(""));
    assert_eq!(read(r#"["tier"]"#), BTreeMap::new());
}

#[test]
fn what_a_pod_selector_requires_stands_for_the_labels_of_an_unknown_deployment() {
    let governs = |selector: &str| {
        let persona = persona("orders", json!({"matchLabels": {"tier": "api"}}));
        let status = ScaleStatus {
            selector: Text::from(selector),
        };
        persona.governs(ObjectLabels::Required(&status))
    };
    for selector in ["tier=api", "a=b,tier==api", "tier in (api)", "x notin (y),tier=api"] {
        assert!(governs(selector), "{selector}");
    }
    for selector in [
        "",
        "tier=cache",
        "tier!=api",
        "tier in (api,cache)",
        "tier",
        "!tier",
        "atier=api",
    ] {
        assert!(!governs(selector), "{selector}");
    }
}
