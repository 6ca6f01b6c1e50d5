//! Client certificates, verified within the handshake.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;
use dorgu::server::limits::Limits;
use dorgu::server::stats::CloseReason;
use dorgu::server::tls::{ClientAuth, SelfSigned, server_config};
use rustls::ClientConfig;
use tempfile::TempDir;

use super::support::{Authority, Client, Pair, Served, client_config, trusting, until};

/// A server that wants certificates, and everything to make callers with.
struct Guarded {
    served: Served,
    server_ca: String,
    handled: Arc<AtomicU64>,
    ca_file: PathBuf,
    reloads: tokio::sync::watch::Receiver<dorgu::server::tls::Reloads>,
    _directory: TempDir,
}

impl Guarded {
    async fn start(ca: &Authority, names: &[&str]) -> Guarded {
        let directory = tempfile::tempdir().unwrap();
        let ca_file = directory.path().join("ca.crt");
        std::fs::write(&ca_file, ca.pem()).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let auth = ClientAuth::open(&ca_file, &names).unwrap();
        let own = SelfSigned::generate(&["localhost".into()]).unwrap();
        let tls = server_config(own.resolver(), Some(&auth)).unwrap();
        let reloads = auth.reloads();
        tokio::spawn(auth.run());

        let handled = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&handled);
        let app = Router::new().route(
            "/ok",
            get(async move || {
                count.fetch_add(1, Ordering::Relaxed);
                "ok"
            }),
        );
        let client = trusting(own.ca_pem().as_bytes());
        let served = Served::start_with(app, Limits::default(), tls, client).await;
        Guarded {
            served,
            server_ca: own.ca_pem(),
            handled,
            ca_file,
            reloads,
            _directory: directory,
        }
    }

    /// A call with this certificate: its status, or why the handshake failed. In TLS 1.3 a client has finished its own part
    /// before the server verifies it, so the rejection arrives with the first read.
    async fn call(&self, pair: Option<&Pair>) -> Result<u16, String> {
        call(self.served.addr, &self.showing(pair))
            .await
            .map_err(|error| error.to_string())
    }

    /// A client that shows this certificate.
    fn showing(&self, pair: Option<&Pair>) -> Arc<ClientConfig> {
        let config = client_config(self.server_ca.as_bytes(), &[&rustls::version::TLS13]);
        Arc::new(match pair {
            Some(pair) => {
                let (chain, key) = pair.parsed();
                config.with_client_auth_cert(chain, key).unwrap()
            }
            None => config.with_no_client_auth(),
        })
    }
}

async fn call(addr: SocketAddr, config: &Arc<ClientConfig>) -> std::io::Result<u16> {
    Ok(Client::connect(addr, config).await?.get("/ok").await?.status)
}

#[tokio::test]
async fn only_a_certificate_of_the_ca_with_an_allowed_name_gets_through_the_handshake() {
    let ca = Authority::new("client CA");
    let guarded = Guarded::start(&ca, &["kube-apiserver", "apiserver.example.com", "10.0.0.1"]).await;
    for (common_name, names) in [
        ("kube-apiserver", vec![]),
        ("anything", vec!["other.example.com", "apiserver.example.com"]),
        ("anything", vec!["10.0.0.1"]),
    ] {
        assert_eq!(
            guarded.call(Some(&ca.issue(common_name, &names, |_| {}))).await,
            Ok(200),
            "{common_name} {names:?}"
        );
    }
    let refused = [
        (None, "CertificateRequired"),
        (
            Some(ca.issue("kube-apiserver2", &["x.apiserver.example.com", "10.0.0.2"], |_| {})),
            "AccessDenied",
        ),
        (Some(ca.issue("Kube-Apiserver", &[], |_| {})), "AccessDenied"),
        (
            Some(Authority::new("client CA").issue("kube-apiserver", &[], |_| {})),
            "DecryptError",
        ),
        (
            Some(Authority::new("other CA").issue("kube-apiserver", &[], |_| {})),
            "UnknownCA",
        ),
        (
            Some(ca.issue("kube-apiserver", &[], |params| {
                params.not_after = rcgen::date_time_ymd(2021, 1, 1)
            })),
            "CertificateExpired",
        ),
    ];
    for (pair, alert) in &refused {
        let error = guarded.call(pair.as_ref()).await.unwrap_err();
        assert!(error.contains(alert), "{alert}: {error}");
    }
    assert_eq!(
        guarded.handled.load(Ordering::Relaxed),
        3,
        "no refused call reached a handler"
    );
    guarded
        .served
        .closed(CloseReason::HandshakeFailed, refused.len() as u64)
        .await;
}

