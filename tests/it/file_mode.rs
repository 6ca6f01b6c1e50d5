//! The running process over folders of files: changes are loaded, invalid files are reported and do no harm.

mod saved;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::Dorgu;

/// How long a change of a file may take on a busy machine: a second of rest, and then to be seen and read.
const TIMEOUT: Duration = Duration::from_secs(15);

fn persona(name: &str, minimum: &str) -> String {
    format!(
        "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec:\n  name: {name}\n  type: api\n  scaling:\n    minReplicas: {minimum}\n"
    )
}

/// Asks over HTTPS, as an API server would, and returns `response`.
fn ask(dorgu: &Dorgu, app: &str) -> Value {
    ask_trusting(dorgu, &dorgu.ca_pem(), app)
}

fn ask_trusting(dorgu: &Dorgu, ca: &str, app: &str) -> Value {
    let review = json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "u-1", "operation": "CREATE", "namespace": "shop", "object": {
            "metadata": {"namespace": "shop", "labels": {"app.kubernetes.io/name": app}}, "spec": {"replicas": 1},
        }},
    });
    let body = review.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let answer = runtime
        .block_on(crate::https::post(&dorgu.webhook_url(), ca, &body))
        .expect("an answer");
    serde_json::from_str::<Value>(&answer).expect("JSON")["response"].clone()
}

fn warnings(response: &Value) -> Vec<String> {
    serde_json::from_value(response["warnings"].clone()).unwrap_or_default()
}

/// Asks until the warnings are these.
fn until(dorgu: &Dorgu, app: &str, expected: &[&str]) {
    let start = Instant::now();
    loop {
        let got = warnings(&ask(dorgu, app));
        if got == expected {
            return;
        }
        assert!(start.elapsed() < TIMEOUT, "{app}: {got:?} after {:?}", start.elapsed());
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("written");
}

#[test]
fn a_change_is_answered_from_and_a_broken_file_keeps_its_last_good_version() {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), "orders.yaml", &persona("orders", "2"));
    let dorgu = Dorgu::with_personas(folder.path(), &["--log-format=json"]);
    until(&dorgu, "orders", &["replicas (1) below persona minimum (2)"]);

    write(folder.path(), "orders.yaml", &persona("orders", "3"));
    until(&dorgu, "orders", &["replicas (1) below persona minimum (3)"]);

    write(folder.path(), "orders.yaml", &persona("orders", "many"));
    let line = dorgu.wait_for_line("the broken file is named", |line| line.contains("orders.yaml:8:"));
    assert!(
        line.contains("spec.scaling.minReplicas") && line.contains("\"ERROR\""),
        "{line}"
    );
    until(&dorgu, "orders", &["replicas (1) below persona minimum (3)"]);

    // Meanwhile another file, with several documents, is still loaded.
    let two = format!("{}---\n{}", persona("billing", "4"), persona("carts", "5"));
    write(folder.path(), "more.yaml", &two);
    until(&dorgu, "billing", &["replicas (1) below persona minimum (4)"]);
    until(&dorgu, "carts", &["replicas (1) below persona minimum (5)"]);

    write(folder.path(), "orders.yaml", &persona("orders", "1"));
    until(&dorgu, "orders", &[]);
    std::fs::remove_file(folder.path().join("more.yaml")).expect("removed");
    until(&dorgu, "billing", &[]);
}

#[test]
fn a_quantity_that_is_none_is_named_where_it_stands() {
    let folder = TempDir::new().expect("a folder");
    let text = "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: orders, namespace: shop}\nspec:\n  \
                name: orders\n  type: api\n  resources:\n    limits:\n      cpu: abc\n";
    write(folder.path(), "orders.yaml", text);
    let dorgu = Dorgu::with_personas(folder.path(), &["--log-format=json"]);
    let line = dorgu.wait_for_line("the value is named", |line| line.contains("orders.yaml:9:"));
    assert!(
        line.contains("spec.resources.limits.cpu") && line.contains("abc"),
        "{line}"
    );
    assert_eq!(
        ask(&dorgu, "orders")["status"]["message"],
        "no matching ApplicationPersona found"
    );
}

#[test]
fn schema_defaults_apply_to_files() {
    let folder = TempDir::new().expect("a folder");
    let text = "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: orders, namespace: shop}\nspec:\n  \
                name: orders\n  type: api\n  policies:\n    security: {}\n";
    write(folder.path(), "orders.yaml", text);
    let dorgu = Dorgu::with_personas(folder.path(), &["--webhook-mode=enforcing"]);
    let review = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","operation":"CREATE",
        "namespace":"shop","object":{"metadata":{"labels":{"app.kubernetes.io/name":"orders"}},
        "spec":{"template":{"spec":{"containers":[{"name":"api"}]}}}}}}"#;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let answer = runtime
        .block_on(crate::https::post(&dorgu.webhook_url(), &dorgu.ca_pem(), review))
        .expect("an answer");
    assert!(answer.contains("persona requires runAsNonRoot"), "{answer}");
    assert!(answer.contains("root filesystem writable"), "{answer}");
    assert!(answer.contains("allowPrivilegeEscalation not set"), "{answer}");
}

