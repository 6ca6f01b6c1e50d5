//! One process replaces another while the API server continues to call: nothing that must be denied is admitted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::{Stage, persona};
use crate::bed::{Bed, Dorgu, Options, Registration};

/// Enough that requests are in flight, and connections idle, at every moment of the hand-over.
const CLIENTS: usize = 4;

#[test]
fn a_process_replaced_under_load_lets_nothing_by() {
    // A bed of its own: the API server's count of failed calls must be ours alone.
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed: &'static Bed = Box::leak(Box::new(bed));
    let mut first = Stage::new(bed, "replaced", &["--webhook-mode=enforcing", "--shutdown-delay=3s"]);
    let personas = tempfile::TempDir::new().expect("a folder");
    std::fs::write(
        personas.path().join("orders.yaml"),
        persona(&first.namespace).to_string(),
    )
    .expect("written");
    let breach = first.deployment(|object| object["spec"]["replicas"] = json!(1));
    let url = format!(
        "{}/apis/apps/v1/namespaces/{}/deployments?dryRun=All",
        bed.proxy_url(),
        first.namespace
    );
    let failed_open = || bed.metric("apiserver_admission_webhook_fail_open_count");
    let before = failed_open();

    let (stop, asked, let_by) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    // It serves before the first is asked to end, and until the last answer.
    let second = Dorgu::with_personas(personas.path(), &["--webhook-mode=enforcing"]);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                while !stop.load(Ordering::Relaxed) {
                    let (status, body) = runtime
                        .block_on(crate::https::post_plain(&url, &breach))
                        .expect("an answer");
                    asked.fetch_add(1, Ordering::Relaxed);
                    if status != 403 || !body.contains("below persona minimum") {
                        let_by.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        // From here on the API server has taken up the successor's address.
        bed.register(&Registration::of(&second, &first.namespace));
        let ended = first.dorgu.stop();
        let at_the_end = asked.load(Ordering::Relaxed);
        let more = crate::bed::wait_until(std::time::Duration::from_secs(30), "the successor is asked", || {
            anyhow::ensure!(asked.load(Ordering::Relaxed) > at_the_end + 100, "not yet");
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        assert!(ended.success(), "the first was drained");
        more.expect("the load goes on");
    });
    assert!(
        asked.load(Ordering::Relaxed) > 200,
        "too little load to prove anything: {asked:?}"
    );
    assert_eq!(let_by.load(Ordering::Relaxed), 0, "of {asked:?} that must be refused");
    assert!(
        (failed_open() - before).abs() < 0.5,
        "the API server counted a failed call"
    );
}
