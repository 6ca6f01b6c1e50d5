//! A simulated Secret, webhook configuration, API servers that lag behind, and replicas that crash. The invariants are checked
//! throughout. Named cases follow.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::configuration::{Called, Configuration};
use super::super::observed::Observed;
use super::super::pem;
use super::super::registered::is_trusted;
use super::super::secret::{Found, KEYS, Secret, Stored};
use super::*;
use crate::k8s::{Decode, Name};
use crate::server::tls::trusts;

const DATA: &str = "/data";
const ANNOTATIONS: &str = "/metadata/annotations";
const SERVER: &str = "dorgu-webhook.dorgu-system.svc";

fn names() -> Vec<String> {
    ["dorgu-webhook", "dorgu-webhook.dorgu-system", SERVER]
        .map(str::to_owned)
        .into()
}

fn start() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A process.
#[derive(Debug, Default)]
struct Replica {
    observed: Observed,
    /// Identifies the private part of what it serves.
    takes: usize,
}

/// A cluster with two replicas, the first of which holds the Lease.
struct World {
    wall: Timestamp,
    at: Instant,
    version: u64,
    secret: Option<Value>,
    /// Keys of the Secret that users have set. Server-side apply removes those only by setting another value.
    hands: BTreeSet<String>,
    configuration: Option<(u64, Vec<u8>)>,
    /// The caBundle of a second entry of ours, if there is one.
    second: Option<Vec<u8>>,
    /// caBundles that an API server may still use, and until when.
    lagging: Vec<(Instant, Vec<u8>)>,
    replicas: [Replica; 2],
    /// Until when a user's own change of the caBundle may cause failures.
    excused: Instant,
    /// When each certificate was added to the caBundle.
    seen_since: Vec<(String, Instant)>,
}

impl World {
    fn new() -> World {
        let at = Instant::now();
        let mut world = World {
            wall: start(),
            at,
            version: 1,
            secret: None,
            hands: BTreeSet::new(),
            configuration: Some((1, Vec::new())),
            second: None,
            lagging: Vec::new(),
            replicas: Default::default(),
            excused: at,
            seen_since: Vec::new(),
        };
        world.look();
        world
    }

    fn object(&self) -> Option<Secret> {
        self.secret
            .as_ref()
            .map(|secret| Secret::decode(&secret.to_string()).unwrap())
    }

    fn stored(&self) -> Option<Stored> {
        match self.object()?.found {
            Found::Ours { stored, .. } => Some(stored),
            _ => None,
        }
    }

    fn bundle(&self) -> &[u8] {
        self.configuration.as_ref().map_or(&[], |(_, bundle)| bundle)
    }

    /// Every replica observes the objects, and loads what it may.
    fn look(&mut self) {
        let (secret, wall, at) = (self.object(), self.wall, self.at);
        for replica in &mut self.replicas {
            let entry = |bundle: &Vec<u8>| Called {
                webhook: String::new(),
                server_name: SERVER.to_owned(),
                bundle: bundle.clone(),
            };
            let configuration = self.configuration.as_ref().map(|(uid, bundle)| Configuration {
                uid: uid.to_string(),
                version: String::new(),
                injected: false,
                entries: [bundle].into_iter().chain(&self.second).map(entry).collect(),
            });
            replica.observed.see_configuration(configuration, at);
            replica.observed.see_secret(secret.clone(), wall, at);
            replica.takes += usize::from(replica.observed.take_up(wall, at).is_some());
        }
        let now = pem::certificates(self.bundle());
        self.seen_since.retain(|(certificate, _)| now.contains(certificate));
        for certificate in now {
            if !self.seen_since.iter().any(|(known, _)| *known == certificate) {
                self.seen_since.push((certificate, at));
            }
        }
        self.lagging.retain(|(until, _)| *until > at);
        self.judge();
    }

