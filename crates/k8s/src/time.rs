//! Formats times as Kubernetes does: in UTC, in whole seconds or in microseconds.

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Without the fraction of a second.
pub fn in_seconds(now: Timestamp) -> Time {
    let down = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc);
    // Rounding down to a second cannot leave the range of a timestamp.
    Time(now.round(down).unwrap_or(now))
}

/// The text of a `Time`.
pub fn seconds(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The text of a `MicroTime`.
pub fn micros(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_those_of_the_api() {
        let now: Timestamp = "2026-11-29T05:06:07.089123Z".parse().expect("a time");
        assert_eq!(json!(in_seconds(now)), json!(seconds(now)));
        assert_eq!(json!(MicroTime(now)), json!(micros(now)));
    }
}
