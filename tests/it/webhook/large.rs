//! Reviews above the size limit.

use super::*;

#[tokio::test]
async fn a_review_over_the_limit_is_denied_where_enforced_and_warned_of_elsewhere() {
    let over = BODY_LIMIT + 1;
    let denied = post(ENFORCING, padded("shop", over)).await;
    assert_eq!(denied["response"]["uid"], "u-1");
    assert_eq!(denied["response"]["allowed"], false);
    assert_eq!(
        denied["response"]["status"]["message"],
        "review of 21 MiB exceeds 20 MiB"
    );
    assert_unchecked(
        &post(ADVISORY, padded("shop", over)).await,
        "review of 21 MiB exceeds 20 MiB",
    );
    let by_label = post(ADVISORY, padded("strict", over)).await;
    assert_eq!(
        by_label["response"]["allowed"], false,
        "the namespace enforces: {by_label}"
    );
    assert_broken(
        &post(ENFORCING, "x".repeat(over)).await,
        413,
        "review of 21 MiB exceeds 20 MiB",
    );
}

#[tokio::test]
async fn a_review_over_the_limit_is_no_way_out_of_a_persona_that_enforces() {
    let persona = Persona {
        namespace: "shop".into(),
        name: "orders".into(),
        app: "orders".into(),
        mode: ModeWish::Set(Mode::Enforcing),
        ..Persona::default()
    };
    for (namespace, allowed) in [("shop", false), ("elsewhere", true)] {
        let webhook = webhook(ADVISORY);
        webhook.index.replace(Snapshot::build([Arc::new(persona.clone())], []));
        let request = Request::post(PATH)
            .header("content-type", "application/json")
            .body(Body::from(padded(namespace, BODY_LIMIT + 1)))
            .expect("a request");
        let (_, _, answer) = ask(webhook, request).await;
        assert_eq!(answer["response"]["allowed"], allowed, "{answer}");
    }
}

/// Where the namespace enforces, no text that looks like a namespace, or like a uid, and no order of members is a way out.
#[tokio::test]
async fn a_review_over_the_limit_is_of_the_namespace_that_its_request_names() {
    let padding = "x".repeat(BODY_LIMIT);
    let object = format!(r#"{{"metadata":{{"annotations":{{"uid":"x","pad":"{padding}"}}}}}}"#);
    let kind = r#""kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1""#;
    for (request, allowed) in [
        (
            r#""uid":"u-1","name":"namespace","namespace":"strict","object":@"#,
            false,
        ),
        (
            r#""uid":"u-1","name":"uid","userInfo":{"namespace":"shop"},"namespace":"strict","object":@"#,
            false,
        ),
        (
            r#""options":{"uid":"x","namespace":"shop"},"namespace":"strict","uid":"u-1","object":@"#,
            false,
        ),
        (r#""uid":"u-1","n\u0061mespace":"strict","object":@"#, false),
        (r#""uid":"u-1","name":"namespace","namespace":"shop","object":@"#, true),
        // The namespace comes too late to be read, so it may be any.
        (r#""uid":"u-1","object":@,"namespace":"strict""#, false),
    ] {
        let body = format!(r#"{{{kind},"request":{{"operation":"CREATE",{request}}}}}"#).replace('@', &object);
        let answer = post(ADVISORY, body).await;
        let response = &answer["response"];
        assert_eq!(response["uid"], "u-1", "{request}");
        assert_eq!(response["allowed"], allowed, "{request}: {answer}");
    }
}
