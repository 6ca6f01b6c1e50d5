//! The content of a generated review: valid JSON of the right structure, with values that rules read.

use serde_json::{Map, Value, json};

use super::Choices;

const APPS: [&str; 6] = ["orders", "twins", "odd", "advised", "nobody", ""];
const NAMESPACES: [&str; 4] = ["shop", "strict", "", "elsewhere"];
const CPU: [&str; 8] = ["250m", "500m", "501m", "0", "4", "1e3", "0.0001", "-1"];
const MEMORY: [&str; 8] = [
    "128Mi",
    "512Mi",
    "513Mi",
    "0",
    "4Gi",
    "1e9",
    "129M",
    "123456789012345678901234567890",
];
const NAMES: [&str; 5] = ["api", "sidecar", "", "na\u{ef}ve \u{1f600}", "two\nlines\u{7f}"];

/// An AdmissionReview about a Deployment or a Scale.
pub fn review(choices: &mut Choices<'_>) -> Value {
    let scale = choices.below(8) == 1;
    let object = |choices: &mut Choices<'_>| if scale { scaled(choices) } else { deployment(choices) };
    let new = object(choices);
    let update = scale || choices.perhaps();
    let old = match update {
        // An update that keeps everything is the one that must always pass.
        true if choices.perhaps() => new.clone(),
        true => object(choices),
        false => Value::Null,
    };
    let kind = if scale { "Scale" } else { "Deployment" };
    let kind = choices.one(&[kind, kind, kind, "", "Pod"]);
    json!({
        "kind": "AdmissionReview",
        "apiVersion": choices.one(&["admission.k8s.io/v1", "admission.k8s.io/v1beta1"]),
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "apps", "version": "v1", "kind": kind},
            "subResource": if scale { "scale" } else { "" },
            "name": choices.one(&APPS),
            "namespace": choices.one(&NAMESPACES),
            "operation": if update { "UPDATE" } else { choices.one(&["CREATE", "CREATE", "CREATE", "DELETE", "CONNECT"]) },
            "userInfo": {"username": "jane", "groups": ["system:authenticated"]},
            "object": new,
            "oldObject": old,
            "dryRun": choices.rarely(),
        },
    })
}

/// A Deployment that an API server would store, more or less.
pub fn deployment(choices: &mut Choices<'_>) -> Value {
    let app = choices.one(&APPS);
    let count = choices.one(&[1, 2, 3, 0, 5]);
    let containers: Vec<Value> = (0..count).map(|position| container(choices, position)).collect();
    let count = choices.one(&[0, 1, 2]);
    let inits: Vec<Value> = (0..count).map(|position| container(choices, 10 + position)).collect();
    let mut pod = Map::new();
    pod.insert("containers".into(), containers.into());
    if !inits.is_empty() {
        pod.insert("initContainers".into(), inits.into());
    }
    put(&mut pod, choices, "securityContext", security);
    if choices.rarely() {
        pod.insert("resources".into(), resources(choices));
    }
    if choices.rarely() {
        pod.insert("os".into(), json!({"name": choices.one(&["windows", "linux"])}));
    }
    json!({
        "metadata": {
            "name": choices.one(&APPS),
            "namespace": choices.one(&NAMESPACES),
            "labels": {"app.kubernetes.io/name": app, "app": choices.one(&APPS)},
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"k:{\"name\":\"api\"}": {".": {}}}}}],
        },
        "spec": {
            "replicas": choices.one(&[3, 0, 1, 2, 7, 2_147_483_647]),
            "selector": {"matchLabels": {"app.kubernetes.io/name": app}},
            "template": {"metadata": {"labels": {"app.kubernetes.io/name": app}}, "spec": pod},
        },
        "status": {"replicas": 3},
    })
}

fn scaled(choices: &mut Choices<'_>) -> Value {
    let app = choices.one(&APPS);
    let selector = match choices.below(4) {
        0 => format!("app.kubernetes.io/name={app}"),
        1 => format!("tier=web,app.kubernetes.io/name in ({app}),app={app}"),
        2 => format!("app=={app}"),
        _ => String::new(),
    };
    json!({
        "metadata": {"name": choices.one(&APPS), "namespace": choices.one(&NAMESPACES)},
        "spec": {"replicas": choices.one(&[3, 0, 1, 7])},
        "status": {"replicas": 3, "selector": selector},
    })
}

