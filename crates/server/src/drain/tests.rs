use super::*;

#[tokio::test(start_paused = true)]
async fn closing_lasts_for_the_delay_and_then_refusing_begins() {
    let (handle, drain) = Drain::new();
    assert_eq!(drain.state(), State::Serving);
    assert!(!drain.is_draining() && !handle.is_draining());

    let running = tokio::spawn(async move { handle.begin(Duration::from_secs(10)).await });
    drain.reached(State::Closing).await;
    assert!(drain.is_draining());
    tokio::time::sleep(Duration::from_millis(9_990)).await;
    assert_eq!(drain.state(), State::Closing);
    running.await.unwrap();
    assert_eq!(drain.state(), State::Refusing);
}

#[tokio::test(start_paused = true)]
async fn a_second_begin_without_delay_ends_the_first_and_nothing_goes_back() {
    let (handle, drain) = Drain::new();
    let slow = tokio::spawn({
        let handle = handle.clone();
        async move { handle.begin(Duration::from_secs(10)).await }
    });
    drain.reached(State::Closing).await;
    handle.begin(Duration::ZERO).await;
    assert_eq!(drain.state(), State::Refusing);
    slow.await.unwrap();
    handle.begin(Duration::ZERO).await;
    assert_eq!(drain.state(), State::Refusing);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_handle_means_that_the_drain_never_comes() {
    let (handle, drain) = Drain::new();
    drop(handle);
    let waited = tokio::time::timeout(Duration::from_secs(3600), drain.reached(State::Closing)).await;
    assert!(waited.is_err());
}
