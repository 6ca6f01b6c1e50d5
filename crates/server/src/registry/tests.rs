use std::net::IpAddr;

use super::*;
use crate::limits::Limits;

/// The connections of a test, which moves them by hand.
struct Crowded {
    registry: Arc<Registry>,
    now: Instant,
    places: Vec<Place>,
}

impl Crowded {
    fn new(places: usize) -> Crowded {
        Crowded {
            registry: Arc::new(Registry::new(places)),
            now: Instant::now(),
            places: Vec::new(),
        }
    }

    /// A connection that completed TLS some time ago and has sent no request.
    fn idle(&mut self, host: u8) -> Arc<Connection> {
        let accepted = self.now - Duration::from_secs(10);
        let address = IpAddr::from([10, 0, 0, host]).into();
        let connection = Arc::new(Connection::new(
            Limits::default(),
            accepted,
            address,
            Arc::downgrade(&self.registry),
        ));
        connection.state().handshaken(accepted);
        let slot = self.registry.try_slot().expect("a slot");
        self.places
            .push(self.registry.enter(Arc::clone(&connection), slot, Arc::default()));
        connection
    }

    /// A connection that has sent a sensible request.
    fn used(&mut self, host: u8) -> Arc<Connection> {
        let connection = self.idle(host);
        {
            let mut state = connection.state();
            state.head_read(false, None, self.now);
            state.handled(true);
            state.answered(self.now);
            state.flushed(self.now);
        }
        connection
    }

    /// A connection with a stopped body, for which `held` bytes are reserved.
    fn stopped(&mut self, host: u8, held: usize) -> Arc<Connection> {
        let connection = self.idle(host);
        connection
            .state()
            .head_read(true, None, self.now - Duration::from_millis(900));
        connection.holds(held);
        connection
    }
}

fn is_chosen(connection: &Connection) -> bool {
    connection.state().is_evicted()
}

#[tokio::test]
async fn those_who_have_shown_nothing_yet_push_out_nobody_who_has() {
    let mut crowded = Crowded::new(2);
    let used = crowded.used(1);
    let young = crowded.idle(2);
    let now = crowded.now;
    young.state().received(1, now);
    assert!(!crowded.registry.evict_one(false), "the young one gets its moment");
    assert!(!is_chosen(&used));

    let mut crowded = Crowded::new(2);
    let (used, idle) = (crowded.used(1), crowded.idle(2));
    assert!(crowded.registry.evict_one(false), "it has agreed and asks nothing");
    assert!(is_chosen(&idle) && !is_chosen(&used));
    assert!(!crowded.registry.evict_one(true), "that one is on its way out");
    assert!(crowded.registry.evict_one(false), "nobody else is left");
    assert!(is_chosen(&used));
}

#[tokio::test]
async fn an_address_that_holds_more_than_half_of_what_is_left_makes_room_first() {
    let mut crowded = Crowded::new(8);
    // Four of its connections have shown something, which leaves four places. Its known ones do not count against it.
    for _ in 0..4 {
        crowded.used(1);
    }
    let other = crowded.idle(2);
    let many: Vec<_> = (0..3).map(|_| crowded.idle(3)).collect();
    assert!(crowded.registry.evict_one(false));
    assert!(!is_chosen(&other) && many.iter().filter(|connection| is_chosen(connection)).count() == 1);
}

#[tokio::test]
async fn upgraded_connections_take_nothing_from_what_is_left() {
    let mut crowded = Crowded::new(8);
    for _ in 0..5 {
        let upgraded = crowded.used(1);
        upgraded.state().upgraded(crowded.now);
    }
    let longest = crowded.idle(2);
    longest.state().handshaken(crowded.now - Duration::from_secs(20));
    // Two of eight places are not more than half. Of the three beside the upgraded ones they would be.
    let pair = [crowded.idle(3), crowded.idle(3)];
    assert!(crowded.registry.evict_one(false));
    assert!(is_chosen(&longest) && !pair.iter().any(|connection| is_chosen(connection)));
}

#[tokio::test]
async fn the_slowest_bodies_make_room_and_only_as_many_as_it_takes() {
    let mut crowded = Crowded::new(8);
    let asking = crowded.idle(1);
    let (known, small, large) = (crowded.used(4), crowded.stopped(2, 100), crowded.stopped(3, 1000));
    known
        .state()
        .head_read(true, None, crowded.now - Duration::from_millis(900));
    known.holds(5000);
    assert!(crowded.registry.evict_bodies(1000, 10_000, None, &asking));
    assert!(is_chosen(&large) && !is_chosen(&small) && !is_chosen(&known));
    assert!(crowded.registry.evict_bodies(5000, 10_000, None, &asking));
    assert!(is_chosen(&small) && is_chosen(&known));
    assert!(
        !crowded.registry.evict_bodies(1, 10_000, None, &asking),
        "all are asked"
    );
}

#[tokio::test]
async fn for_an_address_only_its_strangers_make_room() {
    let mut crowded = Crowded::new(8);
    let asking = crowded.idle(1);
    let (other, known) = (crowded.stopped(2, 1000), crowded.used(1));
    known
        .state()
        .head_read(true, None, crowded.now - Duration::from_millis(900));
    known.holds(1000);
    let only = Some(asking.address);
    assert!(!crowded.registry.evict_bodies(1, 10_000, only, &asking));
    let same = crowded.stopped(1, 10);
    assert!(crowded.registry.evict_bodies(1, 10_000, only, &asking));
    assert!(is_chosen(&same) && !is_chosen(&other) && !is_chosen(&known));
}

#[tokio::test]
async fn half_of_what_is_left_is_counted_without_those_who_are_known() {
    let mut crowded = Crowded::new(8);
    let asking = crowded.idle(1);
    let known = crowded.used(1);
    known.state().head_read(true, None, crowded.now);
    known.holds(400);
    crowded.stopped(1, 100);
    crowded.stopped(2, 200);
    // 1,000 in all, of which a known connection holds 400. That leaves 600 for strangers, and 300 for those of one address.
    let held = 700;
    assert!(!crowded.registry.would_crowd(&asking, 200, 1000, held));
    assert!(crowded.registry.would_crowd(&asking, 201, 1000, held));
}
