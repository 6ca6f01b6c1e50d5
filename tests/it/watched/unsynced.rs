//! A replica that has not synced yet answers 503, and the API server retries.

use anyhow::ensure;

use super::{Stage, TIMEOUT, install_crds};
use crate::bed::{Bed, Line, Options, wait_until};

impl Stage<'_> {
    /// How many reviews were answered "not now" because nothing was known.
    fn unsynced(&self) -> f64 {
        let metrics = self.metrics();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("dorgu_admission_unchecked_total{reason=\"not_synced\""));
        line.and_then(|line| line.rsplit(' ').next())
            .map_or(0.0, |value| value.parse().expect("a number"))
    }
}

#[test]
fn a_review_that_comes_before_the_first_list_is_asked_again_and_judged() {
    // One of its own: it reads the API server's counters.
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    install_crds(&bed);
    let line = Line::to(&bed.api_url());
    line.hold();
    let stage = Stage::through(&bed, &line.url(), "unsynced", &["--webhook-mode=enforcing"]);
    bed.apply(&stage.persona("orders", 2).to_string()).expect_success();
    bed.register(&stage.registration());
    let before = stage.unsynced();
    let refused = std::thread::scope(|scope| {
        let asked = scope.spawn(|| bed.apply(&stage.deployment("early", Some("orders"), 1).to_string()));
        // Called, answered 503, and called again: only then is anything known.
        let told = wait_until(TIMEOUT, "it is asked twice", || {
            let times = stage.unsynced() - before;
            ensure!(times >= 2.0, "asked {times} times");
            Ok(())
        });
        line.open();
        told.expect("asked twice");
        asked.join().expect("an answer")
    });
    let text = refused.to_string();
    assert!(text.contains("below persona minimum (2)"), "{text}");
    let unseen = bed.metric("apiserver_admission_webhook_fail_open_count");
    assert!(unseen < 0.5, "{unseen} reviews were let through unseen");
}