fn container(choices: &mut Choices<'_>, position: usize) -> Value {
    let mut container = Map::new();
    container.insert("name".into(), format!("{}{position}", choices.one(&NAMES)).into());
    container.insert("image".into(), "registry.example.com/api:1".into());
    put(&mut container, choices, "resources", resources);
    put(&mut container, choices, "securityContext", security);
    for probe in ["livenessProbe", "readinessProbe"] {
        put(&mut container, choices, probe, |choices| {
            let path = choices.one(&["/live", "/ready", "/", ""]);
            choices
                .one(&[0, 0, 0, 1])
                .eq(&0)
                .then(|| json!({"httpGet": {"path": path, "port": 8080}}))
                .unwrap_or(json!({"exec": {"command": ["true"]}}))
        });
    }
    if choices.perhaps() {
        container.insert("ports".into(), json!([{"containerPort": 8080}]));
    }
    if position >= 10 && choices.perhaps() {
        container.insert("restartPolicy".into(), "Always".into());
    }
    container.into()
}

fn resources(choices: &mut Choices<'_>) -> Value {
    let mut lists = Map::new();
    for list in ["limits", "requests"] {
        put(&mut lists, choices, list, |choices| {
            let mut list = Map::new();
            put(&mut list, choices, "cpu", |choices| choices.one(&CPU).into());
            put(&mut list, choices, "memory", |choices| choices.one(&MEMORY).into());
            list.into()
        });
    }
    lists.into()
}

fn security(choices: &mut Choices<'_>) -> Value {
    let mut security = Map::new();
    let flag = |choices: &mut Choices<'_>| choices.perhaps().into();
    for field in [
        "runAsNonRoot",
        "allowPrivilegeEscalation",
        "readOnlyRootFilesystem",
        "privileged",
    ] {
        put(&mut security, choices, field, flag);
    }
    put(&mut security, choices, "runAsUser", |choices| {
        choices.one(&[10_001, 0, -1]).into()
    });
    put(&mut security, choices, "capabilities", |choices| {
        let added = choices.below(4);
        let added: Vec<&str> = (0..added)
            .map(|_| choices.one(&["SYS_ADMIN", "NET_BIND_SERVICE", "cap_sys_admin", "ALL", ""]))
            .collect();
        json!({"add": added, "drop": ["ALL"]})
    });
    if choices.rarely() {
        security.insert("procMount".into(), choices.one(&["Unmasked", "Default"]).into());
    }
    if choices.rarely() {
        let options = json!({"hostProcess": choices.perhaps(), "runAsUserName": choices.one(&["ContainerAdministrator", "ContainerUser"])});
        security.insert("windowsOptions".into(), options);
    }
    security.into()
}

/// A member that is there three times in four.
fn put(map: &mut Map<String, Value>, choices: &mut Choices<'_>, key: &str, value: impl Fn(&mut Choices<'_>) -> Value) {
    if choices.below(4) != 1 {
        let value = value(choices);
        map.insert(key.into(), value);
    }
}

/// The spec of an ApplicationPersona that demands some of what can be demanded, for that app.
pub fn persona(choices: &mut Choices<'_>, app: &str) -> Value {
    let mut spec = Map::new();
    spec.insert("name".into(), app.into());
    spec.insert("type".into(), "api".into());
    put(&mut spec, choices, "resources", resources);
    put(&mut spec, choices, "scaling", |choices| {
        let least = choices.one(&[2, 1, 0]);
        json!({"minReplicas": least, "maxReplicas": least + choices.one(&[4, 0, 1])})
    });
    put(
        &mut spec,
        choices,
        "health",
        |choices| json!({"livenessPath": choices.one(&["/live", ""]), "readinessPath": choices.one(&["/ready", ""]), "port": 8080}),
    );
    put(&mut spec, choices, "policies", |choices| {
        json!({"security": {
            "runAsNonRoot": !choices.rarely(),
            "runAsUser": choices.one(&[1000, 0]),
            "readOnlyRootFilesystem": !choices.rarely(),
            "allowPrivilegeEscalation": choices.rarely(),
        }})
    });
    spec.into()
}
