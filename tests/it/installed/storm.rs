//! Two replicas deny every violation, whatever happens to their certificates, their Secret and each other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::load::{CONCURRENCY, Load, Tally, Target};
use super::{Installed, NAMESPACE, TIMEOUT, WEBHOOK_SERVICE};
use crate::bed::{Addresses, Bed, Options, Pod, wait_until};

const SECRET: &str = "dorgu-operator-webhook-ca";
const CONFIGURATION: &str = "dorgu-operator-deployment";
const SHOP: &str = "shop";
/// The API server's own share: some twenty a second.
const BETWEEN_CANARIES: Duration = Duration::from_millis(40);
/// Reviews a second, half of them on new connections.
const RATE: u32 = 200;

/// How long each calm lasts, before the next trouble.
fn calm() -> Duration {
    let long = std::env::var_os("DORGU_LONG").is_some();
    Duration::from_secs(if long { 20 } else { 2 })
}

pub(crate) fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": SHOP, "labels": {"app.kubernetes.io/name": "orders"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"pods-of": name}},
            "template": {
                "metadata": {"labels": {"pods-of": name}},
                "spec": {"containers": [{"name": "api", "image": "registry.example.com/orders:1"}]},
            },
        },
    })
}

/// A namespace that enforces, and a persona whose minimum the Deployment above violates.
pub(crate) fn enforce(bed: &Bed) {
    let labels = json!({"dorgu.io/validate": "true", "dorgu.io/mode": "enforcing"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP, "labels": labels}});
    let persona = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": "orders", "namespace": SHOP},
        "spec": {"name": "orders", "type": "api", "scaling": {"minReplicas": 2}},
    });
    bed.apply(&namespace.to_string()).expect_success();
    bed.apply(&persona.to_string()).expect_success();
}

impl Installed {
    /// Which certificate each pod serves.
    pub(crate) fn served(&self) -> Vec<String> {
        let served = self.pods.iter().map(served);
        served
            .collect::<anyhow::Result<_>>()
            .unwrap_or_else(|error| panic!("{error:#}\n{}", self.said()))
    }

    /// Waits until every pod serves another certificate than `before`.
    pub(crate) fn until_renewed(&self, before: &[String]) -> Duration {
        let started = Instant::now();
        let renewed = wait_until(TIMEOUT, "every pod serves a new certificate", || {
            for pod in &self.pods {
                let now = served(pod)?;
                ensure!(!before.contains(&now), "{} still says: {now}", pod.name());
            }
            Ok(())
        });
        renewed.unwrap_or_else(|error| panic!("{error:#}\n{}", self.said()));
        started.elapsed()
    }
}

/// The serial number of the certificate that a pod says it serves.
fn served(pod: &Pod) -> anyhow::Result<String> {
    let url = format!("{}/readyz?verbose", pod.process().probes_url());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (_, text) = runtime.block_on(crate::https::get(&url))?;
    let line = text.lines().find(|line| line.starts_with("[+]certificate ok: "));
    let serial = line.and_then(|line| line.split("serial ").nth(1)?.split(',').next());
    Ok(serial.with_context(|| text.clone())?.to_owned())
}

/// Violations sent by the real API server, one after the other, beside the load.
struct Canaries {
    over: AtomicBool,
    refused: AtomicUsize,
}

