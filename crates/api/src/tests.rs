//! Tests of the types and their definitions, against contract 1.1 to 1.4.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

/// Every field of a kind by its path (`spec.scaling.minReplicas`, list items as `[]`), with its schema.
fn fields(plural: &str) -> BTreeMap<String, Value> {
    fn walk(path: &str, schema: &Value, out: &mut BTreeMap<String, Value>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            walk(&path, property, out);
            out.insert(path, property.clone());
        }
        if schema["items"].is_object() {
            walk(&format!("{path}[]"), &schema["items"], out);
        }
    }
    let crd = crds().into_iter().find(|crd| crd.spec.names.plural == plural).unwrap();
    let schema = serde_json::to_value(&crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema).unwrap();
    let mut out = BTreeMap::new();
    walk("", &schema, &mut out);
    out
}

/// The value of one keyword wherever a field of `spec` carries it.
fn keyword(plural: &str, keyword: &str) -> BTreeMap<String, Value> {
    fields(plural)
        .into_iter()
        .filter(|(path, schema)| path.starts_with("spec") && !schema[keyword].is_null())
        .map(|(path, schema)| (path, schema[keyword].clone()))
        .collect()
}

fn table(rows: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(rows).unwrap()
}

#[test]
fn every_field_has_a_description_of_its_own() {
    for plural in ["applicationpersonas", "clusterpersonas", "personaexceptions"] {
        for (path, schema) in fields(plural) {
            let text = schema["description"].as_str().unwrap_or_default();
            assert!(
                text.len() > 10 && text.ends_with('.') && !text.contains('\n'),
                "{plural} {path}: {text:?}"
            );
        }
    }
}

#[test]
fn defaults_of_an_application_are_those_of_the_contract() {
    assert_eq!(
        keyword("applicationpersonas", "default"),
        table(json!({
            "spec.tier": "standard",
            "spec.scaling.behavior": "balanced",
            "spec.health.startupGracePeriod": "30s",
            "spec.dependencies[].required": true,
            "spec.networking.ports[].protocol": "TCP",
            "spec.policies.security.runAsNonRoot": true,
            "spec.policies.security.readOnlyRootFilesystem": true,
            "spec.policies.security.allowPrivilegeEscalation": false,
            "spec.policies.deployment.strategy": "RollingUpdate",
            "spec.policies.deployment.maxSurge": "25%",
            "spec.policies.deployment.maxUnavailable": "25%",
            "spec.policies.maintenance.autoRestart": false,
        }))
    );
}

#[test]
fn defaults_of_a_cluster_are_those_of_the_contract() {
    assert_eq!(
        keyword("clusterpersonas", "default"),
        table(json!({
            "spec.environment": "development",
            "spec.policies.security.enforceNonRoot": true,
            "spec.policies.security.enforceReadOnlyRoot": false,
            "spec.policies.security.disallowPrivileged": true,
            "spec.policies.security.podSecurityStandard": "baseline",
            "spec.policies.networking.defaultDenyIngress": false,
            "spec.policies.networking.defaultDenyEgress": false,
            "spec.policies.selfHealing.enabled": true,
            "spec.policies.selfHealing.mode": "propose",
            "spec.policies.selfHealing.trustLevel": 2,
            "spec.policies.selfHealing.maxRemediationsPerHour": 5,
            "spec.policies.selfHealing.rollback.enabled": true,
            "spec.policies.selfHealing.rollback.maxRetries": 1,
            "spec.defaults.scaling.behavior": "balanced",
        }))
    );
}

#[test]
fn closed_sets_of_an_application_are_those_of_the_contract() {
    assert_eq!(
        keyword("applicationpersonas", "enum"),
        table(json!({
            "spec.type": ["api", "web", "worker", "cron", "daemon"],
            "spec.tier": ["critical", "standard", "best-effort"],
            "spec.resources.profile": ["minimal", "standard", "compute-heavy", "memory-heavy"],
            "spec.scaling.behavior": ["conservative", "balanced", "aggressive"],
            "spec.dependencies[].type": ["database", "cache", "queue", "service", "external"],
            "spec.policies.deployment.strategy": ["RollingUpdate", "Recreate", "BlueGreen", "Canary"],
            // Not of the contract.
            "spec.selector.matchExpressions[].operator": ["In", "NotIn", "Exists", "DoesNotExist"],
            "spec.policies.rules[].level": ["off", "audit", "warn", "deny"],
            "spec.policies.rules[].rule": [
                "cpu-limit-above-persona", "memory-limit-above-persona", "cpu-limit-missing", "memory-limit-missing",
                "requests-missing", "replicas-below-minimum", "replicas-above-maximum", "liveness-probe-missing",
                "liveness-path-differs", "readiness-probe-missing", "run-as-non-root", "privilege-escalation",
                "privilege-escalation-unset", "writable-root-filesystem", "image-registry-not-allowed",
                "image-tag-latest", "image-digest-missing", "app-label-missing",
            ],
        }))
    );
}

