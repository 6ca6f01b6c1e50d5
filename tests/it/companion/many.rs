//! A large cluster: how long the first pass takes, its memory, and that nothing happens after it.

use std::time::{Duration, Instant};

use super::quiet::{assert_quiet, until_all_told};
use super::{Stage, install_crds};
use crate::bed::{Bed, Options};

const PERSONAS: usize = 1_000;
const DEPLOYMENTS: usize = 10_000;

fn resident(metrics: &str) -> f64 {
    let line = metrics
        .lines()
        .find(|line| line.starts_with("process_resident_memory_bytes "));
    let value = line.and_then(|line| line.rsplit(' ').next()).expect("memory");
    value.parse::<f64>().expect("a number") / f64::from(1 << 20)
}

/// Writing them takes a while, so it is asked for: `DORGU_LONG=1`.
#[test]
fn a_thousand_personas_of_ten_thousand_deployments_are_told_within_a_minute() {
    if std::env::var_os("DORGU_LONG").is_none() {
        println!("only with DORGU_LONG=1");
        return;
    }
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    install_crds(&bed);
    let mut stage = Stage::new(&bed, "large", &[]);
    let idle = resident(&stage.metrics());
    assert!(stage.dorgu.stop().success());
    stage.store(DEPLOYMENTS, |number| {
        // Of the first thousand each has a persona.
        let app = format!("app{number}");
        let deployment = stage.deployment(&app, &app, 3);
        let mut objects = vec![(super::DEPLOYMENTS.0, super::DEPLOYMENTS.1, deployment)];
        if number < PERSONAS {
            objects.push((super::PERSONAS.0, super::PERSONAS.1, stage.persona(&app)));
        }
        objects
    });
    let started = Instant::now();
    stage.start_again(&[]);
    until_all_told(&stage, PERSONAS);
    let first = started.elapsed();
    let memory = resident(&stage.metrics());
    println!(
        "1,000 personas and 10,000 Deployments: every status after {first:?}; resident {memory:.1} MiB, {:.1} over idle",
        memory - idle
    );
    assert!(first < Duration::from_secs(60), "{first:?}");
    std::thread::sleep(Duration::from_secs(3));
    assert_quiet(&bed, Duration::from_secs(120));
}
