//! Answers two questions from an API server's audit log: whether the roles of an account grant exactly what the account did,
//! and whether a webhook was called when objects of a kind were created.
//!
//! This file knows RBAC's rules and the audit format; it knows no program and no role.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An audit log, enabled by two flags of kube-apiserver.
pub struct Audit {
    folder: TempDir,
}

/// One verb on one kind of object, as a role grants it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Absent for a ClusterRole: everywhere.
    pub namespace: Option<String>,
    /// The verb, such as `list`.
    pub verb: String,
    /// API group; empty for the core one.
    pub group: String,
    /// With its subresource after a slash.
    pub resource: String,
    /// Absent: any object.
    pub name: Option<String>,
}

/// One request that the API server received.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// The namespace; absent for cluster-scoped requests and for all namespaces.
    pub namespace: Option<String>,
    /// The verb, such as `list`.
    pub verb: String,
    /// API group; empty for the core one.
    pub group: String,
    /// Plural, with its subresource after a slash.
    pub resource: String,
    /// The object; absent where the request named none.
    pub name: Option<String>,
    /// The status of the answer.
    pub code: u64,
}

impl Audit {
    /// Of all requests of this user.
    pub fn of_user(user: &str) -> Self {
        Self::by_rule(&json!({"level": "Metadata", "users": [user]}))
    }

    /// Of every object of this kind that is created.
    pub fn of_created(group: &str, resource: &str) -> Self {
        let resources = json!([{"group": group, "resources": [resource]}]);
        Self::by_rule(&json!({"level": "Metadata", "verbs": ["create"], "resources": resources}))
    }

    fn by_rule(rule: &Value) -> Self {
        let audit = Self {
            folder: TempDir::new().unwrap(),
        };
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
            // A watch is logged when it is established, not when it ends.
            "omitStages": ["RequestReceived"],
            "rules": [rule, {"level": "None"}],
        });
        fs::write(audit.policy(), policy.to_string()).unwrap();
        audit
    }

    /// For `Options::api_server_flags`.
    pub fn flags(&self) -> Vec<String> {
        vec![
            format!("--audit-policy-file={}", self.policy().display()),
            format!("--audit-log-path={}", self.log().display()),
            // Before the request is answered, so that a test that has the answer finds the line.
            "--audit-log-mode=blocking-strict".to_owned(),
        ]
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.json")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }

    /// The requests so far. Requests that concern no objects (`/version`, discovery) need no role and are left out.
    pub fn requests(&self) -> BTreeSet<Request> {
        self.all().into_iter().collect()
    }

    /// How many such requests there were so far, denied or not.
    pub fn count(&self, verb: &str, resource: &str) -> usize {
        let all = self.all();
        all.iter()
            .filter(|request| request.verb == verb && request.resource == resource)
            .count()
    }

    /// When each request was admitted without its webhook, because the call failed and failures are ignored.
    pub fn failed_open(&self) -> Vec<jiff::Timestamp> {
        const ANNOTATION: &str = "failed-open.validating.webhook.admission.k8s.io/";
        // Line by line: after a long storm the log is too large for memory.
        let lines = BufReader::new(File::open(self.log()).unwrap())
            .lines()
            .map(Result::unwrap);
        let opened = lines.filter(|line| line.contains(ANNOTATION)).map(|line| {
            let event: Value = serde_json::from_str(&line).unwrap();
            event["requestReceivedTimestamp"].as_str().unwrap().parse().unwrap()
        });
        opened.collect()
    }

    fn all(&self) -> Vec<Request> {
        let log = fs::read_to_string(self.log()).unwrap();
        log.lines()
            // The last line may be incomplete.
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|event| Request::read(&event))
            .flatten()
            .collect()
    }
}

impl Request {
    /// The attributes that authorization used for this event.
    fn read(event: &Value) -> Option<Vec<Self>> {
        let object = event.get("objectRef")?;
        let text = |field: &str| object[field].as_str().map(str::to_owned);
        let mut resource = text("resource")?;
        if let Some(subresource) = text("subresource") {
            resource = format!("{resource}/{subresource}");
        }
        let request = Self {
            namespace: text("namespace"),
            verb: event["verb"].as_str()?.to_owned(),
            group: text("apiGroup").unwrap_or_default(),
            resource,
            name: text("name"),
            code: event["responseStatus"]["code"].as_u64()?,
        };
        // A patch that created its object was authorized as a create as well.
        let made = (request.verb == "patch" && request.code == 201).then(|| Self {
            verb: "create".to_owned(),
            ..request.clone()
        });
        Some([request].into_iter().chain(made).collect())
    }

