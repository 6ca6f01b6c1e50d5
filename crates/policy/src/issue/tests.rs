//! Every row of contract 3.4, in its order and its words, and findings without a row.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Issue, MOST_ISSUES, issues};
use crate::workload::{Spec, Workload};
use crate::{Exceptions, Persona, PlatformRules, RuleSet, Severity};
use dorgu_api::ApplicationPersona;

fn persona(spec: Value) -> Persona {
    let mut spec = spec;
    spec["name"] = json!("orders");
    spec["type"] = json!("api");
    let object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": "orders", "namespace": "shop"}, "spec": spec,
    });
    let object: ApplicationPersona = serde_json::from_value(object).expect("a persona");
    Persona::parse(&object)
}

/// Personas of one app, of which only the names matter.
fn sharing(names: &[&str]) -> Vec<Arc<Persona>> {
    let named = |name: &&str| Persona {
        name: (*name).to_owned(),
        ..Persona::default()
    };
    names.iter().map(|name| Arc::new(named(name))).collect()
}

/// The issues of a Deployment's spec, as `severity field | message | suggestion`.
fn told(set: RuleSet, spec: &Value, persona: &Persona) -> Vec<String> {
    let text = spec.to_string();
    let spec: Spec<'_> = serde_json::from_str(&text).expect("a spec");
    let kept = spec.to_json();
    let of = |spec| {
        let workload = Workload {
            spec,
            ..Workload::default()
        };
        issues(
            set,
            &workload,
            persona,
            &sharing(&["orders"]),
            &PlatformRules::NONE,
            Exceptions::default(),
        )
        .list
    };
    let list = of(spec);
    let again: Spec<'_> = serde_json::from_str(&kept).expect("what is kept reads again");
    assert_eq!(
        of(again),
        list,
        "what is kept of a Deployment is judged as the whole is: {kept}"
    );
    list.iter().map(line).collect()
}

fn line(issue: &Issue) -> String {
    let Issue {
        severity,
        field,
        message,
        suggestion,
    } = issue;
    format!("{} {field} | {message} | {suggestion}", severity.as_str())
}

fn pod(pod: Value) -> Value {
    json!({"replicas": 1, "template": {"spec": pod}})
}

fn container(mut fields: Value) -> Value {
    fields["name"] = json!("c");
    pod(json!({"containers": [fields]}))
}

#[test]
fn every_row_of_the_contract_has_its_words() {
    let limits = json!({"resources": {"limits": {"cpu": "0.5", "memory": "512Mi"}}});
    let requested = json!({"cpu": "1m"});
    let security = |fields: Value| json!({"policies": {"security": fields}});
    let live = json!({"health": {"livenessPath": "/live"}});
    let cases = [
        (
            "R1",
            limits.clone(),
            container(json!({"resources": {"limits": {"cpu": "1"}, "requests": requested}})),
            "warning containers[c].resources.limits.cpu | Container CPU limit (1) exceeds persona limit (500m) | Set CPU limit to at most 0.5",
        ),
        (
            "R2",
            limits,
            container(json!({"resources": {"limits": {"memory": "1Gi"}, "requests": requested}})),
            "warning containers[c].resources.limits.memory | Container memory limit (1Gi) exceeds persona limit (512Mi) | Set memory limit to at most 512Mi",
        ),
        (
            "R3",
            json!({"resources": {}}),
            container(json!({"resources": {"requests": {"cpu": "0"}}})),
            "warning containers[c].resources.requests | No resource requests set on container | Set resource requests for predictable scheduling",
        ),
        (
            "R4",
            json!({"scaling": {"minReplicas": 2}}),
            json!({}),
            "error spec.replicas | Deployment replicas (1) below persona minimum (2) | Set replicas to at least 2",
        ),
        (
            "R5",
            json!({"scaling": {"maxReplicas": 2}}),
            json!({"replicas": 3}),
            "warning spec.replicas | Deployment replicas (3) above persona maximum (2) | Set replicas to at most 2",
        ),
        (
            "R6, none",
            live.clone(),
            container(json!({})),
            "warning containers[c].livenessProbe | Persona specifies livenessPath but container has no HTTP liveness probe | Add a liveness probe at /live",
        ),
        (
            "R6, not over HTTP",
            live.clone(),
            container(json!({"livenessProbe": {"exec": {"command": ["true"]}}})),
            "warning containers[c].livenessProbe | Persona specifies livenessPath but container has no HTTP liveness probe | Add a liveness probe at /live",
        ),
        (
            "R7",
            live,
            container(json!({"livenessProbe": {"httpGet": {"path": "/other", "port": 80}}})),
            "info containers[c].livenessProbe.httpGet.path | Liveness path (/other) differs from persona (/live) | Consider aligning to persona path: /live",
        ),
        (
            "R8",
            json!({"health": {"readinessPath": "/ready"}}),
            container(json!({})),
            "warning containers[c].readinessProbe | Persona specifies readinessPath but container has no readiness probe | Add a readiness probe at /ready",
        ),
        (
            "R9",
            security(json!({"runAsNonRoot": true})),
            container(json!({})),
            "error spec.template.spec.securityContext.runAsNonRoot | Persona requires runAsNonRoot but Deployment does not enforce it | Set spec.template.spec.securityContext.runAsNonRoot: true",
        ),
        (
            "R10",
            security(json!({"readOnlyRootFilesystem": true})),
            container(json!({"securityContext": {"readOnlyRootFilesystem": false}})),
            "warning containers[c].securityContext.readOnlyRootFilesystem | Persona requires readOnlyRootFilesystem but container does not set it | Set readOnlyRootFilesystem: true on the container security context",
        ),
        (
            "R11",
            security(json!({"allowPrivilegeEscalation": false})),
            container(json!({"securityContext": {"allowPrivilegeEscalation": true}})),
            "error containers[c].securityContext.allowPrivilegeEscalation | Persona forbids privilege escalation but container allows it | Set allowPrivilegeEscalation: false",
        ),
    ];
    for (row, demands, spec, expected) in cases {
        let persona = persona(demands);
        assert_eq!(told(RuleSet::Upstream, &spec, &persona), [expected], "{row}, upstream");
        let complete = told(RuleSet::Complete, &spec, &persona);
        assert_eq!(complete.first().map(String::as_str), Some(expected), "{row}, complete");
    }
}