impl Canaries {
    fn send(&self, bed: &Bed) {
        let url = format!(
            "{}/apis/apps/v1/namespaces/{SHOP}/deployments?dryRun=All",
            bed.proxy_url()
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let canary = deployment("canary").to_string();
        while !self.over.load(Ordering::SeqCst) {
            let asked = crate::https::post_plain(&url, &canary);
            let (status, body) = runtime.block_on(asked).expect("the API server answers");
            assert!(
                status == 403 && body.contains("below persona minimum"),
                "{status}: {body}"
            );
            self.refused.fetch_add(1, Ordering::SeqCst);
            // Paced: it is beside the load, not instead of it.
            std::thread::sleep(BETWEEN_CANARIES);
        }
    }
}

/// What is right for every trouble but a pod's sudden death.
fn assert_clean(trouble: &str, tally: &Tally, installed: &Installed) {
    assert_survived(trouble, tally, installed);
    assert_eq!(tally.broken, 0, "{trouble}: {tally:?}\n{}", installed.said());
}

fn assert_survived(trouble: &str, tally: &Tally, installed: &Installed) {
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let rate = tally.refused as f64 / tally.since.map_or(1.0, |since| since.elapsed().as_secs_f64());
    println!(
        "{trouble}: {} refused ({} after a 503), {rate:.0} a second, {} handshakes, slowest {:?}, broken {}",
        tally.refused, tally.retried, tally.handshakes, tally.slowest, tally.broken
    );
    assert!(tally.refused > 0, "{trouble}: {tally:?}");
    assert_eq!(
        (tally.admitted, tally.tls_errors),
        (0, 0),
        "{trouble}: {tally:?}\n{}",
        installed.said()
    );
}

#[test]
fn nothing_that_happens_to_certificates_or_to_a_replica_lets_a_breach_through() {
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    enforce(&installed.bed);
    installed.run_pod(Addresses::OfItsOwn);
    installed.run_pod(Addresses::OfItsOwn);
    let canary = deployment("canary").to_string();
    wait_until(TIMEOUT, "the API server asks", || {
        let answer = installed
            .bed
            .kubectl_in(&["create", "--dry-run=server", "-f", "-"], &canary);
        ensure!(!answer.succeeded(), "{answer}");
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
    let open = "apiserver_admission_webhook_fail_open_count";
    let unseen_before = installed.bed.metric(open);

    let canaries = Canaries {
        over: AtomicBool::new(false),
        refused: AtomicUsize::new(0),
    };
    let load = Load::start(Target {
        address: installed.webhook.address(),
        server_name: format!("{WEBHOOK_SERVICE}.{NAMESPACE}.svc"),
        configuration_url: format!(
            "{}/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{CONFIGURATION}",
            installed.bed.proxy_url()
        ),
        review: json!({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "request": {
                "uid": "u-1", "operation": "CREATE", "namespace": SHOP,
                "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
                "object": deployment("canary"),
            },
        })
        .to_string(),
        rate: RATE,
    });
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| canaries.send(&installed.bed));
        troubles(&installed, &load);
        canaries.over.store(true, Ordering::SeqCst);
        sent.join().expect("every canary is refused");
    });
    let unseen = installed.bed.metric(open) - unseen_before;
    println!(
        "canaries of the API server: {} refused",
        canaries.refused.load(Ordering::SeqCst)
    );
    assert!(unseen < 0.5, "the API server let {unseen} reviews through unseen");

    // A sudden death cuts what is in flight, also the API server's own requests, so only the load continues.
    let (holder, _) = installed.until_held();
    let mut dead = installed.pods.remove(holder);
    installed.webhook.forget(&dead);
    dead.kill();
    installed.run_pod(Addresses::OfItsOwn);
    let (_, took) = installed.until_held();
    let before = installed.served();
    rotate(&installed, "leaf");
    installed.until_renewed(&before);
    let tally = load.so_far();
    assert_survived(
        &format!("holder killed, the next one after {took:?}"),
        &tally,
        &installed,
    );
    // What was in flight there, and no more: on a busy machine that is every second of those under way.
    assert!(tally.broken <= CONCURRENCY, "more than was in flight: {tally:?}");
    load.stop();
}

pub(crate) fn rotate(installed: &Installed, what: &str) {
    let annotation = format!("dorgu.io/rotate={what}");
    installed
        .at_home(&["annotate", "secret", SECRET, &annotation])
        .expect_success();
}

fn troubles(installed: &Installed, load: &Load) {
    std::thread::sleep(calm());
    assert_clean("calm", &load.so_far(), installed);

    let before = installed.served();
    rotate(installed, "leaf");
    let took = installed.until_renewed(&before);
    std::thread::sleep(calm());
    assert_clean(&format!("leaf rotated in {took:?}"), &load.so_far(), installed);

    let before = installed.served();
    rotate(installed, "ca");
    let took = installed.until_renewed(&before);
    std::thread::sleep(calm());
    assert_clean(&format!("CA rotated in {took:?}"), &load.so_far(), installed);

    let before = installed.served();
    installed.at_home(&["delete", "secret", SECRET]).expect_success();
    let took = installed.until_renewed(&before);
    std::thread::sleep(calm());
    assert_clean(
        &format!("Secret deleted, new certificates after {took:?}"),
        &load.so_far(),
        installed,
    );

    let junk = r#"{"data":{"tls.crt":"anVuaw==","tls.key":"anVuaw==","ca.key":"anVuaw=="}}"#;
    installed
        .at_home(&["patch", "secret", SECRET, "--type=merge", "-p", junk])
        .expect_success();
    let started = Instant::now();
    wait_until(TIMEOUT, "the Secret is whole again", || {
        let now = installed
            .at_home(&["get", "secret", SECRET, "-o=jsonpath={.data.tls\\.crt}"])
            .checked()?;
        ensure!(now != "anVuaw==", "still corrupt");
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
    let took = started.elapsed();
    std::thread::sleep(calm());
    assert_clean(
        &format!("Secret corrupted, whole again after {took:?}"),
        &load.so_far(),
        installed,
    );
}
