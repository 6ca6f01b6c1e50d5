//! Certificates from files: replaced under load, and invalid from the start.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dorgu::server::limits::Limits;
use dorgu::server::tls::{CertificateFiles, SelfSigned, server_config};
use rcgen::date_time_ymd;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::support::{Authority, Client, Pair, Served, TIMEOUT, plain_app, trusting, until};

/// Replaces the pair as a kubelet does: a new folder, then one rename of the link that leads to it.
fn swap_like_a_kubelet(directory: &Path, pair: &Pair, version: usize) {
    let folder = format!("..version_{version}");
    std::fs::create_dir(directory.join(&folder)).unwrap();
    pair.write(&directory.join(&folder));
    let before = std::fs::read_link(directory.join("..data")).ok();
    symlink(&folder, directory.join("..data_tmp")).unwrap();
    std::fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        if !directory.join(name).exists() {
            symlink(format!("..data/{name}"), directory.join(name)).unwrap();
        }
    }
    if let Some(before) = before {
        std::fs::remove_dir_all(directory.join(before)).unwrap();
    }
}

/// Replaces each file by a rename; between the two the pair does not match.
fn swap_by_rename(directory: &Path, pair: &Pair) {
    let beside = directory.join("new");
    std::fs::create_dir_all(&beside).unwrap();
    pair.write(&beside);
    for name in ["tls.key", "tls.crt"] {
        std::fs::rename(beside.join(name), directory.join(name)).unwrap();
    }
}

/// Endless calls at a fixed rate, half of them on new connections.
struct Load {
    stop: AtomicBool,
    made: AtomicU64,
    on_new: AtomicU64,
    lost: Mutex<Vec<String>>,
    kept: Mutex<Vec<Client>>,
}

impl Load {
    async fn run(self: Arc<Load>, served: Arc<Served>) {
        let mut tick = interval(Duration::from_millis(4));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut calls = JoinSet::new();
        while !self.stop.load(Ordering::Relaxed) {
            tick.tick().await;
            let reuse = self.made.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
            let (load, served) = (Arc::clone(&self), Arc::clone(&served));
            calls.spawn(async move {
                if let Err(error) = load.call(&served, reuse).await {
                    load.lost.lock().await.push(error);
                }
            });
            while calls.try_join_next().is_some_and(|call| call.is_ok()) {}
        }
        while let Some(call) = calls.join_next().await {
            call.unwrap();
        }
    }

