//! The answer to a review of a persona, over its own bytes: what it says, and that it comes in time.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use super::*;
use crate::index::{Change, Deployment, Namespace, StoredException, StoredPersona};
use crate::k8s::Decode;
use crate::policy::{Matching, Mode, PlatformRules, RuleSet};

const ENFORCING: Rulebook = Rulebook {
    set: RuleSet::Complete,
    mode: Mode::Enforcing,
};

/// An index that was filled, in which an app has so many Deployments with one replica each.
fn index(deployments: usize) -> Arc<Index> {
    let index = Index::new(Matching::Label, PlatformRules::NONE).with_platform_defaults(Some("platform"));
    let all = |number| {
        let object = json!({
            "metadata": {"name": format!("d{number}"), "namespace": "shop", "labels": {"app.kubernetes.io/name": "orders"}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "a", "image": "x:1"}]}}},
        });
        Arc::new(Deployment::decode(&object.to_string()).expect("a Deployment"))
    };
    index.personas(replace::<StoredPersona>(Vec::new()));
    index.namespaces(replace::<Namespace>(Vec::new()));
    index.cluster_rules(replace(Vec::new()));
    index.exceptions(replace::<StoredException>(Vec::new()));
    index.deployments(replace((0..deployments).map(all).collect()));
    Arc::new(index)
}

fn replace<T>(objects: Vec<Arc<T>>) -> Change<T> {
    Change::Replace {
        objects,
        kept: Vec::new(),
    }
}

fn persona(name: &str, app: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": name, "namespace": "shop", "uid": name}, "spec": {"name": app, "type": "api"},
    });
    for (key, value) in spec.as_object().expect("fields") {
        object["spec"][key] = value.clone();
    }
    object
}

fn two_replicas() -> Value {
    json!({"scaling": {"minReplicas": 2}})
}

fn review(operation: &str, object: &Value, old: &Value) -> Value {
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "u-1", "operation": operation, "namespace": "shop",
            "kind": {"group": "dorgu.io", "version": "v1", "kind": "ApplicationPersona"},
            "object": object, "oldObject": old,
        },
    })
}

struct Stand {
    served: Served,
    registry: Registry,
}

impl Stand {
    fn over(index: &Arc<Index>) -> Stand {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let basis = Basis {
            index: Arc::clone(index),
            rulebook: ENFORCING,
            requires_label: false,
        };
        Stand {
            served: Served {
                advisor: Advisor::start(basis, metrics).expect("a thread"),
                index: Arc::clone(index),
                budget: Budget::new(BUDGET),
                limits: Limits::default(),
            },
            registry,
        }
    }

    async fn send(&self, body: impl Into<Body>) -> (StatusCode, Value) {
        let response = self.served.respond(Request::new(body.into())).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// The warnings of an answer, which allows whatever it says.
    async fn warnings(&self, review: &Value) -> Vec<String> {
        let (status, answer) = self.send(review.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let response = &answer["response"];
        assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(true)));
        let warnings = response["warnings"].as_array().cloned().unwrap_or_default();
        warnings
            .into_iter()
            .map(|line| line.as_str().expect("a line").to_owned())
            .collect()
    }

    fn counted(&self, result: &str) -> bool {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("encodes");
        text.contains(&format!("dorgu_persona_reviews_total{{result=\"{result}\"}} 1\n"))
    }
}

#[tokio::test]
async fn a_persona_that_would_deny_running_deployments_is_admitted_with_their_names() {
    let stand = Stand::over(&index(3));
    let strict = persona("orders", "orders", &two_replicas());
    let warnings = stand.warnings(&review("CREATE", &strict, &Value::Null)).await;
    assert_eq!(warnings[0], "3 of 3 would be denied: 'd0', 'd1', 'd2'");
    assert_eq!(
        warnings[1],
        "Deployment 'd0' would be denied: replicas (1) below persona minimum (2)"
    );
    assert!(stand.counted("warned"));
}

#[tokio::test]
async fn an_update_is_compared_with_what_it_replaces_and_an_unchanged_spec_with_nothing() {
    let stand = Stand::over(&index(2));
    let [mild, strict] = [json!({}), two_replicas()].map(|spec| persona("orders", "orders", &spec));
    let freed = stand.warnings(&review("UPDATE", &mild, &strict)).await;
    assert_eq!(freed, ["2 of 2 would no longer be denied: 'd0', 'd1'"]);
    let mut labelled = strict.clone();
    labelled["metadata"]["labels"] = json!({"team": "x"});
    assert_eq!(stand.warnings(&review("UPDATE", &labelled, &strict)).await, [""; 0]);
    assert!(stand.counted("silent"));
    let mut enforced = strict.clone();
    enforced["metadata"]["annotations"] = json!({"dorgu.io/mode": "enforced"});
    let warnings = stand.warnings(&review("UPDATE", &enforced, &strict)).await;
    assert_eq!(
        warnings,
        ["ApplicationPersona 'orders': annotation dorgu.io/mode 'enforced' is not one of advisory, enforcing; ignored"]
    );
}

