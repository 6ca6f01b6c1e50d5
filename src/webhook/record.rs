//! Records an answered review, for metrics and the log. Only names are recorded: the content of an object is never logged.

use super::metrics::Verdict;
use super::review::Operation;
use crate::policy::Mode;
use crate::policy::text::{Shown, cut};

/// The longest name in Kubernetes. A client that is no API server may send longer ones.
const NAME: usize = 253;

/// One answered review.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) operation: Operation,
    pub(super) verdict: Verdict,
    pub(super) mode: Mode,
    pub(super) dry_run: bool,
}

impl Record {
    /// Whether the request was not a review that an API server would send, as far as can be determined.
    pub(super) fn is_senseless(&self) -> bool {
        self.verdict == Verdict::Unchecked && self.operation == Operation::Other
    }

    /// Logs a denial, and every other answer where debugging is on.
    pub(super) fn log(&self, namespace: &str, name: &str, uid: &str) {
        let shown = |text: &str| cut(Shown(text), NAME);
        let (operation, mode, dry_run) = (self.operation.as_str(), self.mode.as_str(), self.dry_run);
        if self.verdict == Verdict::Denied {
            tracing::info!(
                namespace = shown(namespace),
                name = shown(name),
                uid = shown(uid),
                operation,
                mode,
                dry_run,
                "Denied a Deployment"
            );
        } else {
            tracing::debug!(
                namespace = shown(namespace),
                name = shown(name),
                uid = shown(uid),
                operation,
                mode,
                dry_run,
                decision = self.verdict.as_str(),
                "Answered a review"
            );
        }
    }
}
