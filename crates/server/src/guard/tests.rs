use axum::routing::get;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

/// Requests a page whose guard knows three tokens.
async fn ask(authorization: Option<&str>) -> (u16, HeaderMap, String) {
    let pages = Router::new().route("/metrics", get(|| async { "numbers" }));
    let router = guarded(pages, |token| async move {
        match token.as_str() {
            "good" => Ok(()),
            "weak" => Err(Denied::Forbidden("not\nyou".to_owned())),
            "lost" => Err(Denied::Unavailable("nobody to ask".to_owned())),
            _ => Err(Denied::Unauthorized("who?".to_owned())),
        }
    });
    let mut request = Request::get("/metrics");
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        head.status.as_u16(),
        head.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

#[tokio::test]
async fn whoever_is_vouched_for_sees_the_page() {
    for value in ["Bearer good", "bearer good", "BEARER  good "] {
        let (status, _, body) = ask(Some(value)).await;
        assert_eq!((status, body.as_str()), (200, "numbers"), "{value}");
    }
}

#[tokio::test]
async fn whoever_is_not_gets_one_line_and_the_status_that_says_why() {
    let no_token = "no token; send the header Authorization: Bearer TOKEN\n";
    for (value, status, line) in [
        (None, 401, no_token),
        (Some("Bearer"), 401, no_token),
        (Some("Bearer  "), 401, no_token),
        (Some("Basic good"), 401, no_token),
        (Some("Bearer other"), 401, "who?\n"),
        (Some("Bearer weak"), 403, "not you\n"),
        (Some("Bearer lost"), 503, "nobody to ask\n"),
    ] {
        let (got, headers, body) = ask(value).await;
        assert_eq!((got, body.as_str()), (status, line), "{value:?}");
        assert_eq!(headers.contains_key(WWW_AUTHENTICATE), status == 401, "{value:?}");
        assert_eq!(headers.contains_key(RETRY_AFTER), status == 503, "{value:?}");
    }
}
