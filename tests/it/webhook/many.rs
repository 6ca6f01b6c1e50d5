//! Reviews with hundreds of containers: how long they take, and what is too much to judge.

use super::*;

/// A Deployment with many containers, each as `container` says for its number.
fn crowded(count: usize, container: impl Fn(usize) -> String) -> String {
    let containers: Vec<String> = (0..count).map(container).collect();
    let labels = r#"{"app.kubernetes.io/name":"orders"}"#;
    format!(
        r#"{{"metadata":{{"labels":{labels}}},"spec":{{"template":{{"spec":{{"containers":[{}]}}}}}}}}"#,
        containers.join(",")
    )
}

/// An update that changes nothing.
fn update(object: &str) -> String {
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"u-1","operation":"UPDATE",
        "namespace":"shop","name":"orders","object":{object},"oldObject":{object}}}}}"#
    )
}

fn privileged(number: usize) -> String {
    format!(r#"{{"name":"c{number}","securityContext":{{"privileged":true,"allowPrivilegeEscalation":true}}}}"#)
}

/// Containers of a small update, in which much is found about each.
const MANY: usize = 500;

/// A time that only work growing with the square of the containers can need: it took minutes.
const NOT_QUADRATIC: std::time::Duration = std::time::Duration::from_secs(5);

#[tokio::test]
async fn an_update_of_many_containers_in_breach_takes_no_time() {
    let started = std::time::Instant::now();
    let answer = post(ENFORCING, update(&crowded(MANY, privileged))).await;
    assert!(started.elapsed() < NOT_QUADRATIC, "{:?}", started.elapsed());
    assert_eq!(answer["response"]["allowed"], true);
    let warnings = answer["response"]["warnings"].as_array().expect("warnings");
    let last = warnings.last().and_then(Value::as_str).expect("text");
    assert!(last.ends_with("more findings, not shown"), "{last}");
}

#[tokio::test]
async fn many_containers_and_several_personas_take_no_time() {
    let persona = |name: &str| {
        Arc::new(Persona {
            namespace: "shop".into(),
            name: name.into(),
            app: "orders".into(),
            forbids_privilege_escalation: true,
            ..Persona::default()
        })
    };
    let mut webhook = webhook(ENFORCING);
    webhook.index = Arc::new(Index::default());
    webhook.index.replace(Snapshot::build(["a", "b", "c"].map(persona), []));
    let body = review(&crowded(MANY, privileged));
    let request = Request::post(PATH)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .expect("a request");
    let started = std::time::Instant::now();
    let (_, _, answer) = ask(webhook, request).await;
    assert!(started.elapsed() < NOT_QUADRATIC, "{:?}", started.elapsed());
    let message = answer["response"]["status"]["message"].as_str().expect("a message");
    assert!(message.len() <= 64 << 10, "{} bytes", message.len());
    let (first, fixes) = message.split_once('\n').expect("fixes");
    let said = first.matches("persona forbids").count();
    assert!(
        said == 2 * MANY || first.ends_with(&format!("; and {} more", 2 * MANY - said)),
        "{said}: {first}"
    );
    // Forty lines for forty containers, each of which also loses what it may not have beside them.
    assert_eq!(fixes.lines().count(), 81, "{fixes}");
    assert!(fixes.ends_with(&format!("and {} more", 2 * MANY - 80)), "{fixes}");
}

/// Each was compared once for every container, or once for every finding: one small body took a worker for minutes.
#[tokio::test]
async fn a_long_text_that_containers_share_does_not_multiply_with_them() {
    let started = std::time::Instant::now();
    let named = |_| {
        format!(
            r#"{{"name":"{}","securityContext":{{"privileged":true}}}}"#,
            "n".repeat(254)
        )
    };
    let answer = post(ENFORCING, review(&crowded(1, named))).await;
    assert_eq!(answer["response"]["status"]["code"], 413, "{answer}");
    let account = "a".repeat(1 << 20);
    let object = crowded(400, privileged).replace(
        r#""containers""#,
        &format!(r#""securityContext":{{"windowsOptions":{{"runAsUserName":"{account}"}}}},"containers""#),
    );
    assert_eq!(post(ENFORCING, review(&object)).await["response"]["allowed"], false);
    let capability = "ɐ".repeat(100_000);
    let object = crowded(20, |number| {
        format!(r#"{{"name":"c{number}","securityContext":{{"capabilities":{{"add":["{capability}"]}}}}}}"#)
    });
    assert_eq!(post(ENFORCING, review(&object)).await["response"]["allowed"], false);
    assert!(started.elapsed() < NOT_QUADRATIC, "{:?}", started.elapsed());
}

#[tokio::test]
async fn more_than_can_be_judged_is_refused_where_enforced_and_told_elsewhere() {
    let with_capabilities = |count: usize| {
        let added = [r#""ALL""#].repeat(count).join(",");
        format!(r#"{{"securityContext":{{"capabilities":{{"add":[{added}]}}}}}}"#)
    };
    let by_number = "more than 10000 containers and added capabilities";
    let by_memory =
        "more containers and added capabilities than can be judged in 8 MiB, or in 4 times the review's size";
    let too_many = [
        (
            update(&crowded(9_999, |_| "{}".to_owned())).replacen("{}", "{ }", 1),
            by_memory,
        ),
        (review(&crowded(1, |_| with_capabilities(10_000))), by_memory),
        (review(&crowded(600, |_| with_capabilities(1_000))), by_number),
    ];
    for (review, words) in too_many {
        let answer = post(ENFORCING, review.clone()).await;
        assert_eq!(answer["response"]["allowed"], false);
        assert_eq!(answer["response"]["status"]["message"], words);
        assert_unchecked(&post(ADVISORY, review.clone()).await, words);
        let ungoverned = review.replace("orders", "nobody");
        assert_eq!(post(ENFORCING, ungoverned).await["response"]["allowed"], true);
    }
}

#[tokio::test]
async fn more_than_can_be_judged_may_stay_as_it_is_stored() {
    let kept = update(&crowded(9_999, |_| "{}".to_owned()));
    let words = "more containers and added capabilities than can be judged in 8 MiB, or in 4 times the review's size";
    assert_unchecked(&post(ENFORCING, kept).await, words);
}
