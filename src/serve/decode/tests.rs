//! What is read of an object, and what is said of one that cannot be.

use super::*;

const PERSONA: &str = r#"{"apiVersion":"dorgu.io/v1","kind":"ApplicationPersona",
    "metadata":{"name":"orders","namespace":"shop","uid":"u","resourceVersion":"7",
        "annotations":{"dorgu.io/mode":"enforcing","other":"x"},"managedFields":[{"manager":"kubectl"}]},
    "spec":{"name":"orders","type":"api","scaling":{"minReplicas":2}},"status":{"phase":["odd"]}}"#;

#[test]
fn a_persona_is_read_without_its_status() {
    let stored = StoredPersona::decode(PERSONA).expect("readable");
    assert_eq!(&*stored.version, "u/7");
    assert_eq!((&*stored.persona.namespace, &*stored.persona.app), ("shop", "orders"));
    assert_eq!(stored.persona.min_replicas, Some(2));
    assert_eq!(stored.persona.mode, ModeWish::read(Some("enforcing")));
}

#[test]
fn a_persona_that_cannot_be_read_is_told_by_its_field() {
    let odd = PERSONA.replace(r#""minReplicas":2"#, r#""minReplicas":"two""#);
    let reason = StoredPersona::decode(&odd).expect_err("unreadable");
    assert!(reason.contains("spec.scaling.minReplicas"), "{reason}");
}

#[test]
fn of_a_namespace_the_mode_is_kept_and_whether_it_is_going() {
    let decode = |json: &str| Namespace::decode(json).expect("readable");
    let with = decode(r#"{"metadata":{"name":"shop","labels":{"dorgu.io/mode":"enforcing","a":"b"}}}"#);
    assert_eq!((&*with.name, with.mode), ("shop", ModeWish::read(Some("enforcing"))));
    let without = decode(r#"{"metadata":{"name":"shop","labels":null}}"#);
    assert_eq!((without.mode, without.terminating), (ModeWish::Unset, false));
    let going = decode(r#"{"metadata":{"name":"shop","uid":"u","deletionTimestamp":"2026-01-01T00:00:00Z"}}"#);
    assert_eq!((going.terminating, &*going.uid), (true, ""));
    let system = decode(r#"{"metadata":{"name":"kube-system","uid":"u","deletionTimestamp":null}}"#);
    assert_eq!((system.terminating, &*system.uid), (false, "u"));
}

#[test]
fn of_a_deployment_the_names_of_its_app_are_kept() {
    let read = Deployment::decode(
        r#"{"metadata":{"name":"web","namespace":"shop","labels":{"app.kubernetes.io/name":"orders","app":"o"}},
            "spec":{"replicas":2,"selector":{"matchLabels":{"app":"sel"}},"template":{"spec":{"containers":[]}}}}"#,
    )
    .expect("readable");
    assert_eq!((&*read.labels.name, &*read.labels.app), ("orders", "o"));
    assert_eq!((&*read.selected.name, &*read.selected.app), ("", "sel"));
    let bare = Deployment::decode(r#"{"metadata":{"name":"web","namespace":"shop","labels":null}}"#).expect("readable");
    assert_eq!(bare.labels, AppLabels::default());
}