#[test]
fn bounds_of_an_application_are_those_of_the_contract() {
    assert_eq!(
        keyword("applicationpersonas", "minimum"),
        table(json!({
            "spec.scaling.minReplicas": 0.0,
            "spec.scaling.maxReplicas": 1.0,
            "spec.scaling.targetCPU": 1.0,
            "spec.scaling.targetMemory": 1.0,
        }))
    );
    assert_eq!(
        keyword("applicationpersonas", "maximum"),
        table(json!({ "spec.scaling.targetCPU": 100.0, "spec.scaling.targetMemory": 100.0 }))
    );
}

#[test]
fn what_must_be_there_is_what_the_contract_says() {
    let required = |plural| {
        fields(plural)
            .into_iter()
            .filter(|(_, schema)| schema["required"].is_array() || schema["items"]["required"].is_array())
            .map(|(path, schema)| {
                let list = if schema["required"].is_array() {
                    &schema["required"]
                } else {
                    &schema["items"]["required"]
                };
                (path, list.clone())
            })
            .collect::<BTreeMap<_, _>>()
    };
    let conditions = json!(["lastTransitionTime", "message", "reason", "status", "type"]);
    assert_eq!(
        required("applicationpersonas"),
        table(json!({
            "spec": ["name", "type"],
            "spec.dependencies": ["name"],
            "spec.networking.ports": ["port"],
            "spec.selector.matchExpressions": ["key", "operator"],
            "spec.policies.rules": ["level", "rule"],
            "status.conditions": conditions,
            "status.deployments.history": ["status", "timestamp", "version"],
            "status.health.podFailures": ["container", "podName", "reason"],
            "status.learned.patterns": ["description", "type"],
            "status.recommendations": ["message", "priority", "type"],
            "status.validation.issues": ["message", "severity"],
        }))
    );
    assert_eq!(
        required("clusterpersonas"),
        table(json!({
            "spec": ["name"],
            "spec.policies.rules": ["rule"],
            "status.addons": ["installed", "name"],
            "status.conditions": conditions,
            "status.namespaces": ["total"],
            "status.nodes": ["name", "ready"],
        }))
    );
    assert_eq!(
        required("personaexceptions"),
        table(json!({
            "spec": ["expires", "owner", "reason", "rules"],
            "spec.workload": ["kind", "name"],
            "status.conditions": conditions,
        }))
    );
}

#[test]
fn columns_begin_with_upstreams_and_the_rest_shows_in_wide_lists_only() {
    let columns: Vec<Vec<(String, i32)>> = crds()
        .into_iter()
        .map(|crd| {
            let columns = crd.spec.versions[0].additional_printer_columns.clone().unwrap();
            columns
                .into_iter()
                .map(|c| (c.name, c.priority.unwrap_or_default()))
                .collect()
        })
        .collect();
    let shown = |columns: &[(String, i32)]| -> Vec<String> {
        columns
            .iter()
            .filter(|(_, priority)| *priority == 0)
            .map(|(name, _)| name.clone())
            .collect()
    };
    assert_eq!(shown(&columns[0]), ["Type", "Tier", "Phase", "Health", "Age"]);
    assert_eq!(shown(&columns[1]), ["Environment", "Phase", "Nodes", "Apps", "Age"]);
    assert_eq!(shown(&columns[2]), ["App", "Phase", "Findings", "Expires", "Age"]);
    assert!(columns.iter().flatten().all(|(_, priority)| *priority <= 1));
}

#[test]
fn nothing_is_nullable_so_a_null_means_absent() {
    for (_, yaml) in crd::render(crd::crds()).unwrap() {
        assert!(!yaml.contains("nullable"));
        assert!(!yaml.contains("anyOf") && !yaml.contains("oneOf"));
    }
}

