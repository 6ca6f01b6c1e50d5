use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep};

use super::*;
use crate::index::{Change, Deployment, Index, MAX_WAITING, Snapshot};
use crate::policy::{Mode, Persona, RuleSet, Rulebook};
use crate::server::body::Budget;
use crate::webhook::Metrics;

/// Enforces a minimum of two for an app whose name no selector in these tests has.
fn webhook(set: RuleSet, deployments_come: bool) -> Arc<Webhook> {
    let persona = |app: &str| Persona {
        namespace: "shop".into(),
        name: app.into(),
        app: app.into(),
        min_replicas: Some(2),
        ..Persona::default()
    };
    let index = Arc::new(Index::default());
    index.replace(Snapshot::build(
        ["orders", "by-selector"].map(|app| Arc::new(persona(app))),
        [],
    ));
    let rulebook = Rulebook {
        set,
        mode: Mode::Enforcing,
    };
    let metrics = Metrics::register(&mut Registry::default());
    Arc::new(Webhook {
        deployments_come: Arc::new(AtomicBool::new(deployments_come)),
        ..Webhook::new(rulebook, index, metrics, Budget::new(1 << 20))
    })
}

fn scale(selector: &str) -> String {
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "u-1", "operation": "UPDATE", "namespace": "shop", "name": "front", "subResource": "scale",
            "object": {"metadata": {"name": "front"}, "spec": {"replicas": 1}, "status": {"selector": selector}},
            "oldObject": {"metadata": {"name": "front"}, "spec": {"replicas": 3}},
        },
    })
    .to_string()
}

fn front() -> Deployment {
    let mut deployment = Deployment {
        namespace: "shop".into(),
        name: "front".into(),
        ..Deployment::default()
    };
    deployment.labels.name = "orders".into();
    deployment
}

/// Whether it is allowed, and after how long.
async fn ask(webhook: &Webhook, body: &str) -> (bool, Duration) {
    let started = Instant::now();
    let (answer, _) = webhook.answer_when_known(body.as_bytes()).await;
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    (answer["response"]["allowed"] == true, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_scale_waits_for_its_deployment_and_is_judged_by_it() {
    const LATE: Duration = Duration::from_millis(120);
    let webhook = webhook(RuleSet::Complete, true);
    let writer = Arc::clone(&webhook);
    tokio::spawn(async move {
        sleep(LATE).await;
        writer.index.deployments(Change::Put(front()));
    });
    assert_eq!(ask(&webhook, &scale("tier=web")).await, (false, LATE));
    // Now the Deployment is known.
    assert_eq!(ask(&webhook, &scale("tier=web")).await, (false, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_never_comes_is_decided_as_if_nothing_had_been_waited_for() {
    let webhook = webhook(RuleSet::Complete, true);
    assert_eq!(ask(&webhook, &scale("tier=web")).await, (true, TIMEOUT));
    let named = scale("app.kubernetes.io/name=by-selector");
    assert_eq!(ask(&webhook, &named).await, (false, TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn nothing_else_waits() {
    let deployment = scale("tier=web").replace(r#""subResource":"scale","#, "");
    let elsewhere = scale("tier=web").replace(
        r#""subResource""#,
        r#""resource":{"group":"apps","resource":"statefulsets"},"subResource""#,
    );
    for (set, come, body) in [
        (RuleSet::Complete, true, &deployment),
        (RuleSet::Complete, true, &elsewhere),
        (RuleSet::Complete, false, &scale("tier=web")),
        (RuleSet::Upstream, true, &scale("tier=web")),
    ] {
        assert_eq!(ask(&webhook(set, come), body).await, (true, Duration::ZERO), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_at_once_and_one_more_is_decided_at_once() {
    let webhook = webhook(RuleSet::Complete, true);
    let mut waiting = JoinSet::new();
    for _ in 0..MAX_WAITING {
        let webhook = Arc::clone(&webhook);
        waiting.spawn(async move { ask(&webhook, &scale("tier=web")).await });
    }
    while webhook.index.arrival("shop", "front").is_some() {
        yield_now().await;
    }
    assert_eq!(ask(&webhook, &scale("tier=web")).await, (true, Duration::ZERO));
    // A request that is dropped releases its place.
    waiting.abort_all();
    while waiting.join_next().await.is_some() {}
    assert_eq!(ask(&webhook, &scale("tier=web")).await, (true, TIMEOUT));
}
