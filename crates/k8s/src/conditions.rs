//! Merges new conditions into old ones by the conventions of the Kubernetes API. There is one condition of each type.
//! `lastTransitionTime` changes only with `status`; message and `observedGeneration` are always current.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::time::in_seconds;

/// Longest message that the schema of a condition allows, in bytes.
const MAX_MESSAGE: usize = 32_768;

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The condition's type, in CamelCase.
    pub kind: &'static str,
    /// True, False or, for `None`, Unknown.
    pub status: Option<bool>,
    /// One CamelCase word.
    pub reason: &'static str,
    /// A sentence for people. It is cut where it exceeds the schema's limit.
    pub message: String,
}

/// The conditions that follow `previous`: one for each draft, in their order. A condition with an unchanged status keeps its
/// transition time. Conditions of other types are dropped.
pub fn merge(
    previous: &[Condition],
    drafts: impl IntoIterator<Item = Draft>,
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let drafts = drafts.into_iter();
    drafts.map(|draft| draft.since(previous, generation, now)).collect()
}

impl Draft {
    fn since(mut self, previous: &[Condition], generation: i64, now: Timestamp) -> Condition {
        let status = match self.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let same = |before: &&Condition| before.type_ == self.kind && before.status == status;
        let since = previous.iter().find(same);
        let last_transition_time = since.map_or_else(|| in_seconds(now), |before| before.last_transition_time.clone());
        while self.message.len() > MAX_MESSAGE {
            self.message.pop();
        }
        Condition {
            type_: self.kind.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message,
            observed_generation: Some(generation),
            last_transition_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn draft(status: Option<bool>, message: &str) -> Draft {
        Draft {
            kind: "Ready",
            status,
            reason: "Reason",
            message: message.to_owned(),
        }
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let first = merge(&[], [draft(None, "a")], 1, at(10));
        let second = merge(&first, [draft(None, "b")], 2, at(20));
        assert_eq!(second[0].last_transition_time, in_seconds(at(10)));
        assert_eq!((&*second[0].message, second[0].observed_generation), ("b", Some(2)));
        let third = merge(&second, [draft(Some(true), "b")], 2, at(30));
        assert_eq!(
            (&*third[0].status, &third[0].last_transition_time),
            ("True", &in_seconds(at(30)))
        );
    }

    #[test]
    fn a_message_is_cut_between_two_characters() {
        let long = "ä".repeat(MAX_MESSAGE);
        let merged = merge(&[], [draft(Some(false), &format!("a{long}"))], 1, at(10));
        assert_eq!(merged[0].message.len(), MAX_MESSAGE - 1);
    }
}
