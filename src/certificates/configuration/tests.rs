//! Several entries of ours in one configuration: what counts as trusted, and what is written.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::server::tls::Authority;

fn ca(name: &str) -> String {
    let authority = Authority::make(name, Timestamp::now(), SignedDuration::from_hours(48)).unwrap();
    authority.pem().to_owned()
}

/// A configuration with these entries: name and caBundle.
fn configuration(entries: &[(&str, &str)]) -> Configuration {
    let entries = entries.iter().map(|(name, bundle)| {
        json!({"name": name, "clientConfig": {
            "service": {"name": "webhook", "namespace": "system"},
            "caBundle": ByteString(bundle.as_bytes().to_vec()),
        }})
    });
    let object = json!({"metadata": {"uid": "1", "resourceVersion": "1"}, "webhooks": entries.collect::<Vec<_>>()});
    let ours = ["ours", "ours-too"];
    Configuration::decode(&object.to_string()).unwrap().only(&ours)
}

#[test]
fn only_what_every_entry_of_ours_trusts_counts_as_trusted() {
    let (a, b) = (ca("a"), ca("b"));
    let both = format!("{a}{b}");
    let bundle_of = |entries: &[(&str, &str)]| {
        let seen = configuration(entries);
        String::from_utf8(seen.called().expect("an entry").bundle.clone()).unwrap()
    };
    assert_eq!(bundle_of(&[("theirs", &b), ("ours", &a)]), a);
    assert_eq!(bundle_of(&[("ours", &both), ("ours-too", &both)]), both);
    let shared = pem::certificates(a.as_bytes()).concat();
    assert_eq!(bundle_of(&[("ours", &both), ("ours-too", &a)]), shared);
    assert_eq!(bundle_of(&[("ours", &both), ("ours-too", "")]), "");
    assert!(configuration(&[("theirs", &b)]).called().is_none());
}

#[test]
fn a_bundle_is_written_into_every_entry_that_is_there_and_no_other() {
    let seen = configuration(&[("ours", ""), ("theirs", ""), ("ours-too", "old")]);
    assert!(!seen.has_bundle("new"));
    let written = with_bundle("dorgu", &seen, "new");
    let entries = written["webhooks"].as_array().expect("entries");
    let names: Vec<_> = entries.iter().map(|entry| &entry["name"]).collect();
    assert_eq!(names, ["ours", "ours-too"]);
    assert!(
        entries.iter().all(|entry| entry["clientConfig"]["caBundle"] == "bmV3"),
        "{written}"
    );
    assert!(configuration(&[("ours", "new"), ("ours-too", "new")]).has_bundle("new"));
    assert!(!configuration(&[("ours", "new"), ("ours-too", "old")]).has_bundle("new"));
}
