//! One replica of many writes: the election by a `coordination.k8s.io/v1` Lease, by the rules of client-go.
//!
//! Owns the Lease: finds it, takes it, renews it, gives it back. Knows nothing of what its holder does. It needs `create`
//! on leases, and `get` and `update` on this one.
//!
//! Who may write is decided by clocks that only ever run forward. A candidate measures by its own for how long the Lease
//! has not changed; the times written into it are for people, so clocks that disagree do no harm. The holder measures
//! from before the request that renewed it, and stops writing well before anyone else may begin.

mod candidate;
mod standing;

use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client, Error};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::error::error_chain;
use super::trouble::Trouble;
use candidate::{Candidate, Step};
pub use standing::Leadership;
use standing::{Announcer, Standing};

/// How often one attempt starts again because another writer was faster.
const MAX_ROUNDS: usize = 3;
/// At least this long between two attempts, however fast the API server answers.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// Which Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseName {
    /// Where the replicas live.
    pub namespace: String,
    /// What they contend for.
    pub name: String,
}

/// The paces of an election. `lease > renew > retry`, or the holder is not sure to stop before its successor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// What a holder promises: others wait until they have seen the Lease unchanged for this long. Whole seconds.
    pub lease: Duration,
    /// After this long without a renewal the holder no longer is one.
    pub renew: Duration,
    /// From one renewal to the next, and from one attempt to the next.
    pub retry: Duration,
}

