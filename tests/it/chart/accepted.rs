//! An API server accepts every value set, under strict validation, in a namespace of restricted Pod Security.
//!
//! The kinds of the Prometheus operator and of cert-manager have schemas of our own, with only the fields we use, so that a
//! misspelt field is rejected.

use serde_json::{Value, json};

use super::{objects, template, value_sets};
use crate::bed::{Bed, Helm, Options, wait_until};
use std::time::Duration;

/// Pods on the node's network are what restricted Pod Security forbids; people who need them know.
const NOT_RESTRICTED: &str = "host-network";

#[test]
fn every_value_set_is_accepted_strictly_and_without_a_warning() {
    let Some(helm) = Helm::find() else { return };
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    install_neighbours(&bed);
    let monitoring = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}});
    bed.apply(&monitoring.to_string()).expect_success();
    for (name, file) in value_sets() {
        let namespace = bed.namespace(
            &name,
            &["enforce", "warn", "audit"]
                .map(|level| format!("pod-security.kubernetes.io/{level}"))
                .iter()
                .map(|key| (key.as_str(), "restricted"))
                .collect::<Vec<_>>(),
        );
        let rendered = template(&helm, &namespace, &["--values", &file.display().to_string()]).expect_success();
        let apply = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        let applied = bed.kubectl_in(&apply, &rendered);
        let warnings = applied.warnings().len();
        let shown = applied.to_string();
        let lines = applied.expect_success();
        assert_eq!(warnings, usize::from(name == NOT_RESTRICTED), "{name}: {shown}");
        assert_eq!(lines.lines().count(), objects(&rendered).len(), "{name}: {shown}");
        for line in lines.lines() {
            assert!(line.ends_with("serverside-applied (server dry run)"), "{name}: {line}");
        }
    }
}

#[test]
fn a_misspelt_field_of_a_neighbours_kind_is_seen() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    install_neighbours(&bed);
    let monitor = |field: &str| {
        json!({
            "apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
            "metadata": {"name": "x", "namespace": "default"},
            "spec": {"selector": {}, "endpoints": [{"port": "metrics", field: "30s"}]},
        })
    };
    let apply = |object: Value| {
        let args = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        bed.kubectl_in(&args, &object.to_string())
    };
    apply(monitor("interval")).expect_success();
    let refused = apply(monitor("intervall")).expect_failure();
    assert!(refused.contains("intervall"), "{refused}");
}

/// The foreign kinds that the chart creates, with the fields that we use.
pub(crate) fn install_neighbours(bed: &Bed) {
    let crds = json!({"apiVersion": "v1", "kind": "List", "items": neighbours()});
    bed.apply(&crds.to_string()).expect_success();
    let served = wait_until(Duration::from_secs(30), "their kinds are served", || {
        for kind in [
            "servicemonitors",
            "podmonitors",
            "prometheusrules",
            "issuers",
            "certificates",
        ] {
            bed.kubectl(&["get", kind, "--all-namespaces"]).checked()?;
        }
        Ok(())
    });
    served.unwrap_or_else(|error| panic!("{error:#}"));
}

fn neighbours() -> Vec<Value> {
    let text = json!({"type": "string"});
    let truth = json!({"type": "boolean"});
    let number = json!({"type": "integer"});
    let texts = json!({"type": "array", "items": text});
    let map = json!({"type": "object", "additionalProperties": text});
    let selector = json!({"type": "object", "properties": {"matchLabels": map}});
    let relabelings = json!({"type": "array", "items": {"type": "object", "properties": {
        "action": text, "regex": text, "replacement": text, "separator": text, "sourceLabels": texts, "targetLabel": text,
    }}});
    let endpoint = json!({"type": "object", "properties": {
        "port": text, "scheme": {"type": "string", "enum": ["http", "https"]}, "interval": text, "scrapeTimeout": text,
        "bearerTokenFile": text,
        "bearerTokenSecret": {"type": "object", "required": ["key"], "properties": {"name": text, "key": text}},
        "tlsConfig": {"type": "object", "properties": {
            "insecureSkipVerify": truth, "serverName": text,
            "ca": {"type": "object", "properties": {"secret": {
                "type": "object", "required": ["key"], "properties": {"name": text, "key": text},
            }}},
        }},
        "relabelings": relabelings, "metricRelabelings": relabelings,
    }});
    let monitor = |endpoints: &str| {
        json!({"type": "object", "required": ["selector", endpoints], "properties": {
            "selector": selector,
            "namespaceSelector": {"type": "object", "properties": {"matchNames": texts}},
            endpoints: {"type": "array", "items": endpoint},
        }})
    };
    let rule = json!({"type": "object", "required": ["expr"], "properties": {
        "alert": text, "expr": text, "for": text, "labels": map, "annotations": map,
    }});
    let rules = json!({"type": "object", "properties": {"groups": {"type": "array", "items": {
        "type": "object", "required": ["name"], "properties": {"name": text, "rules": {"type": "array", "items": rule}},
    }}}});
    let issuer = json!({"type": "object", "properties": {
        "selfSigned": {"type": "object"},
        "ca": {"type": "object", "required": ["secretName"], "properties": {"secretName": text}},
    }});
    let certificate = json!({"type": "object", "required": ["secretName", "issuerRef"], "properties": {
        "secretName": text, "commonName": text, "isCA": truth, "duration": text, "renewBefore": text, "dnsNames": texts,
        "usages": texts,
        "privateKey": {"type": "object", "properties": {"algorithm": text, "size": number, "rotationPolicy": text}},
        "issuerRef": {"type": "object", "required": ["name"], "properties": {"name": text, "kind": text, "group": text}},
    }});
    let monitoring = "monitoring.coreos.com";
    let certificates = "cert-manager.io";
    vec![
        crd(monitoring, "ServiceMonitor", &monitor("endpoints")),
        crd(monitoring, "PodMonitor", &monitor("podMetricsEndpoints")),
        crd(monitoring, "PrometheusRule", &rules),
        crd(certificates, "Issuer", &issuer),
        crd(certificates, "Certificate", &certificate),
    ]
}

fn crd(group: &str, kind: &str, spec: &Value) -> Value {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": singular},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": spec},
            }}}],
        },
    })
}