#[test]
fn quantities_of_spec_carry_the_rule_and_a_bounded_length() {
    for (plural, paths) in [
        (
            "applicationpersonas",
            vec![
                "spec.resources.limits.cpu",
                "spec.resources.limits.memory",
                "spec.resources.requests.cpu",
                "spec.resources.requests.memory",
            ],
        ),
        (
            "clusterpersonas",
            vec![
                "spec.defaults.resources.limits.cpu",
                "spec.defaults.resources.limits.memory",
                "spec.defaults.resources.requests.cpu",
                "spec.defaults.resources.requests.memory",
                "spec.resourceQuotas.maxCPUPerNamespace",
                "spec.resourceQuotas.maxMemoryPerNamespace",
            ],
        ),
    ] {
        let carrying: Vec<String> = keyword(plural, "x-kubernetes-validations")
            .into_iter()
            .filter(|(_, rules)| rules[0]["rule"] == rules::QUANTITY.cel)
            .map(|(path, _)| path)
            .collect();
        assert_eq!(carrying, paths);
        assert_eq!(keyword(plural, "maxLength").into_keys().collect::<Vec<_>>(), paths);
    }
}

#[test]
fn a_full_persona_reads_and_writes_without_loss() {
    let persona = json!({
        "apiVersion": API_VERSION,
        "kind": "ApplicationPersona",
        "metadata": { "name": "orders", "namespace": "shop" },
        "spec": {
            "name": "orders", "version": "1", "type": "api", "tier": "best-effort",
            "technical": { "language": "go", "framework": "gin", "description": "Takes orders." },
            "resources": {
                "requests": { "cpu": "100m", "memory": "64Mi" },
                "limits": { "cpu": "500m", "memory": "" },
                "profile": "compute-heavy"
            },
            "scaling": { "minReplicas": 2, "maxReplicas": 5, "targetCPU": 70, "targetMemory": 80, "behavior": "balanced" },
            "health": { "livenessPath": "/live", "readinessPath": "/ready", "port": 8080, "startupGracePeriod": "30s" },
            "dependencies": [{ "name": "db", "type": "database", "required": true, "healthCheck": "tcp" }],
            "networking": {
                "ports": [{ "port": 8080, "protocol": "TCP", "purpose": "http" }],
                "ingress": { "enabled": true, "host": "a.example", "paths": ["/"], "tlsEnabled": false }
            },
            "ownership": { "team": "t", "owner": "o", "repository": "r", "oncall": "c", "runbook": "b" },
            "policies": {
                "security": {
                    "runAsNonRoot": true, "readOnlyRootFilesystem": false, "allowPrivilegeEscalation": false,
                    "imageRunsAsRoot": true, "runAsUser": 65534
                },
                "deployment": { "strategy": "BlueGreen", "maxSurge": "1", "maxUnavailable": "0" },
                "maintenance": { "window": "Sun", "autoRestart": false }
            }
        },
        "status": {
            "observedGeneration": 3, "phase": "Degraded", "lastUpdated": "2026-03-23T10:00:00Z",
            "health": {
                "status": "Unhealthy",
                "podFailures": [{ "podName": "p", "container": "c", "reason": "CrashLoopBackOff", "message": "m" }]
            },
            "validation": { "passed": false, "issues": [{ "severity": "error", "message": "m" }] },
            "learned": { "resourceBaseline": { "avgCPU": "10m", "peakCPU": "20m" }, "incidentCount": 1 },
            "argoCD": { "syncStatus": "OutOfSync", "healthStatus": "Missing" },
            "activeIncidents": 1, "lastIncidentTime": "2026-03-23T10:00:00Z",
            "conditions": [{
                "type": "Ready", "status": "False", "reason": "Issues", "message": "",
                "lastTransitionTime": "2026-03-23T10:00:00Z"
            }]
        }
    });
    let read: ApplicationPersona = serde_json::from_value(persona.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), persona);
}

