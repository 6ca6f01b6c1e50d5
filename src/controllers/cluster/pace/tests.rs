//! Changes are batched, and failures are retried ever less often.

use std::time::Duration;

use super::Pace;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_pool_of_nodes_that_is_replaced_for_ten_minutes_is_reconciled_some_thirty_times() {
    let mut pace = Pace::new(seconds(2));
    let (mut spent, mut reconciles) = (Duration::ZERO, 0);
    while spent < seconds(600) {
        spent += pace.settle(seconds(1));
        reconciles += 1;
    }
    assert_eq!(reconciles, 27);
}

#[test]
fn a_change_after_a_quiet_time_uses_the_base_delay() {
    let mut pace = Pace::new(seconds(2));
    assert_eq!(pace.settle(seconds(300)), seconds(2));
    let series: Vec<u64> = (0..9).map(|_| pace.settle(seconds(3)).as_secs()).collect();
    assert_eq!(series, [2, 2, 2, 2, 4, 8, 16, 30, 30]);
    assert_eq!(pace.settle(seconds(29)), seconds(30));
    assert_eq!(pace.settle(seconds(31)), seconds(2));
}

#[test]
fn failures_are_tried_again_ever_more_rarely_until_one_goes_well() {
    let mut pace = Pace::new(seconds(2));
    let waits: Vec<u64> = (0..9).map(|_| pace.failed().as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    pace.succeeded();
    assert_eq!(pace.failed(), seconds(1));
}
