//! A case as an API server can be sent it: in a namespace of its own, with the fields that no rule reads and the API server
//! requires. It knows the API server's paths and filters; it knows no rule and starts nothing.

use dorgu::policy::{Mode, RuleSet};
use http::Method;
use serde_json::{Value, json};

use crate::cases::{Answer, Case};
use crate::cluster::api_server::Ask;

const NAME: &str = "app.kubernetes.io/name";
/// The selector of a Deployment that brings none. No rung of `--match chain` reads it.
const SELECTED: &str = "dorgu.io/corpus";
/// On every namespace of the corpus: by what the Deployments in it find their personas.
pub(super) const MATCH: &str = "corpus.dorgu.io/match";

/// One case, made ready.
pub(crate) struct Question {
    pub(crate) case: Case,
    /// The file that holds its personas.
    pub(super) file: String,
    /// Namespaces of the case, and which they became.
    places: Vec<(String, String)>,
    /// Where the object is.
    pub(crate) namespace: String,
    name: String,
    scale: bool,
    /// What is sent.
    object: Value,
    /// The Deployment to be there before, for updates.
    stored: Option<Value>,
    /// It is on its way out by then.
    leaving: bool,
}

impl Question {
    pub(crate) fn of(number: usize, case: Case) -> Question {
        let (object, old, scale) = match (&case.deployment, &case.scale) {
            (Some(object), None) => (object.clone(), case.old_deployment.clone(), false),
            (None, Some(object)) => (object.clone(), case.old_scale.clone(), true),
            _ => panic!("{}: a deployment or a scale", case.name()),
        };
        let places = places(number, &case, &object);
        let namespace = place(&places, &object);
        let leaving = old
            .as_ref()
            .is_some_and(|old| !old["metadata"]["deletionTimestamp"].is_null());
        let mut question = Question {
            file: format!("case-{number:03}.yaml"),
            name: text(&object["metadata"]["name"]).to_owned(),
            places,
            namespace,
            scale,
            object,
            stored: old,
            leaving,
            case,
        };
        question.complete();
        question
    }

    fn complete(&mut self) {
        let in_place = |object: &mut Value, kind: &str, group: &str| {
            object["apiVersion"] = json!(format!("{group}/v1"));
            object["kind"] = json!(kind);
            object["metadata"]["namespace"] = json!(self.namespace);
        };
        let (object, stored) = (&mut self.object, &mut self.stored);
        if self.scale {
            *stored = stored.as_ref().map(|old| deployment_behind(old, object));
            in_place(object, "Scale", "autoscaling");
            // Users never write it, and the API server fills it in.
            object["status"] = Value::Null;
        } else {
            in_place(object, "Deployment", "apps");
            complete(object);
        }
        if let Some(stored) = stored {
            in_place(stored, "Deployment", "apps");
            complete(stored);
        }
        if self.leaving {
            // The API server sets it, at the moment of the deletion, and fills it in where an update leaves it out.
            for object in [Some(object), stored.as_mut()].into_iter().flatten() {
                object["metadata"]["deletionTimestamp"] = Value::Null;
                object["metadata"]["deletionGracePeriodSeconds"] = Value::Null;
            }
        }
    }

    /// By `--match`.
    pub(super) fn matching(&self) -> &str {
        self.case.matching.as_deref().unwrap_or("label")
    }

    /// The personas of the case, in their namespaces.
    pub(crate) fn personas(&self) -> impl Iterator<Item = Value> {
        self.case.personas.iter().map(|persona| {
            let mut persona = persona.clone();
            persona["apiVersion"] = json!("dorgu.io/v1");
            persona["kind"] = json!("ApplicationPersona");
            persona["metadata"]["namespace"] = json!(place(&self.places, &persona));
            persona
        })
    }

    /// The AdmissionReview of the case, in its namespace.
    pub(crate) fn review(&self) -> Value {
        let mut review = self.case.review();
        for place in ["/request", "/request/object/metadata", "/request/oldObject/metadata"] {
            if let Some(namespace) = review.pointer_mut(place).and_then(|holder| holder.get_mut("namespace")) {
                *namespace = json!(self.namespace);
            }
        }
        review
    }

