//! What a scraper sees.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::{Controller, Metrics, Reconciled};
use crate::k8s::Outcome;

#[test]
fn families_and_labels_are_named_as_dashboards_expect() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    metrics.reconciled(Controller::Cluster, Reconciled::Success, Duration::from_millis(3));
    metrics.reconciled(Controller::Persona, Reconciled::Error, Duration::from_millis(3));
    metrics.status(&Ok::<_, ()>(Outcome::Written));
    metrics.status::<()>(&Err(()));
    let mut text = String::new();
    encode(&mut text, &registry).expect("text");
    for line in [
        r#"dorgu_reconcile_total{controller="clusterpersona",result="success"} 1"#,
        r#"dorgu_reconcile_total{controller="applicationpersona",result="error"} 1"#,
        r#"dorgu_reconcile_duration_seconds_count{controller="clusterpersona"} 1"#,
        r#"dorgu_status_writes_total{result="written"} 1"#,
        r#"dorgu_status_writes_total{result="failed"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
