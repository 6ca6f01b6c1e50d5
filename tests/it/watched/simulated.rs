//! `dorgu persona simulate` says of running Deployments what the webhook then really does, on a real API server.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::ensure;
use http::Method;
use serde_json::{Value, json};

use super::{Stage, TIMEOUT, run};
use crate::bed::{Bed, Needs, program, wait_until};
use crate::https::Connection;

/// How many Deployments: `DORGU_SIMULATE_CASES=500` for the long form.
fn cases() -> usize {
    let given = std::env::var("DORGU_SIMULATE_CASES").ok();
    given.and_then(|count| count.parse().ok()).unwrap_or(40)
}

/// One of many shapes: apps, labels that selectors read, replicas, and whether it demands a user other than root.
fn deployment(stage: &Stage<'_>, number: usize) -> Value {
    let app = [Some("orders"), Some("pay"), Some("none"), None][number % 4];
    let replicas = u32::try_from(number / 4 % 5).expect("small");
    let mut object = stage.deployment(&format!("d{number}"), app, replicas);
    object["metadata"]["labels"]["tier"] = json!(["api", "worker"][number / 20 % 2]);
    if number % 3 == 0 {
        object["spec"]["template"]["spec"]["securityContext"] = json!({"runAsNonRoot": true});
    }
    object
}

fn persona(stage: &Stage<'_>, name: &str, app: &str, minimum: u32, change: impl FnOnce(&mut Value)) -> Value {
    let mut object = stage.persona(name, minimum);
    object["spec"]["name"] = json!(app);
    // What else the defaults demand is not varied here.
    object["spec"]["policies"] = json!({"security": {"allowPrivilegeEscalation": true}});
    change(&mut object);
    object
}

fn enforced(object: &mut Value) {
    object["metadata"]["annotations"] = json!({"dorgu.io/mode": "enforcing"});
}

/// What the API server answers to creating each Deployment again, as a dry run: the webhook is asked before the name is.
fn really(stage: &Stage<'_>, objects: &[Value]) -> BTreeMap<String, &'static str> {
    let path = format!("/apis/apps/v1/namespaces/{}/deployments?dryRun=All", stage.namespace);
    run(async {
        let mut api = Connection::open(&stage.bed.proxy_url()).await.expect("a proxy");
        let mut verdicts = BTreeMap::new();
        for object in objects {
            let reply = api
                .ask(Method::POST, &path, object.to_string())
                .await
                .expect("an answer");
            let said = String::from_utf8_lossy(&reply.body);
            let verdict = match reply.status {
                403 if said.contains("denied the request") => "denied",
                409 if reply.headers.contains_key("warning") => "warned",
                409 => "passed",
                status => panic!("{status}: {said}"),
            };
            verdicts.insert(object["metadata"]["name"].as_str().expect("a name").to_owned(), verdict);
        }
        verdicts
    })
}

/// The report of `dorgu persona simulate`, with its exit code.
fn simulated(stage: &Stage<'_>, personas: &[Value]) -> (i32, Value) {
    let (file, kubeconfig) = (
        stage.folder.path().join("personas.yaml"),
        stage.folder.path().join("kubeconfig"),
    );
    let documents: Vec<String> = personas.iter().map(Value::to_string).collect();
    fs::write(&file, documents.join("\n---\n")).expect("written");
    let output = Command::new(program())
        .args([
            "persona",
            "simulate",
            "-o",
            "json",
            "--namespace",
            &stage.namespace,
            "--filename",
        ])
        .arg(&file)
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .output()
        .expect("it runs");
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let report = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{told}"));
    (output.status.code().expect("an exit code"), report)
}

#[test]
fn what_is_simulated_is_what_the_webhook_then_does() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "simulated", &[]);
    let objects: Vec<Value> = (0..cases()).map(|number| deployment(&stage, number)).collect();
    for object in &objects {
        bed.apply(&object.to_string()).expect_success();
    }
    let live = [
        persona(&stage, "orders", "orders", 2, enforced),
        persona(&stage, "pay", "pay", 4, |_| {}),
    ];
    for object in &live {
        bed.apply(&object.to_string()).expect_success();
    }
    stage.until_told("orders", "minimum (2)", true);
    stage.until_told("pay", "minimum (4)", true);
    let before = really(&stage, &objects);

    let proposed = [
        // Stricter; a second one of the app beside it; one for some workloads; one for all apps without.
        persona(&stage, "orders", "orders", 3, enforced),
        persona(&stage, "root", "orders", 1, |object| {
            enforced(object);
            object["spec"]["policies"]["security"]["runAsNonRoot"] = json!(true);
        }),
        persona(&stage, "pay", "pay", 3, |object| {
            enforced(object);
            object["spec"]["selector"] = json!({"matchLabels": {"tier": "api"}});
        }),
        persona(&stage, "all", "*", 2, enforced),
    ];
    let (code, report) = simulated(&stage, &proposed);
    for object in &proposed {
        bed.apply(&object.to_string()).expect_success();
    }
    let mut wanted = before.clone();
    for change in report["changes"].as_array().expect("changes") {
        let (name, verdict) = (change["deployment"].as_str(), change["after"]["verdict"].as_str());
        let name = name.expect("a name").to_owned();
        assert_eq!(change["before"]["verdict"], before[&name], "{name}");
        let verdict = ["passed", "warned", "denied"]
            .into_iter()
            .find(|one| Some(*one) == verdict);
        wanted.insert(name, verdict.expect("a verdict"));
    }
    let agreed = wait_until(TIMEOUT, "the webhook does what was simulated", || {
        let after = really(&stage, &objects);
        let differ: Vec<_> = wanted
            .iter()
            .filter(|(name, verdict)| after[*name] != **verdict)
            .collect();
        ensure!(differ.is_empty(), "{differ:?} are not so");
        Ok(after)
    });
    let after = agreed.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", stage.dorgu.lines().join("\n")));
    let changed = after
        .iter()
        .filter(|(name, verdict)| before[*name] != **verdict)
        .count();
    let denied = after
        .iter()
        .filter(|(name, verdict)| **verdict == "denied" && before[*name] != "denied");
    let denied = denied.count();
    println!(
        "{} Deployments: {changed} changed verdict, {denied} of them to denied",
        objects.len()
    );
    assert!(changed * 10 >= objects.len() * 4, "{changed} of {}", objects.len());
    assert_eq!(report["newlyDenied"], denied);
    assert_eq!(code, i32::from(denied > 0));
    // Nothing is left to change, so nothing is newly denied.
    let again = wait_until(TIMEOUT, "the personas are listed", || {
        let (code, report) = simulated(&stage, &proposed);
        ensure!(code == 0 && report["changes"] == json!([]), "{report}");
        Ok(())
    });
    again.unwrap_or_else(|error| panic!("{error:#}"));
}
