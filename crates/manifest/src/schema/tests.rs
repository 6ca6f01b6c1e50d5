//! Tests of the engine by cases. `tests/it/personas_like_the_api_server.rs` compares it with a real API server.

mod metadata;

use serde_json::{Value, json};

use super::*;

/// A stand-in for the real grammar that is enough for the cases here.
fn is_quantity(text: &str) -> bool {
    text.trim_end_matches(|c: char| c.is_ascii_alphabetic())
        .parse::<u64>()
        .is_ok()
}

fn kinds() -> Kinds {
    Kinds::read(&dorgu_api::crds(), is_quantity).unwrap()
}

/// A persona with the given spec fields besides the required ones.
fn persona(fields: Value) -> Value {
    let mut spec = json!({ "name": "orders", "type": "api" });
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona", "metadata": { "name": "orders" }, "spec": spec
    })
}

fn create(object: Value) -> Result<Created, Vec<FieldError>> {
    kinds()
        .find(dorgu_api::API_VERSION, "ApplicationPersona")
        .unwrap()
        .create(object, "shop")
}

#[track_caller]
fn stored(object: Value) -> Value {
    create(object).unwrap().object
}

/// What the API server would store of the spec fields, without the required ones and the default tier.
#[track_caller]
fn stored_spec(fields: Value) -> Value {
    let mut spec = stored(persona(fields))["spec"].take();
    spec.as_object_mut()
        .unwrap()
        .retain(|key, _| !["name", "type", "tier"].contains(&key.as_str()));
    spec
}

#[track_caller]
fn refused(object: Value) -> Vec<String> {
    create(object).unwrap_err().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused_spec(fields: Value) -> Vec<String> {
    refused(persona(fields))
}

#[track_caller]
fn refused_metadata(metadata: Value) -> Vec<String> {
    let mut object = persona(json!({}));
    object["metadata"] = metadata;
    refused(object)
}

#[test]
fn every_generated_schema_is_understood() {
    kinds();
}

#[test]
fn a_schema_that_says_more_than_the_engine_applies_is_refused() {
    let refused = |schema: Value| Structure::read(&schema).unwrap_err().to_string();
    let text = |keyword: &str, value: Value| json!({ "type": "object", "properties": { "a": { "type": "string", keyword: value } } });
    assert_eq!(
        refused(text("x-kubernetes-validations", json!([{ "rule": "self != 'x'" }]))),
        r#"schema at 'a': rule "self != 'x'" has no twin in api::rules::ALL"#
    );
    assert_eq!(
        refused(text("pattern", json!("^x$"))),
        "schema at 'a': pattern '^x$' has no twin in api::rules::PATTERNS"
    );
    assert_eq!(
        refused(text("format", json!("uri"))),
        "schema at 'a': format 'uri' is not supported"
    );
    assert_eq!(
        refused(text("nullable", json!(true))),
        "schema at 'a': keyword 'nullable' is not supported here"
    );
    assert_eq!(
        refused(json!({ "type": "number" })),
        "schema at '': type Some(\"number\") is not supported"
    );
    assert_eq!(
        refused(json!({ "type": "array" })),
        "schema at '': an array without items"
    );
}

#[test]
fn defaults_are_filled_in_only_where_the_parent_is_there() {
    assert_eq!(
        stored(persona(json!({})))["spec"],
        json!({ "name": "orders", "type": "api", "tier": "standard" })
    );
    assert_eq!(stored_spec(json!({ "policies": {} })), json!({ "policies": {} }));
    assert_eq!(
        stored_spec(json!({ "policies": { "security": {} } })),
        json!({ "policies": { "security": {
            "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false
        } } })
    );
    assert_eq!(
        stored_spec(json!({ "dependencies": [{ "name": "db", "required": false }, { "name": "mq" }] })),
        json!({ "dependencies": [{ "name": "db", "required": false }, { "name": "mq", "required": true }] })
    );
}

#[test]
fn a_null_is_a_field_that_is_not_there() {
    assert_eq!(
        stored_spec(json!({ "scaling": { "behavior": null, "minReplicas": null }, "health": null })),
        json!({ "scaling": { "behavior": "balanced" } })
    );
    assert_eq!(refused_spec(json!({ "name": null })), ["spec.name: Required value"]);
    assert_eq!(
        refused_spec(json!({ "networking": { "ingress": { "paths": ["/", null] } } })),
        ["spec.networking.ingress.paths[1]: Invalid value: null: must be of type string, not null"]
    );
}

#[test]
fn unknown_fields_are_dropped_with_the_api_servers_warning() {
    let mut object = persona(json!({ "colour": "red", "networking": { "ports": [{ "port": 1, "tls": true }] } }));
    object["extra"] = json!({ "deep": 1 });
    object["metadata"]["colour"] = json!(1);
    object["status"] = json!({ "mood": "good" });
    let created = create(object).unwrap();
    let warnings: Vec<String> = created.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            r#"unknown field "metadata.colour""#,
            r#"unknown field "extra""#,
            r#"unknown field "spec.colour""#,
            r#"unknown field "spec.networking.ports[0].tls""#,
            r#"unknown field "status.mood""#,
        ]
    );
    assert_eq!(created.object, {
        let mut clean =
            persona(json!({ "networking": { "ports": [{ "port": 1, "protocol": "TCP" }] }, "tier": "standard" }));
        clean["metadata"]["namespace"] = json!("shop");
        clean
    });
}

