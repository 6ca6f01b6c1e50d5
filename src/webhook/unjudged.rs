//! Answers reviews that cannot be judged: the review is too large, the object cannot be read, or our code panicked.
//!
//! What is too large is denied where the mode is enforcing. An object that cannot be read is denied with upstream's rules
//! alone; with ours it is allowed with a warning, as after a panic. Without a known uid the answer is the error body of
//! contract 2.2.

use std::panic::catch_unwind;

use super::answer::Answer;
use super::metrics::{Unchecked, Verdict};
use super::record::Record;
use super::review::{Opening, Operation, Outline};
use super::{Answered, BODY_LIMIT, Webhook};
use crate::policy::question::Question;
use crate::policy::{Mode, RuleSet};

/// How much of a review is read for the answer to a panic: the part before the objects.
const HEAD: usize = 4096;

impl Webhook {
    /// An object that cannot be read. Upstream denies it; we allow it with a warning, since the failure is ours.
    pub(super) fn unreadable(&self, outline: &Outline<'_>, reason: &str) -> Answered {
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

    /// The error body of contract 2.2, which an API server treats as a failed call.
    pub(super) fn broken(&self, code: u16, reason: String) -> Answered {
        self.metrics.unchecked(if code == 413 {
            Unchecked::TooLarge
        } else {
            Unchecked::Malformed
        });
        (
            Answer::refused(code, reason).to_broken_json(),
            unchecked(self.rulebook.mode),
        )
    }

    /// A body over the limit, of which the first bytes were kept.
    pub(super) fn too_large(&self, length: Option<u64>, prefix: &[u8]) -> Answered {
        const MIB: u64 = 1 << 20;
        let limit = BODY_LIMIT as u64 / MIB;
        let size = length.map_or_else(
            || format!("more than {limit}"),
            |length| length.div_ceil(MIB).to_string(),
        );
        let reason = format!("review of {size} MiB exceeds {limit} MiB");
        let Some(opening) = Opening::read(prefix) else {
            return self.broken(413, reason);
        };
        self.metrics.unchecked(Unchecked::TooLarge);
        let mode = match self.rulebook.set {
            RuleSet::Upstream => self.rulebook.mode,
            RuleSet::Complete => self.strictest_mode(opening.namespace.as_deref()),
        };
        let record = unchecked(mode);
        record.log(
            opening.namespace.as_deref().unwrap_or_default(),
            opening.name.as_deref().unwrap_or_default(),
            &opening.uid,
        );
        let answer = not_judged(mode, reason);
        (answer.to_json(opening.version, &opening.uid), record)
    }

    /// The mode for an object that was not read, since its review is too large: the strictest that may apply. It is the strictest
    /// of the process's mode, the namespace's label, and the personas of the namespace; where the namespace is unknown as well,
    /// of all namespaces and personas.
    ///
    /// A client may enlarge an object on purpose (padding), so that it is not judged. An enforcing persona that might govern the
    /// object must not be bypassed in this way.
    fn strictest_mode(&self, namespace: Option<&str>) -> Mode {
        let index = self.index.load();
        let of_others = match namespace {
            Some(namespace) => {
                let of_namespace = index.namespace_mode(namespace).or_stricter(Mode::Advisory);
                of_namespace.max(index.strictest_persona_mode(namespace))
            }
            None => index.strictest_mode(),
        };
        of_others.max(self.rulebook.mode)
    }

    /// A review that is small enough to read and too large to judge. Padding must not bypass a persona here either (see
    /// `strictest_mode`); the personas that govern the object are known. An update that keeps the stored spec and the app makes
    /// nothing worse (`is_kept`), and is allowed.
    pub(super) fn too_many_parts(
        &self,
        outline: &Outline<'_>,
        question: &Question<'_>,
        reason: String,
        is_kept: bool,
    ) -> Answered {
        self.metrics.unchecked(Unchecked::TooLarge);
        let mode = question.strictest_mode(self.rulebook);
        let answer = not_judged(if is_kept { Mode::Advisory } else { mode }, reason);
        self.finish_in(mode, outline, &answer, Verdict::Unchecked)
    }

    pub(super) fn after_panic(&self, body: &[u8]) -> Answered {
        self.metrics.unchecked(Unchecked::Panic);
        let record = unchecked(self.rulebook.mode);
        let answer = Answer::unchecked("dorgu failed on this object (a defect of dorgu's); it was not checked".into());
        // The panic may have been in reading.
        let head = body.get(..HEAD).unwrap_or(body);
        match catch_unwind(|| Opening::read(head)) {
            Ok(Some(opening)) => (answer.to_json(opening.version, &opening.uid), record),
            _ => (answer.to_broken_json(), record),
        }
    }
}

/// Denied where enforced, and allowed with a warning elsewhere.
fn not_judged(mode: Mode, reason: String) -> Answer<'static> {
    match mode {
        Mode::Enforcing => Answer::refused(413, reason),
        Mode::Advisory => Answer::unchecked(format!("{reason}; it was not checked")),
    }
}

/// The record of a review whose operation is unknown.
fn unchecked(mode: Mode) -> Record {
    Record {
        operation: Operation::Other,
        verdict: Verdict::Unchecked,
        mode,
        dry_run: false,
    }
}
