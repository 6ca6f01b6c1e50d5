//! The registration goes from one entry to two, as docs/install.md says, while requests that must be denied arrive all the time.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http::Method;
use serde_json::{Value, json};

use super::denials::{Denials, Request};
use super::storm::{deployment, enforce, rotate};
use super::{Installed, LEASE, NAMESPACE, TIMEOUT};
use crate::bed::{Addresses, Bed, Options, wait_until};
use crate::documented::blocks::{Mark, of_page};
use crate::https::Connection;

const CONFIGURATION: &str = "dorgu-operator-deployment";
const SECRET: &str = "dorgu-operator-webhook-ca";
const SHOP: &str = "shop";
/// The entries of today, in their order. The process of before knows the first.
const ENTRIES: [&str; 3] = [
    "validate-deployment.dorgu.io",
    "validate-scale.dorgu.io",
    "validate-persona.dorgu.io",
];
/// The registration of before.
const ONE_ENTRY: &str = include_str!("one-entry.yaml");
/// Requests a second, from the real API server.
const RATE: u32 = 200;
/// How often the process of before reads the registration.
const STEP: Duration = Duration::from_millis(200);

/// How long each state lasts before the next.
fn calm() -> Duration {
    let long = std::env::var_os("DORGU_LONG").is_some();
    Duration::from_secs(if long { 30 } else { 3 })
}

/// Names a program of before, which then runs in place of the stand-in, as one of the pods (CONTRIBUTING says how to build it).
const PROGRAM: &str = "DORGU_BEFORE";

/// The process of before that holds the Lease.
enum Before {
    /// The first of the pods. It also answers.
    Pod,
    StandIn(StandIn),
}

impl Before {
    /// After a first pod has made the Secret and the caBundle.
    fn holding(installed: &mut Installed, program: Option<&OsStr>) -> Before {
        if program.is_some() {
            return Before::Pod;
        }
        stop_first(installed);
        Before::StandIn(StandIn::holding(&installed.bed))
    }

    /// It gives the Lease back.
    fn end(self, installed: &mut Installed) {
        match self {
            Before::Pod => stop_first(installed),
            Before::StandIn(stand_in) => stand_in.end(),
        }
    }
}

fn stop_first(installed: &mut Installed) {
    let mut first = installed.pods.remove(0);
    installed.webhook.forget(&first);
    assert!(first.stop().success(), "{}", installed.said());
}

/// It keeps the caBundle of the first entry and knows no other. Server-side apply gets that entry alone, so what this manager owned
/// of another is dropped.
struct StandIn {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    fn holding(bed: &Bed) -> StandIn {
        let over = Arc::new(AtomicBool::new(false));
        let (proxy, until) = (bed.proxy_url(), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut api = Connection::open(&proxy).await.expect("a proxy");
                while !until.load(Ordering::SeqCst) {
                    hold(&mut api, "before_1").await;
                    keep_first(&mut api).await;
                    tokio::time::sleep(STEP).await;
                }
                hold(&mut api, "").await;
            });
        });
        StandIn {
            over,
            thread: Some(thread),
        }
    }

    fn end(mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it kept the first entry");
        }
    }
}

async fn send(api: &mut Connection, method: Method, path: &str, kind: &str, body: String) -> Value {
    let reply = api.ask_with(method, path, kind, body).await.expect("an answer");
    let said = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, 200, "{path}: {said}");
    serde_json::from_str(&said).expect("JSON")
}

/// Renews the Lease as this holder; as none, releases it.
async fn hold(api: &mut Connection, holder: &str) {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{LEASE}");
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    let seconds = if holder.is_empty() { 1 } else { 15 };
    let spec = json!({"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": now});
    let body = json!({"spec": spec}).to_string();
    send(api, Method::PATCH, &path, "application/merge-patch+json", body).await;
}

