//! Invalid and unusual input over HTTP: each gets the answer that docs/protocol.md names, and the process survives.

mod large;
mod many;
mod random;

use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use dorgu::index::{Index, Snapshot};
use dorgu::policy::{Mode, ModeWish, Persona, RuleSet, Rulebook};
use dorgu::server::body::Budget;
use dorgu::webhook::{BODY_LIMIT, Metrics, PATH, Webhook};

const ENFORCING: Rulebook = Rulebook {
    set: RuleSet::Complete,
    mode: Mode::Enforcing,
};
const ADVISORY: Rulebook = Rulebook {
    set: RuleSet::Complete,
    mode: Mode::Advisory,
};
const UPSTREAM: Rulebook = Rulebook {
    set: RuleSet::Upstream,
    mode: Mode::Advisory,
};

/// A webhook that knows one persona, which wants two replicas and no privilege escalation.
fn webhook(rulebook: Rulebook) -> Webhook {
    let persona = Persona {
        namespace: "shop".into(),
        name: "orders".into(),
        app: "orders".into(),
        min_replicas: Some(2),
        forbids_privilege_escalation: true,
        ..Persona::default()
    };
    let index = Arc::new(Index::default());
    index.replace(Snapshot::build(
        [Arc::new(persona)],
        [("strict".to_owned(), ModeWish::Set(Mode::Enforcing))],
    ));
    Webhook::new(
        rulebook,
        index,
        Metrics::register(&mut Registry::default()),
        Budget::new(64 << 20),
    )
}

async fn ask(webhook: Webhook, request: Request<Body>) -> (StatusCode, Response<()>, Value) {
    let response = webhook.respond(request).await;
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body in memory").to_bytes();
    let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (head.status, Response::from_parts(head, ()), value)
}

/// Sends a body as an API server would.
async fn post(rulebook: Rulebook, body: impl Into<Vec<u8>>) -> Value {
    let body = body.into();
    let request = Request::post(format!("{PATH}?timeout=3s"))
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .body(Body::from(body))
        .expect("a request");
    let (status, _, answer) = ask(webhook(rulebook), request).await;
    assert_eq!(status, 200);
    answer
}

fn review(object: &str) -> String {
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"u-1","operation":"CREATE",
        "namespace":"shop","name":"orders","object":{object}}}}}"#
    )
}

