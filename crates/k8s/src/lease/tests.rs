//! Elections against a minimal API server on a simulated clock, so that minutes pass without waiting.

mod edited;

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use kube::client::Body;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tower::service_fn;

use super::*;

/// The stored Lease, and the faults of the API server.
#[derive(Default)]
struct Store {
    lease: Option<Lease>,
    version: u64,
    /// Every holder there was, and when it was written.
    holders: Vec<(String, Instant)>,
    requests: usize,
}

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    /// Rejected before it was processed.
    Refused(u16),
    /// Never answered, and never processed.
    Lost,
    /// Processed, and never answered.
    Mute,
}

/// A client's connection to the API server, with its own faults and delay.
#[derive(Clone, Default)]
struct Way {
    fault: Arc<Mutex<Fault>>,
    delay: Duration,
}

impl Way {
    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn to(&self, store: &Arc<Mutex<Store>>) -> Client {
        let (way, store) = (self.clone(), Arc::clone(store));
        let service = service_fn(move |request: Request<Body>| {
            let (way, store) = (way.clone(), Arc::clone(&store));
            async move {
                sleep(way.delay).await;
                let fault = *way.fault.lock().unwrap();
                let answer = match fault {
                    Fault::Lost => pending().await,
                    Fault::Refused(code) => refusal(code),
                    Fault::None | Fault::Mute => answer(request, &store).await,
                };
                if fault == Fault::Mute {
                    pending::<()>().await;
                }
                sleep(way.delay).await;
                Ok::<_, Infallible>(answer)
            }
        });
        Client::new(service, "default")
    }
}

