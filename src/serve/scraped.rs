//! Protects `/metrics`, unless the configuration says otherwise: by HTTPS and, with a cluster, by authorization of a bearer
//! token.

use std::sync::Arc;

use axum::Router;

use super::Tasks;
use crate::config::{Config, Source};
use crate::k8s::{Access, ClusterSource, Denial, Memory, client};
use crate::server::guard::{Denied, guarded};
use crate::server::tls::{CertificateFiles, Resolver, SelfSigned, server_config};

/// The pages as the configuration serves them. `webhooks` is the certificate to use where the configuration names none. Without
/// a webhook one is generated.
///
/// # Errors
/// Its certificate, or the configuration of the client, cannot be used. No API server is contacted.
pub(super) async fn behind(
    config: &Config,
    webhooks: Option<Arc<Resolver>>,
    pages: Router,
    tasks: &mut Tasks,
) -> anyhow::Result<(Option<Arc<rustls::ServerConfig>>, Router)> {
    let admin = &config.admin;
    if admin.metrics.is_none() || !admin.metrics_secure {
        return Ok((None, pages));
    }
    let resolver = match &admin.metrics_certificates {
        None => match webhooks {
            Some(webhooks) => webhooks,
            None => {
                let own = Arc::new(SelfSigned::generate(&["localhost".to_owned()])?);
                let resolver = own.resolver();
                tasks.spawn("renewing the certificate of the metrics", own.run());
                resolver
            }
        },
        Some(files) => {
            let files = CertificateFiles::open(&files.chain, &files.key)?;
            let resolver = files.resolver();
            tasks.spawn("watching the certificate files of the metrics", files.run());
            resolver
        }
    };
    let pages = match &config.source {
        Source::Files(_) => pages,
        Source::Cluster(place) => for_who_may_get(place, pages).await?,
    };
    Ok((Some(server_config(resolver, None)?), pages))
}

async fn for_who_may_get(place: &ClusterSource, pages: Router) -> anyhow::Result<Router> {
    let client = client(place.config().await?)?;
    let access = Arc::new(Access::new(client, "get", "/metrics", Memory::default()));
    Ok(guarded(pages, move |token| {
        let access = Arc::clone(&access);
        async move { access.check(&token).await.map_err(denied) }
    }))
}

fn denied(denial: Denial) -> Denied {
    let line = denial.to_string();
    match denial {
        Denial::UnknownToken => Denied::Unauthorized(line),
        Denial::Forbidden { .. } => Denied::Forbidden(line),
        Denial::Unavailable(_) => Denied::Unavailable(line),
    }
}
