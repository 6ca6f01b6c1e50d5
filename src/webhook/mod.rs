//! The hot path: an AdmissionReview in, an answer out. Nothing here waits for anything but the request's own bytes.
//!
//! [`Webhook::judge`] is the whole control flow of one review on one screen; `review` reads, `answer` writes,
//! `crate::policy` decides.

pub mod answer;
mod http;
pub mod metrics;
mod record;
pub mod review;
mod skim;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use answer::Answer;
pub use metrics::{FAMILIES, Metrics};
use metrics::{Unchecked, Verdict};
use record::Record;
use review::{Malformed, Operation, Outline, Review, Version, scan};

use crate::index::{Deployment, Index, Snapshot};
use crate::policy::answer::{ScaleTarget, message, warnings};
use crate::policy::decision::{Governed, Old, Question, Rulebook};
use crate::policy::workload::{MOST_PARTS, Metadata, Selector, Workload};
use crate::policy::{Decision, Mode, RuleSet, Subject, decide};
use crate::server::body::Budget;
use crate::server::limits::Limits;

pub use crate::api::names::WEBHOOK_PATH as PATH;

/// How large a review may be. An API server writes `<`, `>` and `&` as six bytes, so a stored object of 1.5 MiB can
/// arrive as 9.4 MiB, and twice that on an update.
pub const BODY_LIMIT: usize = 20 << 20;

/// By what a Deployment finds its personas (flag `--match`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Match {
    /// Label `app.kubernetes.io/name` of the object (contract 2.3).
    #[default]
    Label,
    /// The first that finds one: that label, label `app`, `metadata.name`, either label in `spec.selector.matchLabels`
    /// (contract 9).
    Chain,
}

impl Match {
    /// The word used in the flag.
    pub fn as_str(self) -> &'static str {
        match self {
            Match::Label => "label",
            Match::Chain => "chain",
        }
    }
}

/// Everything the hot path needs.
#[derive(Debug)]
pub struct Webhook {
    /// Rules and mode of the process.
    pub rulebook: Rulebook,
    /// How personas are found.
    pub matching: Match,
    /// Who governs what.
    pub index: Arc<Index>,
    /// What is counted.
    pub metrics: Metrics,
    /// Deadlines of a connection.
    pub limits: Limits,
    /// Bytes of bodies in memory at once.
    pub budget: Budget,
    /// The decision; another one only where a test wants it to fail.
    pub decide: for<'a> fn(Rulebook, &Question<'a>) -> Decision<'a>,
}

impl Webhook {
    /// A webhook that decides by `policy`.
    pub fn new(rulebook: Rulebook, matching: Match, index: Arc<Index>, metrics: Metrics, budget: Budget) -> Webhook {
        Webhook {
            rulebook,
            matching,
            index,
            metrics,
            limits: Limits::default(),
            budget,
            decide,
        }
    }

    /// Answers one review: bytes in, bytes out, without HTTP. What benches measure; counts no request.
    pub fn reply(&self, body: &[u8]) -> Vec<u8> {
        self.answer(body).0
    }

    /// Answers one review. Whatever happens inside, there is an answer: a panic is contained, counted, and allows.
    fn answer(&self, body: &[u8]) -> (Vec<u8>, Record) {
        match catch_unwind(AssertUnwindSafe(|| self.judge(body))) {
            Ok(answer) => answer,
            Err(_) => self.after_panic(body),
        }
    }

