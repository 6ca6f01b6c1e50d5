//! Missing rights, and an unreachable API server.

use std::time::Instant;

use tokio::time::sleep;

use super::{Contest, QUICK, Watchdog, run, soon};
use crate::bed::{Bed, Needs, Options};

#[test]
fn without_rights_it_says_which_and_holds_the_lease_once_it_has_them() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    run(async {
        let contest = Contest::without_rights(bed).await;
        let mut only = contest.candidate("only", QUICK);
        soon("it says so", async {
            while !only
                .leadership
                .note()
                .contains("not allowed to get the Lease; a Role in namespace lease-")
            {
                sleep(QUICK.retry).await;
            }
        })
        .await;
        assert!(!only.leadership.held());
        contest.grant();
        soon("it holds it", only.leadership.until_held()).await;
        assert_eq!(only.leadership.note(), "leader");
    });
}

#[test]
fn an_api_server_away_for_longer_than_a_term_costs_the_lease_and_then_one_has_it_again() {
    let Some(mut bed) = Bed::start(&Options::default()) else {
        return;
    };
    run(async {
        let contest = Contest::new(&bed).await;
        let mut first = contest.candidate("first", QUICK);
        soon("the first holds it", first.leadership.until_held()).await;
        let mut second = contest.candidate("second", QUICK);
        let watchdog = Watchdog::over(&[&first, &second]);
        sleep(QUICK.lease).await;
        assert!(first.leadership.held() && !second.leadership.held());

        let away = Instant::now();
        tokio::task::block_in_place(|| bed.stop_api_server());
        soon("the holder stops", first.leadership.until_lost()).await;
        println!("API server told to stop: no holder {:?} later", away.elapsed());
        sleep(QUICK.lease * 2).await;
        assert!(!first.leadership.held() && !second.leadership.held());
        assert!(
            second.leadership.note().contains("trouble: "),
            "{}",
            second.leadership.note()
        );

        tokio::task::block_in_place(|| bed.start_api_server());
        soon("one of them holds it again", async {
            tokio::select! {
                () = first.leadership.until_held() => {}
                () = second.leadership.until_held() => {}
            }
        })
        .await;
        sleep(QUICK.lease).await;
        let held = [&first, &second].map(|one| one.leadership.held());
        assert!(held[0] != held[1], "{held:?}");
        watchdog.assert_never_two().await;
    });
}
