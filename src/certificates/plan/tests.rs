//! A simulated Secret, webhook configuration, API servers that lag behind, and replicas that crash. The invariants are checked
//! throughout. Named cases follow.

mod lives;

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::configuration::{Called, Configuration};
use super::super::observed::Observed;
use super::super::pem;
use super::super::secret::{Found, KEYS, Secret, Stored};
use super::*;
use crate::k8s::{Decode, Name};

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
            let configuration = self.configuration.as_ref().map(|(uid, bundle)| Configuration {
                uid: uid.to_string(),
                version: String::new(),
                injected: false,
                entries: vec![Called {
                    webhook: String::new(),
                    server_name: SERVER.to_owned(),
                    bundle: bundle.clone(),
                }],
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
        let before = self.bundle().to_vec();
        // Shorter than the grace period, which exists for this delay.
        self.lagging.push((self.at + GRACE - seconds(1), before));
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
        for bundle in bundles.chain([self.bundle()]) {
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
            assert_eq!(String::from_utf8_lossy(self.bundle()), stored.bundle());
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
            Happening::Crash(number) => self.crash(*number),
            Happening::Failover => self.replicas.swap(0, 1),
        }
    }
}
