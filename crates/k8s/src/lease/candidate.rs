//! Holds what one candidate knows of a Lease, and decides the candidate's next step. Pure: the answers of the API server and
//! the times are arguments.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use tokio::time::Instant;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The Lease does not exist.
    Create,
    /// It is ours to renew, free, or expired.
    Update,
    /// Another candidate holds it, at least until then.
    Wait(Instant),
}

/// One candidate's view of the Lease.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    name: String,
    pub(super) identity: String,
    /// The duration that we write when we hold it.
    pub(super) lease: Duration,
    seen: Option<LastSeen>,
}

#[derive(Clone, Debug)]
struct LastSeen {
    lease: Lease,
    /// The local time since which it has not been renewed.
    since: Instant,
    /// It was deleted since.
    gone: bool,
}

impl LastSeen {
    fn spec(&self) -> Option<&LeaseSpec> {
        self.lease.spec.as_ref()
    }

    fn holder(&self) -> &str {
        let holder = self.spec().and_then(|spec| spec.holder_identity.as_deref());
        holder.unwrap_or_default()
    }

    /// Until when its holder may act.
    ///
    /// A holder that releases its Lease writes a duration of at most a second. An emptied name with the old duration is an edit
    /// by hand. The holder may not know of that yet, so its whole term is waited for.
    fn promised_until(&self) -> Instant {
        let seconds = self.spec().and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
        let given_back = self.holder().is_empty() && seconds <= 1;
        let seconds = if given_back { 0 } else { seconds };
        // The API server rejects negative durations.
        self.since + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }
}

impl Candidate {
    pub(super) fn new(name: String, identity: String, lease: Duration) -> Candidate {
        Candidate {
            name,
            identity,
            lease,
            seen: None,
        }
    }

    /// Records the Lease as the API server has just returned it.
    pub(super) fn heard(&mut self, lease: Option<Lease>, now: Instant) {
        match (lease, &mut self.seen) {
            // A deletion does not end the term: the holder may not have noticed it.
            (None, seen) => {
                if let Some(seen) = seen {
                    seen.gone = true;
                }
            }
            // A changed label or field manager is not a renewal.
            (Some(lease), Some(seen)) if seen.lease.spec == lease.spec => {
                seen.lease = lease;
                seen.gone = false;
            }
            (Some(lease), seen) => {
                *seen = Some(LastSeen {
                    lease,
                    since: now,
                    gone: false,
                });
            }
        }
    }

    /// The holder, as far as known; empty for none.
    pub(super) fn holder(&self) -> &str {
        self.seen.as_ref().map_or("", LastSeen::holder)
    }

    /// Whether it carries our name. Whether we may act depends on time as well.
    pub(super) fn is_ours(&self) -> bool {
        self.holder() == self.identity
    }

    /// Whether there is a Lease in our name. Without one, a write would not conflict with that of another candidate.
    pub(super) fn can_give_back(&self) -> bool {
        self.is_ours() && self.seen.as_ref().is_some_and(|seen| !seen.gone)
    }

    /// The next step.
    pub(super) fn step(&self, now: Instant) -> Step {
        let Some(seen) = &self.seen else {
            return Step::Create;
        };
        let until = seen.promised_until();
        if !self.is_ours() && now < until {
            Step::Wait(until)
        } else if seen.gone {
            Step::Create
        } else {
            Step::Update
        }
    }

    /// The Lease with us as its holder. `wall` is written for people to read.
    pub(super) fn wanted(&self, wall: Timestamp) -> Lease {
        let old = self.spec();
        let wall = Some(MicroTime(wall));
        let transitions = old.lease_transitions;
        let (acquire_time, lease_transitions) = if self.is_ours() {
            (old.acquire_time.or(wall.clone()), transitions)
        } else {
            (
                wall.clone(),
                Some(transitions.map_or(0, |count| count.saturating_add(1))),
            )
        };
        // Rounded up, since a longer term does no harm.
        let seconds = self.lease.as_secs() + u64::from(self.lease.subsec_nanos() > 0);
        self.with_spec(LeaseSpec {
            acquire_time,
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
            lease_transitions,
            renew_time: wall,
            ..self.spec()
        })
    }

    /// The Lease without a holder, as client-go leaves it.
    pub(super) fn given_back(&self, wall: Timestamp) -> Lease {
        self.with_spec(LeaseSpec {
            acquire_time: Some(MicroTime(wall)),
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(wall)),
            ..self.spec()
        })
    }

    fn spec(&self) -> LeaseSpec {
        self.seen.as_ref().and_then(LastSeen::spec).cloned().unwrap_or_default()
    }

    /// With the labels and the version of the Lease that was read, so that the write fails if another writer was faster.
    fn with_spec(&self, spec: LeaseSpec) -> Lease {
        let seen = self.seen.as_ref().filter(|seen| !seen.gone);
        let metadata = seen.map(|seen| seen.lease.metadata.clone());
        Lease {
            metadata: metadata.unwrap_or_else(|| ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            }),
            spec: Some(spec),
        }
    }
}
