//! What a denial offers brings the object back under the personas that it left.

use serde_json::{Value, json};

use super::*;
use crate::decision::{Rulebook, decide};
use crate::level::PlatformRules;
use crate::question::{Old, Question};
use crate::remedy::patch_all;
use crate::rules::{RuleSet, Subject};
use crate::workload::Workload;

fn persona(name: &str, selector: Value) -> Arc<Persona> {
    let object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"name": "orders", "type": "api", "selector": selector},
    });
    Arc::new(Persona::parse(&serde_json::from_value(object).expect("a persona")))
}

fn labels(object: &Value) -> String {
    object["metadata"]["labels"].to_string()
}

#[test]
fn the_patch_of_a_denial_satisfies_every_selector_again() {
    let personas = [
        persona("a", json!({"matchLabels": {"example.com/tier": "api"}})),
        persona(
            "b",
            json!({"matchExpressions": [
                {"key": "track", "operator": "DoesNotExist"},
                {"key": "example.com/tier", "operator": "Exists"},
                {"key": "team", "operator": "NotIn", "values": ["x"]},
            ]}),
        ),
        persona("c", json!({"matchLabels": {"team": "y"}})),
    ];
    let object = |labels: Value| json!({"metadata": {"name": "orders", "namespace": "shop", "labels": labels}});
    let stored = object(json!({"app.kubernetes.io/name": "orders", "example.com/tier": "api"}));
    let new = object(json!({"app.kubernetes.io/name": "orders", "track": "canary", "team": "z"}));
    let (stored_labels, new_labels) = (labels(&stored), labels(&new));
    let governed = |labels: &str| {
        Joint::of(
            personas
                .iter()
                .filter(|persona| persona.governs(ObjectLabels::Json(labels))),
        )
    };
    let (before, now) = (governed(&stored_labels), governed(&new_labels));
    assert_eq!((before.personas().len(), now.personas().len()), (2, 0));
    let as_governed = |joint: &'static Joint| Governed {
        app: "orders",
        personas: joint.personas(),
        ..Governed::default()
    };
    let [before, now] = [before, now].map(|joint| as_governed(Box::leak(Box::new(joint))));
    let left = Left::between(
        (before, ObjectLabels::Json(&stored_labels)),
        (now, ObjectLabels::Json(&new_labels)),
    );
    let left = left.expect("two are left");

    let text = new.to_string();
    let workload: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
    let read = || None;
    let question = Question {
        subject: Subject::Deployment,
        new: &workload,
        governed: now,
        old: Some(Old {
            governed: Governed {
                left: Some(&left),
                ..before
            },
            workload: &read,
        }),
        namespace: "shop",
        namespace_mode: &ModeWish::Set(Mode::Enforcing),
        platform: &PlatformRules::NONE,
    };
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: Mode::Advisory,
    };
    let decision = decide(rulebook, &question);
    assert_eq!(decision.refusing(), 2, "one for each label");
    let findings: Vec<_> = decision.refusals().iter().map(|refusal| refusal.finding()).collect();
    let mut fixed = new.clone();
    json_patch::patch(&mut fixed, &patch_all(findings, &new)).expect("it applies");
    let expected = json!({"app.kubernetes.io/name": "orders", "example.com/tier": "api", "team": "z"});
    assert_eq!(fixed["metadata"]["labels"], expected);
    assert_eq!(governed(&labels(&fixed)).personas().len(), 2);
}

#[test]
fn nothing_is_left_where_no_label_that_is_read_changes() {
    let personas = [
        persona(
            "a",
            json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["api", "web"]}]}),
        ),
        persona("b", json!(null)),
    ];
    let governed = |personas| Governed {
        app: "orders",
        personas,
        ..Governed::default()
    };
    let all = governed(Personas::from(&personas[..]));
    let [api, web, none] = [r#"{"tier":"api"}"#, r#"{"tier":"web","track":"x"}"#, "{}"].map(ObjectLabels::Json);
    assert!(Left::between((all, api), (all, web)).is_none());
    let rest = governed(Personas::from(&personas[1..]));
    assert!(Left::between((rest, api), (rest, none)).is_none(), "it has no selector");
    let left = Left::between((all, api), (rest, none)).expect("the narrowed one is left");
    assert_eq!(left.personas().list()[0].name, "a");
    assert_eq!(left.changes().len(), 1);
    let by_default = Governed {
        by_default: true,
        ..all
    };
    assert!(Left::between((by_default, api), (rest, none)).is_none());
}
