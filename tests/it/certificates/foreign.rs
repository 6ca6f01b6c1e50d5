//! A Secret in cert-manager's format: served, followed, never written.

use anyhow::ensure;
use dorgu::server::tls::Authority;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::load::Load;
use super::{SECRET, Stage, ready, serial, url};
use crate::bed::{Bed, Needs};

/// What cert-manager would write, by a CA of its own.
fn issued(stage: &Stage<'_>, authority: &Authority) -> Value {
    let (now, hours) = (Timestamp::now(), SignedDuration::from_hours);
    let leaf = authority
        .sign(&["localhost".to_owned()], now - hours(1), now + hours(24))
        .expect("signed");
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": SECRET, "namespace": stage.namespace},
        "stringData": {"ca.crt": authority.pem(), "tls.crt": leaf.certificate, "tls.key": leaf.key},
    })
}

fn authority(name: &str) -> Authority {
    Authority::make(name, Timestamp::now(), SignedDuration::from_hours(48)).expect("made")
}

#[test]
fn a_secret_of_cert_managers_is_served_and_its_rotation_waits_until_it_is_trusted() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "foreign");
    let first = issued(&stage, &authority("first"));
    bed.apply(&first.to_string()).expect_success();
    let dorgu = stage.start(&[]);
    bed.apply(&stage.registration(&dorgu).to_string()).expect_success();
    stage.until("a breach is refused", &[&dorgu], || stage.is_refused());
    stage.until("ready", &[&dorgu], || ready(&dorgu));
    let before = serial(&dorgu).expect("served");
    let load = Load::start(&stage, vec![url(&dorgu)]);

    // CA and leaf at once, as cert-manager replaces them: the leaf waits for the caBundle.
    let other = authority("second");
    bed.apply(&issued(&stage, &other).to_string()).expect_success();
    let version = stage.secret().expect("there")["metadata"]["resourceVersion"].clone();
    stage.until("both are trusted", &[&dorgu], || {
        let bundle = stage.ca_bundle()?;
        let first = first["stringData"]["ca.crt"].as_str().unwrap_or_default();
        ensure!(bundle.contains(other.pem()) && bundle.contains(first), "{bundle}");
        Ok(())
    });
    assert_eq!(
        serial(&dorgu).expect("served"),
        before,
        "API servers may not know the CA yet"
    );
    stage.until("the new leaf is served", &[&dorgu], || {
        ensure!(serial(&dorgu)? != before);
        stage.is_refused()
    });
    assert_eq!(
        stage.secret().expect("there")["metadata"]["resourceVersion"],
        version,
        "it is not ours to write"
    );
    let (refused, rate) = load.stop();
    println!("cert-manager's shape: {refused} refused at {rate:.0}/s");
}
