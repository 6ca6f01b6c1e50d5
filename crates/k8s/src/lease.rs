//! Elects one of many replicas by a `coordination.k8s.io/v1` Lease, by the rules of client-go, so that only this one writes.
//!
//! This module creates, acquires, renews and releases the Lease. It knows nothing of what the holder does. It needs `create` on
//! leases, and `get` and `update` on its own Lease.
//!
//! Who may write is decided by monotonic clocks. A candidate measures with its own clock for how long the Lease has not
//! changed. The times written into the Lease are for people, so wall clocks that disagree do no harm. The holder measures from
//! before the request that renewed the Lease, and stops writing well before another candidate may begin.

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

/// How often one attempt restarts because another writer was faster.
const MAX_ROUNDS: usize = 3;
/// Minimum pause between two attempts, however fast the API server answers.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// Names a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseName {
    /// Where the replicas live.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
}

/// The intervals of an election. `lease > renew > retry` must hold, or the holder may not stop before its successor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Other candidates wait until they have seen the Lease unchanged for this long. Whole seconds.
    pub lease: Duration,
    /// A holder that has not renewed for this long stops being one.
    pub renew: Duration,
    /// Between two renewals, and between two attempts.
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
    /// How often a follower reads the Lease. It notices a renewal late by up to this much, and then waits that much too long.
    /// At half the renewal interval a takeover stays within the lease's duration and one `retry`.
    fn look(self) -> Duration {
        self.retry / 2
    }

    /// The longest wait for one answer, so that a lost answer leaves time for another try.
    fn answer(self) -> Duration {
        self.renew / 2
    }
}

/// The name of this replica: a pod's host name is the pod's name. `unnamed` where there is none.
pub fn pod_name(unnamed: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
    host.unwrap_or_else(|| unnamed.to_owned())
}

/// A name that no other process has: the pod's, or `unnamed`, with a suffix that differs from one start to the next.
pub fn identity(unnamed: &str) -> String {
    // Seeded by the system's randomness. The suffix must be unique, not secret.
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{}_{:016x}{:016x}", pod_name(unnamed), random(), random())
}

/// A candidate, and the leadership that it reports to the rest of the process. Nothing happens before [`Election::run`].
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
    /// Whether the candidate's view of the Lease is current: only after its own write, until a request fails.
    sure: bool,
    /// Present while we hold the Lease. No other candidate can hold it before this time.
    held_until: Option<Instant>,
    trouble: Trouble,
}

/// Why a request did not succeed.
enum Missed {
    /// Another writer was faster: read again.
    Outrun,
    /// It failed, in one line.
    Failed(String),
}

impl Election {
    /// With other intervals than client-go's.
    pub fn with_timings(mut self, timings: Timings) -> Election {
        self.timings = timings;
        self.candidate.lease = timings.lease;
        self
    }

    /// Stands for election until `release` resolves, then releases the Lease, so that the next holder need not wait. Work that
    /// needs the Lease must have stopped by then; the loss is announced before the Lease is released.
    ///
    /// No failure ends it. Each is logged once and retried.
    pub async fn run(mut self, release: impl Future<Output = ()>) {
        let mut release = pin!(release);
        loop {
            // Never cancelled half-way: a request that was sent may still arrive.
            let next = self.attempt().await;
            tokio::select! {
                biased;
                () = &mut release => break,
                () = sleep_until(next) => {}
            }
        }
        self.release().await;
    }

    /// Reads and writes the Lease once, and returns when to do so again.
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

    /// [`Leadership::held`] expires by itself. This updates the log and our own state.
    fn stop_in_time(&mut self, now: Instant) {
        if self.held_until.is_some_and(|until| now >= until) {
            self.lost("it could not be renewed in time");
        }
    }

    /// Tries to acquire or renew the Lease, and returns when to try again.
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

    /// Acquires or renews the Lease, on the condition that it has not changed since it was read.
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
        // Measured from before the request: others cannot have seen it earlier.
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

    /// Releases the Lease, if it is ours or may be.
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

    /// The answer, within the time in which it is still useful.
    async fn answered<T>(&self, verb: &str, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Missed> {
        let patience = Instant::now() + self.timings.answer();
        let deadline = self.held_until.map_or(patience, |until| until.min(patience));
        let failed = |reason: String| Err(Missed::Failed(reason));
        match timeout_at(deadline, asked).await {
            Err(_) => failed("the API server does not answer in time".to_owned()),
            Ok(Ok(answer)) => Ok(answer),
            // 404 means: it existed a moment ago or, on a create, its namespace does not exist.
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
