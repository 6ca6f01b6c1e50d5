//! One event a change, and one that is counted when it comes again.

use http::{Request, Response};
use kube::client::Body;
use tower::service_fn;

use super::*;

fn chronicle() -> Chronicle {
    let nobody = service_fn(|_: Request<Body>| async { Ok::<_, std::io::Error>(Response::new(Body::empty())) });
    Chronicle::new(Client::new(nobody, "default"), "dorgu-0".to_owned())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn news(note: &str) -> News {
    News {
        reason: "PersonaViolated",
        note: note.to_owned(),
    }
}

fn key(uid: &str, note: &str) -> (String, News) {
    (uid.to_owned(), news(note))
}

fn first(telling: Telling) -> Value {
    match telling {
        Telling::First(object) => object,
        Telling::Again(..) => panic!("{telling:?}"),
    }
}

#[tokio::test]
async fn an_event_names_the_persona_and_who_reports() {
    let name = Name {
        namespace: "shop".to_owned(),
        name: "orders".to_owned(),
    };
    let event = first(chronicle().telling(&name, &key("u-1", "too few"), at(1)));
    let expected = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"namespace": "shop", "name": "orders.3b9aca00"},
        "eventTime": "1970-01-01T00:00:01.000000Z", "type": "Warning",
        "reason": "PersonaViolated", "action": "Validate", "note": "too few",
        "regarding": {
            "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
            "namespace": "shop", "name": "orders", "uid": "u-1",
        },
        "reportingController": "dorgu.io/operator", "reportingInstance": "dorgu-0",
    });
    assert_eq!(event, expected);
    let longest = Name {
        name: "n".repeat(253),
        ..name
    };
    let event = first(chronicle().telling(&longest, &key("u-1", "too few"), at(1)));
    let named = event["metadata"]["name"].as_str().expect("a name");
    assert!(named.len() <= 253, "{named}");
}

#[tokio::test]
async fn the_same_again_is_the_same_event_with_a_count_and_anything_else_another() {
    let (chronicle, name) = (chronicle(), Name::default());
    let tell = |uid: &str, note: &str, second| chronicle.telling(&name, &key(uid, note), at(second));
    let named = |event: Value| event["metadata"]["name"].clone();
    let once = named(first(tell("u", "a", 1)));
    let Telling::Again(again, series) = tell("u", "a", 100) else {
        panic!("the same is another event");
    };
    assert_eq!(again.name, once);
    assert_eq!(
        series,
        json!({"series": {"count": 2, "lastObservedTime": "1970-01-01T00:01:40.000000Z"}})
    );
    assert_ne!(named(first(tell("u", "b", 101))), once);
    assert_ne!(named(first(tell("v", "a", 102))), once);
    // After a pause it is news again.
    assert_ne!(named(first(tell("u", "a", 1_000))), once);
}

#[tokio::test]
async fn an_event_that_was_not_stored_begins_no_series() {
    let (chronicle, name) = (chronicle(), Name::default());
    // An empty answer is none.
    chronicle.tell(&name, "u", news("a"), at(1)).await.expect_err("refused");
    first(chronicle.telling(&name, &key("u", "a"), at(2)));
}
