//! A thousand personas of one app and Deployments of five thousand containers, once a second and twice, sent to a process as
//! users start it, beside small reviews of another namespace. Measures what the large ones cost the small ones.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::beside::Paired;
use super::process::Served;

const PERSONAS: usize = 1_000;
const CONTAINERS: usize = 5_000;
/// The personas of one app in one namespace, and one of another.
fn personas() -> String {
    let mut documents = String::new();
    for number in 0..PERSONAS {
        let _ = write!(
            documents,
            "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {{name: p{number}, namespace: shop}}\n\
             spec: {{name: orders, type: api, resources: {{limits: {{cpu: {}m}}}}, scaling: {{minReplicas: 2}}}}\n---\n",
            500 + number
        );
    }
    documents
        + "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: carts, namespace: bank}\n\
           spec: {name: carts, type: api}\n"
}

fn review(namespace: &str, app: &str, containers: usize) -> String {
    let containers: Vec<Value> = (0..containers)
        .map(|number| json!({"name": format!("c{number}"), "image": "i", "securityContext": {"privileged": true}}))
        .collect();
    let object = json!({
        "metadata": {"name": app, "namespace": namespace, "labels": {"app.kubernetes.io/name": app}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
    });
    let request = json!({"uid": "u-1", "operation": "CREATE", "namespace": namespace, "object": object});
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_personas_and_five_thousand_containers_cost_another_namespace_little() {
    let served = Served::with(&personas());
    let small = served.asked.about(&review("bank", "carts", 1));
    let large = served.asked.about(&review("shop", "orders", CONTAINERS));
    for a_second in [1, 2] {
        let paired = Paired::measure(&small, &large, a_second).await;
        let Paired { quiet, beside, longest } = paired;
        println!(
            "{PERSONAS} personas, {CONTAINERS} containers, {a_second} a second: the longest {longest:.1?}; small reviews: p99 {beside:.2?}, \
             {quiet:.2?} without, none lost"
        );
        paired.assert_cost_is_little(a_second);
    }
}