async fn keep_first(api: &mut Connection) {
    let secret = format!("/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}");
    let ca = send(api, Method::GET, &secret, "application/json", String::new()).await["data"]["ca.crt"].clone();
    let path = format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{CONFIGURATION}");
    let seen = send(api, Method::GET, &path, "application/json", String::new()).await;
    let first = &seen["webhooks"][0];
    if first["name"] != ENTRIES[0] || first["clientConfig"]["caBundle"] == ca {
        return;
    }
    let apply = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION, "uid": seen["metadata"]["uid"]},
        "webhooks": [{"name": ENTRIES[0], "clientConfig": {"caBundle": ca}}],
    });
    let path = format!("{path}?fieldManager=dorgu-certs&force=true");
    send(
        api,
        Method::PATCH,
        &path,
        "application/apply-patch+yaml",
        apply.to_string(),
    )
    .await;
}

/// The caBundle of each entry, by its name; empty where there is none.
fn bundles(bed: &Bed) -> anyhow::Result<Vec<(String, String)>> {
    let seen = bed.kubectl(&["get", "validatingwebhookconfiguration", CONFIGURATION, "-o", "json"]);
    let seen: Value = serde_json::from_str(&seen.checked()?)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = seen["webhooks"].as_array().context("entries")?;
    let bundles = entries
        .iter()
        .map(|entry| (text(&entry["name"]), text(&entry["clientConfig"]["caBundle"])));
    Ok(bundles.collect())
}

/// Waits until so many entries, which are all, have the CAs of the Secret.
fn until_all_are_kept(installed: &Installed, entries: usize) {
    let kept = wait_until(TIMEOUT, "all entries have the CAs of the Secret", || {
        let secret = installed.at_home(&["get", "secret", SECRET, "-o=jsonpath={.data.ca\\.crt}"]);
        let (ca, found) = (secret.checked()?, bundles(&installed.bed)?);
        ensure!(
            found.len() == entries && found.iter().all(|(_, bundle)| *bundle == ca),
            "{found:?}"
        );
        Ok(())
    });
    kept.unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
}

/// Requests that must be denied: creating a violation, scaling into one, and the two ways around the label.
fn requests() -> Vec<Request> {
    let path = format!("/apis/apps/v1/namespaces/{SHOP}/deployments");
    let scale = json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": {"name": "orders", "namespace": SHOP}, "spec": {"replicas": 1},
    });
    let mut unlabelled = compliant();
    unlabelled["metadata"]["labels"] = json!({});
    let ask = |name, method, path: &str, object: &Value| Request {
        name,
        method,
        path: format!("{path}?dryRun=All"),
        body: object.to_string(),
    };
    vec![
        ask("a Scale", Method::PUT, &format!("{path}/orders/scale"), &scale),
        ask("a Deployment", Method::POST, &path, &deployment("canary")),
        ask("the label removed", Method::PUT, &format!("{path}/orders"), &unlabelled),
        ask(
            "the label added",
            Method::PUT,
            &format!("{path}/plain"),
            // What makes it worse by the persona that it asks for.
            &named(deployment("orders"), "plain"),
        ),
    ]
}

fn named(mut object: Value, name: &str) -> Value {
    object["metadata"]["name"] = json!(name);
    object
}

fn compliant() -> Value {
    let mut object = deployment("orders");
    object["spec"]["replicas"] = json!(2);
    object
}

/// The commands of docs/install.md, in their order: the split, and the registration of today.
fn documented() -> [String; 2] {
    let blocks = of_page("docs/install.md").into_iter();
    let ours = blocks.filter(|block| block.section == "From one entry to two");
    let run = ours.filter(|block| matches!(block.mark, Some(Mark::RunBy(_))));
    let commands: Vec<String> = run.flat_map(|block| block.steps).map(|step| step.command).collect();
    commands.try_into().expect("two commands")
}