#[tokio::test]
async fn a_refused_client_that_is_still_writing_can_read_why() {
    let ca = Authority::new("client CA");
    let guarded = Guarded::start(&ca, &["kube-apiserver"]).await;
    let stranger = guarded.showing(Some(&ca.issue("stranger", &[], |_| {})));
    let mut client = Client::connect(guarded.served.addr, &stranger).await.unwrap();
    for _ in 0..10 {
        // A reset, which unread bytes would cause, fails the next write.
        client.send(vec![b'x'; 10_000]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let error = client.answer().await.unwrap_err().to_string();
    assert!(error.contains("AccessDenied"), "{error}");
}

#[tokio::test]
async fn without_names_the_signature_is_enough() {
    let ca = Authority::new("client CA");
    let guarded = Guarded::start(&ca, &[]).await;
    assert_eq!(guarded.call(Some(&ca.issue("anybody", &[], |_| {}))).await, Ok(200));
    guarded.call(None).await.unwrap_err();
}

#[tokio::test]
async fn a_new_client_ca_counts_from_the_next_handshake_on_and_a_broken_file_changes_nothing() {
    let (old, new) = (Authority::new("old CA"), Authority::new("new CA"));
    let guarded = Guarded::start(&old, &[]).await;
    let (by_old, by_new) = (old.issue("caller", &[], |_| {}), new.issue("caller", &[], |_| {}));
    assert_eq!(guarded.call(Some(&by_old)).await, Ok(200));

    std::fs::write(&guarded.ca_file, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    until("the broken file is reported", || guarded.reloads.borrow().failed == 1).await;
    assert!(
        guarded
            .reloads
            .borrow()
            .last_failure
            .as_ref()
            .unwrap()
            .starts_with("client CA file")
    );
    assert_eq!(guarded.call(Some(&by_old)).await, Ok(200));

    std::fs::write(&guarded.ca_file, [old.pem(), new.pem()].concat()).unwrap();
    until("both are trusted", || guarded.reloads.borrow().succeeded == 1).await;
    assert_eq!(guarded.call(Some(&by_old)).await, Ok(200));
    assert_eq!(guarded.call(Some(&by_new)).await, Ok(200));

    std::fs::write(&guarded.ca_file, new.pem()).unwrap();
    until("only the new one is trusted", || {
        guarded.reloads.borrow().succeeded == 2
    })
    .await;
    guarded.call(Some(&by_old)).await.unwrap_err();
    assert_eq!(guarded.call(Some(&by_new)).await, Ok(200));
}

#[test]
fn settings_that_check_nothing_or_cannot_are_refused_at_start() {
    let names = vec!["kube-apiserver".to_owned()];
    assert!(ClientAuth::from_settings(None, &[]).unwrap().is_none());
    let problem = |ca: Option<&std::path::Path>| ClientAuth::from_settings(ca, &names).err().unwrap().to_string();
    assert_eq!(
        problem(None),
        "allowed client names are given without a client CA file; give the CA that signs them, or no names"
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.crt");
    assert!(problem(Some(&file)).ends_with("ca.crt does not exist; create it, or give another path"));
    std::fs::write(&file, "nothing").unwrap();
    assert!(problem(Some(&file)).contains("holds no certificate"));
}