/// A review of `size` bytes, padded in an annotation.
fn padded(namespace: &str, size: usize) -> String {
    let body = review(r#"{"metadata":{"annotations":{"pad":"PAD"},"labels":{"app.kubernetes.io/name":"orders"}}}"#);
    let body = body.replace(r#""namespace":"shop""#, &format!(r#""namespace":"{namespace}""#));
    let room = size - body.len() + 3;
    body.replace("PAD", &"x".repeat(room))
}

/// Contract 2.2: no kind, no version, no uid, so that an API server takes it for a failed call.
fn assert_broken(answer: &Value, code: u16, words: &str) {
    let response = &answer["response"];
    assert!(
        answer.get("kind").is_none() && answer.get("apiVersion").is_none(),
        "{answer}"
    );
    assert_eq!(
        (&response["uid"], &response["allowed"]),
        (&json!(""), &json!(false)),
        "{answer}"
    );
    assert_eq!(response["status"]["code"], code, "{answer}");
    let message = response["status"]["message"].as_str().expect("a message");
    assert!(message.contains(words), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

fn assert_unchecked(answer: &Value, words: &str) {
    let response = &answer["response"];
    assert_eq!(
        (&response["uid"], &response["allowed"]),
        (&json!("u-1"), &json!(true)),
        "{answer}"
    );
    let warning = response["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains(words), "{warning}");
    assert!(warning.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{warning:?}");
}

#[tokio::test]
async fn an_empty_body_is_told_so() {
    assert_broken(&post(ENFORCING, "").await, 400, "body is empty");
}

#[tokio::test]
async fn a_wrong_content_type_is_told_what_to_send() {
    for (given, words) in [
        (None, "Content-Type is missing; send application/json"),
        (
            Some("application/json; charset=utf-8"),
            "'application/json; charset=utf-8'; send application/json",
        ),
        (Some("text/plain"), "'text/plain'; send application/json"),
    ] {
        let mut request = Request::post(PATH).header("content-length", 2);
        if let Some(given) = given {
            request = request.header("content-type", given);
        }
        let request = request.body(Body::from("{}")).expect("a request");
        let (status, _, answer) = ask(webhook(ENFORCING), request).await;
        assert_eq!(status, 200);
        assert_broken(&answer, 400, words);
    }
}

#[tokio::test]
async fn what_is_no_review_is_told_what_is_missing() {
    for (body, words) in [
        ("{", "is not an AdmissionReview: EOF while parsing"),
        ("[]", "is not an AdmissionReview"),
        ("null", "apiVersion is missing"),
        ("{}", "apiVersion is missing"),
        (
            r#"{"apiVersion":"v1","kind":"AdmissionReview"}"#,
            "apiVersion is not admission.k8s.io/v1",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"Pod"}"#,
            "kind is not AdmissionReview",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
            "request is missing",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}"#,
            "request.uid is missing",
        ),
    ] {
        assert_broken(&post(ENFORCING, body).await, 400, words);
    }
}

#[tokio::test]
async fn a_duplicate_key_cannot_hide_a_breach() {
    let twice = r#"{"metadata":{"labels":{"app.kubernetes.io/name":"orders"}},"spec":{"replicas":9,"replicas":0}}"#;
    assert_unchecked(
        &post(ENFORCING, review(twice)).await,
        "could not read this object (spec: duplicate field `replicas`",
    );
    let uid = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"a","uid":"b"}}"#;
    assert_broken(&post(ENFORCING, uid).await, 400, "duplicate field `uid`");
}

#[tokio::test]
async fn an_escaped_key_is_the_key() {
    let escaped = r#"{"metadata":{"labels":{"app.kubernetes.io/n\u0061me":"ord\u0065rs"}},"sp\u0065c":{"replicas":1}}"#;
    assert_eq!(post(ENFORCING, review(escaped)).await["response"]["allowed"], false);
}

#[tokio::test]
async fn deep_nesting_in_what_nobody_reads_changes_nothing() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let object = format!(
        r#"{{"metadata":{{"labels":{{"app.kubernetes.io/name":"orders"}},"managedFields":{deep}}},"spec":{{"replicas":1}}}}"#
    );
    assert_eq!(post(ENFORCING, review(&object)).await["response"]["allowed"], false);
}

#[tokio::test]
async fn control_characters_in_names_come_back_escaped() {
    let object = r#"{"metadata":{"labels":{"app.kubernetes.io/name":"orders"}},"spec":{"replicas":2,
        "template":{"spec":{"containers":[{"name":"a\u0000\nb\u00e9","securityContext":{"allowPrivilegeEscalation":true}}]}}}}"#;
    let answer = post(ADVISORY, review(object)).await;
    assert_eq!(
        answer["response"]["warnings"],
        json!(["[a\\u0000\\nb\\u00e9] privilege escalation enabled but persona forbids it"])
    );
    let answer = post(ENFORCING, review(object)).await;
    let message = answer["response"]["status"]["message"]
        .as_str()
        .expect("a message")
        .to_owned();
    assert!(
        message.contains("[a\\u0000\\nb\\u00e9] privilege escalation enabled"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 2, "{message}");
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_allowed_with_a_warning_and_upstream_refuses_it() {
    for object in [
        r#"{"metadata":[]}"#,
        r#"{"spec":{"replicas":"two"}}"#,
        r#"{"spec":{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":"abc"}}}]}}}}"#,
        "7",
    ] {
        assert_unchecked(
            &post(ENFORCING, review(object)).await,
            "dorgu could not read this object (",
        );
        let upstream = post(UPSTREAM, review(object)).await;
        assert_eq!(upstream["response"]["allowed"], false);
        assert_eq!(upstream["response"]["status"]["code"], 400);
    }
    assert_unchecked(
        &post(ENFORCING, review("null")).await,
        "(there is no content to decode)",
    );
}

#[tokio::test]
async fn another_kind_is_allowed_with_a_warning() {
    let body = review("{}").replace(
        r#""uid""#,
        r#""kind":{"group":"apps","version":"v1","kind":"DaemonSet"},"uid""#,
    );
    assert_unchecked(&post(ENFORCING, body).await, "its kind is not Deployment");
}

#[tokio::test]
async fn both_versions_are_answered_in_kind() {
    for version in ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"] {
        let answer = post(ENFORCING, review("{}").replace("admission.k8s.io/v1", version)).await;
        assert_eq!(answer["apiVersion"], version);
        assert_eq!(answer["response"]["allowed"], true);
    }
}

#[tokio::test]
async fn other_paths_are_not_found_and_any_method_is_answered() {
    let request = Request::post("/validate").body(Body::empty()).expect("a request");
    assert_eq!(ask(webhook(ENFORCING), request).await.0, 404);
    let body = review("{}");
    let request = Request::put(PATH)
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .body(Body::from(body))
        .expect("a request");
    assert_eq!(ask(webhook(ENFORCING), request).await.2["response"]["allowed"], true);
}

