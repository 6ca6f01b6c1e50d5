//! Remembers the failure that was logged last, so that each new reason is logged once, and the end of the failure as well.

use std::sync::{Mutex, PoisonError};

/// The current reason of a failure.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<String>>);

impl Trouble {
    /// Records a failure, and returns whether its reason is a new one, which must be logged.
    pub fn failed(&self, reason: &str) -> bool {
        self.replace(Some(reason.to_owned())).as_deref() != Some(reason)
    }

    /// Records a success, and returns whether it ends a failure, which must be logged.
    pub fn over(&self) -> bool {
        self.replace(None).is_some()
    }

    /// The current reason.
    pub fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, reason: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::Trouble;

    #[test]
    fn each_new_reason_counts_once_and_so_does_the_end() {
        let trouble = Trouble::default();
        assert!(!trouble.over(), "nothing has failed yet");
        assert!(trouble.failed("no route"));
        assert!(!trouble.failed("no route"));
        assert!(trouble.failed("forbidden"));
        assert_eq!(trouble.reason().as_deref(), Some("forbidden"));
        assert!(trouble.over());
        assert!(!trouble.over());
        assert!(trouble.failed("forbidden"), "it counts again");
    }
}
