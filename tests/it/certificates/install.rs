//! The first minutes of an installation, manual edits, and the emergency stop.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{SECRET, Stage, metrics, ready, readyz};
use crate::bed::{Bed, Needs, wait_until};

#[test]
fn the_api_server_is_told_whom_to_trust_and_nobody_who_applies_the_configuration_again_takes_that_away() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "install");
    let dorgu = stage.start(&[]);
    // No review is sent yet, and the certificate exists all the same.
    let said = stage.until("ready without a registration", &[&dorgu], || ready(&dorgu));
    assert!(said.contains("does not exist, so no reviews will come"), "{said}");

    let registration = stage.registration(&dorgu).to_string();
    bed.apply(&registration).expect_success();
    stage.until("a breach is refused", &[&dorgu], || stage.is_refused());
    let said = stage.until("ready", &[&dorgu], || ready(&dorgu));
    assert!(said.contains("[+]certificate ok: serial "), "{said}");
    assert!(
        said.contains("[+]ca-bundle ok: ValidatingWebhookConfiguration dorgu-install"),
        "{said}"
    );
    let exposed = metrics(&dorgu);
    for line in [
        "dorgu_certificate_trusted 1",
        "dorgu_certificate_rotations_total{what=\"ca\"} 0",
        "dorgu_ca_expiry_timestamp_seconds ",
    ] {
        assert!(exposed.contains(line), "no {line} in\n{exposed}");
    }

    // Applied again, by each of the two ways, without a caBundle: no conflict, and ours stays.
    let bundle = stage.ca_bundle().expect("a caBundle");
    bed.apply(&registration).expect_success();
    let by_server = ["apply", "--server-side", "--field-manager=helm", "-f", "-"];
    bed.kubectl_in(&by_server, &registration)
        .checked()
        .unwrap_or_else(|error| {
            // Client-side apply owned the fields before; never ours.
            assert!(!error.to_string().contains("dorgu-certs"), "{error}");
            bed.kubectl_in(&[&by_server[..], &["--force-conflicts"]].concat(), &registration)
                .expect_success()
        });
    assert_eq!(stage.ca_bundle().expect("a caBundle"), bundle);
    let name = stage.configuration();
    let owned = stage.kubectl(&[
        "get",
        "validatingwebhookconfiguration",
        &name,
        "--show-managed-fields",
        "-o",
        "json",
    ]);
    let owned: Value = serde_json::from_str(&owned.expect_success()).expect("JSON");
    let managers = owned["metadata"]["managedFields"].as_array().expect("managers");
    let ours = managers
        .iter()
        .find(|entry| entry["manager"] == "dorgu-certs")
        .expect("ours");
    let field = json!({".": {}, "f:clientConfig": {"f:caBundle": {}}, "f:name": {}});
    let entries = ["validate-deployment.dorgu.io", "validate-scale.dorgu.io"];
    let [first, second] = entries.map(|name| format!("k:{{\"name\":\"{name}\"}}"));
    let fields = json!({"f:webhooks": {first: field, second: field}});
    assert_eq!(
        ours["fieldsV1"], fields,
        "one field of each, and the key that it stands under"
    );

    // A manual change is reverted.
    let patch = json!([{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": "Cg=="}]);
    let patch = [
        "patch",
        "validatingwebhookconfiguration",
        &name,
        "--type=json",
        "-p",
        &patch.to_string(),
    ];
    stage.kubectl(&patch).expect_success();
    stage.until("the caBundle is put right", &[&dorgu], || {
        ensure!(stage.ca_bundle()? == bundle);
        stage.is_refused()
    });
}

#[test]
fn a_configuration_that_was_deleted_stays_deleted() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "stopped");
    let dorgu = stage.start(&[]);
    let registration = stage.registration(&dorgu).to_string();
    bed.apply(&registration).expect_success();
    stage.until("a breach is refused", &[&dorgu], || stage.is_refused());
    let uid = stage.registered().expect("there")["metadata"]["uid"].clone();
    let name = stage.configuration();
    stage
        .kubectl(&["delete", "validatingwebhookconfiguration", &name])
        .expect_success();
    // What the process would send had it not seen the deletion yet, with its own account.
    let ours = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name, "uid": uid},
        "webhooks": [{"name": "validate-deployment.dorgu.io", "clientConfig": {"caBundle": "Cg=="}}],
    });
    let kubeconfig = stage.kubeconfig();
    let apply = ["apply", "--server-side", "--field-manager=dorgu-certs", "-f", "-"];
    let late = bed.kubectl_in(&apply, &ours.to_string()).expect_failure();
    assert!(late.contains("uid"), "even an administrator: {late}");
    let ours = bed.kubectl_in(
        &[&["--kubeconfig", &kubeconfig][..], &apply].concat(),
        &ours.to_string(),
    );
    assert!(!ours.succeeded(), "{ours}");
    // A reason to write certificates must be none to write the configuration.
    stage.annotate("leaf");
    stage.until("the leaf is renewed", &[&dorgu], || {
        let exposed = metrics(&dorgu);
        ensure!(
            exposed.contains("dorgu_certificate_rotations_total{what=\"leaf\"} 1"),
            "{exposed}"
        );
        Ok(())
    });
    let (status, said) = readyz(&dorgu);
    assert_eq!(status, 200, "{said}");
    assert!(said.contains("does not exist, so no reviews will come"), "{said}");
    assert!(stage.registered().is_err(), "it is back");

    // The user who stopped it may start it again.
    bed.apply(&registration).expect_success();
    stage.until("a breach is refused", &[&dorgu], || stage.is_refused());
}

#[test]
fn a_replica_without_rights_says_what_it_lacks_and_is_not_ready() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "lacking");
    stage.kubectl(&["delete", "role", "dorgu"]).expect_success();
    // An account loses a right as soon as the API server has seen that.
    let gone = wait_until(Duration::from_secs(30), "the right is gone", || {
        let account = format!("system:serviceaccount:{}:dorgu", stage.namespace);
        let can = stage.kubectl(&["auth", "can-i", "list", &format!("secrets/{SECRET}"), "--as", &account]);
        ensure!(can.stdout.starts_with("no"), "{can}");
        Ok(())
    });
    gone.expect("gone");
    let dorgu = stage.start(&[]);
    let said = stage.until("told", &[&dorgu], || {
        let (status, text) = readyz(&dorgu);
        ensure!(
            status == 503 && text.contains("[-]certificate failed: no certificate yet") && text.contains("forbidden"),
            "{text}"
        );
        Ok(text)
    });
    assert!(said.contains(SECRET), "{said}");
    assert!(
        crate::https::run_handshake(&super::url(&dorgu)).is_err(),
        "a handshake without a certificate"
    );
}
