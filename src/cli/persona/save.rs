//! Writes a file whole or not at all.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// Writes a file beside its place and moves it there.
///
/// # Errors
/// It could not be written; then what was there before is still there.
pub(super) fn save(file: &Path, text: &str) -> anyhow::Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = File::create(&beside).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&beside, file));
    if moved.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    moved.with_context(|| format!("cannot write {}", file.display()))
}
