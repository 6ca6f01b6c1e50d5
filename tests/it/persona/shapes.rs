//! Generates Deployments in the shapes that clusters have: with and without limits, requests, probes, autoscalers and labels.

use serde_json::{Value, json};

/// A Deployment and its autoscaler.
pub(super) struct Shape {
    pub(super) deployment: Value,
    pub(super) autoscaler: Option<Value>,
}

impl Shape {
    /// The shape of this number. A quarter has an autoscaler, a third a container without a limit.
    pub(super) fn of(number: usize) -> Shape {
        let name = format!("app-{number}");
        let labels = labels(number);
        let mut containers = vec![container("app", number)];
        if number.is_multiple_of(3) {
            containers.push(container(&name, number / 3 + 1));
        }
        let mut init = Vec::new();
        if number.is_multiple_of(4) {
            init.push(container("migrate", number / 4));
        }
        if number.is_multiple_of(5) {
            let mut sidecar = container("mesh", number / 5);
            sidecar["restartPolicy"] = json!("Always");
            init.push(sidecar);
        }
        if number % 3 == 1 {
            containers[0]["resources"]["limits"] = match number % 2 {
                0 => json!({}),
                _ => json!({"memory": "1Gi"}),
            };
        }
        let autoscaled = number % 4 == 1;
        let replicas = number % 6;
        let pods = json!({"pods-of": name});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "labels": labels, "annotations": {"dorgu.io/owner": format!("owner: {number}")}},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": pods},
                "template": {"metadata": {"labels": pods}, "spec": {"containers": containers, "initContainers": init}},
            },
        });
        Shape {
            deployment,
            autoscaler: autoscaled.then(|| autoscaler(&name, number)),
        }
    }

    /// Whether a container lacks a CPU or a memory limit.
    pub(super) fn lacks_limits(&self) -> bool {
        let containers = self.deployment["spec"]["template"]["spec"]["containers"].as_array();
        let lacks = |container: &Value| {
            ["cpu", "memory"]
                .iter()
                .any(|key| container["resources"]["limits"][key].is_null())
        };
        containers.into_iter().flatten().any(lacks)
    }
}

/// An own label, a label shared with neighbours beside another one, none but `app`, none of either, and one shared without
/// any difference.
fn labels(number: usize) -> Value {
    match number % 5 {
        0 => json!({"app.kubernetes.io/name": format!("own-{number}"), "team": "checkout"}),
        1 | 2 => json!({
            "app.kubernetes.io/name": format!("shared-{}", number / 20),
            "app.kubernetes.io/component": format!("part-{number}"),
            "app.kubernetes.io/version": "1",
        }),
        3 if number % 10 == 3 => json!({"app": format!("shared-{}", number / 20), "tier": "web"}),
        3 => json!({"tier": format!("tier-{number}")}),
        _ if number.is_multiple_of(2) => json!({"app.kubernetes.io/name": format!("same-{}", number / 20)}),
        _ => json!({"app.kubernetes.io/name": format!("shared-{}", number / 20)}),
    }
}

fn container(name: &str, number: usize) -> Value {
    let cpu = ["250m", "1", "1500m", "0.5"][number % 4];
    let memory = ["64Mi", "1Gi", "500M", "1.5Gi"][number % 4];
    let mut resources = json!({"limits": {"cpu": cpu, "memory": memory}, "requests": {"cpu": "100m"}});
    if number % 7 == 6 {
        resources["requests"] = json!({});
    }
    let mut container =
        json!({"name": name, "image": format!("registry.example.com/{name}:1"), "resources": resources});
    if !number.is_multiple_of(2) {
        let port = 8000 + u16::try_from(number % 1000).unwrap_or_default();
        container["ports"] = json!([{"containerPort": port, "name": "http"}]);
    }
    match number % 4 {
        1 => {
            container["livenessProbe"] = json!({"httpGet": {"path": "/live", "port": "http"}});
            container["readinessProbe"] = json!({"httpGet": {"port": 8080}});
        }
        2 => container["livenessProbe"] = json!({"tcpSocket": {"port": 1}}),
        3 => container["readinessProbe"] = json!({"exec": {"command": ["true"]}}),
        _ => {}
    }
    // A probe of a run-once init container is rejected.
    if name == "migrate" {
        for probe in ["livenessProbe", "readinessProbe"] {
            container.as_object_mut().expect("an object").remove(probe);
        }
    }
    container
}

fn autoscaler(name: &str, number: usize) -> Value {
    let percent = 50 + number % 60;
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}});
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1 + number % 5, "maxReplicas": 6 + number % 5, "metrics": [cpu],
        },
    })
}