#[test]
fn a_full_cluster_reads_and_writes_without_loss() {
    let persona = json!({
        "apiVersion": API_VERSION,
        "kind": "ClusterPersona",
        "metadata": { "name": "dorgu-cluster" },
        "spec": {
            "name": "prod", "description": "d", "environment": "production",
            "policies": {
                "security": {
                    "enforceNonRoot": true, "enforceReadOnlyRoot": false, "disallowPrivileged": true,
                    "allowedRegistries": ["ghcr.io"], "podSecurityStandard": "restricted"
                },
                "networking": {
                    "defaultDenyIngress": true, "defaultDenyEgress": false, "allowedExternalCIDRs": ["10.0.0.0/8"]
                },
                "compliance": ["SOC2"],
                "selfHealing": {
                    "enabled": true, "mode": "auto-approve", "trustLevel": 2, "maxRemediationsPerHour": 5,
                    "excludeNamespaces": ["kube-system"],
                    "rollback": { "enabled": true, "healthCheckAfter": "5m", "maxRetries": 1 }
                }
            },
            "conventions": {
                "namingPattern": "x", "requiredLabels": ["a"], "requiredAnnotations": ["b"], "namespacePrefix": "p"
            },
            "defaults": { "namespace": "default", "registry": "r", "resources": {}, "scaling": {} },
            "resourceQuotas": {
                "maxPodsPerNamespace": 1, "maxCPUPerNamespace": "4", "maxMemoryPerNamespace": "1Gi", "maxPVCsPerNamespace": 2
            }
        },
        "status": {
            "phase": "Ready", "platform": "Kind", "kubernetesVersion": "v1.32.1", "applicationCount": 0,
            "nodes": [{ "name": "n", "ready": true, "capacity": { "ephemeralStorage": "1Gi" }, "labels": { "a": "b" } }],
            "resourceSummary": {
                "totalCPU": "4", "allocatableCPU": "4", "usedCPU": "1", "cpuUtilization": "25%", "nodeCount": 1
            },
            "addons": [{ "name": "cnpg-cloudnative-pg", "type": "database", "installed": true }],
            "namespaces": { "total": 4, "withPersonas": 1 }
        }
    });
    let read: ClusterPersona = serde_json::from_value(persona.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), persona);
}

#[test]
fn a_full_exception_reads_and_writes_without_loss() {
    let exception = json!({
        "apiVersion": API_VERSION,
        "kind": "PersonaException",
        "metadata": { "name": "until-spring", "namespace": "shop" },
        "spec": {
            "workload": { "kind": "Deployment", "name": "orders" }, "rules": ["run-as-non-root"], "containers": ["api"],
            "reason": "The vendor's image comes in spring", "owner": "jane", "ticket": "https://tickets.example.com/1",
            "starts": "2026-01-01T00:00:00Z", "expires": "2026-03-01T00:00:00Z"
        },
        "status": {
            "observedGeneration": 1, "phase": "Active", "findings": 2,
            "conditions": [{
                "type": "Active", "status": "True", "reason": "Active", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"
            }]
        }
    });
    let read: PersonaException = serde_json::from_value(exception.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), exception);
}

#[test]
fn the_types_apply_no_default() {
    let spec: ApplicationPersonaSpec =
        serde_json::from_value(json!({ "name": "a", "type": "cron", "policies": { "security": {} } })).unwrap();
    assert_eq!(spec.tier, None);
    assert_eq!(spec.policies.unwrap().security.unwrap().run_as_non_root, None);
}

#[test]
fn the_twins_agree_with_what_the_rules_say() {
    let small: rules::IsQuantity = |text| text == "1";
    let quantity = |value: Value| (rules::QUANTITY.holds)(&value, small);
    assert!(quantity(json!("")) && quantity(json!("1")) && !quantity(json!("abc")) && !quantity(json!(" ")));
    let range = |value: Value| (rules::MIN_MAX.holds)(&value, small);
    assert!(range(json!({})) && range(json!({ "minReplicas": 9 })) && range(json!({ "maxReplicas": 1 })));
    assert!(range(json!({ "minReplicas": 2, "maxReplicas": 2 })));
    assert!(!range(json!({ "minReplicas": 3, "maxReplicas": 2 })));
    let target = |value: Value| (rules::ONE_TARGET.holds)(&value, small);
    assert!(target(json!({ "app": "a" })) && target(json!({ "workload": {} })));
    assert!(!target(json!({})) && !target(json!({ "app": "a", "workload": {} })));
    let period = |value: Value| (rules::STARTS_BEFORE_EXPIRES.holds)(&value, small);
    let (early, late) = ("2026-01-01T00:00:00+02:00", "2025-12-31T22:00:01Z");
    assert!(period(json!({ "expires": early })) && period(json!({ "starts": early, "expires": late })));
    assert!(
        !period(json!({ "starts": late, "expires": early })) && !period(json!({ "starts": late, "expires": late }))
    );
}