    /// Creates the Deployment that is asked about, or whose Scale is.
    pub(crate) fn deployment(&self) -> Option<Ask> {
        let deployment = if self.scale {
            self.stored.as_ref()?
        } else {
            &self.object
        };
        Some(Ask {
            method: Method::POST,
            path: self.path(false),
            body: deployment.clone(),
        })
    }

    /// The documents of file mode: personas, and Namespaces for their labels.
    pub(super) fn documents(&self) -> String {
        let personas = self.personas().map(|persona| persona.to_string());
        let namespaces = self.case.namespaces.iter().map(|namespace| {
            let mut namespace = namespace.clone();
            let name = moved(&self.places, text(&namespace["metadata"]["name"]));
            namespace["apiVersion"] = json!("v1");
            namespace["kind"] = json!("Namespace");
            set_if_there(
                &mut namespace["metadata"]["labels"],
                "kubernetes.io/metadata.name",
                &name,
            );
            namespace["metadata"]["name"] = json!(name);
            namespace.to_string()
        });
        let documents: Vec<String> = personas.chain(namespaces).collect();
        documents.join("\n---\n")
    }

    /// The namespace, opted in: whether one asks is the selector's affair, and a case is a question that was asked.
    pub(crate) fn make_namespace(&self) -> Ask {
        let described = self
            .case
            .namespaces
            .iter()
            .find(|namespace| moved(&self.places, text(&namespace["metadata"]["name"])) == self.namespace);
        let mut labels = described.map_or(Value::Null, |namespace| namespace["metadata"]["labels"].clone());
        set_if_there(&mut labels, "kubernetes.io/metadata.name", &self.namespace);
        labels["dorgu.io/validate"] = json!("true");
        labels[MATCH] = json!(self.matching());
        Ask {
            method: Method::POST,
            path: "/api/v1/namespaces".to_owned(),
            body: json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}}),
        }
    }

    /// Stores the old object.
    pub(crate) fn store(&self) -> Option<Ask> {
        self.stored.as_ref().map(|stored| Ask {
            method: Method::POST,
            path: self.path(false),
            body: stored.clone(),
        })
    }

    /// Deletes it; its finalizers keep it there.
    pub(crate) fn delete(&self) -> Option<Ask> {
        self.leaving.then(|| Ask {
            method: Method::DELETE,
            path: self.path(true),
            body: Value::Null,
        })
    }

    /// The stored object, for an update.
    pub(crate) fn look(&self) -> Option<Ask> {
        self.stored.as_ref().map(|_| Ask {
            method: Method::GET,
            path: format!("{}{}", self.path(true), self.subresource()),
            body: Value::Null,
        })
    }

    /// The question itself. A dry run, so that every process is asked the same.
    pub(crate) fn ask(&self) -> Ask {
        let (method, path) = if self.stored.is_some() || self.scale {
            (Method::PUT, format!("{}{}", self.path(true), self.subresource()))
        } else {
            (Method::POST, self.path(false))
        };
        Ask {
            method,
            path: format!("{path}?dryRun=All"),
            body: self.object.clone(),
        }
    }

    fn path(&self, named: bool) -> String {
        let list = format!("/apis/apps/v1/namespaces/{}/deployments", self.namespace);
        if named { format!("{list}/{}", self.name) } else { list }
    }

    fn subresource(&self) -> &'static str {
        if self.scale { "/scale" } else { "" }
    }

    /// Whether the registration's selectors let it through, by both objects as the API server has them.
    pub(super) fn is_sent(&self, before: Option<&Value>, after: &Value) -> bool {
        let labelled = |object: &Value| object["metadata"]["labels"].get(NAME).is_some();
        self.scale || self.matching() == "chain" || labelled(after) || before.is_some_and(labelled)
    }

    /// The expected answer, with the namespaces where texts name them.
    pub(super) fn answer(&self, set: RuleSet, mode: Mode) -> Option<Answer> {
        let mut answer = self.case.answer(set, mode)?.clone();
        for text in answer.warnings.iter_mut().chain([&mut answer.message]) {
            for (from, to) in &self.places {
                *text = text
                    .replace(&format!("--namespace {from} "), &format!("--namespace {to} "))
                    .replace(&format!("Namespace '{from}'"), &format!("Namespace '{to}'"));
            }
        }
        Some(answer)
    }
}