    fn plan(&self) -> Plan {
        let (names, observed) = (names(), &self.replicas[0].observed);
        let registered = observed.registered(self.at);
        plan(&observed.view(registered.as_ref(), &names, self.wall, self.at)).unwrap()
    }

    /// The holder acts once: at most one write of each, with the crash between them as a step of its own.
    fn act(&mut self, secret: bool, bundle: bool) -> Plan {
        let plan = self.plan();
        if let Some(write) = plan.secret.as_ref().filter(|_| secret) {
            self.publish(write);
        }
        self.look();
        if let Some(text) = plan.bundle.as_ref().filter(|_| bundle) {
            assert!(!text.contains("PRIVATE KEY"), "a key would leave the Secret");
            self.set_bundle(text.clone().into_bytes());
        }
        plan
    }

    fn publish(&mut self, write: &Write) {
        let before = self.stored().and_then(|stored| stored.signing);
        let after = write.stored.signing.clone();
        if let Some(signing) = after.filter(|after| before.as_ref().map(|before| &before.leaf) != Some(&after.leaf)) {
            let restored = write.why.contains(&Reason::Restored);
            let trusted = self.replicas.iter().any(|replica| {
                let served = replica.observed.served();
                served.is_some_and(|served| is_trusted(self.bundle(), &served.certificate, SERVER, self.wall))
            });
            let since = self
                .seen_since
                .iter()
                .find(|(known, _)| *known == signing.ca.certificate);
            let waited = since.is_some_and(|(_, since)| self.at.duration_since(*since) >= GRACE);
            assert!(
                restored || waited || !trusted,
                "a leaf was published before its CA was seen for long enough: {:?}",
                write.why
            );
        }
        self.version += 1;
        let mut object = write.stored.print(&name(), None, write.taken_up);
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        for place in [DATA, ANNOTATIONS] {
            let before = self.secret.as_ref().and_then(|secret| secret.pointer(place));
            let before = before.and_then(Value::as_object).cloned().unwrap_or_default();
            let applied = object.pointer_mut(place).and_then(Value::as_object_mut).unwrap();
            for (key, value) in before {
                if applied.contains_key(&key) {
                    self.hands.remove(&key);
                } else if self.hands.contains(&key) {
                    applied.insert(key, value);
                }
            }
        }
        self.secret = Some(object);
    }

    /// A user sets one key of the Secret, if it exists, and owns it from then on.
    fn set(&mut self, place: &str, key: &str, value: &str) {
        if let Some(secret) = &mut self.secret {
            secret.pointer_mut(place).unwrap()[key] = json!(value);
            self.hands.insert(key.to_owned());
            self.look();
        }
    }

    /// A user restores a Secret from a backup, and owns every key of it.
    fn restore(&mut self, mut backup: Value) {
        self.version += 1;
        backup["metadata"]["resourceVersion"] = self.version.to_string().into();
        for place in [DATA, ANNOTATIONS] {
            let keys = backup.pointer(place).and_then(Value::as_object).unwrap().keys();
            self.hands.extend(keys.cloned());
        }
        self.secret = Some(backup);
        self.look();
    }

    fn set_bundle(&mut self, bundle: Vec<u8>) {
        let before = [self.bundle().to_vec()].into_iter().chain(self.second.clone());
        // Shorter than the grace period, which exists for this delay.
        let until = self.at + GRACE - seconds(1);
        // Where an entry had no caBundle yet, nothing is expected of it.
        let before = before
            .enumerate()
            .filter(|(entry, bundle)| *entry == 0 || !bundle.is_empty());
        self.lagging.extend(before.map(|(_, bundle)| (until, bundle)));
        if let Some(second) = &mut self.second {
            second.clone_from(&bundle);
        }
        if let Some((_, current)) = &mut self.configuration {
            *current = bundle;
        }
        self.look();
    }

