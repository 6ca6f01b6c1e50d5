//! The objects of a watch are decoded one at a time.

use kube::api::WatchEvent;

use super::decode::{Decode, Decoded, Page, Unreadable, from_json};

/// The replicas, which must be a number.
#[derive(Clone, Debug, PartialEq)]
struct Replicas(u32);

impl Decode for Replicas {
    fn decode(json: &str) -> Result<Replicas, Unreadable> {
        let value: serde_json::Value = from_json(json)?;
        assert_ne!(value["spec"]["replicas"], 13, "a defect");
        let replicas = value["spec"]["replicas"].as_u64().and_then(|n| u32::try_from(n).ok());
        replicas
            .map(Replicas)
            .ok_or_else(|| Unreadable::new("spec.replicas: not a number"))
    }
}

fn object(name: &str, replicas: &str) -> String {
    format!(
        r#"{{"kind":"X","metadata":{{"namespace":"shop","name":"{name}","resourceVersion":"9"}},"spec":{{"replicas":{replicas}}}}}"#
    )
}

#[test]
fn an_unreadable_object_leaves_its_neighbours_of_a_list_alone() {
    let text = format!(
        r#"{{"kind":"XList","metadata":{{"resourceVersion":"12","continue":"more"}},"items":[{},{},{}]}}"#,
        object("a", "1"),
        object("b", "\"two\""),
        object("c", "3")
    );
    let page: Page<Replicas> = serde_json::from_str(&text).expect("a page");
    let items = page.items.expect("items");
    assert_eq!(items[0].object, Ok(Replicas(1)));
    assert_eq!(items[1].object, Err(Unreadable::new("spec.replicas: not a number")));
    assert_eq!((&*items[1].name.namespace, &*items[1].name.name), ("shop", "b"));
    assert_eq!(items[2].object, Ok(Replicas(3)));
    assert_eq!(
        (&*page.metadata.resource_version, page.metadata.more.as_deref()),
        ("12", Some("more"))
    );
    let empty: Page<Replicas> =
        serde_json::from_str(r#"{"metadata":{"resourceVersion":"1"},"items":null}"#).expect("a page");
    assert!(empty.items.is_none());
}

#[test]
fn a_defect_of_the_decoder_costs_one_object() {
    let decoded: Decoded<Replicas> = serde_json::from_str(&object("a", "13")).expect("decoded all the same");
    assert!(decoded.object.expect_err("unreadable").as_str().contains("defect"));
}

#[test]
fn an_unreadable_object_of_a_watch_is_an_event_like_any_other() {
    let line = format!(r#"{{"type":"MODIFIED","object":{}}}"#, object("b", "null"));
    let event: WatchEvent<Decoded<Replicas>> = serde_json::from_str(&line).expect("an event");
    let WatchEvent::Modified(decoded) = event else {
        panic!("{event:?}")
    };
    assert!(decoded.object.is_err());
    assert_eq!(decoded.version, "9");
}

#[test]
fn a_server_that_has_too_much_to_do_is_not_asked_to_list_everything_again() {
    let refused = |code: u16| {
        let status = kube::core::Status::failure("not now", "").with_code(code).boxed();
        super::watch::lists_again(&kube::Error::Api(status))
    };
    assert!([429, 500, 503, 504].into_iter().all(|code| !refused(code)));
    assert!([400, 403, 404, 410].into_iter().all(refused));
}

#[test]
fn a_defect_is_an_error_and_not_the_end_of_the_thread() {
    let failed = super::catch_panic(|| -> u32 { panic!("a defect") }).expect_err("a panic");
    assert!(failed.to_string().contains("defect"), "{failed}");
    assert_eq!(super::catch_panic(|| 7).expect("well"), 7);
}