#[tokio::test]
async fn values_that_mean_nothing_and_personas_of_the_same_app_are_named() {
    let index = index(0);
    let other = persona("first", "orders", &json!({}));
    index.personas(Change::Put(
        StoredPersona::decode(&other.to_string()).expect("a persona"),
    ));
    let stand = Stand::over(&index);
    let odd = persona(
        "orders",
        "orders",
        &json!({"resources": {"limits": {"memory": "512m"}}}),
    );
    let warnings = stand.warnings(&review("CREATE", &odd, &Value::Null)).await;
    assert_eq!(
        warnings,
        [
            "ApplicationPersona 'orders': spec.resources.limits.memory '512m' is no whole number of bytes; m is a thousandth, \
             M and Mi are millions",
            "spec.name 'orders' is also that of ApplicationPersona 'first'; all apply",
        ]
    );
    let apart = |tier: &str| json!({"selector": {"matchLabels": {"tier": tier}}});
    let other = persona("first", "orders", &apart("api"));
    index.personas(Change::Put(
        StoredPersona::decode(&other.to_string()).expect("a persona"),
    ));
    let narrowed = persona("orders", "orders", &apart("worker"));
    assert_eq!(
        stand.warnings(&review("CREATE", &narrowed, &Value::Null)).await,
        [""; 0]
    );
}

#[tokio::test]
async fn what_is_no_create_or_update_of_a_persona_gets_no_warning() {
    let stand = Stand::over(&index(1));
    let strict = persona("orders", "orders", &two_replicas());
    assert_eq!(stand.warnings(&review("DELETE", &strict, &Value::Null)).await, [""; 0]);
    let mut other = review("CREATE", &strict, &Value::Null);
    other["request"]["kind"]["kind"] = json!("ConfigMap");
    assert_eq!(stand.warnings(&other).await, [""; 0]);
}

#[tokio::test]
async fn a_persona_that_cannot_be_read_is_admitted_and_what_is_no_review_is_an_error() {
    let stand = Stand::over(&index(1));
    let mut odd = persona("orders", "orders", &json!({}));
    odd["spec"]["scaling"] = json!("none");
    let warnings = stand.warnings(&review("CREATE", &odd, &Value::Null)).await;
    assert!(
        warnings[0].contains("cannot read this ApplicationPersona (spec: "),
        "{warnings:?}"
    );
    for body in ["", "{", "{}", r#"{"apiVersion":"admission.k8s.io/v1","request":{}}"#] {
        assert_eq!(stand.send(body).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(stand.send(vec![b' '; BODY_LIMIT + 1]).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn before_the_cluster_was_listed_an_api_server_is_told_to_ask_again() {
    let stand = Stand::over(&Arc::new(Index::default()));
    let strict = persona("orders", "orders", &two_replicas());
    let (status, _) = stand.send(review("CREATE", &strict, &Value::Null).to_string()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

/// More at once than there are places, over more Deployments than there is time for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_outlasts_a_second_however_many_personas_are_written() {
    let stand = Arc::new(Stand::over(&index(20_000)));
    let strict = persona("default", "*", &two_replicas());
    let body = review("CREATE", &strict, &Value::Null).to_string();
    let asked = (0..60).map(|_| {
        let (stand, body) = (Arc::clone(&stand), body.clone());
        tokio::spawn(async move {
            let started = Instant::now();
            let (status, answer) = stand.send(body).await;
            (started.elapsed(), status, answer)
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut unchecked = 0;
    for one in asked {
        let (took, status, answer) = one.await.expect("an answer");
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!((status, &answer["response"]["allowed"]), (StatusCode::OK, &json!(true)));
        let warnings = answer["response"]["warnings"].to_string();
        unchecked += usize::from(warnings.contains("were not compared with this ApplicationPersona"));
    }
    assert!(unchecked >= 60 - 16 - 40, "{unchecked} found no place or no time");
    assert!(unchecked > 0);
}

#[test]
fn the_entry_never_holds_up_a_write_for_more_than_a_second() {
    let entry = entry(WebhookClientConfig::default());
    assert_eq!(entry.failure_policy.as_deref(), Some("Ignore"));
    assert_eq!(entry.timeout_seconds, Some(1));
    assert_eq!(entry.side_effects, "None");
}
