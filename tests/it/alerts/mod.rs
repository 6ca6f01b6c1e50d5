//! Metrics and what is built on them: the reference, the dashboard, the alerts, the runbooks. A query without data, an alert
//! that cannot fire and a runbook without an alert each fail here.

mod exposition;
mod fired;
mod generated;
mod queries;
pub(crate) mod runbooks;
mod served;

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Identifies the webhook in an API server's metrics.
const WEBHOOK: &str = "validate-deployment.dorgu.io";
const SCALE_WEBHOOK: &str = "validate-scale.dorgu.io";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// An alert as it is written.
struct Alert {
    name: String,
    query: String,
    labels: Value,
    annotations: Value,
}

/// Every alert of ours.
fn alerts() -> Vec<Alert> {
    let file: Value = serde_saphyr::from_str(&read("charts/dorgu-operator/files/alerts.yaml")).unwrap();
    let groups = file["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let alerts: Vec<Alert> = rules
        .map(|rule| Alert {
            name: text(&rule["alert"]),
            query: text(&rule["expr"]),
            labels: rule["labels"].clone(),
            annotations: rule["annotations"].clone(),
        })
        .collect();
    assert!(alerts.len() >= 15, "{}", alerts.len());
    alerts
}
