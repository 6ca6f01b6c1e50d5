use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn here() -> Address {
    std::net::IpAddr::from([127, 0, 0, 1]).into()
}

/// A connection's state with a simulated clock.
pub(crate) struct Told {
    pub(crate) state: ConnectionState,
    pub(crate) now: Instant,
}

impl Told {
    pub(crate) fn accepted() -> Told {
        let now = Instant::now();
        Told {
            state: ConnectionState::new(Limits::default(), now),
            now,
        }
    }

    pub(crate) fn idle() -> Told {
        let mut told = Told::accepted();
        told.state.handshaken(told.now);
        told
    }

    /// Idle again after one request.
    pub(crate) fn used() -> Told {
        let mut told = Told::idle();
        told.request(false);
        told.answer();
        told
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

    pub(crate) fn pass(&mut self, seconds: u64) -> &mut Told {
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
    let mut told = Told::accepted();
    assert_eq!(told.pass(2).due(), Some((3, CloseReason::HandshakeTimeout)));
    // Bytes that arrive in the meantime do not extend the deadline.
    told.state.received(1, told.now);
    assert_eq!(told.due(), Some((3, CloseReason::HandshakeTimeout)));
}

#[test]
fn a_silent_finished_handshake_is_idle_and_not_stalled() {
    assert_eq!(Told::idle().pass(100).due(), Some((80, CloseReason::Idle)));
}

#[test]
fn the_header_deadline_runs_from_the_first_byte_and_later_bytes_do_not_move_it() {
    let mut told = Told::used();
    told.pass(170);
    told.state.received(1, told.now);
    assert_eq!(told.due(), Some((10, CloseReason::HeaderTimeout)));
    told.pass(9);
    told.state.received(1, told.now);
    assert_eq!(told.due(), Some((1, CloseReason::HeaderTimeout)));
}

#[test]
fn the_body_deadline_runs_from_the_end_of_the_head() {
    let mut told = Told::idle();
    told.state.received(1, told.now);
    told.pass(8);
    told.state.head_read(true, None, told.now);
    // The reader answers at 10 s. A second later it still has not.
    assert_eq!(told.due(), Some((11, CloseReason::BodyTimeout)));
    told.pass(5);
    told.state.received(1, told.now);
    assert_eq!(told.due(), Some((6, CloseReason::BodyTimeout)));
}

#[test]
fn a_handler_may_take_its_time() {
    let mut told = Told::idle();
    told.request(true);
    assert!(told.state.handled(true), "the body is unread");
    told.state.body_read(told.now);
    assert!(!told.state.handled(true));
    assert_eq!(told.pass(1000).due(), None);
    assert!(told.state.in_flight());
}

#[test]
fn a_peer_that_does_not_read_has_ten_seconds_from_the_first_blocked_write() {
    let mut told = Told::idle();
    told.request(false);
    told.state.blocked(told.now);
    told.pass(4);
    told.state.blocked(told.now);
    assert_eq!(told.due(), Some((6, CloseReason::WriteTimeout)));
    told.state.answered(told.now);
    assert_eq!(told.due(), Some((6, CloseReason::WriteTimeout)));
    told.state.flushed(told.now);
    assert_eq!(told.due(), Some((180, CloseReason::Idle)));
}

#[test]
fn every_answer_starts_a_full_idle_time() {
    let mut told = Told::used();
    told.pass(179).request(false);
    told.answer();
    assert_eq!(told.due(), Some((180, CloseReason::Idle)));
}

#[test]
fn a_flush_before_the_answer_is_complete_is_not_its_end() {
    let mut told = Told::idle();
    told.request(false);
    told.state.flushed(told.now);
    assert!(told.state.in_flight());
    told.state.answered(told.now);
    assert!(told.state.in_flight());
    told.state.flushed(told.now);
    assert!(!told.state.in_flight());
}

#[test]
fn the_beginning_of_a_request_that_came_before_the_last_answer_counts_as_a_head() {
    let mut told = Told::idle();
    told.request(false);
    told.state.received(1, told.now);
    told.answer();
    assert_eq!(told.due(), Some((10, CloseReason::HeaderTimeout)));
    // And only once.
    told.state.head_read(false, None, told.now);
    told.answer();
    assert_eq!(told.due(), Some((180, CloseReason::Idle)));
}

#[test]
fn the_rest_of_an_abandoned_body_is_not_the_beginning_of_a_request() {
    let mut told = Told::idle();
    told.request(true);
    told.state.body_left(told.now);
    told.state.received(1, told.now);
    told.answer();
    assert_eq!(told.due(), Some((180, CloseReason::Idle)));
}

#[test]
fn closing_lasts_for_the_linger_limit_whatever_happens() {
    let mut told = Told::used();
    told.state.closing(told.now);
    told.pass(1);
    told.state.closing(told.now);
    told.state.received(1, told.now);
    told.state.flushed(told.now);
    told.state.answered(told.now);
    assert_eq!(told.due(), Some((1, CloseReason::Finished)));
}

#[test]
fn at_the_end_of_a_drain_idle_connections_go_and_young_ones_get_a_moment() {
    let mut used = Told::used();
    used.state.leave(used.now);
    assert_eq!(used.due(), Some((0, CloseReason::Drained)));

    let mut fresh = Told::idle();
    fresh.state.leave(fresh.now);
    assert_eq!(fresh.due(), Some((1, CloseReason::Drained)));

    let mut parked = Told::idle();
    parked.pass(60);
    parked.state.leave(parked.now);
    assert_eq!(parked.due(), Some((0, CloseReason::Drained)));

    let mut head = Told::used();
    head.state.received(1, head.now);
    head.state.leave(head.now);
    assert_eq!(head.due(), Some((1, CloseReason::Drained)));

    let mut busy = Told::idle();
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
