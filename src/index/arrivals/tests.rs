use std::sync::Arc;

use tokio::time::Instant;

use super::*;
use crate::index::{Change, Deployment};

const LONG: Duration = Duration::from_secs(60);

fn deployment(name: &str) -> Deployment {
    Deployment {
        namespace: "shop".into(),
        name: name.into(),
        ..Deployment::default()
    }
}

/// Waits on a paused clock, which only timers advance, and returns how long that took.
async fn waited(index: &Arc<Index>, name: &'static str, change: impl FnOnce(&Index)) -> Duration {
    let started = Instant::now();
    let waiting = {
        let index = Arc::clone(index);
        tokio::spawn(async move { index.arrival("shop", name).expect("a place").within(LONG).await })
    };
    tokio::task::yield_now().await;
    change(index);
    waiting.await.expect("no panic");
    assert!(index.arrivals.lock().is_empty(), "a place was not given back");
    started.elapsed()
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_deployment_comes_and_not_for_another() {
    let index = Arc::new(Index::default());
    let put = |name| move |index: &Index| drop(index.deployments(Change::Put(deployment(name))));
    assert_eq!(waited(&index, "front", put("other")).await, LONG);
    assert_eq!(waited(&index, "front", put("front")).await, Duration::ZERO);
    // It is there already.
    assert_eq!(waited(&index, "front", |_| ()).await, Duration::ZERO);
    let listed = |index: &Index| {
        let objects = vec![Arc::new(deployment("back"))];
        drop(index.deployments(Change::Replace {
            objects,
            kept: Vec::new(),
        }));
    };
    assert_eq!(waited(&index, "back", listed).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_wait() {
    let index = Index::default();
    let mut places: Vec<_> = (0..MAX_WAITING)
        .map(|_| index.arrival("shop", "front").expect("a place"))
        .collect();
    assert!(index.arrival("shop", "front").is_none());
    drop(places.pop());
    assert!(index.arrival("shop", "front").is_some());
}
