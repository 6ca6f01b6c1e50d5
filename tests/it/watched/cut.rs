//! A network that cuts every connection, repeatedly.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Stage, install_crds};
use crate::bed::{Bed, Line, Options};

/// How long no connection is admitted after a cut: time in which a client without backoff would show itself.
const CLOSED: Duration = Duration::from_millis(200);

/// Seconds of it; a minute with `DORGU_LONG=1`.
fn lasting() -> Duration {
    let long = std::env::var_os("DORGU_LONG").is_some();
    Duration::from_secs(if long { 60 } else { 8 })
}

/// Cuts once a second until `over`.
fn cut_again_and_again(line: &Line, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        line.close();
        line.cut();
        std::thread::sleep(CLOSED);
        line.open();
        std::thread::sleep(Duration::from_secs(1) - CLOSED);
    }
}

#[test]
fn connections_cut_every_second_neither_stop_the_watches_nor_make_them_race() {
    // A separate bed: on a shared one it would also retry to write the status of all other tests' personas.
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crds(bed);
    let line = Line::to(&bed.api_url());
    let stage = Stage::through(bed, &line.url(), "cut", &[]);
    stage.until_ready();
    let over = AtomicBool::new(false);
    let (started, before) = (Instant::now(), line.connections());
    let (mut slowest, mut minimum) = (Duration::ZERO, 2);
    std::thread::scope(|scope| {
        scope.spawn(|| cut_again_and_again(&line, &over));
        while started.elapsed() < lasting() {
            let persona = stage.persona("orders", minimum).to_string();
            bed.apply(&persona.replace("\"maxReplicas\":9,", "")).expect_success();
            let took = stage.until_told("orders", &format!("minimum ({minimum})"), true);
            slowest = slowest.max(took);
            minimum += 1;
        }
        over.store(true, Ordering::Relaxed);
    });
    let seconds = started.elapsed().as_secs_f64();
    let (made, changes) = (line.connections() - before, minimum - 2);
    println!(
        "connections cut every second: {made} in {seconds:.1} s; the slowest of {changes} changes took {slowest:?}"
    );
    let (status, text) = stage.readyz();
    assert_eq!(status, 200, "{text}");
    // Five watches, each a second, each with a pause, and a status now and then; a loop without pauses makes hundreds.
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let rate = made as f64 / seconds.max(1.0);
    assert!(rate < 20.0, "{rate} connections a second");
}
