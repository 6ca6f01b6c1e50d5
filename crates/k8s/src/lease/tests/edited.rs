//! Edits by hand, clocks that disagree, and random networks.

use proptest::prelude::*;

use super::*;

#[tokio::test(start_paused = true)]
async fn an_edit_by_hand_never_makes_two_of_them() {
    type Edit = fn(&mut LeaseSpec);
    let edits: [Edit; 5] = [
        |spec| spec.holder_identity = Some("nobody".to_owned()),
        |spec| spec.holder_identity = Some(String::new()),
        |spec| spec.holder_identity = None,
        |spec| spec.renew_time = None,
        |spec| {
            *spec = LeaseSpec {
                holder_identity: Some("b".to_owned()),
                ..spec.clone()
            }
        },
    ];
    for (number, change) in edits.into_iter().enumerate() {
        let store = Arc::default();
        let mut first = run(&store, "a", NEAR);
        first.leadership.until_held().await;
        let second = run(&store, "b", NEAR);
        for late in [300, 1_300, 1_700] {
            sleep(Duration::from_secs(40) + Duration::from_millis(late)).await;
            edit(&store, |lease| change(lease.spec.as_mut().unwrap()));
            let mut held = 0;
            for _ in 0..4_000 {
                let both = first.leadership.held() && second.leadership.held();
                // Naming the successor is the one edit that takes effect at once. The holder notices it when it renews.
                assert!(!both || number == 4, "edit {number}");
                held += usize::from(first.leadership.held() || second.leadership.held());
                sleep(Duration::from_millis(10)).await;
            }
            assert!(held > 2_000, "edit {number} cost more than a lease");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_label_is_no_renewal_and_stays() {
    let store = Arc::default();
    let mut first = run(&store, "a", NEAR);
    first.leadership.until_held().await;
    let mut second = run(&store, "b", NEAR);
    sleep(Duration::from_secs(20)).await;
    first.task.abort();
    let died = Instant::now();
    let labels = async {
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            edit(&store, |lease| {
                let value = lease.metadata.resource_version.clone().unwrap();
                lease.metadata.labels = Some([("seen".to_owned(), value)].into());
            });
        }
    };
    tokio::select! {
        () = labels => {}
        () = second.leadership.until_held() => {}
    }
    assert!(died.elapsed() <= Duration::from_secs(17), "{:?}", died.elapsed());
    assert!(store.lock().unwrap().lease.as_ref().unwrap().metadata.labels.is_some());
}

#[tokio::test(start_paused = true)]
async fn wall_clocks_that_disagree_do_no_harm() {
    for hours in [-1, 1] {
        let store: Arc<Mutex<Store>> = Arc::default();
        let mut first = run(&store, "a", NEAR);
        first.leadership.until_held().await;
        let mut second = run(&store, "b", NEAR);
        let skewed = Arc::clone(&store);
        // Every written time is an hour off.
        let skew = tokio::spawn(async move {
            loop {
                edit(&skewed, |lease| {
                    let spec = lease.spec.as_mut().unwrap();
                    let (now, hour) = (
                        spec.renew_time.clone().unwrap().0,
                        jiff::SignedDuration::from_hours(hours),
                    );
                    if (Timestamp::now().duration_since(now)).abs() < hour.abs() / 2 {
                        spec.renew_time = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(now + hour));
                    }
                });
                sleep(Duration::from_millis(1_500)).await;
            }
        });
        for _ in 0..600 {
            assert!(first.leadership.held() && !second.leadership.held());
            sleep(Duration::from_millis(100)).await;
        }
        skew.abort();
        first.task.abort();
        let died = Instant::now();
        second.leadership.until_held().await;
        assert!(died.elapsed() <= Duration::from_secs(17), "{:?}", died.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_asks_the_clock_and_not_its_memory() {
    let store = Arc::default();
    let mut first = run(&store, "a", NEAR);
    first.leadership.until_held().await;
    // No task runs in the meantime.
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(!first.leadership.held());
    assert_ne!(first.leadership.note(), "leader");
}

#[tokio::test(start_paused = true)]
async fn without_an_election_it_is_always_held() {
    let mut always = Leadership::always();
    assert!(always.held());
    always.until_held().await;
    let lost = tokio::time::timeout(Duration::from_secs(9), always.until_lost()).await;
    assert!(lost.is_err(), "never lost");
    assert_eq!(always.note(), "leader, without an election");
}

#[test]
fn two_starts_of_one_pod_have_two_names() {
    let (one, two) = (identity("pod"), identity("pod"));
    assert_ne!(one, two);
    let (host, suffix) = one.rsplit_once('_').unwrap();
    assert!(!host.is_empty() && !host.contains(char::is_whitespace), "{one}");
    assert_eq!(suffix.len(), 32);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The guarantee itself, under random network faults and delays for each candidate.
    #[test]
    fn two_never_hold_it_at_once(
        delays in prop::collection::vec(0_u64..1_200, 3),
        faults in prop::collection::vec((0_usize..3, 0_usize..6, 0_u64..20_000), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let store = Arc::default();
            let all: Vec<_> = delays
                .iter()
                .enumerate()
                .map(|(number, delay)| run(&store, &number.to_string(), Duration::from_millis(*delay)))
                .collect();
            let faults = async {
                for (who, what, after) in faults {
                    let kinds = [Fault::None, Fault::None, Fault::Lost, Fault::Mute, Fault::Refused(500), Fault::Refused(409)];
                    all[who].way.set(kinds[what]);
                    sleep(Duration::from_millis(after)).await;
                }
                all.iter().for_each(|one| one.way.set(Fault::None));
                sleep(Duration::from_secs(40)).await;
            };
            let watching = async {
                loop {
                    let held = all.iter().filter(|one| one.leadership.held()).count();
                    assert!(held <= 1, "{held} hold it");
                    sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::select! {
                () = faults => {}
                () = watching => {}
            }
            let held = all.iter().filter(|one| one.leadership.held()).count();
            assert_eq!(held, 1, "in the end one does");
        });
    }
}
