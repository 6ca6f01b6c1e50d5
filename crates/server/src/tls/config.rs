//! Builds the TLS settings that every listener shares.

use std::sync::{Arc, LazyLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;

use super::certificate::TlsError;
use super::client_auth::ClientAuth;
use super::resolver::Resolver;

/// The one cryptography provider, passed explicitly everywhere. A process-wide default would depend on which crate installs one
/// first.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Builds the settings with TLS 1.3 and, by ALPN, HTTP/1.1 only. Every supported API server, and every tool that calls us,
/// speaks both. kube-apiserver offers nothing but `http/1.1` to webhooks.
///
/// Sessions are never resumed. kube-apiserver does not ask for resumption. A resumed session would also skip verifying the
/// client certificate, even after the client CA has changed.
///
/// # Errors
/// The TLS library's cryptography provider does not support TLS 1.3.
pub fn server_config(resolver: Arc<Resolver>, client_auth: Option<&ClientAuth>) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = match client_auth {
        Some(client_auth) => builder.with_client_cert_verifier(client_auth.verifier()),
        None => builder.with_no_client_auth(),
    }
    .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}