impl Default for Timings {
    /// client-go's 15 s, 10 s and 2 s.
    fn default() -> Timings {
        Timings {
            lease: Duration::from_secs(15),
            renew: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

impl Timings {
    /// How often a follower reads the Lease. It notices a renewal late by up to this much, and then waits that much too long;
    /// at half the pace of renewals a takeover stays within the lease's duration and one `retry`.
    fn look(self) -> Duration {
        self.retry / 2
    }

    /// The longest wait for one answer, so that one that never comes leaves time for another try.
    fn answer(self) -> Duration {
        self.renew / 2
    }
}

/// Which replica this is: a pod's host name is its own name. `unnamed` where there is none.
pub fn pod_name(unnamed: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
    host.unwrap_or_else(|| unnamed.to_owned())
}

/// A name that no other process has: the pod's, or `unnamed`, and something that differs from one start to the next.
pub fn identity(unnamed: &str) -> String {
    // Keyed by the system's randomness; it has to differ, not to be a secret.
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{}_{:016x}{:016x}", pod_name(unnamed), random(), random())
}

/// One candidate, and what it reports to the rest of the process. Nothing happens before [`Election::run`].
pub fn election(client: Client, lease: LeaseName, identity: String) -> (Election, Leadership) {
    let (announcer, leadership) = Announcer::new();
    let election = Election {
        leases: Api::namespaced(client, &lease.namespace),
        candidate: Candidate::new(lease.name.clone(), identity, Timings::default().lease),
        lease,
        timings: Timings::default(),
        announcer,
        sure: false,
        held_until: None,
        trouble: Trouble::default(),
    };
    (election, leadership)
}

/// A candidate for the Lease.
#[must_use = "it stands for election only while `run` is polled"]
pub struct Election {
    leases: Api<Lease>,
    lease: LeaseName,
    timings: Timings,
    candidate: Candidate,
    announcer: Announcer,
    /// Whether the candidate knows the Lease as it is: only after a write of its own, until something goes wrong.
    sure: bool,
    /// Present while we hold it; no other candidate can before this.
    held_until: Option<Instant>,
    trouble: Trouble,
}

/// Why a request did not do what it was for.
enum Missed {
    /// Another writer was faster: read again.
    Outrun,
    /// It failed, in one line.
    Failed(String),
}

impl Election {
    /// With other paces than client-go's.
    pub fn with_timings(mut self, timings: Timings) -> Election {
        self.timings = timings;
        self.candidate.lease = timings.lease;
        self
    }

    /// Stands for election until `release` resolves, then gives the Lease back, so that the next holder need not wait.
    /// By then whatever needs the Lease should have stopped; it is announced as lost before it is given back.
    ///
    /// No failure ends it: each is logged once and tried again.
    pub async fn run(mut self, release: impl Future<Output = ()>) {
        let mut release = pin!(release);
        loop {
            // Not cancelled half-way: a request that was sent may arrive.
            let next = self.attempt().await;
            tokio::select! {
                biased;
                () = &mut release => break,
                () = sleep_until(next) => {}
            }
        }
        self.release().await;
    }

    /// Reads and writes the Lease once. When to do so again.
    async fn attempt(&mut self) -> Instant {
        let started = Instant::now();
        self.stop_in_time(started);
        let outcome = self.try_for_it().await;
        let now = Instant::now();
        let next = match outcome {
            Ok(next) => {
                self.well_again();
                next
            }
            Err(Missed::Outrun) => now + self.timings.look(),
            Err(Missed::Failed(reason)) => {
                self.sure = false;
                self.log_failure(&reason);
                started + self.timings.retry
            }
        };
        self.stop_in_time(now);
        self.announce();
        next.max(now + MIN_PAUSE)
    }

    /// [`Leadership::held`] stops by itself; this is for the log, and for what we believe of ourselves.
    fn stop_in_time(&mut self, now: Instant) {
        if self.held_until.is_some_and(|until| now >= until) {
            self.lost("it could not be renewed in time");
        }
    }

    /// When to try again.
    async fn try_for_it(&mut self) -> Result<Instant, Missed> {
        for _ in 0..MAX_ROUNDS {
            if !self.sure {
                self.look().await?;
            }
            let started = Instant::now();
            let done = match self.candidate.step(started) {
                Step::Wait(until) => return Ok(until.min(started + self.timings.look())),
                Step::Create => self.write(started, true).await,
                Step::Update => self.write(started, false).await,
            };
            match done {
                Err(Missed::Outrun) => self.sure = false,
                Err(failed) => return Err(failed),
                Ok(()) => return Ok(started + self.timings.retry),
            }
        }
        Err(Missed::Outrun)
    }

    /// Reads the Lease.
    async fn look(&mut self) -> Result<(), Missed> {
        let found = self.answered("get", self.leases.get_opt(&self.lease.name)).await?;
        self.heard(found);
        Ok(())
    }

    /// Takes or renews the Lease, on the condition that it still is what the candidate knows.
    async fn write(&mut self, started: Instant, create: bool) -> Result<(), Missed> {
        let wanted = self.candidate.wanted(Timestamp::now());
        let params = PostParams::default();
        let written = if create {
            self.answered("create", self.leases.create(&params, &wanted)).await?
        } else {
            let update = self.leases.replace(&self.lease.name, &params, &wanted);
            self.answered("update", update).await?
        };
        self.heard(Some(written));
        self.sure = true;
        // Before it is announced, so that no observer sees a leader with a failure that is over.
        self.well_again();
        // From before the request: others cannot have seen it earlier.
        let taken = self.held_until.replace(started + self.timings.renew).is_none();
        self.announce();
        if taken {
            tracing::info!(lease = self.lease.name, identity = self.candidate.identity, "Leading");
        }
        Ok(())
    }

    fn heard(&mut self, found: Option<Lease>) {
        let before = self.candidate.holder().to_owned();
        self.candidate.heard(found, Instant::now());
        if self.held_until.is_some() && !self.candidate.is_ours() {
            self.lost("it was given to somebody else");
        }
        let holder = self.candidate.holder();
        if before != holder && !holder.is_empty() && !self.candidate.is_ours() {
            tracing::info!(lease = self.lease.name, holder, "Following");
        }
        self.announce();
    }

    fn lost(&mut self, why: &str) {
        self.held_until = None;
        tracing::warn!(
            lease = self.lease.name,
            why,
            "No longer leading; nothing is written until the Lease is held again"
        );
    }

    /// Gives the Lease back, if it is ours or may be.
    async fn release(&mut self) {
        self.held_until = None;
        self.announce();
        let mut known = self.sure;
        for _ in 0..MAX_ROUNDS {
            // Also when we never held it: a request whose answer was lost may have made it ours.
            if !known && let Err(Missed::Failed(reason)) = self.look().await {
                return self.log_failure(&reason);
            }
            if !self.candidate.can_give_back() {
                return;
            }
            let wanted = self.candidate.given_back(Timestamp::now());
            let params = PostParams::default();
            let update = self.leases.replace(&self.lease.name, &params, &wanted);
            match self.answered("update", update).await {
                Ok(_) => return tracing::info!(lease = self.lease.name, "Gave the Lease back"),
                Err(Missed::Outrun) => known = false,
                Err(Missed::Failed(reason)) => return self.log_failure(&reason),
            }
        }
    }

    fn announce(&self) {
        self.announcer.announce(Standing {
            held_until: self.held_until,
            holder: self.candidate.holder().to_owned(),
            trouble: self.trouble.reason(),
        });
    }

    fn well_again(&mut self) {
        if self.trouble.over() {
            tracing::info!(lease = self.lease.name, "The Lease can be held and followed again");
        }
    }

    fn log_failure(&self, reason: &str) {
        if self.trouble.failed(reason) {
            tracing::warn!(
                lease = self.lease.name,
                namespace = self.lease.namespace,
                reason,
                "Cannot hold or follow the Lease; it is tried again"
            );
        }
    }

    /// The answer, within the time in which it still matters.
    async fn answered<T>(&self, verb: &str, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Missed> {
        let patience = Instant::now() + self.timings.answer();
        let deadline = self.held_until.map_or(patience, |until| until.min(patience));
        let failed = |reason: String| Err(Missed::Failed(reason));
        match timeout_at(deadline, asked).await {
            Err(_) => failed("the API server does not answer in time".to_owned()),
            Ok(Ok(answer)) => Ok(answer),
            // 404: it was there a moment ago, or, on a create, its namespace is not.
            Ok(Err(Error::Api(status))) if status.code == 409 || (status.code == 404 && verb == "update") => {
                Err(Missed::Outrun)
            }
            Ok(Err(Error::Api(status))) if status.code == 403 => {
                let LeaseName { namespace, name } = &self.lease;
                failed(format!(
                    "not allowed to {verb} the Lease; a Role in namespace {namespace} must grant create on leases, get and \
                     update on leases named {name} ({})",
                    status.message
                ))
            }
            Ok(Err(Error::Api(status))) => failed(format!("{} ({})", status.message, status.code)),
            Ok(Err(error)) => failed(error_chain(&error)),
        }
    }
}

#[cfg(test)]
mod tests;
