//! A router on hyper over tokio-rustls, like axum's example of low-level TLS, with the timer that activates hyper's deadline
//! for a request's header: 30 s unless it is set. That deadline also runs while a connection is idle.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serves until the process ends.
pub async fn serve(address: SocketAddr, tls: Arc<rustls::ServerConfig>, app: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let acceptor = TlsAcceptor::from(tls);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    loop {
        let (tcp, peer) = listener.accept().await.context("cannot accept")?;
        tcp.set_nodelay(true)?;
        let (acceptor, app, builder) = (acceptor.clone(), app.clone(), builder.clone());
        tokio::spawn(async move {
            let stream = match acceptor.accept(tcp).await {
                Ok(stream) => stream,
                Err(error) => return eprintln!("{peer}: {error}"),
            };
            let connection =
                builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(app));
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}
