use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn here() -> Address {
    std::net::IpAddr::from([127, 0, 0, 1]).into()
}

/// A connection's state with a simulated clock.
pub(crate) struct Timed {
    pub(crate) state: ConnectionState,
    pub(crate) now: Instant,
}

impl Timed {
    pub(crate) fn accepted() -> Timed {
        let now = Instant::now();
        Timed {
            state: ConnectionState::new(Limits::default(), now),
            now,
        }
    }

    pub(crate) fn idle() -> Timed {
        let mut timed = Timed::accepted();
        timed.state.handshaken(timed.now);
        timed
    }

    /// Idle again after one request.
    pub(crate) fn used() -> Timed {
        let mut timed = Timed::idle();
        timed.request(false);
        timed.answer();
        timed
    }

    pub(crate) fn request(&mut self, has_body: bool) {
        self.state.received(1, self.now);
        self.state.head_read(has_body, None, self.now);
    }

    pub(crate) fn answer(&mut self) {
        self.state.handled(true);
        self.state.answered(self.now);
        self.state.flushed(self.now);
    }

    pub(crate) fn pass(&mut self, seconds: u64) -> &mut Timed {
        self.now += Duration::from_secs(seconds);
        self
    }

    /// In how many seconds it is due, and the reason.
    pub(crate) fn due(&self) -> Option<(u64, CloseReason)> {
        let due = self.state.due()?;
        Some((due.at.saturating_duration_since(self.now).as_secs(), due.reason))
    }
}

#[test]
fn a_handshake_has_five_seconds_from_accept() {
    let mut timed = Timed::accepted();
    assert_eq!(timed.pass(2).due(), Some((3, CloseReason::HandshakeTimeout)));
    // Bytes that arrive in the meantime do not extend the deadline.
    timed.state.received(1, timed.now);
    assert_eq!(timed.due(), Some((3, CloseReason::HandshakeTimeout)));
}

#[test]
fn a_silent_finished_handshake_is_idle_and_not_stalled() {
    assert_eq!(Timed::idle().pass(100).due(), Some((80, CloseReason::Idle)));
}

#[test]
fn the_header_deadline_runs_from_the_first_byte_and_later_bytes_do_not_move_it() {
    let mut timed = Timed::used();
    timed.pass(170);
    timed.state.received(1, timed.now);
    assert_eq!(timed.due(), Some((10, CloseReason::HeaderTimeout)));
    timed.pass(9);
    timed.state.received(1, timed.now);
    assert_eq!(timed.due(), Some((1, CloseReason::HeaderTimeout)));
}

#[test]
fn the_body_deadline_runs_from_the_end_of_the_head() {
    let mut timed = Timed::idle();
    timed.state.received(1, timed.now);
    timed.pass(8);
    timed.state.head_read(true, None, timed.now);
    // The reader answers at 10 s. A second later it still has not.
    assert_eq!(timed.due(), Some((11, CloseReason::BodyTimeout)));
    timed.pass(5);
    timed.state.received(1, timed.now);
    assert_eq!(timed.due(), Some((6, CloseReason::BodyTimeout)));
}

#[test]
fn a_handler_may_take_its_time() {
    let mut timed = Timed::idle();
    timed.request(true);
    assert!(timed.state.handled(true), "the body is unread");
    timed.state.body_read(timed.now);
    assert!(!timed.state.handled(true));
    assert_eq!(timed.pass(1000).due(), None);
    assert!(timed.state.in_flight());
}

#[test]
fn a_peer_that_does_not_read_has_ten_seconds_from_the_first_blocked_write() {
    let mut timed = Timed::idle();
    timed.request(false);
    timed.state.blocked(timed.now);
    timed.pass(4);
    timed.state.blocked(timed.now);
    assert_eq!(timed.due(), Some((6, CloseReason::WriteTimeout)));
    timed.state.answered(timed.now);
    assert_eq!(timed.due(), Some((6, CloseReason::WriteTimeout)));
    timed.state.flushed(timed.now);
    assert_eq!(timed.due(), Some((180, CloseReason::Idle)));
}

#[test]
fn every_answer_starts_a_full_idle_time() {
    let mut timed = Timed::used();
    timed.pass(179).request(false);
    timed.answer();
    assert_eq!(timed.due(), Some((180, CloseReason::Idle)));
}