#[test]
fn the_status_of_a_manifest_is_dropped_unread() {
    let mut object = persona(json!({}));
    object["status"] = json!({ "phase": 7 });
    assert!(stored(object).get("status").is_none());
}

#[test]
fn types_are_checked_and_named() {
    assert_eq!(
        refused_spec(json!({ "name": 5, "type": ["api"], "version": true, "health": "up" })),
        [
            r#"spec.health: Invalid value: "up": must be of type object, not string"#,
            "spec.name: Invalid value: 5: must be of type string, not integer; quote it",
            r#"spec.type: Invalid value: ["api"]: must be of type string, not array"#,
            "spec.version: Invalid value: true: must be of type string, not boolean; quote it",
        ]
    );
    assert_eq!(
        refused_spec(json!({ "resources": { "limits": { "cpu": 2 } } })),
        ["spec.resources.limits.cpu: Invalid value: 2: must be of type string, not integer; quote it"]
    );
}

#[test]
fn integers_may_be_written_as_floats_but_must_be_whole_and_fit() {
    assert_eq!(
        stored_spec(json!({ "scaling": { "maxReplicas": 3.0, "behavior": "balanced" } })),
        json!({ "scaling": { "maxReplicas": 3, "behavior": "balanced" } })
    );
    let port = |port: Value| refused_spec(json!({ "health": { "port": port } }));
    assert_eq!(
        port(json!(1.5)),
        ["spec.health.port: Invalid value: 1.5: must be of type integer, not number"]
    );
    assert_eq!(
        port(json!(1e18)),
        ["spec.health.port: Invalid value: 1e+18: must be of type integer, not number"]
    );
    assert_eq!(
        port(json!(2_147_483_648_i64)),
        ["spec.health.port: Invalid value: 2147483648: should be between -2147483648 and 2147483647"]
    );
    assert_eq!(
        port(json!(u64::MAX)),
        ["spec.health.port: Invalid value: 18446744073709551615: must be of type integer, not number"]
    );
    let user = json!({ "policies": { "security": { "runAsUser": i64::MAX } } });
    assert_eq!(stored_spec(user)["policies"]["security"]["runAsUser"], json!(i64::MAX));
}

#[test]
fn bounds_and_closed_sets_are_checked() {
    assert_eq!(
        refused_spec(json!({
            "tier": "gold",
            "scaling": { "minReplicas": -1, "maxReplicas": 0, "targetCPU": 101, "targetMemory": 0, "behavior": "" }
        })),
        [
            r#"spec.scaling.behavior: Unsupported value: "": supported values: "conservative", "balanced", "aggressive""#,
            "spec.scaling.maxReplicas: Invalid value: 0: should be greater than or equal to 1",
            "spec.scaling.minReplicas: Invalid value: -1: should be greater than or equal to 0",
            "spec.scaling.targetCPU: Invalid value: 101: should be less than or equal to 100",
            "spec.scaling.targetMemory: Invalid value: 0: should be greater than or equal to 1",
            r#"spec.tier: Unsupported value: "gold": supported values: "critical", "standard", "best-effort""#,
        ]
    );
}

#[test]
fn what_must_be_there_is_missed() {
    let mut object = persona(json!({}));
    object["spec"] = json!({ "dependencies": [{}], "networking": { "ports": [{ "purpose": "http" }] } });
    assert_eq!(
        refused(object),
        [
            "spec.dependencies[0].name: Required value",
            "spec.name: Required value",
            "spec.networking.ports[0].port: Required value",
            "spec.type: Required value",
        ]
    );
    let mut object = persona(json!({}));
    object.as_object_mut().unwrap().remove("spec");
    assert_eq!(refused(object), ["spec: Required value"]);
}

#[test]
fn quantities_are_quantities_or_empty() {
    assert!(
        create(persona(
            json!({ "resources": { "limits": { "cpu": "", "memory": "1Gi" } } })
        ))
        .is_ok()
    );
    assert_eq!(
        refused_spec(json!({ "resources": { "limits": { "cpu": "abc" } } })),
        [concat!(
            r#"spec.resources.limits.cpu: Invalid value: "abc": must be a Kubernetes quantity such as 500m, 2 or 512Mi, "#,
            "or '' for not set"
        )]
    );
    assert_eq!(
        refused_spec(json!({ "resources": { "limits": { "cpu": "1".repeat(257) } } })),
        ["spec.resources.limits.cpu: Too long: may not be more than 256 characters"]
    );
    // Characters are counted, not bytes.
    let wide = refused_spec(json!({ "resources": { "limits": { "cpu": "\u{e4}".repeat(256) } } }));
    assert!(wide[0].contains("must be a Kubernetes quantity"), "{wide:?}");
}

