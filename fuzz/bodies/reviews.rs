//! How reviews are read.

use serde::de::IgnoredAny;

use dorgu::webhook::review::{Malformed, Review, Stored, scan as scanned};

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
        Ok(Review { outline, object, old }) => {
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

/// What the scanner of a review's first bytes finds is a plain word that stands there as that field; cut anywhere, a review
/// of an API server's gives its own uid or none.
pub fn scan(bytes: &[u8]) {
    for key in ["uid", "namespace"] {
        let Some(found) = scanned(bytes, key) else { continue };
        assert!((1..=253).contains(&found.len()), "{found:?}");
        assert!(
            found
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
            "{found:?}"
        );
        let quoted = format!("\"{found}\"");
        assert!(
            bytes.windows(quoted.len()).any(|window| window == quoted.as_bytes()),
            "{found:?}"
        );
    }
    // An API server writes the uid first of the request, so whatever follows is another's.
    let written = [
        br#"{"kind":"AdmissionReview","request":{"uid":"own-1","namespace":"shop",""#,
        bytes,
    ]
    .concat();
    assert_eq!(scanned(&written, "uid"), Some("own-1"));
    assert_eq!(scanned(&written, "namespace"), Some("shop"));
    let cut = &written[..bytes.len().min(written.len())];
    assert!(matches!(scanned(cut, "uid"), None | Some("own-1")));
}