#[test]
fn from_one_entry_to_two_no_violation_is_admitted() {
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    installed.bed.apply(ONE_ENTRY).expect_success();
    let program = std::env::var_os(PROGRAM);
    match &program {
        Some(program) => installed.run_program(Path::new(program)),
        None => installed.run_pod(Addresses::OfItsOwn),
    };
    enforce(&installed.bed);
    let mut plain = named(compliant(), "plain");
    plain["metadata"]["labels"] = json!({});
    for object in [compliant(), plain] {
        installed.bed.apply(&object.to_string()).expect_success();
    }
    let requests = requests();
    let before = Before::holding(&mut installed, program.as_deref());
    installed.run_pod(Addresses::OfItsOwn);
    installed.run_pod(Addresses::OfItsOwn);
    until_all_are_denied(&installed, &requests);
    let open = "apiserver_admission_webhook_fail_open_count";
    let unseen_before = installed.bed.metric(open);
    let denials = Denials::start(&installed.bed, requests, RATE);
    let clean = |state: &str| {
        std::thread::sleep(calm());
        println!("{state}: {}", denials.expect_clean(state));
    };
    clean("one entry, kept by a process of before");

    let [split, register] = documented();
    let clone = Path::new(env!("CARGO_MANIFEST_DIR"));
    installed.bed.shell_in(clone, &split).expect_success();
    clean("the entry for Scale is a copy");
    // What makes a process of before write takes nothing from the entry that it does not know.
    let patch =
        json!([{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": with_one_more(&installed.bed)}]);
    let edit = [
        "patch",
        "validatingwebhookconfiguration",
        CONFIGURATION,
        "--type=json",
        "-p",
        &patch.to_string(),
    ];
    installed.bed.kubectl(&edit).expect_success();
    until_all_are_kept(&installed, 2);
    clean("the process of before has written the first");

    installed.bed.shell_in(clone, &register).expect_success();
    let entries = bundles(&installed.bed).expect("a registration");
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ENTRIES);
    clean("two entries, and a process of before holds the Lease");

    before.end(&mut installed);
    let (_, took) = installed.until_held();
    clean(&format!("a process of today holds it, after {took:?}"));
    let served = installed.served();
    let started = Instant::now();
    rotate(&installed, "ca");
    installed.until_renewed(&served);
    until_all_are_kept(&installed, ENTRIES.len());
    clean(&format!("CA rotated in {:?}", started.elapsed()));

    denials.stop();
    let unseen = installed.bed.metric(open) - unseen_before;
    assert!(unseen < 0.5, "the API server let {unseen} reviews through unseen");
}

/// The first entry's caBundle with one more CA: what serves stays trusted, and the holder writes it again.
fn with_one_more(bed: &Bed) -> Value {
    let found = bundles(bed).expect("a registration");
    let bundle: k8s_openapi::ByteString = serde_json::from_value(json!(found[0].1)).expect("base64");
    let more = std::fs::read(bed.ca_file()).expect("a CA");
    json!(k8s_openapi::ByteString([bundle.0, more].concat()))
}

/// Waits until each request is denied: the API server has the registration, and the pods have the personas.
fn until_all_are_denied(installed: &Installed, requests: &[Request]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let denied = wait_until(TIMEOUT, "each request is denied", || {
        runtime.block_on(async {
            let mut api = Connection::open(&installed.bed.proxy_url()).await?;
            for request in requests {
                request.expect_denied(&mut api).await?;
            }
            Ok(())
        })
    });
    denied.unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
}

#[test]
fn an_entry_that_arrives_without_a_bundle_gets_it_from_the_holder_and_makes_no_pod_unready() {
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    installed.bed.apply(ONE_ENTRY).expect_success();
    installed.run_pod(Addresses::OfItsOwn);
    enforce(&installed.bed);
    let [_, register] = documented();
    installed
        .bed
        .shell_in(Path::new(env!("CARGO_MANIFEST_DIR")), &register)
        .expect_success();
    until_all_are_kept(&installed, ENTRIES.len());
    installed.bed.apply(&compliant().to_string()).expect_success();
    until_all_are_denied(&installed, &requests()[..3]);
}
