//! Tests that need the inside of the webhook, such as a decision that fails. All others use HTTP, in `tests/it`.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::*;
use crate::index::Snapshot;

fn webhook(decide: for<'a> fn(Rulebook, &Question<'a>) -> Decision<'a>) -> (Webhook, Registry) {
    let mut registry = Registry::default();
    let index = Arc::new(Index::default());
    let persona = crate::policy::Persona {
        namespace: "shop".into(),
        name: "orders".into(),
        app: "orders".into(),
        ..Default::default()
    };
    index.replace(Snapshot::build([Arc::new(persona)], []));
    let metrics = Metrics::register(&mut registry);
    let rulebook = Rulebook {
        mode: Mode::Enforcing,
        ..Rulebook::default()
    };
    let webhook = Webhook::new(rulebook, index, metrics, Budget::new(1 << 20));
    (Webhook { decide, ..webhook }, registry)
}

#[test]
fn a_panic_in_a_decision_allows_with_a_warning_and_is_counted() {
    let (webhook, registry) = webhook(|_, _| panic!("a defect"));
    let body = br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"u-1",
        "operation":"CREATE","namespace":"shop",
        "object":{"metadata":{"labels":{"app.kubernetes.io/name":"orders"}},"spec":{}}}}"#;
    let (answer, record) = webhook.answer(body);
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1beta1");
    assert_eq!(answer["response"]["uid"], "u-1");
    assert_eq!(answer["response"]["allowed"], true);
    assert!(
        answer["response"]["warnings"][0]
            .as_str()
            .expect("a warning")
            .contains("was not checked")
    );
    assert_eq!(record.verdict, Verdict::Unchecked);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
    assert!(
        text.contains(r#"dorgu_admission_unchecked_total{reason="panic"} 1"#),
        "{text}"
    );
}

/// A panic while reading costs only the object that caused it, too.
#[test]
fn after_a_panic_the_answer_goes_to_the_uid_of_the_request() {
    let (webhook, _) = webhook(|_, _| panic!("a defect"));
    let body = br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","uid":"x","request":{"name":"admission.k8s.io/v1beta1","uid":"u-1",
        "operation":"CREATE","namespace":"shop","object":{"metadata":{"labels":{"app.kubernetes.io/name":"orders"}}}}}"#;
    let (answer, _) = webhook.answer(body);
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["response"]["uid"], "u-1");
}
