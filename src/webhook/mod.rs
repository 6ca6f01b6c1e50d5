//! The hot path: an AdmissionReview in, an answer out. A review waits only for the request's own bytes and, if it is about a
//! Scale, for its Deployment to be known (`expected`).
//!
//! [`Webhook::judge`] is the whole control flow of one review. `review` reads, `governors` finds the personas,
//! `crate::policy` decides, `answer` writes, and `unjudged` answers what cannot be judged.

pub mod answer;
mod expected;
mod governors;
mod http;
mod long;
pub mod metrics;
mod record;
pub mod review;
mod skim;
mod unjudged;

use std::cell::OnceCell;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use answer::Answer;
use governors::Selected;
use long::off_the_worker;
pub use metrics::{FAMILIES, Metrics};
use metrics::{Unchecked, Verdict};
use record::Record;
use review::{Labels, Malformed, Operation, Outline, Review, Stored};

use crate::index::Index;
use crate::policy::answer::{Help, ScaleTarget, UNLABELLED, message, warnings};
use crate::policy::question::{Governed, Old, Question};
use crate::policy::room::Room;
use crate::policy::workload::Workload;
use crate::policy::{
    Decision, Left, Matching, Mode, ObjectLabels, RuleSet, Rulebook, Subject, decide, judge_unlabelled,
};
use crate::server::body::Budget;
use crate::server::limits::Limits;

pub use crate::api::names::WEBHOOK_PATH as PATH;

/// The largest review. An API server writes `<`, `>` and `&` as six bytes, so a stored object of 1.5 MiB can arrive as 9.4 MiB,
/// and twice that on an update.
pub const BODY_LIMIT: usize = 20 << 20;

/// An answer's bytes, and its record for metrics and the log.
type Answered = (Vec<u8>, Record);

/// The state of the hot path.
#[derive(Debug)]
pub struct Webhook {
    /// Rules and mode of the process.
    pub rulebook: Rulebook,
    /// The index.
    pub index: Arc<Index>,
    /// Whether a Deployment that is not in the index may still become known: the watch of a cluster is connected.
    pub deployments_come: Arc<AtomicBool>,
    /// Its metrics.
    pub metrics: Metrics,
    /// Deadlines of a connection.
    pub limits: Limits,
    /// Bytes of bodies in memory at once.
    pub budget: Budget,
    /// Whether a Deployment without the app label is a finding where no persona governs it.
    pub requires_label: bool,
    /// What a denial says besides its findings.
    pub help: Help,
    /// The decision; replaced only by a test that makes it fail.
    pub decide: for<'a> fn(Rulebook, &Question<'a>) -> Decision<'a>,
}

impl Webhook {
    /// A webhook that decides by `policy`.
    pub fn new(rulebook: Rulebook, index: Arc<Index>, metrics: Metrics, budget: Budget) -> Webhook {
        Webhook {
            rulebook,
            index,
            deployments_come: Arc::default(),
            metrics,
            limits: Limits::default(),
            budget,
            requires_label: false,
            help: Help::default(),
            decide,
        }
    }

    /// Answers one review: bytes in, bytes out, without HTTP. Benches measure this; it counts no request.
    pub fn reply(&self, body: &[u8]) -> Vec<u8> {
        self.answer(body).0
    }

    /// Answers one review. There always is an answer: a panic is contained and counted, and the request allowed.
    fn answer(&self, body: &[u8]) -> Answered {
        match self.contained(body, |_, _| None::<Infallible>) {
            Ok(answered) => answered,
            Err(never) => match never {},
        }
    }

    /// Like [`Webhook::judge`], with panics contained.
    fn contained<W>(&self, body: &[u8], expected: impl Fn(&str, &str) -> Option<W>) -> Result<Answered, W> {
        let judge = || catch_unwind(AssertUnwindSafe(|| self.judge(body, expected)));
        let judged = off_the_worker(body.len(), judge);
        judged.unwrap_or_else(|_| Ok(self.after_panic(body)))
    }