    /// The control flow of one review.
    fn judge(&self, body: &[u8]) -> (Vec<u8>, Record) {
        let review = match Review::read(body) {
            Ok(review) => review,
            Err(Malformed::Object { outline, reason }) => return self.unreadable(&outline, &reason),
            Err(Malformed::Envelope(reason)) => return self.broken(400, reason),
        };
        let outline = &review.outline;
        if outline.operation == Operation::Other {
            return self.finish(
                outline,
                &Answer::allowed("no opinion on delete/connect"),
                Verdict::Allowed,
            );
        }
        if !matches!(outline.kind.as_str(), "" | "Deployment" | "Scale") {
            return self.unreadable(outline, "its kind is not Deployment");
        }
        let Some(object) = &review.object else {
            return self.unreadable(outline, "there is no content to decode");
        };
        let subject = if outline.scale {
            Subject::Scale
        } else {
            Subject::Deployment
        };
        if subject == Subject::Scale && self.rulebook.set == RuleSet::Upstream {
            return self.finish(outline, &Answer::allowed("no opinion on scale"), Verdict::Allowed);
        }
        // Contract 2.3: the object's namespace, and the request's where the object has none.
        let stated = &object.metadata.namespace;
        let namespace = if stated.is_empty() {
            outline.namespace.as_str()
        } else {
            stated.as_str()
        };
        let index = self.index.load();
        // Some clients leave the name of a Scale to the URL.
        let name = match object.metadata.name.as_str() {
            "" => outline.name.as_str(),
            stated => stated,
        };
        let governed = match subject {
            Subject::Deployment => self.governed(&index, namespace, &object.metadata, &object.spec.selector),
            Subject::Scale => self.governed_scale(&index, namespace, name, object),
        };
        let stored = review.old.as_ref().filter(|_| outline.operation == Operation::Update);
        let read_stored = || stored.and_then(review::Stored::workload);
        let old = stored.map(|stored| {
            let governed = match subject {
                // A selector cannot change, so that of the new object serves for both.
                Subject::Deployment => self.governed(&index, namespace, &stored.metadata.0, &object.spec.selector),
                Subject::Scale => governed,
            };
            Old {
                governed,
                workload: &read_stored,
            }
        });
        let was_governed = old.as_ref().is_some_and(|old| !old.governed.personas.is_empty());
        let sticky = was_governed && self.rulebook.set == RuleSet::Complete;
        if governed.personas.is_empty() && !sticky {
            let known = index.deployment(namespace, name).is_some();
            return self.nobody_governs(outline, object, subject, known);
        }
        // Finalizers and other metadata of an object on its way out are nobody's business; a changed spec still is.
        if object.metadata.deletion_timestamp.is_some()
            && self.rulebook.set == RuleSet::Complete
            && review.keeps_spec(body)
        {
            return self.finish(
                outline,
                &Answer::allowed("being deleted with its spec unchanged"),
                Verdict::Allowed,
            );
        }
        let namespace_mode = index.namespace_mode(namespace);
        let question = Question {
            subject,
            new: object,
            governed,
            old,
            namespace,
            namespace_mode,
        };
        if object.parts() > MOST_PARTS {
            return self.too_many_parts(outline, &question);
        }
        let decision = (self.decide)(self.rulebook, &question);
        self.metrics.found(&decision);
        let target = ScaleTarget {
            namespace,
            name: outline.name.as_str(),
        };
        let scale = (subject == Subject::Scale).then_some(target);
        let answer = Answer::decided(&decision, message(&decision, scale), warnings(&decision));
        let verdict = match (answer.allowed, answer.warnings.is_empty()) {
            (false, _) => Verdict::Denied,
            (true, false) => Verdict::Warned,
            (true, true) => Verdict::Allowed,
        };
        self.finish_in(decision.mode, outline, &answer, verdict)
    }