fn refusal(code: u16) -> Response<Body> {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "reason": if code == 404 { "NotFound" } else { "Conflict" }, "code": code,
    });
    let mut response = Response::new(Body::from(serde_json::to_vec(&status).unwrap()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

async fn answer(request: Request<Body>, store: &Mutex<Store>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut store = store.lock().unwrap();
    store.requests += 1;
    if head.method != Method::GET {
        let mut wanted: Lease = serde_json::from_slice(&body).unwrap();
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        match (&store.lease, &head.method) {
            (Some(_), &Method::POST) => return refusal(409),
            (None, &Method::PUT) => return refusal(404),
            (Some(stored), _) if version(stored) != version(&wanted) => return refusal(409),
            _ => {}
        }
        store.version += 1;
        wanted.metadata.resource_version = Some(store.version.to_string());
        let holder = wanted.spec.as_ref().and_then(|spec| spec.holder_identity.clone());
        let holder = holder.unwrap_or_default();
        if store.holders.last().is_none_or(|(last, _)| *last != holder) {
            store.holders.push((holder, Instant::now()));
        }
        store.lease = Some(wanted);
    }
    match &store.lease {
        Some(lease) => Response::new(Body::from(serde_json::to_vec(lease).unwrap())),
        None => refusal(404),
    }
}

/// A candidate that runs.
struct Running {
    leadership: Leadership,
    task: JoinHandle<()>,
    release: oneshot::Sender<()>,
    way: Way,
}

fn run(store: &Arc<Mutex<Store>>, identity: &str, delay: Duration) -> Running {
    let way = Way {
        delay,
        ..Way::default()
    };
    let lease = LeaseName {
        namespace: "default".to_owned(),
        name: "writer".to_owned(),
    };
    let (election, leadership) = election(way.to(store), lease, identity.to_owned());
    let (release, released) = oneshot::channel();
    let task = tokio::spawn(election.run(async {
        if released.await.is_err() {
            pending().await
        }
    }));
    Running {
        leadership,
        task,
        release,
        way,
    }
}

const NEAR: Duration = Duration::from_millis(5);

fn stored(store: &Mutex<Store>) -> LeaseSpec {
    store.lock().unwrap().lease.clone().unwrap().spec.unwrap()
}

/// Changes the Lease as a person would.
fn edit(store: &Mutex<Store>, change: impl FnOnce(&mut Lease)) {
    let mut store = store.lock().unwrap();
    store.version += 1;
    let version = store.version.to_string();
    let lease = store.lease.as_mut().unwrap();
    change(lease);
    lease.metadata.resource_version = Some(version);
}

#[tokio::test(start_paused = true)]
async fn the_first_leads_and_the_second_follows() {
    let store = Arc::default();
    let mut first = run(&store, "a", NEAR);
    first.leadership.until_held().await;
    let second = run(&store, "b", NEAR);
    sleep(Duration::from_secs(120)).await;
    assert!(first.leadership.held() && !second.leadership.held());
    assert_eq!(first.leadership.note(), "leader");
    assert_eq!(second.leadership.note(), "following a");
    let spec = stored(&store);
    assert_eq!(spec.holder_identity.as_deref(), Some("a"));
    assert_eq!(
        (spec.lease_duration_seconds, spec.lease_transitions),
        (Some(15), Some(0))
    );
    assert!(spec.renew_time > spec.acquire_time);
    // 60 renewals, 120 reads, and a few at the start.
    let requests = store.lock().unwrap().requests;
    assert!((170..200).contains(&requests), "{requests} requests in two minutes");
}

#[tokio::test(start_paused = true)]
async fn a_dead_holder_is_followed_within_the_lease_and_one_retry() {
    for late in [0, 300, 700, 999, 1_000, 1_500, 1_999] {
        let store = Arc::default();
        let mut first = run(&store, "a", NEAR);
        first.leadership.until_held().await;
        let mut second = run(&store, "b", NEAR);
        sleep(Duration::from_secs(20) + Duration::from_millis(late)).await;
        first.task.abort();
        let died = Instant::now();
        second.leadership.until_held().await;
        assert!(!first.leadership.held());
        let took = died.elapsed();
        assert!(took <= Duration::from_secs(17), "{took:?}");
        // Counted from the renewal that others saw.
        assert!(took >= Duration::from_secs(13), "{took:?}");
        let spec = stored(&store);
        assert_eq!(spec.lease_transitions, Some(1));
        assert_eq!(spec.acquire_time, spec.renew_time);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_given_back_is_taken_at_the_next_look() {
    let store = Arc::default();
    let mut first = run(&store, "a", NEAR);
    first.leadership.until_held().await;
    let mut second = run(&store, "b", NEAR);
    sleep(Duration::from_secs(7)).await;
    first.release.send(()).unwrap();
    first.leadership.until_lost().await;
    let lost = Instant::now();
    first.task.await.unwrap();
    let spec = stored(&store);
    assert_eq!(spec.holder_identity.as_deref(), Some(""));
    assert_eq!(
        (spec.lease_duration_seconds, spec.lease_transitions),
        (Some(1), Some(0))
    );
    second.leadership.until_held().await;
    assert!(lost.elapsed() < Duration::from_millis(1_200), "{:?}", lost.elapsed());
    assert_eq!(stored(&store).lease_transitions, Some(1));
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_gives_nothing_back() {
    let store = Arc::default();
    let mut first = run(&store, "a", NEAR);
    first.leadership.until_held().await;
    let second = run(&store, "b", NEAR);
    sleep(Duration::from_secs(3)).await;
    second.release.send(()).unwrap();
    second.task.await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert!(first.leadership.held());
    assert_eq!(stored(&store).holder_identity.as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_not_answered_stops_before_anyone_else_begins() {
    for fault in [Fault::Lost, Fault::Mute, Fault::Refused(500), Fault::Refused(403)] {
        let store = Arc::default();
        let mut first = run(&store, "a", NEAR);
        first.leadership.until_held().await;
        let mut second = run(&store, "b", NEAR);
        sleep(Duration::from_secs(20)).await;
        first.way.set(fault);
        let since = Instant::now();
        first.leadership.until_lost().await;
        assert!(!first.leadership.held());
        let lost = since.elapsed();
        assert!(lost <= Duration::from_secs(10), "{fault:?}: {lost:?}");
        assert!(
            first.leadership.note().contains("trouble: "),
            "{}",
            first.leadership.note()
        );
        second.leadership.until_held().await;
        let taken = since.elapsed();
        assert!(taken >= lost + Duration::from_secs(3), "{fault:?}: {lost:?}, {taken:?}");
        // It returns as a follower.
        first.way.set(Fault::None);
        sleep(Duration::from_secs(60)).await;
        assert!(!first.leadership.held() && second.leadership.held());
        assert_eq!(first.leadership.note(), "following b");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_for_all_gives_the_lease_to_one_again() {
    let store = Arc::default();
    let all: Vec<_> = ["a", "b", "c"].iter().map(|name| run(&store, name, NEAR)).collect();
    sleep(Duration::from_secs(10)).await;
    all.iter().for_each(|one| one.way.set(Fault::Refused(500)));
    sleep(Duration::from_secs(11)).await;
    assert!(all.iter().all(|one| !one.leadership.held()), "nobody");
    sleep(Duration::from_secs(50)).await;
    all.iter().for_each(|one| one.way.set(Fault::None));
    sleep(Duration::from_secs(3)).await;
    let holders = all.iter().filter(|one| one.leadership.held()).count();
    assert_eq!(holders, 1);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_is_made_again_by_its_holder() {
    let store = Arc::default();
    let mut first = run(&store, "a", NEAR);
    first.leadership.until_held().await;
    let second = run(&store, "b", NEAR);
    for late in [100, 900, 1_300, 1_900] {
        sleep(Duration::from_millis(5_000 + late)).await;
        store.lock().unwrap().lease = None;
        for _ in 0..400 {
            assert!(first.leadership.held() && !second.leadership.held());
            sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(stored(&store).lease_transitions, Some(0), "it is the same term");
}

#[tokio::test(start_paused = true)]
async fn a_lease_deleted_after_its_holder_died_is_still_waited_for() {
    let store = Arc::default();
    let mut first = run(&store, "a", NEAR);
    first.leadership.until_held().await;
    let mut second = run(&store, "b", NEAR);
    sleep(Duration::from_secs(5)).await;
    first.task.abort();
    let died = Instant::now();
    sleep(Duration::from_secs(3)).await;
    store.lock().unwrap().lease = None;
    second.leadership.until_held().await;
    assert!((13..=17).contains(&died.elapsed().as_secs()), "{:?}", died.elapsed());
    assert_eq!(stored(&store).lease_transitions, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_finds_no_lease_at_its_end_makes_none() {
    let store = Arc::default();
    let mut first = run(&store, "a", NEAR);
    first.leadership.until_held().await;
    // It does not know whether its last renewal succeeded, so it reads first.
    first.way.set(Fault::Refused(500));
    sleep(Duration::from_secs(3)).await;
    store.lock().unwrap().lease = None;
    first.way.set(Fault::None);
    first.release.send(()).unwrap();
    first.task.await.unwrap();
    assert!(store.lock().unwrap().lease.is_none());
}
