use super::*;

const SILENCE: Duration = Duration::from_millis(250);

/// `bytes` every `every` milliseconds, until `until`.
fn pace(start: Instant, bytes: usize, every: u64, until: u64) -> Pace {
    let mut pace = Pace::new(start);
    for at in (0..=until).step_by(usize::try_from(every).unwrap()) {
        pace.came(bytes, start + Duration::from_millis(at));
    }
    pace
}

#[test]
fn a_steady_body_has_its_rate_at_any_time() {
    let start = Instant::now();
    for until in [100, 500, 2_000, 9_000] {
        let rate = pace(start, 1_000, 10, until).rate(SILENCE, start + Duration::from_millis(until + 5));
        assert!((90_000..=120_000).contains(&rate), "{rate} after {until} ms");
    }
}

#[test]
fn what_came_before_a_silence_is_forgotten() {
    let start = Instant::now();
    let burst = pace(start, 17 << 20, 10, 0);
    assert!(burst.rate(SILENCE, start + SILENCE / 2) > 1 << 20);
    assert_eq!(burst.rate(SILENCE, start + SILENCE), 0);
    assert_eq!(Pace::new(start).rate(SILENCE, start + SILENCE), 0);
}

#[test]
fn a_burst_is_forgotten_also_where_a_drip_follows() {
    let start = Instant::now();
    let mut drip = pace(start, 17 << 20, 10, 0);
    for at in 1..10 {
        drip.came(1, start + at * Duration::from_millis(200));
    }
    assert!(drip.rate(SILENCE, start + Duration::from_millis(1_801)) < 100);
}

#[test]
fn a_body_that_has_just_begun_is_no_division_by_zero() {
    let start = Instant::now();
    assert_eq!(Pace::new(start).rate(SILENCE, start), 0);
}