/// What the API server sends of a resource that is called as ours, or has a Scale as ours has.
#[tokio::test]
async fn another_resource_is_allowed_with_a_warning_and_upstream_does_not_look() {
    let object = r#"{"metadata":{"labels":{"app.kubernetes.io/name":"orders"}},"spec":{"replicas":0},
        "status":{"selector":"app.kubernetes.io/name=orders"}}"#;
    let ask = |fields: &str| review(object).replace(r#""uid":"u-1""#, &format!(r#""uid":"u-1",{fields}"#));
    for (fields, words) in [
        (
            r#""kind":{"group":"example.com","version":"v1","kind":"Deployment"}"#,
            "its kind is Deployment.example.com, not Deployment.apps",
        ),
        (
            r#""resource":{"group":"apps","version":"v1","resource":"statefulsets"},"subResource":"scale""#,
            "its resource is statefulsets.apps, not deployments.apps",
        ),
        (
            r#""kind":{"group":"autoscaling","version":"v1","kind":"Scale"},"resource":{"group":"","version":"v1",
            "resource":"replicationcontrollers"},"subResource":"scale""#,
            "its resource is replicationcontrollers, not deployments.apps",
        ),
        (
            r#""resource":{"group":"exa\u000ample.com","resource":"deployments"}"#,
            "its resource is deployments.exa\\nmple.com, not deployments.apps",
        ),
        (
            r#""resource":7"#,
            "request.resource is not an object with a group and a resource",
        ),
    ] {
        assert_unchecked(&post(ENFORCING, ask(fields)).await, words);
        let as_before = post(UPSTREAM, ask(fields)).await;
        let without = fields.contains("scale");
        let expected = if without {
            "no opinion on scale"
        } else {
            "advisory mode"
        };
        assert_eq!(as_before["response"]["status"]["message"], expected, "{fields}");
    }
    for fields in [
        r#""kind":{"group":"apps","version":"v1","kind":"Deployment"}"#,
        r#""kind":{"group":"autoscaling","version":"v1","kind":"Scale"},"subResource":"scale""#,
        r#""resource":{"group":"apps","version":"v1","resource":"deployments"}"#,
        r#""resource":{"resource":"deployments", "group":"apps"}"#,
        r#""kind":{"kind":"Deployment"},"resource":null"#,
        r#""resource":{}"#,
    ] {
        assert_eq!(
            post(ENFORCING, ask(fields)).await["response"]["allowed"],
            false,
            "{fields}"
        );
    }
}

#[tokio::test]
async fn a_scale_is_judged_however_its_selector_demands_the_one_app() {
    for (selector, allowed) in [
        ("app.kubernetes.io/name=orders,tier=web", false),
        ("app.kubernetes.io/name==orders", false),
        ("app.kubernetes.io/name in (orders)", false),
        ("tier=web,app.kubernetes.io/name in (orders),x=y", false),
        ("app.kubernetes.io/name in (orders,other)", true),
        ("app.kubernetes.io/name in (other,orders)", true),
        ("app.kubernetes.io/name notin (orders)", true),
        ("app.kubernetes.io/name!=orders", true),
        ("app.kubernetes.io/name in ()", true),
        ("app.kubernetes.io/name", true),
    ] {
        let scale = json!({"metadata": {"name": "orders"}, "spec": {"replicas": 1}, "status": {"selector": selector}});
        let body = review(&scale.to_string()).replace(r#""uid""#, r#""subResource":"scale","uid""#);
        let answer = post(ENFORCING, body).await;
        assert_eq!(answer["response"]["allowed"], allowed, "{selector}: {answer}");
    }
}

#[tokio::test]
async fn a_review_at_the_limit_is_judged() {
    let answer = post(ENFORCING, padded("shop", BODY_LIMIT)).await;
    let message = answer["response"]["status"]["message"].as_str().expect("a message");
    assert!(message.contains("replicas (1) below persona minimum (2)"), "{message}");
}

#[tokio::test]
async fn before_the_first_sync_the_answer_is_try_again() {
    let webhook = Webhook {
        index: Arc::new(Index::default()),
        ..webhook(ENFORCING)
    };
    let request = Request::post(PATH).body(Body::from(review("{}"))).expect("a request");
    let (status, head, _) = ask(webhook, request).await;
    assert_eq!(
        (status, head.headers()["retry-after"].to_str().expect("text")),
        (StatusCode::SERVICE_UNAVAILABLE, "1")
    );
}

#[tokio::test]
async fn with_too_many_bytes_in_flight_the_answer_is_try_again() {
    let webhook = Webhook {
        budget: Budget::new(1024),
        ..webhook(ENFORCING)
    };
    let body = padded("shop", 64 << 10);
    let request = Request::post(PATH)
        .header("content-length", body.len())
        .body(Body::from(body))
        .expect("a request");
    let (status, head, _) = ask(webhook, request).await;
    assert_eq!(
        (status, head.headers()["retry-after"].to_str().expect("text")),
        (StatusCode::SERVICE_UNAVAILABLE, "1")
    );
}
