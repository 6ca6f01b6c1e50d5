//! Metadata of objects.

use super::*;

#[test]
fn the_namespace_is_the_requests_unless_the_object_names_one() {
    assert_eq!(
        stored(persona(json!({})))["metadata"],
        json!({ "name": "orders", "namespace": "shop" })
    );
    let mut object = persona(json!({}));
    object["metadata"]["namespace"] = json!("bank");
    assert_eq!(stored(object)["metadata"]["namespace"], "bank");
    let cluster = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ClusterPersona",
        "metadata": { "name": "c", "namespace": "bank" }, "spec": { "name": "c" }
    });
    let kinds = kinds();
    let created = kinds
        .find(dorgu_api::API_VERSION, "ClusterPersona")
        .unwrap()
        .create(cluster, "shop")
        .unwrap();
    assert_eq!(created.object["metadata"], json!({ "name": "c" }));
    assert_eq!(created.object["spec"]["environment"], "development");
}

#[test]
fn metadata_of_the_wrong_type_is_refused() {
    assert_eq!(
        refused_metadata(json!("x")),
        [r#"metadata: Invalid value: "x": must be of type object"#]
    );
    assert_eq!(
        refused_metadata(json!({ "name": 1, "labels": { "a": 1 }, "annotations": ["x"], "finalizers": "x" })),
        [
            r#"metadata.annotations: Invalid value: ["x"]: must be an object whose values are strings"#,
            r#"metadata.finalizers: Invalid value: "x": must be a list of strings"#,
            "metadata.labels.a: Invalid value: 1: must be of type string; quote it if it is one",
            "metadata.name: Invalid value: 1: must be of type string; quote it if it is one",
        ]
    );
}

#[test]
fn metadata_follows_the_syntax_of_names() {
    let long = "x".repeat(64);
    assert_eq!(
        refused_metadata(json!({})),
        ["metadata.name: Required value: name or generateName is required"]
    );
    for name in ["Orders", "-a", "a-", "a..b", "a_b", "a/b", ".", &"x".repeat(254)] {
        let errors = refused_metadata(json!({ "name": name }));
        assert!(
            errors.len() == 1 && errors[0].starts_with("metadata.name: Invalid value:"),
            "{errors:?}"
        );
    }
    for namespace in ["Shop", "a.b", "-a", &long] {
        let errors = refused_metadata(json!({ "name": "a", "namespace": namespace }));
        assert!(
            errors.len() == 1 && errors[0].starts_with("metadata.namespace: Invalid value:"),
            "{errors:?}"
        );
    }
    for key in ["", "-a", "a/b/c", "/a", "A_b.c/x", "a/", &long] {
        for field in ["labels", "annotations"] {
            let errors = refused_metadata(json!({ "name": "a", field: { key: "x" } }));
            // Annotations are lower-cased before they are validated; `A_b.c` is still invalid, for its `_`.
            assert!(
                errors.len() == 1 && errors[0].starts_with(&format!("metadata.{field}: ")),
                "{key}: {errors:?}"
            );
        }
    }
    for value in ["-a", "a b", "a/b", &long] {
        let errors = refused_metadata(json!({ "name": "a", "labels": { "k": value } }));
        assert!(
            errors.len() == 1 && errors[0].starts_with("metadata.labels: Invalid value:"),
            "{errors:?}"
        );
    }
    assert_eq!(
        refused_metadata(json!({ "name": "a", "annotations": { "k": "x".repeat(256 * 1024) } })),
        ["metadata.annotations: Too long: may not be more than 262144 bytes together, is 262145"]
    );
}

#[test]
fn good_metadata_is_kept_and_what_the_server_fills_in_is_dropped() {
    let mut object = persona(json!({}));
    let kept = json!({
        "name": "a.b-c", "namespace": "shop",
        "labels": { "example.com/Team_1": "A.b-C", "empty": "" },
        "annotations": { "Example.com/x": "any text\n at all", "\u{130}\u{212a}": "letters whose small ones are ASCII" },
        "finalizers": ["example.com/x"]
    });
    object["metadata"] = kept.clone();
    let server_side = json!({
        "uid": "u", "resourceVersion": "7", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{ "manager": "kubectl", "fieldsV1": { "f:spec": {} } }], "selfLink": null
    });
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .extend(server_side.as_object().unwrap().clone());
    let created = create(object).unwrap();
    assert_eq!(created.object["metadata"], kept);
    assert_eq!(created.warnings, []);
}

#[test]
fn a_null_label_is_an_empty_one() {
    let mut object = persona(json!({}));
    object["metadata"]["labels"] = json!({ "a": null });
    assert_eq!(stored(object)["metadata"]["labels"], json!({ "a": "" }));
}
