use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

/// An API server that answers every request alike, and the requests it got.
fn asking(answer: fn(&str) -> Value, memory: Memory) -> (Access, Arc<Mutex<Vec<Value>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let keeping = Arc::clone(&asked);
    let service = service_fn(move |request: Request<Body>| {
        let asked = Arc::clone(&keeping);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let question: Value = serde_json::from_slice(&body).unwrap();
            asked.lock().unwrap().push(question["spec"].clone());
            // Long enough for other callers to arrive with the same token.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let kind = head.uri.path().rsplit('/').next().unwrap_or_default();
            let answer = answer(kind);
            let code = answer["code"].as_u64().and_then(|code| u16::try_from(code).ok());
            let mut response = Response::new(Body::from(serde_json::to_vec(&answer).unwrap()));
            *response.status_mut() = http::StatusCode::from_u16(code.unwrap_or(201)).unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    let client = Client::new(service, "default");
    (Access::new(client, "get", "/metrics", memory), asked)
}

fn user() -> Value {
    json!({"username": "jane", "uid": "7", "groups": ["a", "b"], "extra": {"scope": ["x"]}})
}

fn yes(kind: &str) -> Value {
    match kind {
        "tokenreviews" => json!({"spec": {}, "status": {"authenticated": true, "user": user()}}),
        _ => json!({"spec": {}, "status": {"allowed": true}}),
    }
}

const SHORT: Memory = Memory {
    yes: Duration::from_millis(200),
    no: Duration::from_millis(200),
};

#[tokio::test]
async fn many_questions_about_one_token_are_asked_once_with_all_that_is_known_of_its_user() {
    let (access, asked) = asking(yes, Memory::default());
    let access = Arc::new(access);
    let questions: Vec<_> = (0..20)
        .map(|_| {
            let access = Arc::clone(&access);
            tokio::spawn(async move { access.check("t").await })
        })
        .collect();
    for question in questions {
        assert_eq!(question.await.unwrap(), Ok(()));
    }
    let asked = asked.lock().unwrap();
    // At most as many as may ask at a time. The others find the cached answer.
    assert!(asked.len() <= 2 * CONCURRENCY, "asked {} times", asked.len());
    assert_eq!(asked[0], json!({"token": "t"}));
    let review = asked.iter().find(|spec| spec["user"] == "jane").unwrap();
    for field in ["uid", "groups", "extra"] {
        assert_eq!(review[field], user()[field], "{field}");
    }
    assert_eq!(
        review["nonResourceAttributes"],
        json!({"path": "/metrics", "verb": "get"})
    );
}

#[tokio::test]
async fn answers_are_forgotten_after_their_time() {
    let never: fn(&str) -> Value = |kind| match kind {
        "tokenreviews" => yes(kind),
        _ => json!({"spec": {}, "status": {"allowed": false}}),
    };
    for answer in [yes, never] {
        let (access, asked) = asking(answer, SHORT);
        let first = access.check("t").await;
        for round in 1..4 {
            assert_eq!(access.check("t").await, first);
            assert_eq!(access.check("t").await, first);
            assert_eq!(asked.lock().unwrap().len(), 2 * round, "round {round}");
            tokio::time::sleep(SHORT.yes * 2).await;
        }
    }
}

#[tokio::test]
async fn a_user_without_a_verified_token_is_nobody() {
    // Both fields as API types: a name alone proves nothing.
    let (access, asked) = asking(
        |_| json!({"spec": {}, "status": {"authenticated": false, "error": "expired", "user": user()}}),
        Memory::default(),
    );
    assert_eq!(access.check("t").await, Err(Denial::UnknownToken));
    assert_eq!(access.check("t").await, Err(Denial::UnknownToken));
    assert_eq!(
        asked.lock().unwrap().len(),
        1,
        "a no is remembered, too, and nothing more is asked"
    );
}

#[tokio::test]
async fn what_could_not_be_found_out_is_asked_again() {
    let (access, asked) = asking(
        |_| json!({"kind": "Status", "status": "Failure", "message": "etcd is gone", "reason": "x", "code": 500}),
        Memory::default(),
    );
    for _ in 0..2 {
        let denial = access.check("t").await.unwrap_err();
        assert_eq!(denial, Denial::Unavailable("etcd is gone (500)".to_owned()));
    }
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_says_nothing_is_waited_for_some_seconds() {
    let service = service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let access = Access::new(Client::new(service, "default"), "get", "/metrics", Memory::default());
    let started = tokio::time::Instant::now();
    assert!(matches!(access.check("t").await, Err(Denial::Unavailable(_))));
    assert!(started.elapsed() <= ANSWER_TIMEOUT + Duration::from_millis(10));
}