    /// The control flow of one review. For a Scale whose Deployment is unknown, `expected` may return a place to wait; the
    /// caller then calls this again.
    fn judge<W>(&self, body: &[u8], expected: impl Fn(&str, &str) -> Option<W>) -> Result<Answered, W> {
        let review = match Review::read_within(self.room(body), body) {
            Ok(review) => review,
            Err(Malformed::Object { outline, reason }) => return Ok(self.unreadable(&outline, &reason)),
            Err(Malformed::Envelope(reason)) => return Ok(self.broken(400, reason)),
        };
        let outline = &review.outline;
        let (subject, object) = match self.subject_of(&review) {
            Ok(subject) => subject,
            Err(answered) => return Ok(answered),
        };
        let (namespace, name) = review.identity_of(object);
        let index = self.index.load();
        let known = index.deployment(namespace, name).is_some();
        if subject == Subject::Scale
            && !known
            && let Some(awaited) = expected(namespace, name)
        {
            return Err(awaited);
        }
        let labels = OnceCell::new();
        let labels = || labels.get_or_init(|| Labels::read(body));
        let (new_labels, stored_labels) = (|| labels().new, || labels().stored);
        let [new_labels, stored_labels] = [ObjectLabels::Found(&new_labels), ObjectLabels::Found(&stored_labels)];
        let (mut narrowed, mut narrowed_before, mut left) = (None, None, None);
        let governed = match subject {
            Subject::Deployment => {
                let (labels, place) = (new_labels, &mut narrowed);
                let selected = Selected { labels, place };
                self.governed(&index, namespace, &object.metadata, &object.spec.selector, selected)
            }
            Subject::Scale => self.governed_scale(&index, namespace, name, object, &mut narrowed),
        };
        let read_stored = || review.replaced().and_then(Stored::workload);
        let old = review.replaced().map(|stored| Old {
            governed: match subject {
                Subject::Deployment => {
                    let (labels, place) = (stored_labels, &mut narrowed_before);
                    let selected = Selected { labels, place };
                    let before = self.governed_before(&index, namespace, stored, object, selected);
                    left = Left::between((before, stored_labels), (governed, new_labels));
                    Governed {
                        left: left.as_ref(),
                        ..before
                    }
                }
                Subject::Scale => governed,
            },
            workload: &read_stored,
        });
        let was_governed = old
            .as_ref()
            .is_some_and(|old| !old.governed.is_empty() && !old.governed.by_default);
        let sticky = was_governed && self.rulebook.set == RuleSet::Complete;
        let is_ungoverned = governed.is_empty() && !sticky;
        let lacks_label = self.requires_label && subject == Subject::Deployment && governed.app.is_empty();
        if is_ungoverned && !lacks_label {
            return Ok(self.nobody_governs(outline, object, subject, known));
        }
        // Finalizers and other metadata of an object that is being deleted are ignored. A changed spec is not.
        if object.metadata.deletion_timestamp.is_some()
            && self.rulebook.set == RuleSet::Complete
            && review.keeps_spec(body)
        {
            let answer = Answer::allowed("being deleted with its spec unchanged");
            return Ok(self.finish(outline, &answer, Verdict::Allowed));
        }
        // Both apps of an update are judged at one moment.
        let moment = OnceCell::new();
        let now = || *moment.get_or_init(|| self.index.now());
        let excepted = |governed: Governed<'_>| index.exceptions(namespace, governed.app, name, now);
        let question = Question {
            subject,
            new: object,
            governed: Governed {
                exceptions: excepted(governed),
                ..governed
            },
            old: old.map(|old| Old {
                governed: Governed {
                    exceptions: excepted(old.governed),
                    ..old.governed
                },
                ..old
            }),
            namespace,
            namespace_mode: index.namespace_mode(namespace),
            platform: index.platform(),
        };
        if is_ungoverned {
            return Ok(match judge_unlabelled(self.rulebook, &question) {
                Some(decision) => self.answered(outline, &question, name, &decision),
                None => self.nobody_governs(outline, object, subject, known),
            });
        }
        let overlong = self.rulebook.set == RuleSet::Complete && object.spec.template.spec.has_overlong_name();
        let overlong = || overlong.then(|| "a container's name is longer than any that is stored".to_owned());
        if let Some(reason) = review.excess().or_else(overlong) {
            let is_kept = question.keeps_personas() && review.keeps_spec(body);
            return Ok(self.too_many_parts(outline, &question, reason, is_kept));
        }
        Ok(self.decided(outline, &question, name))
    }

