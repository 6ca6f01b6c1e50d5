//! Runs the programs that turn a Deployment into ready pods: controller-manager, scheduler, and kwok in place of kubelets.
//!
//! They need a running API server. This file knows no test.

use std::fs::File;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::control_plane::ControlPlane;
use super::kubectl::write_kubeconfig;
use super::scratch::tail;
use super::supervised::{Supervised, wait_until};

const TIMEOUT: Duration = Duration::from_secs(60);

/// The three processes; they end when this is dropped.
pub(crate) struct Rollouts {
    processes: Vec<Supervised>,
}

impl Rollouts {
    /// Starts them and returns when all of the `nodes` fake nodes are ready.
    pub(crate) fn start(plane: &ControlPlane, nodes: usize) -> Result<Self> {
        let stages = plane.assets().stages();
        let processes = vec![
            start(
                plane,
                "kube-controller-manager",
                "system:kube-controller-manager",
                &[
                    "--leader-elect=false",
                    "--use-service-account-credentials=true",
                    "--service-account-private-key-file=service-account.key",
                    "--root-ca-file=ca.crt",
                    "--secure-port=0",
                ],
            )?,
            start(
                plane,
                "kube-scheduler",
                "system:kube-scheduler",
                &["--leader-elect=false", "--secure-port=0"],
            )?,
            start(
                plane,
                "kwok",
                "kwok",
                &[
                    &format!("--config={}", stages.display()),
                    "--manage-all-nodes=true",
                    "--node-lease-duration-seconds=40",
                ],
            )?,
        ];
        let rollouts = Self { processes };
        let list: Vec<_> = (0..nodes).map(|number| node(&format!("node-{number}"))).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": list }).to_string();
        plane.kubectl().run(&["create", "-f", "-"], Some(&list))?.checked()?;
        let ready = wait_until(TIMEOUT, "every node is ready and takes pods", || {
            let jsonpath = r#"-o=jsonpath={range .items[*]}{.status.phase}{" "}{.spec.taints[*].key}{"\n"}{end}"#;
            let states = plane.kubectl().run(&["get", "nodes", jsonpath], None)?.checked()?;
            anyhow::ensure!(
                states.lines().all(|state| state.trim() == "Running"),
                "phases and taints: {states}"
            );
            Ok(())
        });
        ready.with_context(|| {
            let logs = ["kube-controller-manager", "kube-scheduler", "kwok"].map(|name| tail(&log(plane, name)));
            format!("the fake nodes do not become ready; {}", logs.join("\n"))
        })?;
        Ok(rollouts)
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Supervised::pid).collect()
    }
}

/// Starts one of the programs with a kubeconfig of its own.
fn start(plane: &ControlPlane, program: &str, user: &str, args: &[&str]) -> Result<Supervised> {
    let dir = plane.scratch().path();
    let kubeconfig = dir.join(format!("{program}.kubeconfig"));
    write_kubeconfig(&kubeconfig, &plane.api_url(), &plane.ca_file(), plane.token(user)?)?;
    let output = File::create(log(plane, program))?;
    let same_output = output.try_clone()?;
    let process = Supervised::start(plane.assets().path(program), None, |command| {
        command
            .current_dir(dir)
            // kwok would otherwise read and write in the user's home.
            .env("HOME", dir.join("home"))
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .args(args)
            .stdout(same_output)
            .stderr(output);
    })?;
    Ok(process)
}

fn log(plane: &ControlPlane, program: &str) -> std::path::PathBuf {
    plane.scratch().path().join(format!("{program}.log"))
}

/// The rest, capacity included, comes from kwok.
fn node(name: &str) -> serde_json::Value {
    let labels = json!({ "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" });
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": labels } })
}