    /// By which name an object is governed, and by whom.
    fn governed<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        metadata: &'s Metadata<'s>,
        selector: &'s Selector<'s>,
    ) -> Governed<'s> {
        let (labels, selected) = (&metadata.labels, &selector.match_labels);
        let chain = [&labels.app, &metadata.name, &selected.name, &selected.app].map(|text| text.as_str());
        self.first_governed(index, namespace, labels.name.as_str(), chain)
    }

    /// A Scale carries no labels: those of its Deployment count, and where that is not known (no cluster, or the watch
    /// has not heard of it yet) its selector says which pods it counts.
    fn governed_scale<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        name: &'s str,
        scale: &'s Workload<'s>,
    ) -> Governed<'s> {
        let selected = |key| scale.status.required_label(key).unwrap_or_default();
        match index.deployment(namespace, name) {
            Some(Deployment { labels, selected, .. }) => self.first_governed(
                index,
                namespace,
                &labels.name,
                [&labels.app, name, &selected.name, &selected.app],
            ),
            None => {
                let by_label = selected("app.kubernetes.io/name");
                self.first_governed(index, namespace, by_label, [name, selected("app")])
            }
        }
    }

    /// By label alone, or by the first name on the chain that finds somebody.
    fn first_governed<'s, const N: usize>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        by_label: &'s str,
        chain: [&'s str; N],
    ) -> Governed<'s> {
        let found = |app: &'s str| Governed {
            app,
            personas: index.find(namespace, app),
        };
        let by_label = found(by_label);
        if self.matching == Match::Label || !by_label.personas.is_empty() {
            return by_label;
        }
        let mut chain = chain.into_iter().map(found);
        chain.find(|governed| !governed.personas.is_empty()).unwrap_or(by_label)
    }

    fn nobody_governs(
        &self,
        outline: &Outline<'_>,
        object: &Workload<'_>,
        subject: Subject,
        known: bool,
    ) -> (Vec<u8>, Record) {
        let unlabelled = object.metadata.labels.name.is_empty();
        let message = match (subject, self.matching) {
            (Subject::Deployment, Match::Label) if unlabelled => {
                "no app.kubernetes.io/name label; skipping persona validation"
            }
            _ => "no matching ApplicationPersona found",
        };
        // A Scale whose Deployment is known and names no governed app was looked at like any other.
        if subject == Subject::Scale && !known {
            self.metrics.unchecked(Unchecked::ScaleUnresolved);
        }
        self.finish(outline, &Answer::allowed(message), Verdict::Allowed)
    }

    /// An object that cannot be read: upstream refuses it, we let it by with a warning, since the trouble is ours.
    fn unreadable(&self, outline: &Outline<'_>, reason: &str) -> (Vec<u8>, Record) {
        if outline.operation == Operation::Other {
            return self.finish(
                outline,
                &Answer::allowed("no opinion on delete/connect"),
                Verdict::Allowed,
            );
        }
        self.metrics.unchecked(Unchecked::Unreadable);
        let answer = match self.rulebook.set {
            RuleSet::Upstream => Answer::refused(400, reason.to_owned()),
            RuleSet::Complete => Answer::unchecked(format!(
                "dorgu could not read this object ({reason}); it was not checked"
            )),
        };
        self.finish(outline, &answer, Verdict::Unchecked)
    }

    /// Contract 2.2's error body: what an API server regards as a failed call.
    fn broken(&self, code: u16, reason: String) -> (Vec<u8>, Record) {
        self.metrics.unchecked(if code == 413 {
            Unchecked::TooLarge
        } else {
            Unchecked::Malformed
        });
        let record = Record {
            operation: Operation::Other,
            verdict: Verdict::Unchecked,
            mode: self.rulebook.mode,
            dry_run: false,
        };
        (Answer::refused(code, reason).to_broken_json(), record)
    }

    /// A body over the limit, of which the first bytes were kept.
    fn too_large(&self, length: Option<u64>, prefix: &[u8]) -> (Vec<u8>, Record) {
        const MIB: u64 = 1 << 20;
        let limit = BODY_LIMIT as u64 / MIB;
        let size = length.map_or_else(
            || format!("more than {limit}"),
            |length| length.div_ceil(MIB).to_string(),
        );
        let reason = format!("review of {size} MiB exceeds {limit} MiB");
        let Some((uid, version)) = addressee(prefix) else {
            return self.broken(413, reason);
        };
        self.metrics.unchecked(Unchecked::TooLarge);
        let mode = match self.rulebook.set {
            RuleSet::Upstream => self.rulebook.mode,
            RuleSet::Complete => {
                let namespace = scan(prefix, "namespace").unwrap_or_default();
                let index = self.index.load();
                let of_namespace = index.namespace_mode(namespace).or_stricter(self.rulebook.mode);
                // Who governs it cannot be told, and padding must not be a way out of any persona.
                of_namespace.max(index.strictest_persona_mode(namespace))
            }
        };
        let answer = match mode {
            Mode::Enforcing => Answer::refused(413, reason),
            Mode::Advisory => Answer::unchecked(format!("{reason}; it was not checked")),
        };
        let operation = Operation::Other;
        (
            answer.to_json(version, uid),
            Record {
                operation,
                verdict: Verdict::Unchecked,
                mode,
                dry_run: false,
            },
        )
    }

    /// A review small enough to read and too much to judge: as with one that is too large, padding is no way out.
    fn too_many_parts(&self, outline: &Outline<'_>, question: &Question<'_>) -> (Vec<u8>, Record) {
        self.metrics.unchecked(Unchecked::TooLarge);
        let reason = format!("more than {MOST_PARTS} containers and added capabilities");
        let mode = question.strictest_mode(self.rulebook);
        let answer = match mode {
            Mode::Enforcing => Answer::refused(413, reason),
            Mode::Advisory => Answer::unchecked(format!("{reason}; it was not checked")),
        };
        self.finish_in(mode, outline, &answer, Verdict::Unchecked)
    }

    fn after_panic(&self, body: &[u8]) -> (Vec<u8>, Record) {
        self.metrics.unchecked(Unchecked::Panic);
        let mode = self.rulebook.mode;
        let record = Record {
            operation: Operation::Other,
            verdict: Verdict::Unchecked,
            mode,
            dry_run: false,
        };
        let answer = Answer::unchecked("dorgu failed on this object (a defect of dorgu's); it was not checked".into());
        match addressee(body.get(..4096).unwrap_or(body)) {
            Some((uid, version)) => (answer.to_json(version, uid), record),
            None => (answer.to_broken_json(), record),
        }
    }

    fn finish(&self, outline: &Outline<'_>, answer: &Answer<'_>, verdict: Verdict) -> (Vec<u8>, Record) {
        self.finish_in(self.rulebook.mode, outline, answer, verdict)
    }

    /// Every review that has a uid ends here.
    fn finish_in(&self, mode: Mode, outline: &Outline<'_>, answer: &Answer<'_>, verdict: Verdict) -> (Vec<u8>, Record) {
        let (operation, dry_run) = (outline.operation, outline.dry_run);
        let record = Record {
            operation,
            verdict,
            mode,
            dry_run,
        };
        record.log(outline);
        (answer.to_json(outline.version, &outline.uid), record)
    }
}

/// To whom a review that cannot be read whole is answered, and in which version.
fn addressee(prefix: &[u8]) -> Option<(&str, Version)> {
    let uid = scan(prefix, "uid")?;
    let beta = prefix.windows(24).any(|window| window == b"admission.k8s.io/v1beta1");
    Some((uid, if beta { Version::V1Beta1 } else { Version::V1 }))
}

#[cfg(test)]
mod tests;
