//! dorgu as its manifests install it: arguments, account, certificates, all as shipped.

use std::time::Duration;

use serde_json::json;

use super::fleet::{ENDPOINT_DELAY, Fleet, SHOP};
use crate::bed::{Addresses, Bed, Line, Options, Pod};
use crate::installed::{DEPLOYMENT, Installed, NAMESPACE, storm};

/// Written all the time, beside the one that judges.
const OTHERS: usize = 60;
/// Every tenth write is one of the governing persona.
const EVERY: usize = 10;
/// How long no connection to the API server is admitted after a cut, and how many cuts one fault is.
const CLOSED: Duration = Duration::from_millis(200);
const CUTS: usize = 3;

/// Two pods whose way to the API server can be cut.
pub(super) struct Ours {
    // Dropped in this order: pods before the line that they would miss.
    installed: Installed,
    line: Line,
}

impl Ours {
    /// `None` where this machine cannot play node.
    pub(super) fn start(options: &Options) -> Option<Ours> {
        let installed = Installed::new(options)?;
        storm::enforce(&installed.bed);
        let line = Line::to(&installed.bed.api_url());
        let mut ours = Ours { installed, line };
        let others: Vec<_> = (0..OTHERS).map(persona).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": others});
        ours.installed.bed.apply(&list.to_string()).expect_success();
        ours.run_pod();
        ours.run_pod();
        Some(ours)
    }

    /// One more pod, ready and behind the Service. The Service continues to send it connections until it is removed, since a
    /// kube-proxy learns of readiness as late as of everything else.
    fn run_pod(&mut self) {
        let (bed, server) = (&self.installed.bed, self.line.url());
        let pod = Pod::through(bed, &server, NAMESPACE, DEPLOYMENT, Addresses::OfItsOwn);
        pod.until_ready();
        self.installed.webhook.add(pod.name(), pod.port("webhook"), || true);
        self.installed.pods.push(pod);
    }
}

fn name(number: usize) -> String {
    format!("app{number}")
}

fn persona(number: usize) -> serde_json::Value {
    json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": name(number), "namespace": SHOP},
        "spec": {"name": name(number), "type": "api", "scaling": {"minReplicas": 2}},
    })
}

impl Fleet for Ours {
    fn bed(&mut self) -> &mut Bed {
        &mut self.installed.bed
    }

    fn words(&self) -> &'static str {
        "below persona minimum"
    }

    fn canary(&self) -> String {
        storm::deployment("canary").to_string()
    }

    fn replace_in_turn(&mut self) {
        let mut leaving = Vec::new();
        for _ in 0..self.installed.pods.len() {
            self.run_pod();
            let mut old = self.installed.pods.remove(0);
            old.ask_to_leave();
            std::thread::sleep(ENDPOINT_DELAY);
            self.installed.webhook.forget(&old);
            leaving.push(old);
        }
        for mut old in leaving {
            let status = old.until_gone();
            assert!(
                status.success(),
                "{status}; it said:\n{}",
                old.process().lines().join("\n")
            );
        }
        // The next fault needs a holder of the Lease.
        self.installed.until_held();
    }

    fn rotate_leaf(&mut self) {
        let before = self.installed.served();
        storm::rotate(&self.installed, "leaf");
        self.installed.until_renewed(&before);
    }

    fn rotate_ca(&mut self) {
        let before = self.installed.served();
        storm::rotate(&self.installed, "ca");
        self.installed.until_renewed(&before);
    }

    fn cut_watches(&mut self) {
        for _ in 0..CUTS {
            self.line.close();
            self.line.cut();
            std::thread::sleep(CLOSED);
            self.line.open();
            std::thread::sleep(CLOSED * 4);
        }
    }

    fn personas(&self) -> Vec<String> {
        let path = |name: &str| format!("/apis/dorgu.io/v1/namespaces/{SHOP}/applicationpersonas/{name}");
        let judging = |number: usize| number.is_multiple_of(EVERY).then(|| path("orders"));
        let others = (0..OTHERS).flat_map(|number| judging(number).into_iter().chain([path(&name(number))]));
        others.collect()
    }

    fn said(&self) -> String {
        // A line for each denial, which is their purpose.
        let lines = |pod: &Pod| {
            let said = pod.process().lines();
            let told: Vec<_> = said.into_iter().filter(|line| !line.contains("canary")).collect();
            told[told.len().saturating_sub(100)..].join("\n")
        };
        let said = self.installed.pods.iter();
        let said = said.map(|pod| format!("{}:\n{}", pod.name(), lines(pod)));
        said.collect::<Vec<_>>().join("\n")
    }
}
