//! Which candidate follows which, and how soon.

use std::time::{Duration, Instant};

use dorgu::k8s::Timings;
use serde_json::json;
use tokio::time::sleep;

use super::{Candidate, Contest, QUICK, Watchdog, run, soon};
use crate::bed::{Bed, Needs};

/// Kills the holder and measures how long no candidate holds the Lease.
async fn takeover(contest: &Contest<'_>, timings: Timings) -> Duration {
    let mut first = contest.candidate("first", timings);
    soon("the first holds it", first.leadership.until_held()).await;
    let mut second = contest.candidate("second", timings);
    let watchdog = Watchdog::over(&[&first, &second]);
    sleep(timings.renew * 2).await;
    assert!(first.leadership.held() && !second.leadership.held());
    assert_eq!(second.leadership.note(), "following first");
    let died = Instant::now();
    first.task.abort();
    soon("the second holds it", second.leadership.until_held()).await;
    let took = died.elapsed();
    watchdog.assert_never_two().await;
    let spec = contest.spec();
    assert_eq!(spec["holderIdentity"], "second");
    assert_eq!(spec["leaseTransitions"], 1);
    took
}

#[test]
fn a_dead_holder_is_followed_within_the_lease_and_two_seconds() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    run(async {
        let took = takeover(&Contest::new(bed).await, QUICK).await;
        println!("holder killed: followed after {took:?} at a lease of {:?}", QUICK.lease);
        assert!(took <= QUICK.lease + Duration::from_secs(2), "{took:?}");
        if std::env::var_os("DORGU_LONG").is_none() {
            return println!("DORGU_LONG=1 does it at 15 s, too");
        }
        let timings = Timings::default();
        let took = takeover(&Contest::new(bed).await, timings).await;
        println!(
            "holder killed: followed after {took:?} at a lease of {:?}",
            timings.lease
        );
        assert!(took <= timings.lease + Duration::from_secs(2), "{took:?}");
    });
}

#[test]
fn a_lease_given_back_at_exit_is_taken_at_once() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    run(async {
        let contest = Contest::new(bed).await;
        let mut first = contest.candidate("first", QUICK);
        soon("the first holds it", first.leadership.until_held()).await;
        let Candidate { mut leadership, .. } = contest.candidate("second", QUICK);
        sleep(QUICK.retry * 2).await;
        first.release.send(()).expect("it listens");
        soon("the first has ended", first.task).await.expect("without a panic");
        assert!(!first.leadership.held());
        let released = Instant::now();
        soon("the second holds it", leadership.until_held()).await;
        let took = released.elapsed();
        println!("given back: taken after {took:?}");
        assert!(took < QUICK.retry + Duration::from_secs(1), "{took:?}");
        assert_eq!(contest.spec()["leaseTransitions"], 1);
    });
}

#[test]
fn a_holder_whose_clock_is_an_hour_off_is_neither_robbed_nor_waited_for() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    for hours in [-1, 1] {
        run(async {
            let contest = Contest::new(bed).await;
            let renewal = || {
                let wall = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
                let micros = format!("{wall:.6}");
                let lease = json!({
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {"name": contest.lease.name, "namespace": contest.lease.namespace},
                    "spec": {
                        "holderIdentity": "elsewhere", "leaseDurationSeconds": QUICK.lease.as_secs(), "renewTime": micros,
                        "acquireTime": micros, "leaseTransitions": 4,
                    },
                });
                bed.apply(&lease.to_string()).expect_success();
            };
            renewal();
            let mut ours = contest.candidate("ours", QUICK);
            // Longer than the Lease lasts.
            let until = Instant::now() + QUICK.lease + QUICK.renew;
            while Instant::now() < until {
                tokio::task::block_in_place(renewal);
                assert!(!ours.leadership.held(), "robbed, {hours} h");
                sleep(Duration::from_millis(200)).await;
            }
            assert_eq!(ours.leadership.note(), "following elsewhere");
            let died = Instant::now();
            soon("it is ours", ours.leadership.until_held()).await;
            let took = died.elapsed();
            println!("a holder {hours} h away: followed after {took:?}");
            assert!(took <= QUICK.lease + Duration::from_secs(2), "{took:?}");
            assert_eq!(contest.spec()["leaseTransitions"], 5);
        });
    }
}

#[test]
fn a_lease_deleted_or_given_away_by_hand_makes_no_second_holder() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    run(async {
        let contest = Contest::new(bed).await;
        let mut first = contest.candidate("first", QUICK);
        soon("the first holds it", first.leadership.until_held()).await;
        let mut second = contest.candidate("second", QUICK);
        let watchdog = Watchdog::over(&[&first, &second]);
        sleep(QUICK.retry * 2).await;
        for _ in 0..2 {
            contest.kubectl(&["delete", "lease", &contest.lease.name]);
            sleep(QUICK.lease).await;
            assert!(first.leadership.held(), "the holder makes it again");
        }
        assert_eq!(contest.spec()["holderIdentity"], "first");

        let patch = r#"{"spec":{"holderIdentity":"nobody"}}"#;
        contest.kubectl(&["patch", "lease", &contest.lease.name, "--type=merge", "--patch", patch]);
        soon("the first notices", first.leadership.until_lost()).await;
        soon("one of them holds it again", async {
            tokio::select! {
                () = first.leadership.until_held() => {}
                () = second.leadership.until_held() => {}
            }
        })
        .await;
        watchdog.assert_never_two().await;
    });
}
