//! Decides what a test does on a machine that cannot run it: the test prints a line that a user sees and passes, or it
//! fails.

use super::assets::say;

/// Any value but `0` and the empty one turns a skip into a failure, for machines that must run everything.
const MUST_NOT_SKIP: &str = "DORGU_TESTS_MUST_NOT_SKIP";

/// Prints `skipped: <test> because <reason>` and returns `None`, for `let Some(..) = .. else { return }`.
pub fn skip<T>(reason: &str) -> Option<T> {
    let thread = std::thread::current();
    // The test runner names its threads after the tests.
    match verdict(
        thread.name().unwrap_or("a test"),
        reason,
        std::env::var(MUST_NOT_SKIP).ok().as_deref(),
    ) {
        Ok(line) => say(&line),
        Err(line) => panic!("{line}"),
    }
    None
}

/// Like [`skip`], for rights that a machine may not grant even to root. Never a failure, or an unprivileged build could not
/// pass at all.
pub fn skip_without_rights<T>(reason: &str) -> Option<T> {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test").to_owned();
    say(&format!("skipped: {test} because {reason}"));
    None
}

/// The line to print, or the one to fail with.
pub(super) fn verdict(test: &str, reason: &str, must_not_skip: Option<&str>) -> Result<String, String> {
    match must_not_skip {
        None | Some("" | "0") => Ok(format!("skipped: {test} because {reason}")),
        Some(value) => Err(format!(
            "{test} would be skipped because {reason}, and {MUST_NOT_SKIP}={value} forbids it"
        )),
    }
}