/// A persona that demands everything, and a Deployment of two containers that violates all of it.
fn everything() -> (Persona, Value) {
    let persona = persona(json!({
        "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}},
        "scaling": {"minReplicas": 2},
        "health": {"livenessPath": "/live", "readinessPath": "/ready"},
        "policies": {"security": {
            "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
        }},
    }));
    let bad = |name: &str| {
        json!({
            "name": name, "resources": {"limits": {"cpu": "2", "memory": "2Gi"}},
            "securityContext": {"allowPrivilegeEscalation": true},
        })
    };
    let spec = pod(json!({"containers": [bad("a"), bad("b")], "initContainers": [bad("i")]}));
    (persona, spec)
}

/// Without the words.
fn fields(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.split(" | ").next()).collect()
}

#[test]
fn rows_come_in_the_order_of_the_contract_and_what_has_no_row_after_them() {
    let (persona, spec) = everything();
    let upstream = [
        "warning containers[a].resources.limits.cpu",
        "warning containers[a].resources.limits.memory",
        "warning containers[a].resources.requests",
        "warning containers[b].resources.limits.cpu",
        "warning containers[b].resources.limits.memory",
        "warning containers[b].resources.requests",
        "error spec.replicas",
        "warning containers[a].livenessProbe",
        "warning containers[a].readinessProbe",
        "warning containers[b].livenessProbe",
        "warning containers[b].readinessProbe",
        "error spec.template.spec.securityContext.runAsNonRoot",
        "warning containers[a].securityContext.readOnlyRootFilesystem",
        "error containers[a].securityContext.allowPrivilegeEscalation",
        "warning containers[b].securityContext.readOnlyRootFilesystem",
        "error containers[b].securityContext.allowPrivilegeEscalation",
    ];
    assert_eq!(fields(&told(RuleSet::Upstream, &spec, &persona)), upstream);
    let complete = told(RuleSet::Complete, &spec, &persona);
    let (rows, rest) = complete.split_at(upstream.len());
    assert_eq!(fields(rows), upstream);
    assert_eq!(
        rest,
        [
            "warning spec.template.spec.initContainers[i].resources.limits.cpu | [i] CPU limit 2 exceeds persona limit 500m | Set CPU limit to at most 500m",
            "warning spec.template.spec.initContainers[i].resources.limits.memory | [i] Memory limit 2Gi exceeds persona limit 512Mi | Set memory limit to at most 512Mi",
            "error spec.template.spec.initContainers[i].securityContext.allowPrivilegeEscalation | [i] privilege escalation enabled but persona forbids it | Set allowPrivilegeEscalation: false",
            "warning spec.template.spec.initContainers[i].securityContext.readOnlyRootFilesystem | [i] root filesystem writable; persona requires readOnlyRootFilesystem | Set readOnlyRootFilesystem: true",
        ]
    );
}

