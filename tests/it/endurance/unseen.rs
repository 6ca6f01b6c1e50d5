//! How often an API server admitted a request because it could not call its webhook: by its own counter, and by its audit log.
//!
//! The counter restarts at zero with every API server, so it is read before each one is stopped. What happens between that
//! reading and its end is in the audit log alone, which no restart empties.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::bed::{Audit, Bed};

const COUNTER: &str = "apiserver_admission_webhook_fail_open_count";

pub(super) struct Unseen {
    audit: Audit,
    since: Timestamp,
    /// Of API servers that are gone.
    counted: f64,
    /// What the one that is had counted before the storm.
    before: f64,
    /// When API servers ran and did not call themselves ready.
    unready: Vec<(Timestamp, Timestamp)>,
    starting: Option<Timestamp>,
}

/// How often it happened since the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    /// By `apiserver_admission_webhook_fail_open_count`, over all the lives of the API server.
    pub(super) counter: u64,
    /// By the audit log, while the API server called itself ready.
    pub(super) audited: usize,
    /// By the audit log, while it did not.
    pub(super) audited_early: usize,
}

impl Unseen {
    pub(super) fn begin(bed: &Bed, audit: Audit) -> Unseen {
        Unseen {
            audit,
            since: Timestamp::now(),
            counted: 0.0,
            before: bed.metric(COUNTER),
            unready: Vec::new(),
            starting: None,
        }
    }

    /// The API server is about to be stopped.
    pub(super) fn will_stop(&mut self, bed: &Bed) {
        self.counted += bed.metric(COUNTER) - self.before;
        self.before = 0.0;
    }

    /// The next one is about to be started.
    pub(super) fn will_start(&mut self) {
        self.starting = Some(Timestamp::now());
    }

    /// It called itself ready.
    pub(super) fn is_ready(&mut self) {
        if let Some(started) = self.starting.take() {
            self.unready.push((started, Timestamp::now()));
        }
    }

    pub(super) fn sum(&self, bed: &Bed) -> Sum {
        let counter = self.counted + bed.metric(COUNTER) - self.before;
        let opened = self.audit.failed_open();
        let opened: Vec<Timestamp> = opened.into_iter().filter(|at| *at >= self.since).collect();
        let early = |at: &&Timestamp| self.unready.iter().any(|(from, to)| (from..=to).contains(at));
        let audited_early = opened.iter().filter(early).count();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let counter = counter.round().max(0.0) as u64;
        Sum {
            counter,
            audited: opened.len() - audited_early,
            audited_early,
        }
    }
}

impl Sum {
    pub(super) fn to_json(self) -> Value {
        json!({
            "fail_open_count": self.counter,
            "audited_failed_open": self.audited,
            "audited_failed_open_before_ready": self.audited_early,
        })
    }
}
