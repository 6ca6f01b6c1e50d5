//! A thousand personas of one app and Deployments of five thousand containers, once a second and twice, sent to a process as
//! users start it, beside small reviews of another namespace. Measures what the large ones cost the small ones.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Asked, Served};

const PERSONAS: usize = 1_000;
const CONTAINERS: usize = 5_000;
/// Between two small reviews.
pub(super) const PERIOD: Duration = Duration::from_millis(5);
/// A multiple of the quiet p99 that is allowed beside large reviews, and what counts as quiet on a machine that others use.
pub(super) const FACTOR: u32 = 2;
pub(super) const FLOOR: Duration = Duration::from_millis(2);
/// Pairs of a quiet and a loud stretch, so that neighbours disturb both.
pub(super) const ROUNDS: usize = 3;

/// How long each stretch takes; longer where figures are wanted.
pub(super) fn stretch() -> Duration {
    match std::env::var_os("DORGU_LONG") {
        Some(_) => Duration::from_secs(20),
        None => Duration::from_secs(1),
    }
}

/// The personas of one app in one namespace, and one of another.
fn personas() -> String {
    let mut documents = String::new();
    for number in 0..PERSONAS {
        let _ = write!(
            documents,
            "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {{name: p{number}, namespace: shop}}\n\
             spec: {{name: orders, type: api, resources: {{limits: {{cpu: {}m}}}}, scaling: {{minReplicas: 2}}}}\n---\n",
            500 + number
        );
    }
    documents
        + "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: carts, namespace: bank}\n\
           spec: {name: carts, type: api}\n"
}

fn review(namespace: &str, app: &str, containers: usize) -> String {
    let containers: Vec<Value> = (0..containers)
        .map(|number| json!({"name": format!("c{number}"), "image": "i", "securityContext": {"privileged": true}}))
        .collect();
    let object = json!({
        "metadata": {"name": app, "namespace": namespace, "labels": {"app.kubernetes.io/name": app}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
    });
    let request = json!({"uid": "u-1", "operation": "CREATE", "namespace": namespace, "object": object});
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}).to_string()
}

/// Asks this often, for this long, on one connection; how long each answer took, the longest last.
pub(super) async fn ask(asked: Asked, period: Duration, during: Duration) -> Vec<Duration> {
    let mut tick = tokio::time::interval(period);
    let (mut kept, mut times) = (None, Vec::new());
    let end = Instant::now() + during;
    while Instant::now() < end {
        tick.tick().await;
        let began = Instant::now();
        asked.ask(&mut kept).await.expect("an answer in time");
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times
}

pub(super) fn p99(times: &[Duration]) -> Duration {
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_personas_and_five_thousand_containers_cost_another_namespace_little() {
    let served = Served::with(&personas());
    let small = served.asked.about(&review("bank", "carts", 1));
    let large = served.asked.about(&review("shop", "orders", CONTAINERS));
    for a_second in [1, 2] {
        let (mut quiet, mut beside, mut longest) = (Vec::new(), Vec::new(), Duration::ZERO);
        for _ in 0..ROUNDS {
            quiet.push(p99(&ask(small.clone(), PERIOD, stretch()).await));
            let assault = ask(large.clone(), Duration::from_secs(1) / a_second, stretch());
            let (large, small) = tokio::join!(tokio::spawn(assault), ask(small.clone(), PERIOD, stretch()));
            beside.push(p99(&small));
            longest = longest.max(large.expect("it asks").last().copied().unwrap_or_default());
        }
        quiet.sort_unstable();
        beside.sort_unstable();
        let (quiet, beside) = (quiet[ROUNDS / 2], beside[ROUNDS / 2]);
        println!(
            "{PERSONAS} personas, {CONTAINERS} containers, {a_second} a second: the longest {longest:.1?}; small reviews: p99 {beside:.2?}, \
             {quiet:.2?} without, none lost"
        );
        // A build without optimisation says nothing about time.
        if !cfg!(debug_assertions) {
            assert!(
                beside <= quiet.max(FLOOR) * FACTOR,
                "{beside:?} beside {a_second} a second, {quiet:?} without"
            );
        }
    }
}
