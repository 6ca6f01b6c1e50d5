//! Each change sends one event, and a repeated event is counted.

use http::Response;
use k8s_openapi::api::apps::v1::Deployment;
use kube::client::Body;
use tower::service_fn;

use super::*;

fn recorder() -> EventRecorder {
    let empty = service_fn(|_: http::Request<Body>| async { Ok::<_, std::io::Error>(Response::new(Body::empty())) });
    let reporter = Reporter {
        controller: "example.com/operator",
        instance: "pod-0".to_owned(),
        manager: "operator",
    };
    EventRecorder::new(Client::new(empty, "default"), reporter)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn notice(note: &str) -> Notice {
    Notice {
        warning: true,
        reason: "Violated",
        action: "Validate",
        note: note.to_owned(),
    }
}

fn request(recorder: &EventRecorder, name: &Name, uid: &str, note: &str, now: Timestamp) -> Request {
    let regarding = Regarding {
        resource: &Resource::of::<Deployment>(),
        name,
        uid,
    };
    recorder.request(regarding, &(uid.to_owned(), notice(note)), now)
}

fn created(request: Request) -> Value {
    match request {
        Request::Create(object) => object,
        Request::Count(..) => panic!("{request:?}"),
    }
}

#[tokio::test]
async fn an_event_names_the_object_and_who_reports() {
    let name = Name {
        namespace: "shop".to_owned(),
        name: "orders".to_owned(),
    };
    let event = created(request(&recorder(), &name, "u-1", "too few", at(1)));
    let expected = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"namespace": "shop", "name": "orders.3b9aca00"},
        "eventTime": "1970-01-01T00:00:01.000000Z", "type": "Warning",
        "reason": "Violated", "action": "Validate", "note": "too few",
        "regarding": {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "namespace": "shop", "name": "orders", "uid": "u-1",
        },
        "reportingController": "example.com/operator", "reportingInstance": "pod-0",
    });
    assert_eq!(event, expected);
    let longest = Name {
        name: "n".repeat(253),
        ..name
    };
    let event = created(request(&recorder(), &longest, "u-1", "too few", at(1)));
    let named = event["metadata"]["name"].as_str().expect("a name");
    assert!(named.len() <= 253, "{named}");
}

#[tokio::test]
async fn the_same_notice_is_counted_and_any_other_is_another_event() {
    let (recorder, name) = (recorder(), Name::default());
    let send = |uid: &str, note: &str, second| request(&recorder, &name, uid, note, at(second));
    let named = |event: Value| event["metadata"]["name"].clone();
    let once = named(created(send("u", "a", 1)));
    let Request::Count(again, series) = send("u", "a", 100) else {
        panic!("the same is another event");
    };
    assert_eq!(again.name, once);
    assert_eq!(
        series,
        json!({"series": {"count": 2, "lastObservedTime": "1970-01-01T00:01:40.000000Z"}})
    );
    assert_ne!(named(created(send("u", "b", 101))), once);
    assert_ne!(named(created(send("v", "a", 102))), once);
    // After a pause it starts another series.
    assert_ne!(named(created(send("u", "a", 1_000))), once);
}

#[tokio::test]
async fn an_event_that_was_not_stored_starts_no_series() {
    let (recorder, name) = (recorder(), Name::default());
    let regarding = Regarding {
        resource: &Resource::of::<Deployment>(),
        name: &name,
        uid: "u",
    };
    // An empty answer is an error.
    recorder
        .record(regarding, notice("a"), at(1))
        .await
        .expect_err("no answer");
    created(request(&recorder, &name, "u", "a", at(2)));
}
