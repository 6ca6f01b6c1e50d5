//! What counts as different, and what is left over.

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
fn what_another_manager_left_in_the_status_is_taken_away() {
    let wanted =
        json!({"phase": "Ready", "health": {"status": "ok"}, "conditions": [{"type": "Ready", "message": "well"}]});
    assert_eq!(leftovers(&wanted, &wanted), None);
    let mut there = wanted.clone();
    there["stale"] = json!({"deep": 1});
    there["health"]["podFailures"] = json!([1]);
    assert_eq!(
        leftovers(&there, &wanted),
        Some(json!({"stale": null, "health": {"podFailures": null}}))
    );
    let mut there = wanted.clone();
    there["conditions"] = json!([{"type": "Available", "message": "old"}, wanted["conditions"][0]]);
    assert_eq!(
        leftovers(&there, &wanted),
        Some(json!({"conditions": wanted["conditions"]}))
    );
    there["conditions"] = json!([{"type": "Ready", "message": "well", "observedGeneration": 3}]);
    assert_eq!(
        leftovers(&there, &wanted),
        Some(json!({"conditions": wanted["conditions"]}))
    );
}