    /// How much of a review is read. Upstream's rules count containers only.
    fn room(&self, body: &[u8]) -> Room {
        match self.rulebook.set {
            RuleSet::Complete => Room::of_review(body.len()),
            RuleSet::Upstream => Room::by_number(),
        }
    }

    /// What is judged, as which kind; or the answer to what cannot be judged.
    fn subject_of<'r, 'a>(&self, review: &'r Review<'a>) -> Result<(Subject, &'r Workload<'a>), Answered> {
        let (outline, target) = (&review.outline, &review.outline.target);
        let no_opinion = |message| self.finish(outline, &Answer::allowed(message), Verdict::Allowed);
        if outline.operation == Operation::Other {
            return Err(no_opinion("no opinion on delete/connect"));
        }
        if target.is_of_another_kind() {
            return Err(self.unreadable(outline, "its kind is not Deployment"));
        }
        if self.rulebook.set == RuleSet::Complete
            && let Some(reason) = target.foreign()
        {
            return Err(self.unreadable(outline, &reason));
        }
        let Some(object) = &review.object else {
            return Err(self.unreadable(outline, "there is no content to decode"));
        };
        match (target.is_scale(), self.rulebook.set) {
            (false, _) => Ok((Subject::Deployment, object)),
            (true, RuleSet::Complete) => Ok((Subject::Scale, object)),
            (true, RuleSet::Upstream) => Err(no_opinion("no opinion on scale")),
        }
    }

    /// Runs the policy, and answers with its decision.
    fn decided(&self, outline: &Outline<'_>, question: &Question<'_>, name: &str) -> Answered {
        let decision = (self.decide)(self.rulebook, question);
        self.answered(outline, question, name, &decision)
    }

    /// Puts a decision into an answer.
    fn answered(
        &self,
        outline: &Outline<'_>,
        question: &Question<'_>,
        name: &str,
        decision: &Decision<'_>,
    ) -> Answered {
        self.metrics.found(decision);
        let target = ScaleTarget {
            namespace: question.namespace,
            name,
        };
        let scale = (question.subject == Subject::Scale).then_some(target);
        let answer = Answer::decided(decision, message(decision, scale, &self.help), warnings(decision));
        let verdict = match (answer.allowed, answer.warnings.is_empty()) {
            (false, _) => Verdict::Denied,
            (true, false) => Verdict::Warned,
            (true, true) => Verdict::Allowed,
        };
        self.finish_in(decision.mode, outline, &answer, verdict)
    }

    fn nobody_governs(&self, outline: &Outline<'_>, object: &Workload<'_>, subject: Subject, known: bool) -> Answered {
        let unlabelled = object.metadata.labels.name.is_empty();
        let message = match (subject, self.index.load().matching()) {
            (Subject::Deployment, Matching::Label) if unlabelled => UNLABELLED,
            _ => "no matching ApplicationPersona found",
        };
        // A Scale whose Deployment is known and names no governed app was checked like any other.
        if subject == Subject::Scale && !known {
            self.metrics.unchecked(Unchecked::ScaleUnresolved);
        }
        self.finish(outline, &Answer::allowed(message), Verdict::Allowed)
    }

    fn finish(&self, outline: &Outline<'_>, answer: &Answer<'_>, verdict: Verdict) -> Answered {
        self.finish_in(self.rulebook.mode, outline, answer, verdict)
    }

    /// The end of every review that has a uid and could be read.
    fn finish_in(&self, mode: Mode, outline: &Outline<'_>, answer: &Answer<'_>, verdict: Verdict) -> Answered {
        let record = Record {
            operation: outline.operation,
            verdict,
            mode,
            dry_run: outline.dry_run,
        };
        record.log(&outline.namespace, &outline.name, &outline.uid);
        (answer.to_json(outline.version, &outline.uid), record)
    }
}

#[cfg(test)]
mod tests;
