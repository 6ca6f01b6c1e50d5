//! Properties of reading reviews.

use serde::de::IgnoredAny;

use dorgu::webhook::review::{Malformed, Opening, Review, Stored};

use super::invent::{self, Choices};

/// Both readers take the same bodies for the same; what the careful one reads, the quick one never refuses.
pub fn review(body: &[u8]) {
    let (quick, whole) = (Review::read(body), Review::read_every_byte(body));
    if let (Ok(quick), Ok(whole)) = (&quick, &whole) {
        assert_eq!(told(quick), told(whole));
        assert_eq!(quick.keeps_spec(body), whole.keeps_spec(body));
    }
    // The quick reader may pass over damage; what the other reads, it never refuses.
    assert!(quick.is_ok() || whole.is_err());
    // Where it refuses, so does the other and for the same part; the words are for people, on one line.
    if let (Err(quick), Err(whole)) = (&quick, &whole) {
        assert_eq!(std::mem::discriminant(quick), std::mem::discriminant(whole));
        let (Malformed::Object { reason, .. } | Malformed::Envelope(reason)) = quick;
        assert!(!reason.is_empty() && reason.len() <= 256, "{reason:?}");
        assert!(reason.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{reason:?}");
    }
}

/// Everything that is read of a review.
fn told(review: &Review<'_>) -> String {
    format!("{review:?} {:?}", review.old.as_ref().map(Stored::workload))
}

/// A value that nobody asks for, whatever stands in it, changes nothing that is read around it.
pub fn ignored(value: &[u8]) {
    // JSON is UTF-8, also where nobody looks; `serde_json` asks for it only where somebody does.
    let is_json = |text| serde_json::from_str::<IgnoredAny>(text).is_ok();
    if !std::str::from_utf8(value).is_ok_and(is_json) {
        return;
    }
    let (with, without) = (around(value), around(b"{}"));
    let read = |body: &[u8]| match Review::read(body) {
        Ok(Review {
            outline, object, old, ..
        }) => {
            let old = old.map(|old| format!("{:?} {:?}", old.metadata, old.workload()));
            format!("{outline:?} {object:?} {old:?}")
        }
        Err(error) => panic!("{error:?}: {}", String::from_utf8_lossy(body)),
    };
    assert_eq!(read(&with), read(&without));
}

/// A review with this value at every `@`: before, between and after what is asked for, at every depth.
fn around(value: &[u8]) -> Vec<u8> {
    const REVIEW: &str = r#"{"zz":@,"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1",
        "userInfo":@,"operation":"UPDATE","object":{"metadata":{"managedFields":@,"labels":{"zz":@,"app":"a"},"name":"n"},
        "spec":{"replicas":2,"template":{"spec":{"containers":[{"env":@,"name":"api","resources":{"limits":{"zz":@,
        "cpu":"1"}}}]}},"zz":@}},"oldObject":{"spec":{"replicas":3,"zz":@}}},"options":@}"#;
    let pieces: Vec<&[u8]> = REVIEW.split('@').map(str::as_bytes).collect();
    pieces.join(value)
}

/// What the first bytes of a review say is what the whole of it says, wherever they end and however it is written; and
/// when all bytes are there, nothing is missed.
pub fn opening(bytes: &[u8]) {
    opens_as_it_is_read(bytes);
    let choices = &mut Choices::of(bytes);
    let mut review = invent::review(choices);
    // Text that looks like what is asked for, where it is something else.
    let decoy = choices.one(&[
        "namespace",
        "uid",
        "\"uid\":\"other\"",
        "request\":{\"namespace\":\"other\"",
        "name",
    ]);
    if let Some(request) = review["request"].as_object_mut() {
        request.insert("name".to_owned(), decoy.into());
        request.insert(
            "userInfo".to_owned(),
            serde_json::json!({"uid": "other", "username": decoy, "extra": {"namespace": ["other"], decoy: []}}),
        );
    }
    opens_as_it_is_read(&invent::alike(&review, choices));
}

fn opens_as_it_is_read(body: &[u8]) {
    let whole = Opening::read(body);
    let Ok(review) = Review::read(body) else { return };
    let outline = &review.outline;
    let stated = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let whole = whole.expect("a review has a uid");
    assert_eq!(whole.version, outline.version);
    assert_eq!(whole.uid, outline.uid);
    assert_eq!(
        whole.namespace.as_deref().map(str::to_owned),
        stated(&outline.namespace)
    );
    assert_eq!(whole.name.as_deref().map(str::to_owned), stated(&outline.name));
    let mut known: Option<Opening<'_>> = None;
    for end in (0..body.len()).step_by(body.len() / 150 + 1) {
        let opening = Opening::read(body.get(..end).unwrap_or_default());
        if let Some(opening) = &opening {
            assert_eq!(opening.uid, whole.uid);
            assert!(
                opening.namespace.is_none() || opening.namespace == whole.namespace,
                "{opening:?}"
            );
            assert!(opening.name.is_none() || opening.name == whole.name, "{opening:?}");
        }
        // What was read of fewer bytes is read of more.
        if let Some(before) = known {
            let now = opening.as_ref().expect("a uid was there before");
            assert!(
                before.namespace.is_none() || before.namespace == now.namespace,
                "{now:?}"
            );
            assert!(before.name.is_none() || before.name == now.name, "{now:?}");
        }
        known = opening;
    }
}
