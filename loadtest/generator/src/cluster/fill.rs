//! Creates namespaces and personas in a real cluster, as many as requested.

use std::rc::Rc;

use anyhow::ensure;
use clap::Args;
use serde_json::{Value, json};

use super::arm::LABEL;
use super::{Api, Client, until};
use crate::payloads::{self, PER_NAMESPACE};
use crate::run::{Pace, Speaks, Target, measure};

/// What is made.
#[derive(Args)]
pub struct Fill {
    #[command(flatten)]
    api: Api,
    /// How many personas, twenty in a namespace.
    #[arg(long, default_value_t = 10_000)]
    personas: usize,
    /// The first namespaces are labelled with these names, in this order.
    #[arg(long = "arm")]
    arms: Vec<String>,
    /// Nothing is made: wait until every persona has a status.
    #[arg(long)]
    wait_for_status: bool,
}

impl Fill {
    pub async fn run(&self) -> anyhow::Result<()> {
        let client = self.api.client()?;
        if self.wait_for_status {
            return until("every persona has a status", || without_status(&client)).await;
        }
        let namespaces = self.personas.div_ceil(PER_NAMESPACE);
        ensure!(
            self.arms.len() <= namespaces,
            "{} arms want a namespace each; {} personas fill {namespaces}",
            self.arms.len(),
            self.personas
        );
        let namespace = |index: usize| {
            let name = payloads::namespace(index * PER_NAMESPACE);
            let labels = match self.arms.get(index) {
                Some(arm) => json!({ LABEL: arm }),
                None => json!({}),
            };
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
            client.post("/api/v1/namespaces", "application/json", &body.to_string())
        };
        create(&client, (0..namespaces).map(namespace).collect()).await?;
        let persona = |number: usize| {
            let path = format!(
                "/apis/dorgu.io/v1/namespaces/{}/applicationpersonas",
                payloads::namespace(number)
            );
            client.post(&path, "application/yaml", &payloads::persona(number))
        };
        create(&client, (0..self.personas).map(persona).collect()).await
    }
}

/// Sends each once, over several connections.
async fn create(client: &Client, requests: Rc<[Vec<u8>]>) -> anyhow::Result<()> {
    let target = Target {
        address: client.address,
        // Processor time is not measured here.
        server: std::process::id(),
        beside: None,
        speaks: Speaks::Objects,
    };
    let pace = Pace {
        connections: 8,
        requests: requests.len(),
        seconds: 600,
        warm_up: 0,
        rate: 0,
        cold: false,
    };
    let wanted = requests.len();
    let report = measure(&target, requests, &pace).await?;
    let made = report.allowed + report.warned;
    ensure!(
        made == wanted,
        "{made} of {wanted} objects were made: {}",
        report
            .error
            .unwrap_or_else(|| format!("{} were refused", report.denied))
    );
    Ok(())
}

/// How many personas the operator has not reconciled yet.
async fn without_status(client: &Client) -> anyhow::Result<Result<(), String>> {
    let list: Value = serde_json::from_str(&client.get("/apis/dorgu.io/v1/applicationpersonas").await?)?;
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let without = items
        .iter()
        .filter(|persona| persona["status"]["phase"].is_null())
        .count();
    Ok(match without {
        0 => Ok(()),
        _ => Err(format!("{without} of {} have none", items.len())),
    })
}
