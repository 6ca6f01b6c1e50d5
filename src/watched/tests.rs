//! The watches' thread beside the webhook's: reading a long list again delays no review.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use prometheus_client::registry::Registry;
use serde_json::json;

use super::*;
use crate::index::{Deployment, StoredPersona};
use crate::k8s::Decode;
use crate::policy::Rulebook;
use crate::server::body::Budget;
use crate::webhook::{Metrics, PATH, Webhook};

const DEPLOYMENTS: usize = 10_000;
const REVIEWS: usize = 2_000;

fn deployment(number: usize, ready: usize) -> String {
    json!({
        "metadata": {
            "name": format!("web-{number}"), "namespace": "shop", "uid": "3f1c2a52-6d5e-4c1f-9f50-0d1f2f0e7a11",
            "labels": {"app.kubernetes.io/name": format!("app{number}"), "team": "x"},
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {}}}}],
        },
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {"containers": [{
                "name": "api", "image": format!("registry.example.com/team/app{number}:1.2.3"),
                "env": [{"name": "LEVEL", "value": "info"}],
                "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
                "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
            }], "securityContext": {"runAsNonRoot": true}}},
        },
        "status": {"replicas": 3, "readyReplicas": ready, "conditions": [{"type": "Available", "status": "True"}]},
    })
    .to_string()
}

/// As for a list: every object is decoded, then all of them are published.
fn relist(index: &Index, texts: &[String]) -> usize {
    let known = |text: &String| {
        let deployment = Deployment::decode(text).expect("readable");
        index.reuse_deployment(deployment)
    };
    let change = Change::Replace {
        objects: texts.iter().map(known).collect(),
        kept: Vec::new(),
    };
    index.deployments(change).len()
}

async fn review(webhook: &Webhook) -> Duration {
    let body = json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "u-1", "operation": "CREATE", "namespace": "shop", "object": {
            "metadata": {"namespace": "shop", "name": "web", "labels": {"app.kubernetes.io/name": "orders"}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "api"}]}}},
        }},
    });
    let request = Request::post(PATH).header("content-type", "application/json");
    let request = request
        .body(axum::body::Body::from(body.to_string()))
        .expect("a request");
    let started = Instant::now();
    let answer = webhook.respond(request).await;
    let took = started.elapsed();
    assert_eq!(answer.status(), 200);
    took
}

/// The 99th percentile of sequential reviews.
fn p99(webhook: &Webhook) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut took: Vec<Duration> = (0..REVIEWS).map(|_| runtime.block_on(review(webhook))).collect();
    took.sort_unstable();
    took[REVIEWS * 99 / 100]
}

#[test]
fn a_relist_of_ten_thousand_deployments_does_not_delay_a_review() {
    let index = Arc::new(Index::default());
    let persona = json!({
        "metadata": {"name": "orders", "namespace": "shop", "uid": "u", "generation": 1},
        "spec": {"name": "orders", "type": "api", "scaling": {"minReplicas": 2}},
    });
    index.personas(Change::Replace {
        objects: vec![Arc::new(StoredPersona::decode(&persona.to_string()).expect("readable"))],
        kept: Vec::new(),
    });
    index.namespaces(Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    });
    index.cluster_rules(Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    });
    index.exceptions(Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    });
    let texts = [0, 1].map(|ready| {
        (0..DEPLOYMENTS)
            .map(|number| deployment(number, ready))
            .collect::<Vec<_>>()
    });
    assert_eq!(relist(&index, &texts[0]), DEPLOYMENTS);
    assert_eq!(relist(&index, &texts[0]), 0, "nothing has changed");
    let metrics = Metrics::register(&mut Registry::default());
    let budget = Budget::for_this_process();
    let webhook = Webhook::new(Rulebook::default(), Arc::clone(&index), metrics, budget);

    let quiet = p99(&webhook);
    let (over, lists) = (AtomicBool::new(false), AtomicUsize::new(0));
    let during = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // All of them have changed each time, which is the most expensive list.
                let number = lists.load(Ordering::Relaxed) + 1;
                assert_eq!(relist(&index, &texts[number % 2]), DEPLOYMENTS);
                lists.store(number, Ordering::Relaxed);
            }
        });
        let mut slowest = Duration::ZERO;
        // At least one whole list is read while reviews are answered.
        while lists.load(Ordering::Relaxed) < 2 {
            slowest = slowest.max(p99(&webhook));
        }
        over.store(true, Ordering::Relaxed);
        slowest
    });
    println!("p99 of a review: {quiet:?} when nothing is listed, {during:?} beside lists of {DEPLOYMENTS}");
    // A review that waited for a list would take hundreds of milliseconds. The tolerance is for a busy machine.
    assert!(during < quiet * 10 + Duration::from_millis(50), "{quiet:?}, {during:?}");
}
