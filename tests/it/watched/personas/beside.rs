//! What reviews of personas cost those of Deployments: 50 personas a second, in a cluster of 10,000 Deployments.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use super::super::{Stage, TIMEOUT, run};
use crate::bed::{Bed, Options, Registration, wait_until};
use crate::https::{Connection, post_plain};

const DEPLOYMENTS: usize = 10_000;
/// Each governs a hundredth of the Deployments.
const APPS: usize = 100;
/// Personas written in a second.
const RATE: u32 = 50;
/// Between two reviews of Deployments.
const PERIOD: Duration = Duration::from_millis(2);
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(10);
const WRITERS: usize = 8;

fn store(stage: &Stage<'_>) {
    let (proxy, namespace, next) = (stage.bed.proxy_url(), &stage.namespace, AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= DEPLOYMENTS {
                        return;
                    }
                    let app = format!("app{}", number % APPS);
                    let object = stage.deployment(&format!("d{number}"), Some(&app), 2).to_string();
                    let url = format!("{proxy}/apis/apps/v1/namespaces/{namespace}/deployments");
                    let (status, body) = run(post_plain(&url, &object)).expect("an answer");
                    assert_eq!(status, 201, "{body}");
                }
            });
        }
    });
}

/// Times of reviews of one Deployment, as an API server asks for them.
async fn reviews(stage: &Stage<'_>) -> Vec<Duration> {
    let mut object: Value = stage.deployment("x", Some("app0"), 9);
    object["metadata"]["namespace"] = json!(stage.namespace);
    let review = json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "u-1", "operation": "CREATE", "namespace": stage.namespace, "object": object},
    });
    let review = review.to_string();
    let url = stage.dorgu.webhook_url();
    let mut webhook = Connection::open_tls(&url, &stage.dorgu.ca_pem())
        .await
        .expect("a connection");
    let mut tick = tokio::time::interval(PERIOD);
    let (end, mut times) = (Instant::now() + ROUND, Vec::new());
    while Instant::now() < end {
        tick.tick().await;
        let began = Instant::now();
        let answer = webhook.ask(Method::POST, "/validate-deployment", review.clone()).await;
        assert_eq!(answer.expect("an answer").status, 200);
        times.push(began.elapsed());
    }
    times
}

/// Writes personas at this rate, each with other demands than before, through the API server.
async fn personas(stage: &Stage<'_>) -> usize {
    let mut api = Connection::open(&stage.bed.proxy_url()).await.expect("a proxy");
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    let (end, mut written) = (Instant::now() + ROUND, 0_usize);
    while Instant::now() < end {
        tick.tick().await;
        let app = format!("app{}", written % APPS);
        let path = format!(
            "/apis/dorgu.io/v1/namespaces/{}/applicationpersonas/{app}",
            stage.namespace
        );
        // Every second time all Deployments of the app would be denied.
        let least = if (written / APPS).is_multiple_of(2) { 3 } else { 1 };
        let patch = json!({"spec": {"scaling": {"minReplicas": least}}}).to_string();
        let answer = api
            .ask_with(Method::PATCH, &path, "application/merge-patch+json", patch)
            .await;
        assert_eq!(answer.expect("an answer").status, 200);
        written += 1;
    }
    written
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// Only with `DORGU_LONG=1`; figures count with the optimised profile. Personas are written in both halves of a round, so that
/// the API server and the watches cost both the same; only in one of them are they sent to the webhook.
#[test]
fn deployment_reviews_beside_fifty_personas_a_second_are_as_quick_as_without() {
    if std::env::var_os("DORGU_LONG").is_none() {
        println!("only with DORGU_LONG=1");
        return;
    }
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let stage = Stage::new(&bed, "beside", &["--webhook-mode=enforcing"]);
    store(&stage);
    for number in 0..APPS {
        bed.apply(&stage.persona(&format!("app{number}"), 1).to_string())
            .expect_success();
    }
    let known = wait_until(TIMEOUT, "every Deployment is known", || {
        let (_, text) = stage.readyz();
        anyhow::ensure!(text.contains(&format!("objects: {DEPLOYMENTS}")), "{text}");
        Ok(())
    });
    known.unwrap_or_else(|error| panic!("{error:#}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let both = || runtime.block_on(async { tokio::join!(reviews(&stage), personas(&stage)) });
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        bed.register(&stage.registration());
        let (times, _) = both();
        let without = p99(times);
        bed.register(&Registration {
            personas: true,
            ..stage.registration()
        });
        let (times, written) = both();
        let with = p99(times);
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        println!(
            "round {round}: p99 {without:.2?} without, {with:.2?} with {written} personas reviewed, {ratio:.2} times"
        );
        ratios.push(ratio);
    }
    let metrics = stage.metrics();
    let answered: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("dorgu_persona_reviews_total"))
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    println!("median {median:.2} times ({ratios:.2?}); {answered:?}");
    assert!(median <= 1.10, "{ratios:?}");
}