#[test]
fn the_smallest_replica_count_must_not_be_above_the_largest() {
    assert!(create(persona(json!({ "scaling": { "minReplicas": 2, "maxReplicas": 2 } }))).is_ok());
    assert_eq!(
        refused_spec(json!({ "scaling": { "minReplicas": 5, "maxReplicas": 2 } })),
        [
            "spec.scaling.minReplicas: Invalid value: 5: minReplicas must not be above maxReplicas: lower minReplicas or raise \
          maxReplicas"
        ]
    );
}

#[test]
fn a_long_value_is_cut_and_control_characters_are_escaped_in_errors() {
    let errors = refused_spec(json!({ "health": format!("a\nb\u{0}{}", "x".repeat(200)) }));
    assert!(
        errors[0].starts_with(r#"spec.health: Invalid value: "a\nb\u0000xxx"#),
        "{errors:?}"
    );
    assert!(errors[0].len() < 160, "{errors:?}");
}

#[test]
fn another_kind_is_refused() {
    let mut object = persona(json!({}));
    object["kind"] = json!("Persona");
    assert_eq!(
        refused(object),
        [r#"kind: Invalid value: "Persona": must be ApplicationPersona"#]
    );
    assert_eq!(refused(json!([])), ["Invalid value: must be an object"]);
    assert!(kinds().find("dorgu.io/v2", "ApplicationPersona").is_none());
}

#[track_caller]
fn status_errors(status: Value) -> Vec<String> {
    let kinds = kinds();
    let kind = kinds.find(dorgu_api::API_VERSION, "ApplicationPersona").unwrap();
    kind.validate_status(&status).iter().map(ToString::to_string).collect()
}

fn condition(name: &str) -> Value {
    json!({ "type": name, "status": "True", "reason": "Ok", "message": "", "lastTransitionTime": "2026-01-31T23:59:59Z" })
}

#[test]
fn conditions_are_unique_by_type_and_follow_the_standard() {
    assert_eq!(
        status_errors(json!({ "conditions": [condition("Ready"), condition("a.b/Ready")] })),
        [""; 0]
    );
    assert_eq!(
        status_errors(json!({ "conditions": [condition("Ready"), condition("Ready")] })),
        [r#"status.conditions[1]: Duplicate value: {"type":"Ready"}"#]
    );
    let mut bad = condition("-x");
    bad["reason"] = json!("");
    bad["status"] = json!("true");
    bad["lastTransitionTime"] = json!("yesterday");
    let errors = status_errors(json!({ "conditions": [bad] }));
    let starts: Vec<&str> = errors.iter().map(|error| error.split(": ").next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "status.conditions[0].lastTransitionTime",
            "status.conditions[0].reason",
            "status.conditions[0].reason",
            "status.conditions[0].status",
            "status.conditions[0].type",
        ]
    );
}

#[test]
fn dates_and_times_are_real_ones() {
    let good = |text: &str| status_errors(json!({ "lastUpdated": text })).is_empty();
    for text in [
        "2026-03-23T10:00:00Z",
        "2024-02-29t10:00:00.123456z",
        "2026-03-23T23:59:59+02:00",
    ] {
        assert!(good(text), "{text}");
    }
    for text in [
        "",
        "2026-03-23",
        "2026-02-29T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-03-23T24:00:00Z",
        "2026-03-23T10:00Z",
        "2026-03-23T10:00:00",
        "2026-03-23 10:00:00Z",
        "2026-03-23T10:00:00.Z",
        "2026-03-23T10:00:00+2",
        "2026-3-2T1:0:0Z",
    ] {
        assert!(!good(text), "{text}");
    }
}

/// Any JSON of a bounded size, with some field names of the schema, so that walks reach deep fields.
fn any_json() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let key = prop_oneof![
        proptest::sample::select(vec![
            "scaling",
            "minReplicas",
            "maxReplicas",
            "behavior",
            "policies",
            "security",
            "runAsNonRoot",
            "resources",
            "limits",
            "cpu",
            "dependencies",
            "name",
            "networking",
            "ports",
            "port",
            "labels",
            "finalizers",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..5_i64).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,5}".prop_map(Value::from),
        proptest::sample::select(vec!["500m", "api", "", "balanced"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn any_json_gets_a_verdict_and_what_was_stored_is_stored_unchanged(spec in any_json(), metadata in any_json()) {
        let mut object = persona(if spec.is_object() { spec } else { json!({ "health": spec }) });
        if let Some(extra) = metadata.as_object() {
            object["metadata"].as_object_mut().unwrap().extend(extra.clone());
        }
        if let Ok(first) = create(object) {
            let second = create(first.object.clone()).unwrap();
            proptest::prop_assert_eq!(second.object, first.object);
            proptest::prop_assert_eq!(second.warnings, vec![]);
        }
    }
}
