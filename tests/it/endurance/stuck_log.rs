//! The reader of the log stalls, as containerd does while it is stopped or waits for a disk: every request is answered, and
//! lost log lines are counted.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::beside::p99;
use super::process::Asked;
use crate::bed::Dorgu;

const TIMEOUT: Duration = Duration::from_secs(60);
/// More lines than the pipe and the queue hold.
const DENIALS: usize = 6_000;
/// Clients that are denied at once.
const CLIENTS: usize = 4;
/// A process whose log has no reader ends in this time; it waits a second for the reader.
const ENDS: Duration = Duration::from_secs(15);
/// Between two questions while times are taken.
const PERIOD: Duration = Duration::from_millis(10);
/// How long times are taken in one round of the long form.
const ROUND: Duration = Duration::from_secs(4);

/// A process whose log is a named pipe that the test holds open.
struct Logging {
    dorgu: Dorgu,
    ca: String,
    log: Option<File>,
    folder: TempDir,
}

/// With names as long as they come, so that the queue fills soon.
fn review(replicas: u32) -> Value {
    let (name, uid) = ("n".repeat(253), "u".repeat(253));
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": uid, "operation": "CREATE", "namespace": "shop", "name": name, "object": {
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "orders"}}, "spec": {"replicas": replicas},
        }},
    })
}

fn persona(folder: &Path) {
    let text = "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: orders, namespace: shop}\n\
                spec:\n  name: orders\n  type: api\n  scaling: {minReplicas: 2}\n";
    std::fs::write(folder.join("orders.yaml"), text).expect("written");
}

impl Logging {
    fn start() -> Logging {
        let folder = TempDir::new().expect("a folder");
        persona(folder.path());
        let pipe = folder.path().join("log");
        let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
        assert!(made.success());
        // For writing as well, since opening for reading alone would wait for the process.
        let log = File::options().read(true).write(true).open(&pipe).expect("a pipe");
        let command = "dorgu serve --personas . --write-ca ca.crt --webhook-mode enforcing --shutdown-delay 0s \
                       --log-format json 2>log";
        let dorgu = Dorgu::typed(folder.path(), command);
        dorgu.webhook_url();
        let ca = std::fs::read_to_string(folder.path().join("ca.crt")).expect("the CA");
        Logging {
            dorgu,
            ca,
            log: Some(log),
            folder,
        }
    }

    fn asked(&self, replicas: u32) -> Asked {
        Asked::new(&self.dorgu, &self.ca, &review(replicas))
    }

    /// Reads the log from now on, a line whenever one is received.
    fn read(&mut self) -> Receiver<String> {
        let log = self.log.take().expect("read once");
        let (lines, received) = sync_channel(0);
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        received
    }

    async fn lost(&self) -> u64 {
        let (_, metrics) = crate::https::get(&self.dorgu.metrics_url()).await.expect("metrics");
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix("dorgu_log_lines_lost_total{reason=\"queue_full\"} "));
        value.expect("it is counted").parse().expect("a number")
    }
}

