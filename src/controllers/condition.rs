//! Conditions by the Kubernetes API conventions: one of each type, `lastTransitionTime` moves only with `status`, message
//! and `observedGeneration` are always current.

use jiff::{Timestamp, Unit};

use crate::api::{Condition, Time};

/// What holds now of one type.
#[derive(Clone, Debug)]
pub(super) struct Holds {
    /// The condition's type, in CamelCase.
    pub(super) r#type: &'static str,
    /// True, False or, for none, Unknown.
    pub(super) status: Option<bool>,
    /// One CamelCase word.
    pub(super) reason: &'static str,
    /// A sentence for people.
    pub(super) message: String,
}

/// The longest message that the schema of a condition takes, in bytes.
const MOST: usize = 32_768;

impl Holds {
    /// The condition, which goes on since `previous` where that one had the same status.
    pub(super) fn since(self, previous: &[Condition], generation: i64, now: Timestamp) -> Condition {
        let status = match self.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let before = previous
            .iter()
            .find(|before| before.type_ == self.r#type && before.status == status);
        let mut message = self.message;
        while message.len() > MOST {
            message.pop();
        }
        Condition {
            type_: self.r#type.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message,
            observed_generation: Some(generation),
            last_transition_time: before.map_or_else(|| in_seconds(now), |before| before.last_transition_time.clone()),
        }
    }
}

/// As Kubernetes writes times: without fractions.
pub(super) fn in_seconds(now: Timestamp) -> Time {
    // Rounding down to a second cannot leave the range of a timestamp.
    Time(
        now.round(
            jiff::TimestampRound::new()
                .smallest(Unit::Second)
                .mode(jiff::RoundMode::Trunc),
        )
        .unwrap_or(now),
    )
}
