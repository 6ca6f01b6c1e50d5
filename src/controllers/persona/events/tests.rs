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

#[tokio::test]
async fn an_event_names_the_persona_and_who_reports() {
    let name = Name {
        namespace: "shop".to_owned(),
        name: "orders".to_owned(),
    };
    let event = chronicle().event(&name, "u-1", news("too few"), at(1));
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
    let named = chronicle().event(&longest, "u-1", news("too few"), at(1))["metadata"]["name"].clone();
    assert!(named.as_str().is_some_and(|name| name.len() <= 253), "{named}");
}

#[tokio::test]
async fn the_same_again_is_the_same_event_with_a_count_and_anything_else_another() {
    let (chronicle, name) = (chronicle(), Name::default());
    let event = |uid: &str, note: &str, second| chronicle.event(&name, uid, news(note), at(second));
    let named = |event: &Value| event["metadata"]["name"].clone();
    let first = event("u", "a", 1);
    let again = event("u", "a", 100);
    assert_eq!(named(&again), named(&first));
    assert_eq!(
        again["series"],
        json!({"count": 2, "lastObservedTime": "1970-01-01T00:01:40.000000Z"})
    );
    assert_eq!(again["eventTime"], first["eventTime"], "an API server refuses another");
    assert_ne!(named(&event("u", "b", 101)), named(&first));
    assert_ne!(named(&event("v", "a", 102)), named(&first));
    // After a pause it is news again.
    assert_ne!(named(&event("u", "a", 1_000)), named(&first));
}
