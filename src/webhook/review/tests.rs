use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Review, Stored, Whole};
use crate::policy::json::Object;
use crate::webhook::skim;

#[path = "../../../loadtest/payloads.rs"]
mod payloads;

/// Everything that was read of a review, with the stored object's spec.
fn told(review: Result<Review<'_>, super::Malformed<'_>>) -> String {
    let stored = |review: &Review<'_>| {
        review
            .old
            .as_ref()
            .map(Stored::workload)
            .map(|spec| format!("{spec:?}"))
    };
    match &review {
        Ok(read) => format!("{:?} {:?} {:?} {:?}", read.outline, read.object, read.old, stored(read)),
        Err(malformed) => format!("{malformed:?}"),
    }
}

fn is_skimmed(body: &str) -> bool {
    skim::from_slice::<Whole<'_>>(body.as_bytes()).is_ok()
}

#[test]
fn what_an_api_server_sends_is_skimmed_and_read_as_by_serde_json() {
    for shape in payloads::SHAPES {
        for variant in payloads::VARIANTS {
            let body = payloads::review(shape, variant, 3);
            assert!(is_skimmed(&body), "{} {}", shape.name, variant.name());
            assert_eq!(
                told(Review::read(body.as_bytes())),
                told(Review::read_every_byte(body.as_bytes()))
            );
        }
    }
}

/// Names that are read, names that look like them, and unusual names.
fn name() -> impl Strategy<Value = String> {
    let asked = [
        "metadata",
        "labels",
        "spec",
        "template",
        "containers",
        "initContainers",
        "securityContext",
        "resources",
        "limits",
        "requests",
        "cpu",
        "memory",
        "name",
        "replicas",
        "capabilities",
        "add",
        "status",
        "selector",
        "livenessProbe",
        "httpGet",
        "path",
        "app.kubernetes.io/name",
        "runAsNonRoot",
        "runAsUser",
        "deletionTimestamp",
        "managedFields",
        "annotations",
        "",
        "Spec",
        "spec ",
        "{",
        "]",
        "\\",
        "\"",
        "é",
        "k:{\"name\":\"x\"}",
    ];
    prop::sample::select(asked.to_vec()).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "500m",
            "1Gi",
            "orders",
            "UPDATE",
            "",
            "}\"{[\\",
            "\u{0}\n\u{1f600}",
            "x".repeat(70).leak()
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A Deployment in which any field may have any value.
fn object() -> impl Strategy<Value = Value> {
    (value(), value(), value(), value(), prop::collection::vec(value(), 0..3)).prop_map(|(a, b, c, d, list)| {
        let odd = |value: Value, good: Value| if value.is_object() || value.is_array() { value } else { good };
        let containers: Vec<Value> = list
            .into_iter()
            .map(|extra| json!({"name": "api", "image": extra, "resources": odd(a.clone(), json!({"limits": {"cpu": "1"}}))}))
            .collect();
        json!({
            "metadata": {"name": "orders", "managedFields": a, "labels": {"app.kubernetes.io/name": b, "x": c}},
            "spec": {"replicas": d, "template": {"spec": {"containers": containers, "securityContext": odd(b, json!({}))}}},
        })
    })
}

fn review(object: Value, old: Value, more: Value) -> Value {
    let mut request = Map::new();
    request.insert("uid".into(), json!("u-1"));
    request.insert("userInfo".into(), more);
    request.insert("operation".into(), json!("UPDATE"));
    request.insert("object".into(), object);
    request.insert("oldObject".into(), old);
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_read_as_by_serde_json(object in object(), old in object(), more in value(), pretty in any::<bool>()) {
        let review = review(object, old, more);
        let body = if pretty { serde_json::to_string_pretty(&review) } else { serde_json::to_string(&review) };
        let body = body.expect("JSON");
        prop_assert_eq!(told(Review::read(body.as_bytes())), told(Review::read_every_byte(body.as_bytes())));
    }

    /// Both readers notice damage in a field that is read. In other fields, the fast reader may skip it.
    #[test]
    fn damaged_bytes_are_never_read_differently(
        number in 0..4_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut body = payloads::review(payloads::SHAPES[number % 2], payloads::VARIANTS[number], 1).into_bytes();
        for (place, byte, how) in damage {
            let place = place.index(body.len());
            match how {
                0 => body[place] = byte,
                1 => body.insert(place, byte),
                _ => drop(body.remove(place)),
            }
        }
        if let (Ok(skimmed), Ok(whole)) = (Review::read(&body), Review::read_every_byte(&body)) {
            prop_assert_eq!(told(Ok(skimmed)), told(Ok(whole)));
        }
    }

    /// Either reader answers any bytes without a panic.
    #[test]
    fn any_bytes_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Review::read(&bytes);
        let _ = skim::from_slice::<Object<Stored<'_>>>(&bytes);
    }
}
