//! A world of a Secret, a webhook configuration, API servers that lag behind, and replicas that crash, over which the
//! invariants are held; then the cases that deserve a name.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::bundle;
use super::super::configuration::{Called, Configuration};
use super::super::secret::{Found, Secret, Stored};
use super::super::sight::Sight;
use super::*;
use crate::k8s::{Decode, Name};

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
    sight: Sight,
    /// The private part of what it serves, to know it by.
    takes: usize,
}

/// A cluster with two replicas, the first of which holds the Lease.
struct World {
    wall: Timestamp,
    at: Instant,
    version: u64,
    secret: Option<Value>,
    configuration: Option<(u64, Vec<u8>)>,
    /// caBundles that some API server may still act on, and until when.
    lagging: Vec<(Instant, Vec<u8>)>,
    replicas: [Replica; 2],
    /// Until when people's own changes of the caBundle may hurt.
    excused: Instant,
    /// When each certificate came into the caBundle.
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

    /// Every replica sees what there is, and takes up what it may.
    fn look(&mut self) {
        let (secret, wall, at) = (self.object(), self.wall, self.at);
        for replica in &mut self.replicas {
            let configuration = self.configuration.as_ref().map(|(uid, bundle)| Configuration {
                uid: uid.to_string(),
                injected: false,
                called: Some(Called {
                    server_name: SERVER.to_owned(),
                    bundle: bundle.clone(),
                }),
            });
            replica.sight.see_configuration(configuration, at);
            replica.sight.see_secret(secret.clone(), wall, at);
            replica.takes += usize::from(replica.sight.take_up(wall, at).is_some());
        }
        let now = bundle::certificates(self.bundle());
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
        let (names, sight) = (names(), &self.replicas[0].sight);
        let registered = sight.registered(self.at);
        plan(&sight.view(registered.as_ref(), &names, self.wall, self.at)).unwrap()
    }

    /// The holder acts once: at most one write of each, the crash between them being a step of its own.
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
                let served = replica.sight.served();
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
        let mut object = write.stored.print(&name(), None, false);
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.secret = Some(object);
    }

    fn set_bundle(&mut self, bundle: Vec<u8>) {
        let before = self.bundle().to_vec();
        // Less than the grace: what the grace is for.
        self.lagging.push((self.at + GRACE - seconds(1), before));
        if let Some((_, current)) = &mut self.configuration {
            *current = bundle;
        }
        self.look();
    }

    /// No API server refuses what a replica serves, unless people had their hands in it.
    fn judge(&self) {
        if self.at < self.excused || self.configuration.is_none() {
            return;
        }
        let bundles = self.lagging.iter().map(|(_, bundle)| bundle.as_slice());
        for bundle in bundles.chain([self.bundle()]) {
            for (number, replica) in self.replicas.iter().enumerate() {
                let Some(served) = replica.sight.served() else { continue };
                let chain = bundle::chain(&served.certificate);
                if let Err(reason) = trusts(bundle, &chain, SERVER, self.wall) {
                    panic!("replica {number} serves what an API server refuses: {reason}");
                }
            }
        }
    }

    /// Lets time pass, the holder acting as it would.
    fn run(&mut self, time: Duration) {
        let end = self.at + time;
        while self.at < end {
            let plan = self.act(true, true);
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

    /// A month does not pass in steps of a minute, or this would take one.
    fn skip(&mut self, time: SignedDuration) {
        let end = self.wall + time;
        while self.wall < end {
            self.run(seconds(30));
            self.wall += hours(12).min(end.duration_since(self.wall).max(SignedDuration::ZERO));
            self.look();
        }
        self.run(seconds(30));
    }

    /// People change the caBundle: until the holder has put it right, and API servers have seen that, it hurts.
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
        assert!(stored.previous.len() <= MOST_PREVIOUS);
        if self.configuration.is_some() {
            assert_eq!(String::from_utf8_lossy(self.bundle()), stored.bundle());
        }
        for replica in &self.replicas {
            assert_eq!(replica.sight.served().unwrap().certificate, signing.leaf.certificate);
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

/// What may happen.
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
        1 => prop::sample::select(vec!["ca.crt", "ca.key", "tls.crt", "tls.key", "next.key", "previous.crt"])
            .prop_map(Happening::Corrupt),
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
            // The holder wakes at least once a minute; a crash or a failover may have kept it from acting meanwhile.
            Happening::Pass(time) if *time > 60 => {
                self.settled();
                self.skip(SignedDuration::from_secs(i64::try_from(*time).unwrap()));
            }
            Happening::Pass(time) => self.pass(seconds(*time)),
            Happening::Jump(by) => {
                self.wall += hours(*by);
                // A leaf of the future, or of the past, is replaced at the next look.
                self.excuse();
                self.run(seconds(1));
            }
            Happening::Act { secret, bundle } => drop(self.act(*secret, *bundle)),
            Happening::DeleteSecret => {
                self.secret = None;
                self.look();
            }
            Happening::Corrupt(key) => {
                if let Some(secret) = &mut self.secret {
                    secret["data"][*key] = json!("anVuaw==");
                    self.look();
                }
            }
            Happening::Rotate(what) => {
                if let Some(secret) = &mut self.secret {
                    secret["metadata"]["annotations"]["dorgu.io/rotate"] = json!(what);
                    self.look();
                }
            }
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

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
