//! What a test does that cannot run on this machine: it says so where a person sees it, and passes; or it must not.

use super::assets::say;

/// Set to anything but `0` or nothing, it turns a skip into a failure: for machines that are meant to run everything.
const MUST_NOT_SKIP: &str = "DORGU_TESTS_MUST_NOT_SKIP";

/// Says `skipped: <test> because <reason>` and returns `None`, for `let Some(..) = .. else { return }`.
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

/// As [`skip`], for what no installation brings: rights that a machine gives to its root, or not. Never a failure, or a
/// build that runs as nobody in particular could not pass at all.
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
