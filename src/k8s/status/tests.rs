//! What counts as different, and whose fields a status is.

use serde_json::{Value, json};

use super::{taken_over, timeless};

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
fn what_another_manager_wrote_into_the_status_becomes_ours() {
    let entry = |manager: &str, operation: &str, subresource: &str, time: &str, fields: Value| {
        json!({
            "manager": manager, "operation": operation, "subresource": subresource, "time": time,
            "apiVersion": "dorgu.io/v1", "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    };
    let spec = entry("kubectl", "Update", "", "1", json!({"f:spec": {}}));
    let theirs = entry("manager", "Update", "status", "3", json!({"f:status": {"f:phase": {}}}));
    let ours = entry(
        "us",
        "Apply",
        "status",
        "2",
        json!({"f:status": {"f:health": {"f:status": {}}}}),
    );
    let merged = entry(
        "us",
        "Apply",
        "status",
        "3",
        json!({"f:status": {"f:phase": {}, "f:health": {"f:status": {}}}}),
    );
    assert_eq!(
        taken_over(&[spec.clone(), theirs.clone(), ours.clone()], "us"),
        Some(vec![spec.clone(), merged])
    );
    assert_eq!(taken_over(&[spec.clone(), ours], "us"), None);
    assert_eq!(taken_over(&[spec], "us"), None);
}
