//! Checks of Secret, certificate and caBundle.

use k8s_openapi::ByteString;
use serde_json::json;

use super::{Check, Clinic, Fetched, SERVER_NAME, Status, at, authority, foreign, held, secret};

/// A certificate for this name and time, and a caBundle that trusts its CA.
fn certified(name: &str, from: &str, until: &str, theirs: bool) -> Clinic {
    Clinic::with(|clinic| {
        let authority = authority();
        let ours = secret(&authority, name, from, until);
        clinic.facts.secret = held(&if theirs { foreign(ours) } else { ours });
        let bundle = ByteString(authority.pem().as_bytes().to_vec());
        clinic.entry(|entry| entry["clientConfig"]["caBundle"] = json!(bundle));
    })
}

#[test]
fn an_empty_bundle_is_told_only_where_there_is_a_ca_to_fill_it_with() {
    let empty = |clinic: &mut Clinic| clinic.entry(|entry| entry["clientConfig"]["caBundle"] = json!(null));
    Clinic::with(empty).tells(Check::CaBundle, Status::Fail, &["caBundle is empty", "get secret"]);
    let without_secret = Clinic::with(|clinic| {
        empty(clinic);
        clinic.facts.secret = Fetched::Absent;
    });
    without_secret.tells(Check::CertificateSecret, Status::Fail, &["does not exist"]);
    without_secret.skips(Check::CaBundle, "no Secret that its CA could come from");
}

#[test]
fn a_certificate_that_is_not_valid_now_or_soon_is_told() {
    certified(SERVER_NAME, "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z", false).tells(
        Check::Certificate,
        Status::Fail,
        &[
            "expired 60 h ago",
            "annotate secret dorgu-operator-webhook-ca dorgu.io/rotate=leaf",
        ],
    );
    certified(SERVER_NAME, "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z", false).tells(
        Check::Certificate,
        Status::Fail,
        &["not valid before 2026-03-02"],
    );
    certified(SERVER_NAME, "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z", false).tells(
        Check::Certificate,
        Status::Warn,
        &["expires in 12 h", "should have been renewed"],
    );
    // A certificate of a year is renewed by hand, two weeks before it expires.
    certified(SERVER_NAME, "2025-06-01T00:00:00Z", "2026-03-10T00:00:00Z", true).tells(
        Check::Certificate,
        Status::Warn,
        &["expires in 8 days", "kept by the maker of the Secret"],
    );
}

#[test]
fn our_own_is_not_told_before_its_renewal_is_overdue() {
    // Renewed with 56 h left, dated back by three days.
    let due = certified(SERVER_NAME, "2026-02-21T19:00:00Z", "2026-03-03T19:00:00Z", false);
    assert!(due.report().is_clean(), "{}", due.report().text());
    certified(SERVER_NAME, "2026-02-21T11:00:00Z", "2026-03-03T11:00:00Z", false).tells(
        Check::Certificate,
        Status::Warn,
        &["expires in 47 h"],
    );
}

#[test]
fn a_year_long_certificate_with_weeks_left_is_well() {
    let clinic = certified(SERVER_NAME, "2025-04-01T00:00:00Z", "2026-03-20T00:00:00Z", true);
    assert!(clinic.report().is_clean(), "{}", clinic.report().text());
}

#[test]
fn a_certificate_for_another_name_is_told_once() {
    let clinic = certified("other.svc", "2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z", false);
    clinic.tells(
        Check::Certificate,
        Status::Fail,
        &["it is not for dorgu-operator-webhook.dorgu-system.svc but for other.svc"],
    );
    clinic.skips(Check::CaTrust, "another name");
}

#[test]
fn a_bundle_of_another_ca_is_told_with_a_command_that_mends_it() {
    let clinic = Clinic::with(|clinic| {
        let other = secret(
            &authority(),
            SERVER_NAME,
            "2026-02-27T00:00:00Z",
            "2026-03-06T00:00:00Z",
        );
        clinic.facts.secret = held(&other);
    });
    clinic.tells(
        Check::CaTrust,
        Status::Fail,
        &[
            "no CA of the caBundle has signed it",
            r#"kubectl patch validatingwebhookconfiguration dorgu-operator-deployment --type=json --patch='[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"'"$(kubectl --namespace dorgu-system get secret dorgu-operator-webhook-ca --output=jsonpath='{.data.ca\.crt}')"'"}]'"#,
        ],
    );
}

#[test]
fn a_bundle_that_has_run_out_is_told() {
    let clinic = Clinic::with(|clinic| clinic.facts.now = at("2027-03-01T00:00:00Z"));
    let report = clinic.report();
    let failed: Vec<&str> = report
        .checks
        .iter()
        .filter(|line| line.status == Status::Fail)
        .map(|line| line.check)
        .collect();
    // A year later both have expired.
    assert_eq!(failed, ["certificate", "ca-bundle"], "{}", report.text());
}

#[test]
fn a_secret_that_is_missing_or_of_no_use_is_told_and_its_certificate_is_not() {
    let missing = Clinic::with(|clinic| clinic.facts.secret = Fetched::Absent);
    missing.tells(
        Check::CertificateSecret,
        Status::Fail,
        &["dorgu-operator-webhook-ca does not exist"],
    );
    missing.skips(Check::Certificate, "there is no Secret");
    let half = Clinic::with(|clinic| {
        let mut half = secret(
            &authority(),
            SERVER_NAME,
            "2026-02-27T00:00:00Z",
            "2026-03-06T00:00:00Z",
        );
        half["data"]["tls.key"] = json!("");
        clinic.facts.secret = held(&half);
    });
    half.tells(
        Check::CertificateSecret,
        Status::Fail,
        &["is unusable", "delete secret dorgu-operator-webhook-ca"],
    );
    half.skips(Check::CaTrust, "no certificate that can be used");
}

#[test]
fn files_of_the_pods_are_not_looked_for_in_a_secret() {
    let clinic = Clinic::with(|clinic| {
        super::installation::argument(clinic, "--webhook-cert-path=/certificates");
        clinic.facts.secret = Fetched::Absent;
    });
    assert!(clinic.report().is_clean(), "{}", clinic.report().text());
    clinic.skips(Check::CertificateSecret, "files of the pods");
}