#[test]
fn a_flush_before_the_answer_is_complete_is_not_its_end() {
    let mut timed = Timed::idle();
    timed.request(false);
    timed.state.flushed(timed.now);
    assert!(timed.state.in_flight());
    timed.state.answered(timed.now);
    assert!(timed.state.in_flight());
    timed.state.flushed(timed.now);
    assert!(!timed.state.in_flight());
}

#[test]
fn the_beginning_of_a_request_that_came_before_the_last_answer_counts_as_a_head() {
    let mut timed = Timed::idle();
    timed.request(false);
    timed.state.received(1, timed.now);
    timed.answer();
    assert_eq!(timed.due(), Some((10, CloseReason::HeaderTimeout)));
    // And only once.
    timed.state.head_read(false, None, timed.now);
    timed.answer();
    assert_eq!(timed.due(), Some((180, CloseReason::Idle)));
}

#[test]
fn the_rest_of_an_abandoned_body_is_not_the_beginning_of_a_request() {
    let mut timed = Timed::idle();
    timed.request(true);
    timed.state.body_left(timed.now);
    timed.state.received(1, timed.now);
    timed.answer();
    assert_eq!(timed.due(), Some((180, CloseReason::Idle)));
}

#[test]
fn closing_lasts_for_the_linger_limit_whatever_happens() {
    let mut timed = Timed::used();
    timed.state.closing(timed.now);
    timed.pass(1);
    timed.state.closing(timed.now);
    timed.state.received(1, timed.now);
    timed.state.flushed(timed.now);
    timed.state.answered(timed.now);
    assert_eq!(timed.due(), Some((1, CloseReason::Finished)));
}

#[test]
fn at_the_end_of_a_drain_idle_connections_go_and_young_ones_get_a_moment() {
    let mut used = Timed::used();
    used.state.leave(used.now);
    assert_eq!(used.due(), Some((0, CloseReason::Drained)));

    let mut fresh = Timed::idle();
    fresh.state.leave(fresh.now);
    assert_eq!(fresh.due(), Some((1, CloseReason::Drained)));

    let mut parked = Timed::idle();
    parked.pass(60);
    parked.state.leave(parked.now);
    assert_eq!(parked.due(), Some((0, CloseReason::Drained)));

    let mut head = Timed::used();
    head.state.received(1, head.now);
    head.state.leave(head.now);
    assert_eq!(head.due(), Some((1, CloseReason::Drained)));

    let mut busy = Timed::idle();
    busy.request(false);
    busy.state.leave(busy.now);
    assert_eq!(busy.due(), None);
}

#[tokio::test(start_paused = true)]
async fn the_wait_follows_a_deadline_that_moves_away_and_one_that_comes_nearer() {
    let connection = Connection::new(Limits::default(), Instant::now(), here(), Weak::new());
    connection.state().handshaken(Instant::now());
    let start = Instant::now();
    let story = async {
        tokio::time::sleep(100 * SECOND).await;
        connection.state().received(1, Instant::now());
        tokio::time::sleep(5 * SECOND).await;
        connection.state().head_read(false, None, Instant::now());
        tokio::time::sleep(300 * SECOND).await;
        connection.state().answered(Instant::now());
        connection.state().flushed(Instant::now());
        tokio::time::sleep(170 * SECOND).await;
        connection.state().received(1, Instant::now());
        std::future::pending().await
    };
    // In one task, as in `connection`: each event also polls the wait.
    let reason = tokio::select! {
        biased;
        reason = story => reason,
        reason = connection.overdue() => reason,
    };
    assert_eq!(reason, CloseReason::HeaderTimeout);
    assert_eq!(start.elapsed().as_secs(), 100 + 5 + 300 + 170 + 10);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_change_wakes_the_wait() {
    let connection = std::sync::Arc::new(Connection::new(Limits::default(), Instant::now(), here(), Weak::new()));
    connection.state().handshaken(Instant::now());
    let waiting = tokio::spawn({
        let connection = std::sync::Arc::clone(&connection);
        async move { connection.overdue().await }
    });
    tokio::time::sleep(20 * SECOND).await;
    let leaving = Instant::now();
    connection.change(|state| state.leave(leaving));
    assert_eq!(waiting.await.unwrap(), CloseReason::Drained);
    assert!(leaving.elapsed() < SECOND);
}
