//! Random bytes and random JSON.

use proptest::prelude::*;

use super::*;

/// Whatever comes in, something comes out that is JSON and says allowed or not.
fn survives(body: Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for rulebook in [ENFORCING, ADVISORY, UPSTREAM] {
        let answer = runtime.block_on(post(rulebook, body.clone()));
        assert!(answer["response"]["allowed"].is_boolean(), "{answer}");
        let warnings = answer["response"]["warnings"].as_array().cloned().unwrap_or_default();
        let unchecked = |warning: &Value| warning.as_str().is_some_and(|text| text.contains("defect"));
        assert!(!warnings.iter().any(unchecked), "a panic was contained: {answer}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop_oneof!["1.5Gi", "-0", "1e99999", "Always", "orders", "SYS_ADMIN"].prop_map(Value::from),
    ];
    let key = prop_oneof![
        "apiVersion|kind|request|uid|operation|object|oldObject|namespace|metadata|labels|spec|replicas|template",
        "containers|initContainers|resources|limits|cpu|securityContext|capabilities|add|status|selector|deletionTimestamp",
        "[a-z]{1,4}",
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 1..512)) {
        survives(body);
    }

    #[test]
    fn random_reviews_never_panic(object in any_json(), old in any_json(), update in any::<bool>(), scale in any::<bool>()) {
        let mut review = json!({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "request": {"uid": "u-1", "operation": if update { "UPDATE" } else { "CREATE" }, "namespace": "shop",
                        "subResource": if scale { "scale" } else { "" }, "object": object, "oldObject": old},
        });
        if review["request"]["object"].is_object() {
            review["request"]["object"]["metadata"] = json!({"labels": {"app.kubernetes.io/name": "orders"}});
        }
        survives(serde_json::to_vec(&review).expect("JSON"));
    }

    #[test]
    fn a_review_cut_anywhere_never_panics(cut in 0usize..400) {
        let whole = review(r#"{"metadata":{"labels":{"app.kubernetes.io/name":"orders"}},"spec":{"replicas":1,
            "template":{"spec":{"containers":[{"name":"api","securityContext":{"capabilities":{"add":["ALL"]}}}]}}}}"#);
        let mut bytes = whole.into_bytes();
        bytes.truncate(cut.max(1).min(bytes.len()));
        survives(bytes);
    }
}
