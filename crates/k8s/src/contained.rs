//! A defect of ours costs what it was about, and no more: the thread on which the cluster is followed is what the webhook
//! lives by, and a panic there would come again on every replica that meets the same object.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::object::CallError;

/// Does work that never should panic.
///
/// # Errors
/// It did; the log has the place.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, CallError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| CallError {
        code: None,
        text: "dorgu failed on this object (a defect of dorgu's)".to_owned(),
    })
}
