//! Shared by the benches and the allocation test: a webhook with a given number of personas, and the load test's reviews.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by several programs, none of which uses all of it"
)]

use std::sync::Arc;

use dorgu::index::{Index, Snapshot};
use dorgu::policy::quantity::Quantity;
use dorgu::policy::question::{Governed, Old, Question};
use dorgu::policy::{Mode, ModeWish, Persona, PlatformRules, RuleSet, Rulebook, Subject};
use dorgu::server::body::Budget;
use dorgu::webhook::review::{Review, Stored};
use dorgu::webhook::{Metrics, Webhook};
use prometheus_client::registry::Registry;

#[path = "../loadtest/payloads.rs"]
pub mod payloads;

/// The persona that `payloads::persona` writes as YAML.
pub fn persona(number: usize) -> Persona {
    let quantity = |text| Quantity::parse(text).ok();
    let mut persona = Persona {
        namespace: payloads::namespace(number),
        name: payloads::app(number),
        app: payloads::app(number),
        has_resources: true,
        min_replicas: Some(2),
        max_replicas: Some(6),
        liveness_path: Some("/live".into()),
        readiness_path: Some("/ready".into()),
        probe_port: Some(8080),
        run_as_non_root: true,
        read_only_root_filesystem: true,
        forbids_privilege_escalation: true,
        ..Persona::default()
    };
    persona.limits.cpu = quantity("500m");
    persona.limits.memory = quantity("512Mi");
    persona.requests.cpu = quantity("100m");
    persona.requests.memory = quantity("128Mi");
    persona
}

/// A snapshot with that many personas.
pub fn snapshot(personas: usize) -> Snapshot {
    Snapshot::build((0..personas).map(|number| Arc::new(persona(number))), [])
}

/// A webhook with that many personas, enforcing them.
pub fn webhook(personas: usize) -> Webhook {
    enforcing(snapshot(personas))
}

/// A webhook with that many personas of one app.
pub fn of_one_app(personas: usize) -> Webhook {
    let sharing = |number: usize| Persona {
        name: format!("p{number}"),
        ..persona(0)
    };
    enforcing(Snapshot::build(
        (0..personas).map(|number| Arc::new(sharing(number))),
        [],
    ))
}

/// A review of a Deployment of that app with `count` containers, each of them privileged.
pub fn many_containers(count: usize) -> String {
    let (namespace, app) = (payloads::namespace(0), payloads::app(0));
    let container = |number| format!(r#"{{"name":"c{number}","image":"i","securityContext":{{"privileged":true}}}}"#);
    let containers: Vec<String> = (0..count).map(container).collect();
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"u","operation":"CREATE","namespace":"{namespace}","object":{{"metadata":{{"name":"many","namespace":"{namespace}","labels":{{"app.kubernetes.io/name":"{app}"}}}},"spec":{{"template":{{"spec":{{"containers":[{}]}}}}}}}}}}}}"#,
        containers.join(",")
    )
}

fn enforcing(snapshot: Snapshot) -> Webhook {
    let index = Arc::new(Index::default());
    index.replace(snapshot);
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: Mode::Enforcing,
    };
    let metrics = Metrics::register(&mut Registry::default());
    Webhook::new(rulebook, index, metrics, Budget::new(64 << 20))
}

/// The question that the webhook passes to the rules for a review of a Deployment; `None` where no persona governs it, since
/// then it passes none.
pub fn asked<T>(webhook: &Webhook, review: &Review<'_>, ask: impl FnOnce(&Question<'_>) -> T) -> Option<T> {
    let index = webhook.index.load();
    let object = review.object.as_ref()?;
    let (namespace, app) = (object.metadata.namespace.as_str(), object.metadata.labels.name.as_str());
    let personas = index.find(namespace, app);
    let governed = Governed {
        app,
        personas,
        ..Governed::default()
    };
    let stored = || review.old.as_ref().and_then(Stored::workload);
    let old = review.old.as_ref().map(|_| Old {
        governed,
        workload: &stored,
    });
    (!personas.is_empty()).then(|| {
        ask(&Question {
            subject: Subject::Deployment,
            new: object,
            governed,
            old,
            namespace,
            namespace_mode: &ModeWish::Unset,
            platform: &PlatformRules::NONE,
        })
    })
}
