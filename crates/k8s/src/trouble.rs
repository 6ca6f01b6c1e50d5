//! Which failure was logged last, so that the log names each new reason once and then says that it is over.

use std::sync::{Mutex, PoisonError};

/// The reason why something fails at present.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<String>>);

impl Trouble {
    /// Notes a failure. Whether its reason is another one than the last, which is when to log it.
    pub fn failed(&self, reason: &str) -> bool {
        self.replace(Some(reason.to_owned())).as_deref() != Some(reason)
    }

    /// Notes a success. Whether there was a failure before it, whose end is to be logged.
    pub fn over(&self) -> bool {
        self.replace(None).is_some()
    }

    /// The reason at present.
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