    fn was_refused(&self) -> bool {
        self.code == 403 || self.code == 401
    }
}

impl Grant {
    /// Returns each single grant of the ClusterRoles and Roles in a list: one verb on one resource of one API group, with one
    /// resource name or none. A Role's grants carry its namespace. `list` has the form that `kubectl get -o json` prints.
    ///
    /// Rules with `nonResourceURLs`, such as `/metrics`, grant nothing on objects and are left out.
    pub fn of_roles(list: &Value) -> Result<BTreeSet<Self>> {
        let mut grants = BTreeSet::new();
        let is_role = |object: &&Value| object["kind"] == "ClusterRole" || object["kind"] == "Role";
        let objects = list["items"].as_array().context("a list of objects")?;
        for role in objects.iter().filter(is_role) {
            let namespace = role["metadata"]["namespace"].as_str().map(str::to_owned);
            for rule in role["rules"].as_array().into_iter().flatten() {
                let texts = |field: &str| -> Vec<String> {
                    let texts = rule[field].as_array().into_iter().flatten();
                    texts.filter_map(Value::as_str).map(str::to_owned).collect()
                };
                let names = texts("resourceNames");
                let names: Vec<Option<String>> = match names.is_empty() {
                    true => vec![None],
                    false => names.into_iter().map(Some).collect(),
                };
                for (verb, group) in pairs(&texts("verbs"), &texts("apiGroups")) {
                    for (resource, name) in pairs(&texts("resources"), &names) {
                        grants.insert(Self {
                            namespace: namespace.clone(),
                            verb: verb.clone(),
                            group: group.clone(),
                            resource,
                            name,
                        });
                    }
                }
            }
        }
        Ok(grants)
    }

    fn allows(&self, request: &Request) -> bool {
        self.verb == request.verb
            && self.group == request.group
            && self.resource == request.resource
            && (self.namespace.is_none() || self.namespace == request.namespace)
            && (self.name.is_none() || self.name == request.name)
    }
}

fn pairs<A: Clone, B: Clone>(left: &[A], right: &[B]) -> Vec<(A, B)> {
    let pair = |a: &A| right.iter().map(|b| (a.clone(), b.clone())).collect::<Vec<_>>();
    left.iter().flat_map(pair).collect()
}

/// The differences between grants and requests, a line each; none when the roles are exactly what is used.
pub fn differences(grants: &BTreeSet<Grant>, requests: &BTreeSet<Request>) -> Vec<String> {
    let refused = requests
        .iter()
        .filter(|request| request.was_refused())
        .map(|request| format!("refused, so the role lacks it: {request}"));
    let elsewhere = requests
        .iter()
        .filter(|request| !request.was_refused() && !grants.iter().any(|grant| grant.allows(request)))
        .map(|request| format!("allowed by somebody else's role: {request}"));
    let unused = grants
        .iter()
        .filter(|grant| {
            !requests
                .iter()
                .any(|request| !request.was_refused() && grant.allows(request))
        })
        .map(|grant| format!("granted and never used: {grant}"));
    refused.chain(elsewhere).chain(unused).collect()
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_subject(
            f,
            &self.verb,
            &self.group,
            &self.resource,
            self.name.as_deref(),
            self.namespace.as_deref(),
        )
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_subject(
            f,
            &self.verb,
            &self.group,
            &self.resource,
            self.name.as_deref(),
            self.namespace.as_deref(),
        )?;
        write!(f, " (answered {})", self.code)
    }
}

fn write_subject(
    f: &mut fmt::Formatter<'_>,
    verb: &str,
    group: &str,
    resource: &str,
    name: Option<&str>,
    namespace: Option<&str>,
) -> fmt::Result {
    let group = if group.is_empty() { "core" } else { group };
    write!(f, "{verb} {resource} of {group}")?;
    if let Some(name) = name {
        write!(f, " named {name}")?;
    }
    match namespace {
        Some(namespace) => write!(f, " in {namespace}"),
        None => Ok(()),
    }
}
