//! Runs the corpus through the webhook over HTTP.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use serde_json::Value;

use dorgu::index::{Clock, Index};
use dorgu::policy::Rulebook;
use dorgu::policy::{Matching, PlatformRules, RuleSet};
use dorgu::server::budget::Budget;
use dorgu::webhook::{Metrics, PATH, Webhook};

use super::{Answer, Case};

/// Sends one body and returns the parsed answer.
pub async fn post(webhook: Webhook, body: Vec<u8>) -> Value {
    let request = Request::post(PATH)
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .body(Body::from(body))
        .expect("a request");
    let response = webhook.respond(request).await;
    assert_eq!(response.status(), 200);
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a body in memory")
        .to_bytes();
    serde_json::from_slice(&bytes).expect("the answer is JSON")
}

/// A webhook in front of what a case says is stored.
pub fn webhook_for(case: &Case, rulebook: Rulebook) -> Webhook {
    let matching = match case.matching.as_deref() {
        None | Some("label") => Matching::Label,
        Some("chain") => Matching::Chain,
        Some(other) => panic!("{}: matching {other}?", case.name()),
    };
    let now = case.moment();
    let index = Index::new(matching, PlatformRules::default()).by_clock(Clock::new(move || now));
    let index = Arc::new(index.with_platform_defaults(case.default_personas_namespace.as_deref()));
    index.replace(case.snapshot());
    Webhook {
        help: case.help.to_help(),
        // The configuration ignores the flag beside the rules of upstream.
        requires_label: case.requires_label && rulebook.set == RuleSet::Complete,
        ..Webhook::new(
            rulebook,
            index,
            Metrics::register(&mut Registry::default()),
            Budget::new(64 << 20),
        )
    }
}

#[test]
fn the_webhook_answers_what_each_case_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    Case::check(1_350, |case, set, mode| {
        let review = case.review();
        let webhook = webhook_for(case, Rulebook { set, mode });
        let answer = runtime.block_on(post(webhook, serde_json::to_vec(&review).expect("JSON")));
        let response = &answer["response"];
        assert_eq!(answer["apiVersion"], review["apiVersion"], "{}", case.name());
        assert_eq!(response["uid"], review["request"]["uid"], "{}", case.name());
        Some(Answer {
            allowed: response["allowed"].as_bool().expect("allowed is a bool"),
            message: response["status"]["message"].as_str().expect("a message").to_owned(),
            warnings: serde_json::from_value(response["warnings"].clone()).unwrap_or_default(),
        })
    });
}
