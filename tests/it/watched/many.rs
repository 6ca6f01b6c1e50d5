//! How long a large cluster takes to load.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;

use super::{Stage, install_crds, run};
use crate::bed::{Bed, Options};

const PERSONAS: usize = 10_000;
const WRITERS: usize = 8;

/// Stores this many personas, several at a time.
pub(super) fn store(bed: &Bed, namespace: &str, count: usize, persona: impl Fn(usize) -> Value + Sync) {
    let url = format!(
        "{}/apis/dorgu.io/v1/namespaces/{namespace}/applicationpersonas",
        bed.proxy_url()
    );
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let persona = persona(number).to_string();
                    let (status, body) = run(crate::https::post_plain(&url, &persona)).expect("stored");
                    assert_eq!(status, 201, "{body}");
                }
            });
        }
    });
}

/// Writing them takes a while, so it is asked for: `DORGU_LONG=1`.
#[test]
fn ten_thousand_personas_are_known_soon_after_the_start() {
    if std::env::var_os("DORGU_LONG").is_none() {
        println!("only with DORGU_LONG=1");
        return;
    }
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    install_crds(&bed);
    let first = Stage::unready(&bed, "many", &[]);
    first.until_ready();
    store(&bed, &first.namespace, PERSONAS, |number| {
        first.persona(&format!("app{number}"), 2)
    });
    let last = format!("app{}", PERSONAS - 1);
    let behind = first.until_told(&last, "minimum (2)", true);
    // Started while nothing else is written: from the start of the process to its readiness.
    let started = Instant::now();
    let second = Stage::unready(&bed, "many", &[]);
    let prepared = started.elapsed();
    second.until_ready();
    let ready = started.elapsed();
    let metrics = second.metrics();
    assert!(
        metrics.contains("dorgu_cache_objects{kind=\"ApplicationPersona\"} 10000"),
        "{metrics}"
    );
    let memory = metrics
        .lines()
        .find(|line| line.starts_with("process_resident_memory_bytes"));
    println!(
        "10,000 personas: the watch was {behind:?} behind; a new process was ready {:?} after its start; {}",
        ready - prepared,
        memory.unwrap_or("memory unknown")
    );
    // The goal is 1.5 s for a release build on an idle machine.
    assert!(ready - prepared < std::time::Duration::from_secs(10));
}
