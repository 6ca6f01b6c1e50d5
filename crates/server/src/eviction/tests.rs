use super::*;
use crate::track::tests::Timed;

/// Where it stands, its address holding no more than its share.
fn rank(timed: &Timed) -> Option<Rank> {
    timed.state.eviction_rank(false, timed.now)
}

impl Timed {
    fn millis(&mut self, millis: u64) -> &mut Timed {
        self.now += Duration::from_millis(millis);
        self
    }

    /// A connection in the body of its next request, of which this much came a while ago.
    fn in_body(mut self, bytes: usize, millis: u64) -> Timed {
        self.request(true);
        self.state.received(bytes, self.now);
        self.millis(millis);
        self
    }

    /// And later this much more.
    fn in_body_on(mut self, bytes: usize, millis: u64) -> Timed {
        self.state.received(bytes, self.now);
        self.millis(millis);
        self
    }

    fn evict(&mut self, wanted: Wanted) {
        let turn = rank(self).expect("it may go").turn;
        self.state.evict(turn, wanted, self.now);
    }
}

#[test]
fn room_is_made_by_strangers_first_and_of_each_by_the_stalled_the_slow_and_the_idle() {
    let closing = || {
        let mut timed = Timed::used();
        timed.state.closing(timed.now);
        timed
    };
    let head = |mut timed: Timed, age: u64| {
        timed.state.received(1, timed.now);
        timed.pass(age);
        timed
    };
    let waiting = || {
        let mut timed = Timed::idle();
        timed.millis(260);
        timed
    };
    let ordered = [
        closing(),
        head(Timed::idle(), 2),
        Timed::idle().in_body(1, 900),
        {
            let mut young = Timed::accepted();
            young.millis(260);
            young
        },
        waiting(),
        head(Timed::used(), 2),
        Timed::used().in_body(1, 900),
        Timed::used(),
    ];
    let ranks: Vec<Rank> = ordered.iter().map(|timed| rank(timed).expect("it may go")).collect();
    assert!(
        ranks.is_sorted_by(|a, b| (a.group, a.state) < (b.group, b.state)),
        "{ranks:#?}"
    );
}

#[test]
fn of_the_idle_the_one_idle_longest_and_of_the_slow_the_slowest_goes_first() {
    let (mut older, mut newer) = (Timed::used(), Timed::used());
    older.pass(2);
    newer.now = older.now;
    newer.state.since = older.state.since + Duration::from_secs(1);
    assert!(rank(&older) < rank(&newer));

    let comes = |bytes| Timed::idle().in_body(bytes, 200).in_body_on(bytes, 100);
    let (slow, slower) = (comes(10_000), comes(10));
    assert!(rank(&slower) < rank(&slow));
    assert_eq!(rank(&comes(100_000)), None, "that one is quick enough");
}

#[test]
fn strangers_of_a_crowding_address_go_before_others_and_nobody_else_goes_for_an_address() {
    let (stalled, mut idle) = (Timed::idle().in_body(1, 900), Timed::idle());
    idle.millis(260);
    let crowding = |timed: &Timed| timed.state.eviction_rank(true, timed.now);
    assert!(crowding(&idle) < rank(&stalled));
    let used = Timed::used();
    assert_eq!(crowding(&used), rank(&used));
}

#[test]
fn neither_what_is_being_answered_nor_what_is_young_makes_room() {
    assert_eq!(rank(&Timed::accepted()), None);
    assert_eq!(rank(&Timed::idle()), None, "its first request is on its way");
    for timed in [Timed::idle(), Timed::used()] {
        assert_eq!(rank(&timed.in_body(1, 50)), None, "a body that has just begun");
    }
    let mut used = Timed::used();
    used.state.received(1, used.now);
    assert_eq!(rank(used.millis(900)), None, "the head of somebody who is known");
    used.request(false);
    assert_eq!(rank(used.pass(100)), None);
}

#[test]
fn a_peer_that_does_not_take_its_answer_makes_room_after_a_second() {
    let mut timed = Timed::used();
    timed.request(false);
    timed.state.blocked(timed.now);
    assert_eq!(rank(timed.millis(900)), None);
    timed.millis(200).evict(Wanted::Place);
    assert_eq!(timed.due(), Some((0, CloseReason::Evicted)));
}

#[test]
fn a_large_body_has_to_come_in_time_and_one_that_waits_for_us_is_not_slow() {
    let large = |bytes: usize| {
        let mut timed = Timed::idle();
        timed.state.head_read(true, Some(20 << 20), timed.now);
        timed.millis(200);
        timed.state.received(bytes, timed.now);
        timed.millis(100);
        timed
    };
    assert!(
        rank(&large(500_000)).is_some(),
        "1.7 MB a second, where 2 MiB are needed"
    );
    assert_eq!(rank(&large(700_000)), None);
    let mut waiting = large(0);
    waiting.state.wait_for_room(true, waiting.now);
    assert_eq!(rank(waiting.pass(5)), None);
    waiting.state.wait_for_room(false, waiting.now);
    assert!(rank(waiting.millis(300)).is_some());
}

#[test]
fn an_eviction_of_a_connection_that_has_moved_on_is_void() {
    let mut timed = Timed::used();
    timed.evict(Wanted::Place);
    assert_eq!(timed.due(), Some((0, CloseReason::Evicted)));
    assert_eq!(rank(&timed), None, "it is on its way out already");
    timed.request(false);
    assert_eq!(timed.due(), None);
    timed.answer();
    assert_eq!(timed.due(), Some((180, CloseReason::Idle)));
    assert_eq!(timed.state.end(), CloseReason::Finished);
}

#[test]
fn a_body_is_given_up_by_its_reader_and_otherwise_soon_after() {
    let mut timed = Timed::idle().in_body(1, 300);
    timed.evict(Wanted::Memory);
    let left = timed.state.due().map(|due| (due.at - timed.now, due.reason));
    assert_eq!(left, Some((EVICTION_BACKSTOP, CloseReason::Evicted)));
    assert!(timed.state.ousted());
    timed.state.body_left(timed.now);
    assert!(!timed.state.ousted(), "once is enough");
    assert_eq!(timed.state.end(), CloseReason::Evicted);
}

#[test]
fn a_stranger_whose_place_is_wanted_is_not_listened_to_any_more() {
    for (wanted, timed, seconds) in [
        (Wanted::Place, Timed::idle().in_body(1, 600), 0),
        (Wanted::Memory, Timed::idle().in_body(1, 600), 2),
        (Wanted::Place, Timed::used().in_body(1, 600), 2),
    ] {
        let mut timed = timed;
        timed.evict(wanted);
        assert!(timed.state.ousted());
        timed.state.body_left(timed.now);
        timed.state.closing(timed.now);
        assert_eq!(timed.due(), Some((seconds, CloseReason::Evicted)), "{wanted:?}");
    }
}

#[test]
fn an_address_is_one_however_it_is_written_and_as_much_as_its_owner_may_choose() {
    let address = |text: &str| Address::from(text.parse::<IpAddr>().expect("an address"));
    assert_eq!(address("::ffff:10.0.0.7"), address("10.0.0.7"));
    assert_ne!(address("10.0.0.8"), address("10.0.0.7"));
    assert_eq!(address("fd00:1:2:3:4::5"), address("fd00:1:2:3:ffff::9"));
    assert_ne!(address("fd00:1:2:3::5"), address("fd00:1:2:4::5"));
}
