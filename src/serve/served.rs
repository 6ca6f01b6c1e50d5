//! Binds the listener of the webhook, and serves the webhook on it later. The two are separate steps, so that a taken port
//! is an error at start.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;

use super::certificate::Certificate;
use super::routed::Routed;
use super::{Tasks, gauges};
use crate::config::{Config, Serving};
use crate::index::Index;
use crate::runtime::Handler;
use crate::server::body::Budget;
use crate::server::descriptors::{self, Shares};
use crate::server::drain::Drain;
use crate::server::limits::Limits;
use crate::server::listen::Bound;
use crate::server::tls::{ClientAuth, server_config};
use crate::telemetry::{Exposition, announce};
use crate::webhook::{Metrics, PATH, Webhook};

pub(super) struct Served {
    listener: Bound,
    tls: Arc<rustls::ServerConfig>,
    app: Arc<Routed>,
    limits: Limits,
    /// The settings for the log line at start.
    settings: [&'static str; 3],
}

/// What the webhook answers from.
pub(super) struct Known<'i> {
    pub(super) index: &'i Arc<Index>,
    /// Whether a Deployment that is not in the index may still become known.
    pub(super) deployments_come: Arc<AtomicBool>,
}

impl Served {
    /// Binds the listener and prints its address. No request is answered yet.
    pub(super) async fn bind(
        config: &Config,
        serving: &Serving,
        certificate: Certificate,
        known: Known<'_>,
        beside: Vec<Handler>,
        exposition: &Exposition,
        tasks: &mut Tasks,
    ) -> anyhow::Result<Served> {
        let clients = match &serving.clients {
            Some(clients) => Some(ClientAuth::open(&clients.authority, &clients.names)?),
            None => None,
        };
        let tls = server_config(Arc::clone(&certificate.resolver), clients.as_ref())?;
        if let Some(clients) = clients {
            tasks.spawn("watching the client authorities", clients.run());
        }
        let limits = Shares::of(descriptors::limit()).webhook;
        let metrics = exposition.with(Metrics::register);
        let budget = Budget::for_this_process();
        let Known {
            index,
            deployments_come,
        } = known;
        let webhook = Webhook {
            limits,
            deployments_come,
            help: config.help.clone(),
            requires_label: config.requires_label,
            ..Webhook::new(config.rulebook, Arc::clone(index), metrics, budget.clone())
        };
        let listener = Bound::bind(&serving.address).await?;
        let listener = listener
            .on_own_workers()
            .context("cannot start the workers of the webhook")?;
        certificate.hand_out(serving)?;
        announce(&format!("webhook listening on https://{}{PATH}", listener.local_addr()));
        let facts = gauges::Listener {
            stats: listener.stats(),
            limits,
            budget,
        };
        exposition.with(|registry| registry.register_collector(Box::new(facts)));
        Ok(Served {
            listener,
            tls,
            app: Arc::new(Routed::new(webhook, beside)),
            limits,
            settings: [
                config.rulebook.mode.as_str(),
                config.rulebook.set.as_str(),
                config.matching.as_str(),
            ],
        })
    }

    /// Answers requests until the drain is complete.
    pub(super) async fn run(self, draining: Drain) {
        let [mode, rules, matching] = self.settings;
        tracing::info!(
            address = %self.listener.local_addr(),
            mode,
            rules,
            r#match = matching,
            "Serving the webhook"
        );
        let Served {
            listener,
            tls,
            app,
            limits,
            ..
        } = self;
        listener.serve(Some(tls), app, limits, draining).await;
        tracing::info!("Drained; every request was answered");
    }
}
