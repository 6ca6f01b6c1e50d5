//! What flags of parts and of the process have in common: how a value is read, and the heading of those for a cluster.

use std::time::Duration;

/// The heading in `--help` of flags that only a process with a cluster uses.
pub const WITH_CLUSTER: &str = "With a cluster (no effect beside --personas)";

/// A duration as Go and people write it: `10s`, `1m30s`, `500ms`; `0` is none.
///
/// # Errors
/// What a duration is. The text is not quoted: clap does that.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parsed: Option<jiff::SignedDuration> = text.parse().ok();
    parsed
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "it is not a duration such as 10s, 1m30s or 500ms".to_owned())
}

#[cfg(test)]
mod tests;