#[test]
fn probes_metrics_and_logs_tell_what_happens_and_never_a_body() {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), "orders.yaml", &persona("orders", "2"));
    let mut dorgu = Dorgu::with_personas(
        folder.path(),
        &[
            "--log-format=json",
            "--zap-log-level=5",
            "--webhook-mode=enforcing",
            "--shutdown-delay=0",
        ],
    );
    assert_eq!(ask(&dorgu, "orders")["allowed"], false);
    let secret = review_with("hunter2-in-the-env");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for body in [
        secret.clone(),
        secret.replace("\"replicas\":1", "\"replicas\":\"hunter2\""),
    ] {
        runtime
            .block_on(crate::https::post(&dorgu.webhook_url(), &dorgu.ca_pem(), &body))
            .expect("an answer");
    }
    let get = |url: String| runtime.block_on(crate::https::get(&url)).expect("an answer");
    for probe in ["livez", "readyz", "healthz"] {
        assert_eq!(get(format!("{}/{probe}", dorgu.probes_url())), (200, "ok".to_owned()));
    }
    let (status, verbose) = get(format!("{}/readyz?verbose", dorgu.probes_url()));
    assert_eq!(status, 200);
    for check in ["[+]personas ok", "[+]certificate ok", "[+]not-draining ok"] {
        assert!(verbose.contains(check), "{verbose}");
    }
    let (_, metrics) = get(dorgu.metrics_url());
    for family in [
        r#"dorgu_admission_requests_total{operation="create",decision="denied",mode="enforcing",dry_run="false"} 2"#,
        r#"dorgu_admission_findings_total{rule="replicas-below-minimum",severity="error",mode="enforcing"} 2"#,
        r#"dorgu_admission_unchecked_total{reason="unreadable"} 1"#,
        r#"dorgu_admission_duration_seconds_bucket{le="0.00001","#,
        r#"dorgu_cache_objects{kind="ApplicationPersona"} 1"#,
        r#"dorgu_cache_synced{kind="ApplicationPersona"} 1"#,
        "dorgu_cache_last_event_timestamp_seconds",
        "dorgu_certificate_expiry_timestamp_seconds",
        "dorgu_admission_in_flight 0",
        "dorgu_admission_bytes_count 3",
        "dorgu_build_info",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains(family), "no {family} in\n{metrics}");
    }
    assert!(dorgu.stop().success());
    let logged = dorgu.stderr().join("\n");
    assert!(logged.contains("Denied a Deployment"), "{logged}");
    assert!(!logged.contains("hunter2"), "an object's content was logged:\n{logged}");
    for line in dorgu.stderr() {
        serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("not JSON: {error}: {line}"));
    }
}

fn review_with(value: &str) -> String {
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"u-1","operation":"CREATE",
        "namespace":"shop","object":{{"metadata":{{"labels":{{"app.kubernetes.io/name":"orders"}}}},"spec":{{"replicas":1,
        "template":{{"spec":{{"containers":[{{"name":"api","env":[{{"name":"PASSWORD","value":"{value}"}}]}}]}}}}}}}}}}}}"#
    )
}

#[test]
fn a_log_that_cannot_be_written_costs_no_answer() {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), "orders.yaml", &persona("orders", "2"));
    // Every write to it fails, as on a full disk.
    let command = "dorgu serve --personas . --write-ca ca.crt --webhook-mode enforcing 2>/dev/full";
    let mut dorgu = Dorgu::typed(folder.path(), command);
    dorgu.webhook_url();
    let ca = std::fs::read_to_string(folder.path().join("ca.crt")).expect("the CA");
    for _ in 0..3 {
        // A denial is logged.
        let response = ask_trusting(&dorgu, &ca, "orders");
        assert_eq!(response["allowed"], false, "{response}");
    }
    assert!(dorgu.stop().success());
}

#[test]
fn a_second_process_on_the_same_address_leaves_the_firsts_ca_alone() {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), "orders.yaml", &persona("orders", "2"));
    let first = Dorgu::typed(folder.path(), "dorgu serve --personas . --write-ca ca.crt");
    let url = first.webhook_url();
    let address = url
        .trim_start_matches("https://")
        .split('/')
        .next()
        .expect("an address");
    let command = format!("dorgu serve --personas . --write-ca ca.crt --webhook-bind-address {address}");
    let mut second = Dorgu::typed(folder.path(), &command);
    assert_eq!(second.wait().code(), Some(1), "{}", second.lines().join("\n"));
    let ca = std::fs::read_to_string(folder.path().join("ca.crt")).expect("the CA");
    let response = ask_trusting(&first, &ca, "orders");
    assert_eq!(response["allowed"], true, "{response}");
}

#[test]
fn a_folder_that_takes_long_to_read_does_not_hold_up_a_signal() {
    let folder = TempDir::new().expect("a folder");
    let one = persona("orders", "2").replace("metadata: {name: orders,", "metadata: {name: orders-NUMBER,");
    for number in 0..20_000 {
        write(
            folder.path(),
            &format!("{number}.yaml"),
            &one.replace("NUMBER", &number.to_string()),
        );
    }
    // A flag without effect is logged as soon as signals are handled, and before anything is read.
    let mut dorgu = Dorgu::with_personas(folder.path(), &["--enable-http2=true"]);
    dorgu.wait_for_line("that it has begun", |line| line.contains("no effect"));
    assert!(dorgu.stop().success());
    let said = dorgu.lines().join("\n");
    assert!(
        said.contains("Stopped while the persona folders were being read"),
        "{said}"
    );
    assert!(!said.contains("listening"), "{said}");
}
