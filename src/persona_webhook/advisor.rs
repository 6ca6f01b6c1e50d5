//! Runs reviews of personas on a thread of its own, so that no worker of the webhook waits for one. Reviews queue for it up
//! to a limit; one that finds no place, or gets no answer in time, is answered without advice.
//!
//! The thread asks the system for less processor time than the workers have.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::advice::advice;
use super::metrics::{Advised, Metrics};
use super::review::Review;
use crate::impact::{Bound, Settings};
use crate::index::Index;
use crate::policy::Rulebook;
use crate::webhook::answer::Answer;
use crate::webhook::review::Opening;

/// How many reviews wait for the thread.
const MAX_WAITING: usize = 16;
/// How long a review may take, from its last byte on. API servers wait a second.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(600);
/// How long Deployments are judged. What is left of the time is for the answer.
const JUDGE_TIMEOUT: Duration = Duration::from_millis(400);
/// How many Deployments are judged for one persona.
const MAX_JUDGED: usize = 20_000;
/// How many changed ones may be named: a line names five.
const MAX_LISTED: usize = 64;
/// How much lower the priority of the thread is.
const NICE: i32 = 10;
/// How much of a review is read for an answer without advice: the part before the object.
const HEAD: usize = 4096;

/// What personas are judged by.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    pub(super) index: Arc<Index>,
    pub(super) rulebook: Rulebook,
    pub(super) requires_label: bool,
}

/// Hands reviews to the thread.
#[derive(Debug)]
pub(super) struct Advisor {
    jobs: SyncSender<Job>,
    metrics: Metrics,
}

struct Job {
    body: Vec<u8>,
    received: Instant,
    answer: oneshot::Sender<Option<Answered>>,
}

/// The bytes of an answer, and its result for metrics.
type Answered = (Vec<u8>, Advised);

impl Advisor {
    /// Starts the thread. It ends when this is dropped.
    ///
    /// # Errors
    /// The system denies a thread.
    pub(super) fn start(basis: Basis, metrics: Metrics) -> std::io::Result<Advisor> {
        let (jobs, queue) = sync_channel(MAX_WAITING);
        std::thread::Builder::new()
            .name("personas".to_owned())
            .spawn(move || work(&queue, &basis))?;
        Ok(Advisor { jobs, metrics })
    }

    /// The answer to a review; `None` where there is nothing to answer to.
    pub(super) async fn answer(&self, body: &[u8]) -> Option<Vec<u8>> {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            body: body.to_vec(),
            received: Instant::now(),
            answer,
        };
        let why = match self.jobs.try_send(job) {
            Ok(()) => match timeout(ANSWER_TIMEOUT, answered).await {
                Ok(Ok(answered)) => {
                    let (answer, result) = answered?;
                    self.metrics.answered(result);
                    return Some(answer);
                }
                Ok(Err(_)) => "dorgu failed on it (a defect of dorgu's)",
                Err(_) => "that took too long",
            },
            Err(TrySendError::Full(_)) => "too many personas are being written",
            Err(TrySendError::Disconnected(_)) => "the thread that compares them has ended",
        };
        self.metrics.answered(Advised::Unchecked);
        let opening = Opening::read(body.get(..HEAD).unwrap_or(body))?;
        let warning = format!("running Deployments were not compared with this ApplicationPersona: {why}");
        Some(Answer::unchecked(warning).to_json(opening.version, &opening.uid))
    }
}

fn work(queue: &Receiver<Job>, basis: &Basis) {
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "The thread that compares personas has the priority of all others");
    }
    while let Ok(job) = queue.recv() {
        // Its client has an answer already.
        if job.received.elapsed() >= ANSWER_TIMEOUT {
            continue;
        }
        let answered = catch_unwind(AssertUnwindSafe(|| answer(&job, basis)));
        match answered {
            // A client that has gone needs none.
            Ok(answer) => drop(job.answer.send(answer)),
            Err(_) => tracing::error!("A review of an ApplicationPersona panicked; it was answered without advice"),
        }
    }
}

/// Reads a review and answers it: always allowed, with the warnings that there are.
fn answer(job: &Job, basis: &Basis) -> Option<Answered> {
    let review = match Review::read(&job.body) {
        Ok(review) => review,
        Err(reason) => {
            tracing::debug!(reason, "A body is no review of an ApplicationPersona");
            return None;
        }
    };
    let warnings = match &review.asked {
        None => Vec::new(),
        Some(Err(reason)) => vec![format!(
            "dorgu cannot read this ApplicationPersona ({reason}); its last readable version, if there is one, still governs"
        )],
        Some(Ok(asked)) => {
            let settings = Settings {
                rulebook: basis.rulebook,
                requires_label: basis.requires_label,
                now: basis.index.now(),
            };
            let bound = Bound {
                judged: MAX_JUDGED,
                listed: MAX_LISTED,
                is_over: &|| job.received.elapsed() >= JUDGE_TIMEOUT,
            };
            advice(asked, &basis.index.load(), &settings, &bound)
        }
    };
    let result = match warnings.is_empty() {
        true => Advised::Silent,
        false => Advised::Warned,
    };
    let mut answer = Answer::allowed("ApplicationPersonas are never denied");
    answer.warnings = warnings;
    Some((answer.to_json(review.version, &review.uid), result))
}