/// This many denials, each answered in time and none of them an admission.
async fn deny(asked: &Asked, denials: usize) {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let asked = asked.clone();
        clients.spawn(async move {
            let mut kept = None;
            for number in 0..denials / CLIENTS {
                match asked.verdict(&mut kept).await {
                    Ok(allowed) => assert!(!allowed, "denial {number} was an admission"),
                    Err(error) => panic!("denial {number}: {error}"),
                }
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("every denial is answered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_no_one_reads_holds_up_no_answer_no_probe_and_no_end() {
    let mut logging = Logging::start();
    let must_deny = logging.asked(1);
    deny(&must_deny, DENIALS).await;
    assert!(logging.asked(2).verdict(&mut None).await.expect("an answer"));
    let livez = format!("{}/livez", logging.dorgu.probes_url());
    assert_eq!(crate::https::get(&livez).await.expect("an answer").0, 200);
    let lost = logging.lost().await;
    assert!(lost > 0, "{DENIALS} denials did not fill the queue");

    // It flows again: every line that was not counted as lost comes, and then the count.
    let lines = logging.read();
    let (mut denied, mut reported) = (0, None);
    while reported.is_none() {
        let line = lines.recv_timeout(TIMEOUT).expect("the count of lost lines");
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        denied += usize::from(line["message"] == "Denied a Deployment");
        reported = line["lost"].as_u64();
    }
    assert_eq!(reported, Some(lost));
    assert_eq!(denied as u64 + lost, DENIALS as u64);
    must_deny.ask(&mut None).await.expect("an answer");
    let next = lines.recv_timeout(TIMEOUT).expect("a line");
    assert!(next.contains("Denied a Deployment"), "{next}");

    // Stuck again, until the end.
    deny(&must_deny, 400).await;
    let asked_to_end = Instant::now();
    assert!(logging.dorgu.stop().success());
    assert!(asked_to_end.elapsed() < ENDS, "{:?}", asked_to_end.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_cannot_start_says_so_and_ends_though_no_one_reads_it() {
    let logging = Logging::start();
    // Fills the pipe, which a second process then shares.
    deny(&logging.asked(1), 400).await;
    let address = logging.dorgu.webhook_url();
    let address = address.split('/').nth(2).expect("an address");
    let command = format!("dorgu serve --personas . --webhook-bind-address {address} 2>log");
    let mut second = Dorgu::typed(logging.folder.path(), &command);
    let began = Instant::now();
    assert_eq!(second.wait().code(), Some(1));
    assert!(began.elapsed() < ENDS, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_is_lost_at_the_end_where_the_log_is_read() {
    let folder = TempDir::new().expect("a folder");
    persona(folder.path());
    let args = ["--webhook-mode=enforcing", "--shutdown-delay=0s", "--log-format=json"];
    let mut dorgu = Dorgu::with_personas(folder.path(), &args);
    deny(&Asked::new(&dorgu, &dorgu.ca_pem(), &review(1)), 800).await;
    assert!(dorgu.stop().success());
    let said = dorgu.stderr();
    let denied = said.iter().filter(|line| line.contains("Denied a Deployment"));
    assert_eq!(denied.count(), 800);
    assert!(said.iter().any(|line| line.contains("Drained")), "{said:?}");
}

/// Times of one client that asks for what is allowed.
async fn times(asked: &Asked, lasting: Duration) -> Vec<Duration> {
    let (mut kept, mut times) = (None, Vec::new());
    let mut tick = tokio::time::interval(PERIOD);
    let end = Instant::now() + lasting;
    while Instant::now() < end {
        tick.tick().await;
        let began = Instant::now();
        assert!(asked.verdict(&mut kept).await.expect("an answer"));
        times.push(began.elapsed());
    }
    times
}

/// The long form (`DORGU_LONG=1`): p99 of small reviews beside denials whose log stalls, paired with the same process while
/// nothing else happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_reviews_beside_a_stuck_log_are_as_quick_as_without() {
    if std::env::var_os("DORGU_LONG").is_none() {
        return;
    }
    let logging = Logging::start();
    let (may, must_deny) = (logging.asked(2), logging.asked(1));
    deny(&must_deny, DENIALS).await;
    let mut ratios = Vec::new();
    for round in 1..=5 {
        let quiet = p99(&mut times(&may, ROUND).await);
        let over = Arc::new(AtomicBool::new(false));
        let assault = tokio::spawn({
            let (must_deny, over) = (must_deny.clone(), Arc::clone(&over));
            async move {
                let mut kept = None;
                let mut tick = tokio::time::interval(PERIOD);
                while !over.load(Ordering::Relaxed) {
                    tick.tick().await;
                    assert!(!must_deny.verdict(&mut kept).await.expect("an answer"));
                }
            }
        });
        let beside = p99(&mut times(&may, ROUND).await);
        over.store(true, Ordering::Relaxed);
        assault.await.expect("every denial is answered");
        let ratio = beside.as_secs_f64() / quiet.as_secs_f64();
        println!("round {round}: p99 {quiet:.2?} quiet, {beside:.2?} beside a stuck log, {ratio:.2} times");
        ratios.push(ratio);
    }
    let lost = logging.lost().await;
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!("median {median:.2} times; {lost} log lines lost, no answer");
    assert!(median <= 2.0, "{ratios:?}");
}