    /// No API server rejects what a replica serves, unless a user changed something.
    fn judge(&self) {
        if self.at < self.excused || self.configuration.is_none() {
            return;
        }
        let bundles = self.lagging.iter().map(|(_, bundle)| bundle.as_slice());
        let second = self.second.as_deref().filter(|bundle| !bundle.is_empty());
        for bundle in bundles.chain([self.bundle()]).chain(second) {
            for (number, replica) in self.replicas.iter().enumerate() {
                let Some(served) = replica.observed.served() else {
                    continue;
                };
                let chain = pem::chain(&served.certificate);
                if let Err(reason) = trusts(bundle, &chain, SERVER, self.wall) {
                    panic!("replica {number} serves what an API server refuses: {reason}");
                }
            }
        }
    }

    /// Time passes, and the holder acts as it would.
    fn run(&mut self, time: Duration) {
        let end = self.at + time;
        for turns in 0_u32.. {
            if self.at >= end {
                return;
            }
            let plan = self.act(true, true);
            assert!(turns < 1_000, "it never rests: {plan:?}");
            let step = if plan.secret.is_some() || plan.bundle.is_some() {
                Duration::from_millis(10)
            } else {
                plan.again.max(Duration::from_millis(10)).min(end - self.at)
            };
            self.pass(step);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.at += time;
        self.wall += time;
        self.look();
    }

    /// Skips a month without steps of a minute, which would take too long.
    fn skip(&mut self, time: SignedDuration) {
        let end = self.wall + time;
        while self.wall < end {
            self.run(seconds(30));
            self.wall += hours(12).min(end.duration_since(self.wall).max(SignedDuration::ZERO));
            self.look();
        }
        self.run(seconds(30));
    }

    /// A user changes the caBundle. Failures are excused until the holder has fixed it and API servers have that.
    fn excuse(&mut self) {
        self.excused = self.at + GRACE + seconds(3);
    }

    fn crash(&mut self, number: usize) {
        self.replicas[number] = Replica::default();
        self.look();
    }

    /// Everything agrees, and nothing is left to do.
    fn settled(&mut self) {
        self.excuse();
        self.run(seconds(90));
        let stored = self.stored().expect("a Secret of ours");
        let signing = stored.signing.as_ref().expect("a leaf");
        assert_eq!(stored.next, None, "nothing is under way");
        assert!(stored.previous.len() <= MAX_PREVIOUS);
        if self.configuration.is_some() {
            for bundle in [self.bundle()].into_iter().chain(self.second.as_deref()) {
                assert_eq!(String::from_utf8_lossy(bundle), stored.bundle());
            }
        }
        for replica in &self.replicas {
            assert_eq!(replica.observed.served().unwrap().certificate, signing.leaf.certificate);
        }
        let plan = self.plan();
        assert!(plan.secret.is_none() && plan.bundle.is_none(), "{plan:?}");
    }
}

fn name() -> Name {
    Name {
        namespace: "dorgu-system".to_owned(),
        name: "dorgu-webhook-ca".to_owned(),
    }
}

/// A random event.
#[derive(Clone, Debug)]
enum Happening {
    Pass(u64),
    /// The wall clock alone, in hours.
    Jump(i64),
    Act {
        secret: bool,
        bundle: bool,
    },
    DeleteSecret,
    Corrupt(&'static str),
    /// A user's own `dorgu.io/previous-until`.
    Date,
    Rotate(&'static str),
    EmptyBundle,
    DeleteConfiguration,
    RecreateConfiguration,
    /// A second entry is added, without a caBundle, or the second one is removed.
    SecondEntry,
    Crash(usize),
    /// The other replica holds the Lease from now on.
    Failover,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (1_u64..20).prop_map(Happening::Pass),
        1 => (60_u64..4 * 86_400).prop_map(Happening::Pass),
        2 => (-48_i64..=48).prop_map(Happening::Jump),
        10 => any::<(bool, bool)>().prop_map(|(secret, bundle)| Happening::Act { secret, bundle }),
        1 => Just(Happening::DeleteSecret),
        1 => prop::sample::select(KEYS.to_vec()).prop_map(Happening::Corrupt),
        1 => Just(Happening::Date),
        2 => prop::sample::select(vec!["leaf", "ca", "all"]).prop_map(Happening::Rotate),
        1 => Just(Happening::EmptyBundle),
        1 => Just(Happening::DeleteConfiguration),
        1 => Just(Happening::RecreateConfiguration),
        2 => Just(Happening::SecondEntry),
        1 => (0_usize..2).prop_map(Happening::Crash),
        1 => Just(Happening::Failover),
    ]
}

impl World {
    fn meet(&mut self, happening: &Happening) {
        match happening {
            // The holder wakes at least once a minute. A crash or a failover may have kept it from acting in the meantime.
            Happening::Pass(time) if *time > 60 => {
                self.settled();
                self.skip(SignedDuration::from_secs(i64::try_from(*time).unwrap()));
            }
            Happening::Pass(time) => {
                // No replica acts meanwhile, so this time does not count against the holder.
                if self.at < self.excused {
                    self.excused += seconds(*time);
                }
                self.pass(seconds(*time));
            }
            Happening::Jump(by) => {
                self.wall += hours(*by);
                // A leaf of the future, or of the past, is replaced at the next step.
                self.excuse();
                self.run(seconds(1));
            }
            Happening::Act { secret, bundle } => drop(self.act(*secret, *bundle)),
            Happening::DeleteSecret => {
                self.secret = None;
                self.hands.clear();
                self.look();
            }
            Happening::Corrupt(key) => self.set(DATA, key, "anVuaw=="),
            Happening::Date => self.set(ANNOTATIONS, "dorgu.io/previous-until", "some day"),
            Happening::Rotate(what) => self.set(ANNOTATIONS, "dorgu.io/rotate", what),
            Happening::EmptyBundle => {
                self.excuse();
                if self.configuration.is_some() {
                    self.set_bundle(Vec::new());
                }
                self.run(seconds(1));
            }
            Happening::DeleteConfiguration => {
                self.configuration = None;
                self.lagging.clear();
                self.look();
            }
            Happening::RecreateConfiguration => {
                if self.configuration.is_none() {
                    self.excuse();
                    self.version += 1;
                    self.configuration = Some((self.version, Vec::new()));
                    self.look();
                    self.run(seconds(1));
                }
            }
            Happening::SecondEntry => {
                self.second = self.second.is_none().then(Vec::new);
                self.look();
            }
            Happening::Crash(number) => self.crash(*number),
            Happening::Failover => self.replicas.swap(0, 1),
        }
    }
}

/// A state in which the first certificate is served and trusted, and every grace period is over.
fn settled() -> World {
    let mut world = World::new();
    world.settled();
    world
}

#[test]
fn the_first_certificate_waits_for_nobody() {
    let mut world = World::new();
    world.excuse();
    world.run(seconds(1));
    assert!(world.replicas.iter().all(|replica| replica.takes == 1));
    world.judge();
}

#[test]
fn a_request_in_the_first_seconds_is_met_when_it_may_be_and_not_forgotten() {
    let mut world = World::new();
    world.excuse();
    world.run(seconds(1));
    let leaf = world.stored().unwrap().signing.unwrap().leaf;
    world.meet(&Happening::Rotate("leaf"));
    world.run(seconds(5));
    assert_eq!(world.stored().unwrap().signing.unwrap().leaf, leaf, "too early");
    world.run(seconds(6));
    assert_ne!(world.stored().unwrap().signing.unwrap().leaf, leaf);
    world.settled();
}

#[test]
fn a_ca_is_rotated_on_request_and_the_old_one_stays_until_its_last_leaf_has_expired() {
    let mut world = settled();
    let old = world.stored().unwrap().signing.unwrap();
    world.meet(&Happening::Rotate("ca"));
    world.run(seconds(9));
    let staged = world.stored().unwrap();
    assert_eq!(staged.signing.as_ref(), Some(&old));
    assert_eq!(String::from_utf8_lossy(world.bundle()), staged.bundle());
    world.run(seconds(3));
    let rotated = world.stored().unwrap();
    assert_eq!(
        rotated.signing.as_ref().map(|signing| &signing.ca),
        staged.next.as_ref()
    );
    assert_eq!(rotated.previous[0].certificate, old.ca.certificate);
    assert_eq!(rotated.previous[0].until, old.until + SKEW);
    world.skip(hours(8 * 24));
    assert!(
        world.stored().unwrap().bundle().contains(&old.ca.certificate),
        "a clock may be wrong"
    );
    world.skip(hours(2 * 24));
    assert!(!world.stored().unwrap().bundle().contains(&old.ca.certificate));
    world.settled();
}

#[test]
fn a_year_passes_with_a_leaf_every_five_days_and_a_ca_after_eight_months() {
    let mut world = settled();
    let ca = world.stored().unwrap().signing.unwrap().ca;
    world.skip(hours(24 * 240));
    assert_eq!(world.stored().unwrap().signing.unwrap().ca, ca);
    let leaves = world.replicas[1].takes;
    assert!((48..=60).contains(&leaves), "{leaves} leaves in 240 days");
    world.skip(hours(24 * 10));
    assert_ne!(world.stored().unwrap().signing.unwrap().ca, ca);
    world.settled();
}

#[test]
fn an_entry_that_is_added_gets_the_bundle_at_once_and_hurries_no_leaf() {
    let mut world = settled();
    world.meet(&Happening::SecondEntry);
    world.meet(&Happening::Rotate("ca"));
    let old = world.stored().unwrap().signing;
    // The holder may crash between its writes: the new CA is stored and not in the caBundle.
    world.act(true, false);
    world.act(true, false);
    assert_eq!(world.stored().unwrap().signing, old, "too early");
    world.run(seconds(1));
    let staged = world.stored().unwrap();
    assert_eq!(world.second, Some(staged.bundle().into_bytes()));
    assert_eq!(world.bundle(), staged.bundle().as_bytes());
    assert_eq!(staged.signing, old, "too early");
    world.settled();
}

#[test]
fn a_ca_that_was_put_into_one_of_two_entries_is_taken_out_of_it() {
    let mut world = settled();
    let stranger = Authority::make("a stranger", world.wall, CA_LIFETIME).unwrap();
    world.second = Some([world.bundle(), stranger.pem().as_bytes()].concat());
    world.look();
    world.run(seconds(1));
    world.settled();
}

#[test]
fn a_deleted_secret_is_restored_at_once_and_its_ca_rotated() {
    let mut world = settled();
    let before = world.stored().unwrap();
    world.meet(&Happening::DeleteSecret);
    world.run(seconds(1));
    assert_eq!(world.stored().unwrap().signing, before.signing);
    world.run(seconds(11));
    assert_ne!(world.stored().unwrap().signing.unwrap().ca, before.signing.unwrap().ca);
    world.settled();
}

#[test]
fn a_deleted_secret_that_nobody_remembers_costs_a_grace_and_no_trust() {
    let mut world = settled();
    let old = world.stored().unwrap().signing.unwrap();
    // The other replica continues to serve; it may not write.
    world.secret = None;
    world.replicas[0] = Replica::default();
    world.look();
    world.run(seconds(9));
    assert!(world.stored().unwrap().signing.is_none(), "too early");
    assert!(
        world
            .bundle()
            .windows(old.ca.certificate.len())
            .any(|part| part == old.ca.certificate.as_bytes())
    );
    world.run(seconds(3));
    world.settled();
    assert_eq!(world.replicas[1].takes, 2);
}

#[test]
fn a_secret_that_was_set_back_costs_no_trust() {
    let mut world = settled();
    let backup = world.secret.clone().unwrap();
    world.meet(&Happening::Rotate("ca"));
    world.settled();
    // The old CA has left the caBundle, as after two weeks.
    world.skip(hours(11 * 24));
    world.restore(backup);
    world.run(seconds(60));
    world.settled();
}

#[test]
fn a_backup_with_a_staged_ca_is_gone_on_from_once() {
    let mut world = settled();
    world.meet(&Happening::Rotate("ca"));
    world.run(seconds(1));
    let backup = world.secret.clone().unwrap();
    let staged = world.stored().unwrap().next.expect("a staged CA");
    world.settled();
    world.restore(backup);
    world.settled();
    assert_eq!(world.stored().unwrap().signing.unwrap().ca, staged);
}

#[test]
fn a_key_that_people_set_is_taken_over_and_mended() {
    for key in KEYS {
        let mut world = settled();
        let before = world.stored().unwrap();
        world.meet(&Happening::Corrupt(key));
        world.settled();
        assert_eq!(world.stored().unwrap(), before, "{key}");
        assert!(!world.hands.contains(key), "{key} is still theirs");
    }
}

#[test]
fn a_date_that_people_set_is_taken_over() {
    let mut world = settled();
    world.meet(&Happening::Date);
    world.settled();
    assert!(world.hands.is_empty(), "{:?}", world.hands);
}

#[test]
fn clocks_that_jump_leave_a_valid_certificate_everywhere() {
    for jump in [48, -48, 96, -96, 24 * 300, -24 * 300] {
        let mut world = settled();
        world.meet(&Happening::Jump(jump));
        world.settled();
        world.meet(&Happening::Jump(-jump));
        world.settled();
    }
}

#[test]
fn a_holder_two_days_off_makes_certificates_that_are_valid_for_everybody_else() {
    for jump in [48, -48] {
        let mut world = settled();
        world.wall += hours(jump);
        world.meet(&Happening::Rotate("leaf"));
        world.run(seconds(1));
        world.wall -= hours(jump);
        // No replica has observed it yet, so it serves what was made.
        world.judge();
    }
}

#[test]
fn a_certificate_for_other_names_is_replaced() {
    let world = settled();
    let names = vec!["renamed".to_owned()];
    let observed = &world.replicas[0].observed;
    let registered = observed.registered(world.at);
    let plan = plan(&observed.view(registered.as_ref(), &names, world.wall, world.at)).unwrap();
    assert_eq!(plan.secret.unwrap().why, [Reason::LeafRenewed]);
}

#[test]
fn what_is_printed_is_what_is_read() {
    let mut world = settled();
    world.meet(&Happening::Rotate("ca"));
    world.run(seconds(1));
    let stored = world.stored().unwrap();
    assert!(stored.next.is_some());
    let object = stored.print(&name(), Some("7"), false);
    match Secret::decode(&object.to_string()).unwrap().found {
        Found::Ours {
            stored: read,
            tidy,
            rotate,
        } => {
            assert!(tidy && rotate.is_none());
            assert_eq!(read, stored);
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_api_server_is_shown_a_certificate_that_it_does_not_trust(
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let mut world = World::new();
        world.excuse();
        world.run(seconds(1));
        for happening in &happenings {
            world.meet(happening);
        }
        if world.configuration.is_none() {
            world.meet(&Happening::RecreateConfiguration);
        }
        world.settled();
    }
}

/// Found by a random run: no replica acts for a while after two jumps that together make the leaf one of the future.
#[test]
fn clocks_that_jump_back_for_days_and_a_lost_secret_are_put_right_once_the_holder_acts() {
    let mut world = settled();
    for happening in [
        Happening::Jump(-28),
        Happening::DeleteSecret,
        Happening::Crash(0),
        Happening::Jump(-45),
        Happening::Pass(12),
        Happening::Pass(1),
    ] {
        world.meet(&happening);
    }
    world.run(GRACE + seconds(3));
    world.excused = world.at;
    world.judge();
    world.settled();
}
