//! Opens the certificate that the webhook serves: from files, from a Secret, or generated in memory. Probes and metrics read
//! its state from here, with the reason why a replica is unready.

mod part;

use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::watch;

use super::Tasks;
use crate::certificates::{Certificates, State};
use crate::config::Serving;
use crate::runtime::{Part, Task};
use crate::server::admin::Checks;
pub(super) use part::ABOUT;

use crate::server::tls::{CertificateFacts, CertificateFiles, Resolver, SelfSigned};

/// The certificate in use.
pub(super) struct Certificate {
    pub(super) resolver: Arc<Resolver>,
    pub(super) state: CertificateState,
    /// The work that still needs a cluster's client.
    in_cluster: Option<Certificates>,
    /// Generated in memory, with a CA that no client trusts yet.
    in_memory: Option<Arc<SelfSigned>>,
}

impl Certificate {
    /// Its part of the process. The work in the cluster is passed on once.
    pub(super) fn part(&mut self) -> Part {
        let kept = self.in_cluster.take().map(|certificates| -> Task {
            Box::new(move |client, leadership| Box::pin(certificates.run(client, leadership)))
        });
        part::part(&self.state, kept)
    }

    /// Writes the CA for clients. Only once the listener is bound: a second process on the same address must not take over the
    /// first one's clients.
    pub(super) fn hand_out(&self, serving: &Serving) -> anyhow::Result<()> {
        if let (Some(own), Some(file)) = (&self.in_memory, &serving.write_ca) {
            own.write_ca(file)
                .with_context(|| format!("cannot write the CA to {}", file.display()))?;
        }
        Ok(())
    }
}

/// What is known of the certificate.
#[derive(Clone, Debug)]
pub(super) struct CertificateState {
    /// For certificate files, and for one generated in memory.
    own: Option<watch::Receiver<CertificateFacts>>,
    /// For the cluster: the Secret and the webhook configuration; with files, only the latter.
    cluster: Option<Arc<State>>,
}

impl CertificateState {
    /// The facts of the certificate being served; `None` when there is none yet.
    pub(super) fn facts(&self) -> Option<CertificateFacts> {
        match (&self.own, &self.cluster) {
            (Some(own), _) => Some(own.borrow().clone()),
            (None, cluster) => cluster.as_ref()?.facts(),
        }
    }

    /// The state of the certificates in the cluster.
    pub(super) fn cluster(&self) -> Option<&State> {
        self.cluster.as_deref()
    }

    /// Adds its checks of `/readyz`.
    pub(super) fn checks(&self, checks: Checks) -> Checks {
        let state = self.clone();
        let checks = checks.with_note("certificate", move || match (&state.own, &state.cluster) {
            (Some(own), _) => own.borrow().problem(Timestamp::now()).map_or(Ok(String::new()), Err),
            (None, Some(cluster)) => cluster.certificate(Timestamp::now()),
            (None, None) => Err("there is none".to_owned()),
        });
        match self.cluster.clone() {
            Some(cluster) => checks.with_note("ca-bundle", move || cluster.ca_bundle(Timestamp::now())),
            None => checks,
        }
    }
}

/// Opens or generates the certificate that the configuration asks for.
pub(super) fn open(serving: &Serving, tasks: &mut Tasks) -> anyhow::Result<Certificate> {
    let settings = serving.in_cluster.clone();
    if let Some(files) = &serving.certificates {
        let files = CertificateFiles::open(&files.chain, &files.key)?;
        let resolver = files.resolver();
        let checked = settings.map(|settings| Certificates::over(settings, Arc::clone(&resolver)));
        let state = CertificateState {
            own: Some(files.facts()),
            cluster: checked.as_ref().map(Certificates::state),
        };
        tasks.spawn("watching the certificate files", files.run());
        return Ok(Certificate {
            resolver,
            state,
            in_cluster: checked,
            in_memory: None,
        });
    }
    if let Some(settings) = settings {
        let kept = Certificates::new(settings);
        return Ok(Certificate {
            resolver: kept.resolver(),
            state: CertificateState {
                own: None,
                cluster: Some(kept.state()),
            },
            in_cluster: Some(kept),
            in_memory: None,
        });
    }
    in_memory(serving, tasks)
}

/// A certificate that lives as long as the process.
fn in_memory(serving: &Serving, tasks: &mut Tasks) -> anyhow::Result<Certificate> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(
        serving
            .address
            .certificate_name()
            .filter(|name| !["localhost", "127.0.0.1", "::1"].contains(&name.as_str())),
    );
    let own = Arc::new(SelfSigned::generate(&names)?);
    tracing::info!(
        names = names.join(" "),
        "Made a certificate in memory; nothing is written into a cluster for it"
    );
    let (resolver, facts) = (own.resolver(), own.facts());
    tasks.spawn("renewing the certificate", Arc::clone(&own).run());
    Ok(Certificate {
        resolver,
        state: CertificateState {
            own: Some(facts),
            cluster: None,
        },
        in_cluster: None,
        in_memory: Some(own),
    })
}
