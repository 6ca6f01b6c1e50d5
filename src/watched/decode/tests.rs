//! The decoded fields of an object, and the error for one that cannot be decoded.

use super::*;

const PERSONA: &str = r#"{"apiVersion":"dorgu.io/v1","kind":"ApplicationPersona",
    "metadata":{"name":"orders","namespace":"shop","uid":"u","resourceVersion":"7",
        "annotations":{"dorgu.io/mode":"enforcing","other":"x"},"managedFields":[{"manager":"kubectl"}]},
    "spec":{"name":"orders","type":"api","scaling":{"minReplicas":2}},"status":{"phase":["odd"]}}"#;

#[test]
fn a_persona_is_read_without_its_status() {
    let stored = StoredPersona::decode(PERSONA).expect("readable");
    assert!(
        stored.status.is_some(),
        "odd as it is, it says something else than we would"
    );
    assert_eq!((&*stored.persona.namespace, &*stored.persona.app), ("shop", "orders"));
    assert_eq!(stored.persona.min_replicas, Some(2));
    assert_eq!(stored.persona.mode, ModeWish::read(Some("enforcing")));
}

#[test]
fn a_persona_is_another_when_its_demands_are_and_the_same_when_only_its_status_is() {
    let version = |json: &str| StoredPersona::decode(json).expect("readable").version;
    let first = version(PERSONA);
    let written = PERSONA.replace("\"7\"", "\"8\"").replace("odd", "other");
    assert_eq!(version(&written), first);
    for (this, that) in [
        ("\"minReplicas\":2", "\"minReplicas\":3"),
        ("\"u\"", "\"v\""),
        ("enforcing", "advisory"),
    ] {
        assert_ne!(version(&PERSONA.replace(this, that)), first, "{that}");
    }
}

#[test]
fn of_a_deployment_what_rules_look_at_is_kept_and_what_runs() {
    let read = Deployment::decode(
        r#"{"metadata":{"name":"web","namespace":"shop","managedFields":[{}]},
            "spec":{"replicas":2,"selector":{"matchLabels":{"app":"sel"}},"strategy":{"type":"Recreate"},"template":{"spec":{
                "containers":[{"name":"c","image":"i:1","env":[{"name":"A"}],"resources":{"limits":{"cpu":"0.5"}},
                    "livenessProbe":{"exec":{"command":["x"]}}},{"name":"d","image":"i:2"}],
                "volumes":[{"name":"v"}]}}},
            "status":{"replicas":2,"readyReplicas":1,"observedGeneration":4,"conditions":[
                {"type":"Available","status":"True","lastUpdateTime":"x"},{"type":"Progressing","status":"False"}]}}"#,
    )
    .expect("readable");
    let expected = Running {
        spec: Ok(r#"{"replicas":2,"template":{"spec":{"containers":[{"name":"c","image":"i:1","resources":{"limits":{"cpu":"500m"}},"livenessProbe":{}},{"name":"d","image":"i:2"}]}}}"#.into()),
        unread_image: "".into(),
        replicas: 2,
        ready: 1,
        available: true,
        progressing: false,
    };
    assert_eq!(read.running.as_deref(), Some(&expected));
}

#[test]
fn a_deployment_that_cannot_be_judged_still_names_its_app() {
    let read = Deployment::decode(
        r#"{"metadata":{"name":"web","namespace":"shop","labels":{"app.kubernetes.io/name":"orders"}},
            "spec":{"replicas":"two"}}"#,
    )
    .expect("readable");
    assert_eq!(&*read.labels.name, "orders");
    let reason = read.running.and_then(|running| running.spec.err()).expect("why");
    assert!(reason.contains("spec.replicas"), "{reason}");
}

#[test]
fn a_persona_that_cannot_be_read_is_told_by_its_field() {
    let odd = PERSONA.replace(r#""minReplicas":2"#, r#""minReplicas":"two""#);
    let reason = StoredPersona::decode(&odd).expect_err("unreadable");
    assert!(reason.as_str().contains("spec.scaling.minReplicas"), "{reason}");
}

#[test]
fn of_a_namespace_the_mode_is_kept_and_whether_it_is_opted_in_or_going() {
    let decode = |json: &str| Namespace::decode(json).expect("readable");
    let with = decode(r#"{"metadata":{"name":"shop","labels":{"dorgu.io/mode":"enforcing","a":"b"}}}"#);
    assert_eq!((&*with.name, with.mode), ("shop", ModeWish::read(Some("enforcing"))));
    assert!(!with.is_opted_in);
    let opted_in = |value: &str| {
        let labels = format!(r#"{{"metadata":{{"name":"shop","labels":{{"dorgu.io/validate":"{value}"}}}}}}"#);
        decode(&labels).is_opted_in
    };
    assert_eq!(["true", "false", "yes"].map(opted_in), [true, false, false]);
    let beside = decode(r#"{"metadata":{"name":"shop","annotations":{"dorgu.io/mode":"enforcing"}}}"#);
    assert_eq!(beside.mode, ModeWish::Misplaced("enforcing".into()));
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
    assert_eq!(&*read.all_labels, r#"{"app.kubernetes.io/name":"orders","app":"o"}"#);
    let bare = Deployment::decode(r#"{"metadata":{"name":"web","namespace":"shop","labels":null}}"#).expect("readable");
    assert_eq!(bare.labels, AppLabels::default());
    assert_eq!(&*bare.all_labels, "");
}

#[test]
fn what_is_wrong_is_said_on_one_line_whatever_the_object_calls_its_fields() {
    for json in [
        r#"{"a\r\nb":01}"#,
        r#"{"metadata":{"x\nlevel=error":01}}"#,
        r#"{"metadata":{"\u001b[2J":{"":tru}}}"#,
    ] {
        let refused = [
            StoredPersona::decode(json).expect_err("not JSON"),
            Namespace::decode(json).expect_err("not JSON"),
            Deployment::decode(json).expect_err("not JSON"),
        ];
        for reason in refused {
            assert!(
                reason.as_str().bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{reason:?}"
            );
        }
    }
}
