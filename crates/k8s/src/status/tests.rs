//! Which differences count, and what is removed of another writer.

use serde_json::{Value, json};

use super::{leftovers, timeless};

const CLOCKS: &[&str] = &["lastUpdated", "lastTransitionTime"];

fn status(at: &str, message: &str) -> Value {
    json!({"lastUpdated": at, "conditions": [{"type": "Ready", "lastTransitionTime": at, "message": message}]})
}

#[test]
fn timestamps_alone_are_no_difference() {
    let (before, after) = (status("10:00", "well"), status("11:00", "well"));
    assert_eq!(timeless(&before, CLOCKS), timeless(&after, CLOCKS));
    assert_ne!(
        timeless(&before, CLOCKS),
        timeless(&status("10:00", "not well"), CLOCKS)
    );
    assert_ne!(timeless(&before, CLOCKS), timeless(&Value::Null, CLOCKS));
}

#[test]
fn what_another_writer_left_is_taken_out_and_nothing_else() {
    let wanted = json!({"phase": "Active", "health": {"status": "Healthy"}, "conditions": [{"type": "Ready"}]});
    assert_eq!(leftovers(&wanted, &wanted), None);
    let stored = json!({
        "phase": "Active", "health": {"status": "Healthy", "podFailures": [1]},
        "conditions": [{"type": "Ready"}, {"type": "Theirs"}], "history": [], "old": {"deep": 1},
    });
    let patch = json!({
        "health": {"podFailures": null}, "conditions": [{"type": "Ready"}], "history": null, "old": null,
    });
    assert_eq!(leftovers(&stored, &wanted), Some(patch));
    assert_eq!(leftovers(&json!({}), &wanted), None, "what is missing is no leftover");
}
