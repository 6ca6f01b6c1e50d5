//! Outages of the process, the API server and the CRD.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{Expected, Stage, TIMEOUT, get, install_crds, timeless};
use crate::bed::{Bed, Needs, Options, wait_until};

#[test]
fn a_deployment_that_slipped_through_while_we_were_away_is_in_status_soon_after_our_return() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let mut stage = Stage::new(bed, "slipped", &[]);
    let app = "orders";
    bed.apply(&stage.persona(app).to_string()).expect_success();
    stage.until_status(app, &Expected::absent(app).status(app));
    assert!(stage.dorgu.stop().success());
    bed.apply(&stage.deployment("web", app, 1).to_string()).expect_success();
    stage.report("web", 1, 1);

    let started = Instant::now();
    stage.start_again(&[]);
    wait_until(TIMEOUT, "the breach is told", || {
        let status = stage.persona_of(app)["status"].clone();
        let message = "Deployment replicas (1) below persona minimum (2)";
        ensure!(status["validation"]["issues"][0]["message"] == message, "{status:#}");
        ensure!(status["phase"] == "Degraded", "{status:#}");
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", stage.dorgu.lines().join("\n")));
    println!("told {:?} after the start", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_crd_that_comes_late_and_an_api_server_that_goes_cost_no_status() {
    let options = Options {
        // Left alone it waits a minute for watches to end by themselves before it ends.
        api_server_flags: vec!["--shutdown-watch-termination-grace-period=1s".to_owned()],
        ..Options::default()
    };
    let Some(mut bed) = Bed::start(&options) else {
        return;
    };
    let app = "orders";
    let (mut dorgu, _folder, namespace, deployment) = {
        let stage = Stage::without_crds(&bed, "late", &[]);
        stage.dorgu.wait_for_line("that the CRD is missing", |line| {
            line.contains("knows no applicationpersonas")
        });
        bed.apply(&stage.deployment("web", app, 3).to_string()).expect_success();
        stage.report("web", 3, 3);
        install_crds(&bed);
        bed.apply(&stage.persona(app).to_string()).expect_success();
        stage.until_status(app, &Expected::healthy("web", 3).status(app));
        let deployment = stage.deployment("web", app, 2).to_string();
        let (dorgu, folder, namespace) = stage.apart();
        (dorgu, folder, namespace, deployment)
    };
    bed.stop_api_server();
    // Of the Deployments, since of the personas it has said so before.
    dorgu.wait_for_line("that the watches are lost", |line| {
        line.contains("Cannot watch") && line.contains("deployments")
    });
    if std::env::var_os("DORGU_LONG").is_some() {
        // As long as a control plane is away while it is upgraded.
        std::thread::sleep(Duration::from_secs(60));
    }
    bed.start_api_server();
    bed.apply(&deployment).expect_success();
    let patch = r#"{"status":{"replicas":2,"updatedReplicas":2,"readyReplicas":1,"availableReplicas":1}}"#;
    let args = [
        "patch",
        "deployment",
        "web",
        "-n",
        &namespace,
        "--subresource=status",
        "--type=merge",
        "-p",
        patch,
    ];
    bed.kubectl(&args).expect_success();
    let half = Expected {
        phase: "Degraded",
        health: ("Degraded", "1/2 replicas ready".to_owned()),
        ready: ("False", "Issues", "Phase: Degraded".to_owned()),
        ..Expected::healthy("web", 3)
    };
    let path = format!("/apis/dorgu.io/v1/namespaces/{namespace}/applicationpersonas/{app}");
    wait_until(TIMEOUT, "the status follows", || {
        let status = timeless(&get(&bed, &path)["status"]);
        ensure!(status == half.status(app), "{status:#}");
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", dorgu.lines().join("\n")));
    assert!(dorgu.stop().success());
}