    async fn call(&self, served: &Served, reuse: bool) -> Result<(), String> {
        let kept = if reuse { self.kept.lock().await.pop() } else { None };
        let mut client = match kept {
            Some(client) => client,
            None => {
                self.on_new.fetch_add(1, Ordering::Relaxed);
                Client::connect(served.addr, &served.client)
                    .await
                    .map_err(|error| format!("connecting: {error}"))?
            }
        };
        let answer = client
            .post("/echo", b"review")
            .await
            .map_err(|error| format!("calling: {error}"))?;
        if answer.status != 200 || answer.text() != "review" || answer.closes() {
            return Err(format!("{answer:?}"));
        }
        if reuse {
            self.kept.lock().await.push(client);
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_certificate_changes_under_load_lose_no_request_and_are_all_seen() {
    let authority = Authority::new("test CA");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    swap_like_a_kubelet(path, &authority.server(), 0);
    let files = CertificateFiles::open(path.join("tls.crt"), path.join("tls.key")).unwrap();
    let facts = files.facts();
    let tls = server_config(files.resolver(), None).unwrap();
    let following = tokio::spawn(files.run());
    let trusting = trusting(authority.pem().as_bytes());
    let served = Arc::new(Served::start_with(plain_app(Limits::default()), Limits::default(), tls, trusting).await);

    let load = Arc::new(Load {
        stop: AtomicBool::new(false),
        made: AtomicU64::new(0),
        on_new: AtomicU64::new(0),
        lost: Mutex::default(),
        kept: Mutex::default(),
    });
    let began = Instant::now();
    let running = tokio::spawn(Arc::clone(&load).run(Arc::clone(&served)));

    let mut slowest = Duration::ZERO;
    for change in 1..=50 {
        let pair = authority.server();
        let changed = Instant::now();
        if change <= 25 {
            swap_like_a_kubelet(path, &pair, change);
        } else {
            swap_by_rename(path, &pair);
        }
        let seen = async { while served.connect().await.serial != pair.serial {} };
        tokio::time::timeout(TIMEOUT, seen)
            .await
            .unwrap_or_else(|_| panic!("change {change} was never seen"));
        slowest = slowest.max(changed.elapsed());
        // Far below the 10 s of the poll: each change was seen by the directory watch.
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
        until("the facts follow", || facts.borrow().serial == pair.serial).await;
    }
    load.stop.store(true, Ordering::Relaxed);
    running.await.unwrap();
    let seconds = began.elapsed().as_secs_f64();

    let (made, on_new) = (load.made.load(Ordering::Relaxed), load.on_new.load(Ordering::Relaxed));
    let lost = load.lost.lock().await;
    println!(
        "50 changes in {seconds:.1} s, the slowest seen after {slowest:?}; {made} calls, {on_new} on new connections, {} lost",
        lost.len()
    );
    assert!(lost.is_empty(), "{:?}; {:?}", &lost[..lost.len().min(5)], served.stats);
    assert!(made as f64 / seconds >= 200.0, "only {made} calls in {seconds:.1} s");
    assert!(
        on_new * 2 >= made,
        "only {on_new} of {made} calls were on new connections"
    );
    assert_eq!(
        (
            facts.borrow().reloads.succeeded,
            facts.borrow().reloads.last_failure.as_deref()
        ),
        (50, None)
    );
    following.abort();
}

/// The line that opening this pair gives.
fn problem_of(certificate: &Path, key: &Path) -> String {
    let error = CertificateFiles::open(certificate, key)
        .err()
        .expect("it is refused")
        .to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn each_wrong_file_is_one_clear_line() {
    let authority = Authority::new("test CA");
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let write = |name: &str, text: &str| -> PathBuf {
        std::fs::write(path(name), text).unwrap();
        path(name)
    };
    let (good, other) = (authority.server(), authority.server());
    let certificate = write("tls.crt", &good.certificate);
    let key = write("tls.key", &good.key);
    let shown = |path: &Path| path.display().to_string();

    let missing = path("gone");
    let lines = [
        (
            &missing,
            &key,
            format!(
                "certificate file {} does not exist; create it, or give another path",
                shown(&missing)
            ),
        ),
        (
            &certificate,
            &missing,
            format!(
                "key file {} does not exist; create it, or give another path",
                shown(&missing)
            ),
        ),
        (
            &certificate,
            &certificate,
            format!(
                "key file {} holds no private key; it must be PEM and not encrypted, as -----BEGIN PRIVATE KEY-----",
                shown(&certificate)
            ),
        ),
        (
            &key,
            &key,
            format!(
                "certificate file {} holds no certificate; it must begin with -----BEGIN CERTIFICATE-----",
                shown(&key)
            ),
        ),
        (
            &write("other.crt", &other.certificate),
            &key,
            format!(
                "key file {} is not the key of the first certificate in {}; put the server's own certificate first and issue both together",
                shown(&key),
                shown(&path("other.crt"))
            ),
        ),
        (
            &write("ca-first.crt", &[authority.pem(), good.certificate.clone()].concat()),
            &key,
            format!(
                "key file {} is not the key of the first certificate in {}; put the server's own certificate first and issue both together",
                shown(&key),
                shown(&path("ca-first.crt"))
            ),
        ),
    ];
    for (certificate, key, line) in lines {
        assert_eq!(problem_of(certificate, key), line);
    }
    for (certificate, key, part) in [
        (&write("text.crt", "not PEM at all"), &key, "holds no certificate"),
        (
            &write("half.crt", &good.certificate[..good.certificate.len() / 2]),
            &key,
            "half.crt is not valid PEM",
        ),
        (
            &write(
                "hollow.crt",
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            ),
            &key,
            "cannot be read",
        ),
        (&certificate, &write("empty.key", ""), "holds no private key"),
        (
            &certificate,
            &write("half.key", &good.key[..60]),
            "holds no private key",
        ),
        (
            &certificate,
            &write(
                "hollow.key",
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            ),
            "holds a key that cannot be used",
        ),
        (
            &certificate,
            &write("weak.key", include_str!("odd/rsa-1024.key")),
            "RSA from 2048 bits on",
        ),
        (
            &write("version-1.crt", include_str!("odd/version-1.crt")),
            &write("version-1.key", include_str!("odd/version-1.key")),
            "version-1.crt holds a certificate that TLS does not take",
        ),
        (&directory.path().to_owned(), &key, "cannot be read"),
        (&PathBuf::from("/dev/zero"), &key, "is larger than 1024 KiB"),
    ] {
        let line = problem_of(certificate, key);
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_certificate_that_is_not_valid_today_is_a_warning_and_no_error() {
    let authority = Authority::new("test CA");
    let directory = tempfile::tempdir().unwrap();
    authority
        .issue("server", &["localhost"], |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        })
        .write(directory.path());
    let [certificate, key] = ["tls.crt", "tls.key"].map(|name| directory.path().join(name));

    let logged = Logged::default();
    let files = tracing::subscriber::with_default(logged.subscriber(), || {
        CertificateFiles::open(certificate, key).unwrap()
    });
    let text = logged.text();
    assert!(
        text.contains("WARN") && text.contains("expired at 2021-01-01T00:00:00Z"),
        "{text}"
    );
    let problem = files.facts().borrow().problem(jiff::Timestamp::now());
    assert_eq!(
        problem.unwrap(),
        "the serving certificate expired at 2021-01-01T00:00:00Z; callers refuse it"
    );
}

/// Log lines, kept.
#[derive(Clone, Default)]
struct Logged(Arc<std::sync::Mutex<Vec<u8>>>);

impl Logged {
    fn subscriber(&self) -> impl tracing::Subscriber + use<> {
        let kept = self.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || kept.clone())
            .finish()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_chain_in_the_file_reaches_a_client_that_trusts_only_its_root() {
    let authority = Authority::new("root");
    let intermediate = authority.intermediate("intermediate");
    let leaf = intermediate.server();
    let directory = tempfile::tempdir().unwrap();
    let chain = Pair {
        certificate: [leaf.certificate, intermediate.pem()].concat(),
        ..leaf
    };
    chain.write(directory.path());
    let files = CertificateFiles::open(directory.path().join("tls.crt"), directory.path().join("tls.key")).unwrap();
    let tls = server_config(files.resolver(), None).unwrap();
    let client = trusting(authority.pem().as_bytes());
    let served = Served::start_with(plain_app(Limits::default()), Limits::default(), tls, client).await;
    assert_eq!(served.connect().await.get("/ok").await.unwrap().status, 200);
}

#[tokio::test]
async fn our_own_certificate_serves_every_name_it_was_made_for_and_no_other() {
    let own = SelfSigned::generate(&["localhost".into(), "127.0.0.1".into()]).unwrap();
    let tls = server_config(own.resolver(), None).unwrap();
    let served = Served::start_with(
        plain_app(Limits::default()),
        Limits::default(),
        tls,
        trusting(own.ca_pem().as_bytes()),
    )
    .await;
    assert_eq!(served.connect().await.get("/ok").await.unwrap().status, 200);

    let connector = tokio_rustls::TlsConnector::from(Arc::clone(&served.client));
    for (name, good) in [("127.0.0.1", true), ("example.com", false)] {
        let tcp = tokio::net::TcpStream::connect(served.addr).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from(name).unwrap();
        assert_eq!(connector.connect(name, tcp).await.is_ok(), good);
    }
}
