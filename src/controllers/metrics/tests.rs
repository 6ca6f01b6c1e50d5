//! The metrics as a scraper gets them.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::{Controller, Metrics, ReconcileResult};
use crate::k8s::Outcome;

#[test]
fn families_and_labels_are_named_as_dashboards_expect() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    metrics.reconciled(Controller::Cluster, ReconcileResult::Success, Duration::from_millis(3));
    metrics.reconciled(Controller::Persona, ReconcileResult::Error, Duration::from_millis(3));
    metrics.status(&Ok::<_, ()>(Outcome::Written));
    metrics.status::<()>(&Err(()));
    let depth = metrics.depth(Controller::Persona);
    depth.set(7);
    let text = text(&registry);
    for line in [
        r#"dorgu_reconcile_total{controller="clusterpersona",result="success"} 1"#,
        r#"dorgu_reconcile_total{controller="applicationpersona",result="error"} 1"#,
        r#"dorgu_reconcile_duration_seconds_count{controller="clusterpersona"} 1"#,
        r#"dorgu_status_writes_total{result="written"} 1"#,
        r#"dorgu_status_writes_total{result="failed"} 1"#,
        // Counters that are still zero are present, too: for Prometheus, a counter that appears has not grown.
        r#"dorgu_reconcile_total{controller="clusterpersona",result="error"} 0"#,
        r#"dorgu_status_writes_total{result="gone"} 0"#,
        r#"dorgu_reconcile_queue_depth{controller="applicationpersona"} 7"#,
        r#"dorgu_reconcile_queue_depth{controller="clusterpersona"} 0"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn nobody_waits_for_one_who_no_longer_leads() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let depth = metrics.depth(Controller::Persona);
    depth.set(7);
    drop(depth);
    let line = r#"dorgu_reconcile_queue_depth{controller="applicationpersona"} 0"#;
    assert!(text(&registry).contains(line), "{}", text(&registry));
}

fn text(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).expect("text");
    text
}
