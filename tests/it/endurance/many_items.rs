//! Reviews of many small items, which would take many times their size in memory if everything in them were kept, beside
//! small reviews of another namespace: what they cost those, and how much memory the process ever took.

use procfs::process::Process;
use serde_json::{Value, json};

use super::beside::Paired;
use super::process::Served;

/// The memory of the smallest pod that docs recommend, in bytes.
const POD: u64 = 128 << 20;

/// 600 containers with 10,000 empty capabilities each: three bytes an item, 18 MB in all.
fn review() -> String {
    let capabilities = vec![""; 10_000];
    let containers: Vec<Value> = (0..600)
        .map(|number| json!({"name": format!("c{number}"), "securityContext": {"capabilities": {"add": capabilities}}}))
        .collect();
    let object = json!({
        "metadata": {"name": "orders", "namespace": "shop", "labels": {"app.kubernetes.io/name": "orders"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
    });
    let request = json!({"uid": "u-1", "operation": "CREATE", "namespace": "shop", "object": object});
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}).to_string()
}

const SMALL: &str = r#"{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
    "uid": "u-1", "operation": "CREATE", "namespace": "bank", "object": {
        "metadata": {"name": "carts", "namespace": "bank", "labels": {"app.kubernetes.io/name": "carts"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "api"}]}}}}}}"#;

const PERSONAS: &str = "apiVersion: dorgu.io/v1
kind: ApplicationPersona
metadata: {name: orders, namespace: shop}
spec: {name: orders, type: api, scaling: {minReplicas: 2}}
---
apiVersion: dorgu.io/v1
kind: ApplicationPersona
metadata: {name: carts, namespace: bank}
spec: {name: carts, type: api}
";

/// The most memory that it ever had, in bytes.
fn peak(pid: u32) -> u64 {
    let process = Process::new(i32::try_from(pid).expect("a pid"));
    let status = process.and_then(|process| process.status()).expect("it runs");
    status.vmhwm.expect("a kernel that counts it") << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reviews_of_many_small_items_cost_another_namespace_little() {
    let served = Served::with(PERSONAS);
    let (small, large) = (served.asked.about(SMALL), served.asked.about(&review()));
    let denied = large.verdict(&mut None).await.expect("an answer");
    assert!(!denied, "more items than can be judged are denied");
    for a_second in [1, 2] {
        let paired = Paired::measure(&small, &large, a_second).await;
        let Paired { quiet, beside, .. } = paired;
        println!(
            "6,000,000 items in 18 MB, {a_second} a second; small reviews: p99 {beside:.2?}, {quiet:.2?} without, none lost; \
             at most {} MiB",
            peak(served.dorgu.pid()) >> 20
        );
        paired.assert_cost_is_little(a_second);
    }
    assert!(peak(served.dorgu.pid()) < POD, "{} bytes", peak(served.dorgu.pid()));
}