/// Every namespace that a case names, and a name of its own for each.
fn places(number: usize, case: &Case, object: &Value) -> Vec<(String, String)> {
    let described = case
        .namespaces
        .iter()
        .map(|namespace| text(&namespace["metadata"]["name"]));
    let mut places: Vec<(String, String)> = Vec::new();
    for name in case.personas.iter().chain([object]).map(stated).chain(described) {
        // As long as before, so that no text is cut elsewhere.
        let own = format!("{}{number:0>width$}", &name[..1], width = name.len() - 1);
        assert_eq!(own.len(), name.len(), "{}: too short for a number", case.name());
        if !places.iter().any(|(from, _)| from == name) {
            assert!(places.iter().all(|(_, to)| *to != own), "{}: {own} twice", case.name());
            places.push((name.to_owned(), own));
        }
    }
    places
}

fn stated(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or("default")
}

fn moved(places: &[(String, String)], name: &str) -> String {
    let place = places.iter().find(|(from, _)| from == name);
    place.expect("every namespace of a case is among its places").1.clone()
}

fn place(places: &[(String, String)], object: &Value) -> String {
    moved(places, stated(object))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn set_if_there(labels: &mut Value, key: &str, value: &str) {
    if let Some(label) = labels.get_mut(key) {
        *label = json!(value);
    }
}

/// The Deployment whose Scale this is.
fn deployment_behind(old: &Value, scale: &Value) -> Value {
    let (mut labels, mut expressions, mut of_pods) = (json!({}), Vec::new(), json!({}));
    for term in text(&scale["status"]["selector"]).split(',') {
        if let Some((key, value)) = term.split_once("!=") {
            expressions.push(json!({"key": key, "operator": "NotIn", "values": [value]}));
        } else if let Some((key, value)) = term.split_once('=') {
            labels[key] = json!(value);
            of_pods[key] = json!(value);
        } else {
            expressions.push(json!({"key": term, "operator": "Exists"}));
            of_pods[term] = json!("any");
        }
    }
    json!({
        "metadata": {"name": old["metadata"]["name"]},
        "spec": {
            // The encoder of a Scale leaves a zero out.
            "replicas": old["spec"]["replicas"].as_i64().unwrap_or(0),
            "selector": {"matchLabels": labels, "matchExpressions": expressions},
            "template": {"metadata": {"labels": of_pods}, "spec": {"containers": [{"name": "api"}]}},
        },
    })
}

/// Adds what the API server insists on and no rule reads. What is there stays as it is, right or wrong.
fn complete(deployment: &mut Value) {
    let spec = &mut deployment["spec"];
    if spec["selector"].is_null() {
        spec["selector"] = json!({"matchLabels": {SELECTED: "yes"}});
    }
    let selected = spec["selector"]["matchLabels"].clone();
    let labels = &mut spec["template"]["metadata"]["labels"];
    for (key, value) in selected.as_object().into_iter().flatten() {
        if labels[key].is_null() {
            labels[key] = value.clone();
        }
    }
    let pod = &mut spec["template"]["spec"];
    for list in ["containers", "initContainers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if container["image"].is_null() {
                container["image"] = json!("registry.example.com/app:1");
            }
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                if container.get(probe).is_some_and(has_no_handler) {
                    container[probe] = json!({"exec": {"command": ["true"]}});
                }
            }
        }
    }
}

/// A probe that is there, but asks nothing.
fn has_no_handler(probe: &Value) -> bool {
    probe.is_object()
        && ["exec", "httpGet", "tcpSocket", "grpc"]
            .iter()
            .all(|handler| probe[handler].is_null())
}
