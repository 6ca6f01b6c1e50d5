//! Makes of an object in a file what an API server would store, as far as rules read it: the namespace, quantities and the
//! paths of probes. Pure.

use serde_json::{Map, Value};

use crate::policy::quantity::Quantity;

/// An object as it would be stored, ready to be judged.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The whole object.
    pub(super) json: String,
    /// `metadata.labels`.
    pub(super) labels: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`, else `generateName`.
    pub name: String,
}

impl Stored {
    /// An object of a file. `namespace` is that of an object that names none.
    pub fn of(mut object: Value, namespace: &str) -> Stored {
        for list in ["containers", "initContainers"] {
            let containers = object.pointer_mut(&format!("/spec/template/spec/{list}"));
            for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
                round(container);
                default_paths(container);
            }
        }
        if let Some(pod) = object.pointer_mut("/spec/template/spec") {
            round(pod);
        }
        let text = |field: &str| object["metadata"][field].as_str().filter(|text| !text.is_empty());
        let name = text("name").or(text("generateName")).unwrap_or_default().to_owned();
        let namespace = text("namespace").unwrap_or(namespace).to_owned();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".to_owned(), Value::from(namespace.as_str()));
        }
        let labels = object.pointer("/metadata/labels").filter(|labels| labels.is_object());
        Stored {
            labels: labels.map(Value::to_string).unwrap_or_default(),
            json: object.to_string(),
            namespace,
            name,
        }
    }
}

/// Rounds requests and limits. What is no quantity stays: an API server refuses it, and so does the reader of workloads.
fn round(holder: &mut Value) {
    for list in ["limits", "requests"] {
        let resources = holder.pointer_mut(&format!("/resources/{list}"));
        let quantities = resources
            .and_then(Value::as_object_mut)
            .into_iter()
            .flat_map(Map::values_mut);
        for value in quantities {
            let text = match value {
                Value::String(text) => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            if let Ok(quantity) = Quantity::parse(&text) {
                *value = Value::String(quantity.stored().to_string());
            }
        }
    }
}

/// A probe by HTTP without a path asks for `/`.
fn default_paths(container: &mut Value) {
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let request = container.pointer_mut(&format!("/{probe}/httpGet"));
        if let Some(request) = request.and_then(Value::as_object_mut)
            && request.get("path").is_none_or(|path| path.is_null() || path == "")
        {
            request.insert("path".to_owned(), Value::from("/"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Stored;

    fn stored(object: Value) -> Value {
        serde_json::from_str(&Stored::of(object, "shop").json).expect("JSON")
    }

    #[test]
    fn an_object_is_judged_as_it_would_be_stored() {
        let container = json!({
            "name": "api",
            "resources": {"limits": {"cpu": "100u", "memory": 1.5, "x": "abc"}, "requests": {"cpu": "1.0001"}},
            "livenessProbe": {"httpGet": {"port": 80}},
            "readinessProbe": {"httpGet": {"path": "/ready"}},
        });
        let pod = json!({"containers": [container], "initContainers": null, "resources": {"limits": {"cpu": "1n"}}});
        let object = stored(json!({"metadata": {"name": "a"}, "spec": {"template": {"spec": pod}}}));
        let pod = &object["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(object["metadata"]["namespace"], "shop");
        assert_eq!(
            container["resources"]["limits"],
            json!({"cpu": "1m", "memory": "1500m", "x": "abc"})
        );
        assert_eq!(container["resources"]["requests"], json!({"cpu": "1001m"}));
        assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/");
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready");
        assert_eq!(pod["resources"]["limits"]["cpu"], "1m");
    }

    #[test]
    fn any_value_in_any_place_is_read() {
        for object in [
            json!(null),
            json!([]),
            json!({"metadata": 1, "spec": {"template": {"spec": {"containers": 3}}}}),
        ] {
            let stored = Stored::of(object.clone(), "shop");
            assert_eq!(
                (stored.name.as_str(), stored.namespace.as_str()),
                ("", "shop"),
                "{object}"
            );
        }
    }
}