#[test]
fn what_has_no_row_is_told_by_complete_rules_alone() {
    let cases = [
        (
            json!({"resources": {"limits": {"cpu": "500m"}}}),
            container(json!({"resources": {"requests": {"cpu": "1m"}}})),
            "warning spec.template.spec.containers[c].resources.limits.cpu | [c] no CPU limit; persona limit 500m | Set CPU limit to at most 500m",
        ),
        (
            json!({"policies": {"security": {"allowPrivilegeEscalation": false}}}),
            container(json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": false}})),
            "error spec.template.spec.containers[c].securityContext.privileged | [c] privileged; persona forbids privilege escalation | Set privileged: false",
        ),
        (
            json!({"policies": {"security": {"allowPrivilegeEscalation": false}}}),
            container(json!({})),
            "warning spec.template.spec.containers[c].securityContext.allowPrivilegeEscalation | [c] allowPrivilegeEscalation not set, which means true; persona forbids it | Set allowPrivilegeEscalation: false",
        ),
        (
            json!({"policies": {"security": {"runAsNonRoot": true}}}),
            pod(json!({
                "securityContext": {"runAsNonRoot": true},
                "containers": [{"name": "c", "securityContext": {"runAsUser": 0}}],
            })),
            "error spec.template.spec.containers[c].securityContext.runAsUser | [c] runs as root; persona requires runAsNonRoot | Remove runAsUser: 0, or set a user other than 0",
        ),
        (
            json!({"resources": {"limits": {"cpu": "abc"}}}),
            container(json!({"resources": {"requests": {"cpu": "1m"}}})),
            "warning  | ApplicationPersona 'orders': spec.resources.limits.cpu 'abc' is not a quantity; check skipped | Set spec.resources.limits.cpu to a quantity such as 500m or 1Gi",
        ),
    ];
    for (demands, spec, expected) in cases {
        let persona = persona(demands);
        assert_eq!(told(RuleSet::Complete, &spec, &persona), [expected]);
        assert_eq!(told(RuleSet::Upstream, &spec, &persona), [""; 0], "{expected}");
    }
}

#[test]
fn a_pod_of_thousands_of_containers_has_a_status_that_can_be_stored() {
    let (persona, _) = everything();
    let containers: Vec<Value> = (0..3_000).map(|n| json!({"name": format!("c{n}")})).collect();
    let text = pod(json!({"containers": containers})).to_string();
    let workload = Workload {
        spec: serde_json::from_str(&text).expect("a spec"),
        ..Workload::default()
    };
    let issues = issues(
        RuleSet::Upstream,
        &workload,
        &persona,
        &sharing(&["orders"]),
        &PlatformRules::NONE,
        Exceptions::default(),
    );
    assert_eq!(issues.list.len(), MOST_ISSUES + 1);
    let last = issues.list.last().expect("the one that counts");
    // R3, R6, R8 and R10 of each, R4 and R9 once.
    assert_eq!(last.message, format!("and {} more", 4 * 3_000 + 2 - MOST_ISSUES));
    assert_eq!(last.severity, Severity::Error);
    assert_eq!(issues.errors, 2, "those that are not listed count");
}

#[test]
fn personas_that_share_a_name_are_told_of_each_other() {
    let persona = persona(json!({}));
    let list = issues(
        RuleSet::Complete,
        &Workload::default(),
        &persona,
        &sharing(&["a", "orders"]),
        &PlatformRules::NONE,
        Exceptions::default(),
    )
    .list;
    let lines: Vec<String> = list.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "warning  | ApplicationPersonas 'a', 'orders' share spec.name 'orders'; all apply | Give each ApplicationPersona a spec.name of its own"
        ]
    );
}

#[test]
fn a_status_gives_each_issue_the_severity_of_its_level() {
    let levels = json!([
        {"rule": "replicas-below-minimum", "level": "audit"},
        {"rule": "requests-missing", "level": "deny"},
        {"rule": "cpu-limit-missing", "level": "off"},
    ]);
    let persona = persona(json!({
        "resources": {"limits": {"cpu": "1"}}, "scaling": {"minReplicas": 2, "behavior": "balanced"},
        "policies": {"rules": levels},
    }));
    let spec = json!({"replicas": 1, "template": {"spec": {"containers": [{"name": "api"}]}}});
    let text = spec.to_string();
    let workload = Workload {
        spec: serde_json::from_str(&text).expect("a spec"),
        ..Workload::default()
    };
    let found = |set, platform: &PlatformRules| -> (Vec<(Severity, String)>, usize) {
        let issues = issues(
            set,
            &workload,
            &persona,
            &sharing(&["orders"]),
            platform,
            Exceptions::default(),
        );
        let list = issues.list.into_iter().map(|issue| (issue.severity, issue.field));
        (list.collect(), issues.errors)
    };
    let (resources, replicas) = ("containers[api].resources.requests", "spec.replicas");
    let expected = |severities: [Severity; 2]| {
        let fields = [resources, replicas].map(str::to_owned);
        severities.into_iter().zip(fields).collect::<Vec<_>>()
    };
    let none = PlatformRules::NONE;
    assert_eq!(
        found(RuleSet::Complete, &none),
        (expected([Severity::Error, Severity::Info]), 1)
    );
    // The drop-in knows no levels.
    assert_eq!(
        found(RuleSet::Upstream, &none),
        (expected([Severity::Warning, Severity::Error]), 1)
    );
    let mut platform = PlatformRules::default();
    platform.lock(dorgu_api::levels::RuleName::ReplicasBelowMinimum);
    assert_eq!(
        found(RuleSet::Complete, &platform),
        (expected([Severity::Error, Severity::Error]), 2),
        "a locked rule is not lowered"
    );
}
