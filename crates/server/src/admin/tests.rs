use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

async fn ask(router: &Router, uri: &str) -> (u16, String, String) {
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    (status, content_type, String::from_utf8(text.to_vec()).unwrap())
}

fn router() -> (Router, Arc<AtomicBool>) {
    let synced = Arc::new(AtomicBool::new(false));
    let ready = Checks::new().with("listener", || Ok(())).with("personas", {
        let synced = Arc::clone(&synced);
        move || {
            if synced.load(Ordering::Relaxed) {
                Ok(())
            } else {
                Err("not listed yet\n2 kinds".to_owned())
            }
        }
    });
    (probes(Checks::new().with("ping", || Ok(())), ready), synced)
}

#[tokio::test]
async fn a_failed_check_is_named_with_its_reason_on_one_line() {
    let (router, synced) = router();
    let (status, content_type, text) = ask(&router, "/readyz").await;
    assert_eq!(status, 503);
    assert_eq!(content_type, "text/plain; charset=utf-8");
    assert_eq!(
        text,
        "[+]listener ok\n[-]personas failed: not listed yet 2 kinds\nreadyz check failed\n"
    );

    synced.store(true, Ordering::Relaxed);
    assert_eq!(ask(&router, "/readyz").await.2, "ok");
}

#[tokio::test]
async fn verbose_lists_every_check_also_when_all_is_well() {
    let (router, synced) = router();
    synced.store(true, Ordering::Relaxed);
    for query in ["verbose", "verbose=true", "verbose="] {
        let (status, _, text) = ask(&router, &format!("/readyz?{query}")).await;
        assert_eq!(
            (status, text.as_str()),
            (200, "[+]listener ok\n[+]personas ok\nreadyz check passed\n")
        );
    }
}

#[tokio::test]
async fn excluded_checks_do_not_count_and_a_misspelt_one_is_named() {
    let (router, _) = router();
    assert_eq!(ask(&router, "/readyz?exclude=personas").await.2, "ok");
    let (status, _, text) = ask(&router, "/readyz?verbose&exclude=personas&exclude=ping").await;
    assert_eq!(status, 200);
    assert_eq!(
        text,
        "[+]listener ok\n[+]personas excluded: ok\nwarn: no check is named \"ping\", so none was excluded\nreadyz check passed\n"
    );
}

#[tokio::test]
async fn liveness_does_not_depend_on_readiness() {
    let (router, _) = router();
    assert_eq!(ask(&router, "/livez").await.2, "ok");
    assert_eq!(ask(&router, "/healthz").await.2, "ok");
    assert_eq!(
        ask(&router, "/healthz?verbose").await.2,
        "[+]ping ok\nhealthz check passed\n"
    );
}

#[tokio::test]
async fn metrics_are_open_metrics_and_made_for_each_scrape() {
    let scrapes = std::sync::atomic::AtomicU64::new(0);
    let router = metrics(move || format!("scrapes_total {}\n# EOF\n", scrapes.fetch_add(1, Ordering::Relaxed) + 1));
    ask(&router, "/metrics").await;
    let (status, content_type, text) = ask(&router, "/metrics").await;
    assert_eq!((status, text.as_str()), (200, "scrapes_total 2\n# EOF\n"));
    assert_eq!(
        content_type,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let (router, _) = router();
    let post = Request::post("/livez").body(Body::empty()).unwrap();
    assert_eq!(router.clone().oneshot(post).await.unwrap().status(), 405);
    let other = Request::get("/readyz/personas").body(Body::empty()).unwrap();
    assert_eq!(router.oneshot(other).await.unwrap().status(), 404);
}
