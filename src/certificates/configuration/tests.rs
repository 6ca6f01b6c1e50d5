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
    let configuration = Configuration::decode(&object.to_string()).unwrap();
    configuration.filtered(|entry| entry.webhook.starts_with("ours"))
}

#[test]
fn only_what_every_entry_of_ours_trusts_counts_as_trusted() {
    let (a, b) = (ca("a"), ca("b"));
    let both = format!("{a}{b}");
    let trusted = |entries: &[(&str, &str)]| configuration(entries).trusted();
    let certificates = |bundle: &str| pem::certificates(bundle.as_bytes());
    assert_eq!(trusted(&[("theirs", &b), ("ours", &a)]), certificates(&a));
    assert_eq!(trusted(&[("ours", &both), ("ours-too", &both)]), certificates(&both));
    assert_eq!(trusted(&[("ours", &both), ("ours-too", &a)]), certificates(&a));
    assert_eq!(trusted(&[("ours", &a), ("ours-too", &b)]), [""; 0]);
    // An entry that was just added takes nothing from the other.
    assert_eq!(trusted(&[("ours", &both), ("ours-too", "")]), certificates(&both));
    assert_eq!(trusted(&[("ours", ""), ("ours-too", &a)]), certificates(&a));
    assert_eq!(trusted(&[("theirs", &b)]), [""; 0]);
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
