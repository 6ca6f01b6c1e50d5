//! A Service without a node: a test that plays kube-proxy.
//!
//! The API server hands out cluster addresses of the loopback network and dials them itself, so listening there is all it
//! takes. Every connection goes to a ready pod, in turn; a pod that is no longer ready gets no new ones and keeps those it
//! has. Knows no TLS and no HTTP.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::supervised::wait_until;
use super::{Bed, Pod};

const PATIENCE: Duration = Duration::from_secs(30);

/// A Service that forwards; dropping it stops that for new connections.
pub(crate) struct Service {
    address: SocketAddr,
    target_port: String,
    selector: Vec<(String, String)>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    endpoints: Mutex<Vec<Endpoint>>,
    next: AtomicUsize,
    over: AtomicBool,
    /// Connections that found no ready pod, or one that did not answer.
    refused: AtomicUsize,
}

struct Endpoint {
    pod: String,
    address: SocketAddr,
    is_ready: Box<dyn Fn() -> bool + Send>,
}

impl Service {
    /// The Service of this name, as the API server has it, with no pod behind it yet.
    pub(crate) fn of(bed: &Bed, namespace: &str, name: &str) -> Self {
        Self::start(bed, namespace, name).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn start(bed: &Bed, namespace: &str, name: &str) -> Result<Self> {
        let object = bed.kubectl(&["get", "service", name, "-n", namespace, "-o", "json"]);
        let object: Value = serde_json::from_str(&object.checked()?)?;
        let spec = &object["spec"];
        let address: Ipv4Addr = spec["clusterIP"].as_str().context("an address")?.parse()?;
        ensure!(address.is_loopback(), "{address} is not of the loopback network");
        let port = &spec["ports"][0];
        let number = u16::try_from(port["port"].as_u64().context("a port")?)?;
        let selector: std::collections::BTreeMap<String, String> = serde_json::from_value(spec["selector"].clone())?;
        let service = Self {
            address: SocketAddr::from((address, number)),
            target_port: port["targetPort"]
                .as_str()
                .context("a target port by its name")?
                .to_owned(),
            selector: selector.into_iter().collect(),
            shared: Arc::default(),
        };
        let listener =
            TcpListener::bind(service.address).with_context(|| format!("cannot listen on {}", service.address))?;
        let shared = Arc::clone(&service.shared);
        std::thread::spawn(move || shared.accept(&listener));
        Ok(service)
    }

    /// Sends connections to this pod, too, while it is ready.
    pub(crate) fn send_to(&self, pod: &Pod) {
        for (key, value) in &self.selector {
            assert_eq!(
                pod.labels().get(key),
                Some(value),
                "the selector does not find {}",
                pod.name()
            );
        }
        self.shared.endpoints().push(Endpoint {
            pod: pod.name().to_owned(),
            address: pod.port(&self.target_port),
            is_ready: Box::new(pod.is_ready()),
        });
    }

    /// Forgets a pod, as for one that is about to be deleted.
    pub(crate) fn forget(&self, pod: &Pod) {
        self.shared.endpoints().retain(|endpoint| endpoint.pod != pod.name());
    }

    /// Where it listens: the cluster address and the port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections found no ready pod, or one that was gone.
    pub(crate) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// Waits until at least one pod is ready.
    pub(crate) fn until_ready(&self) {
        let waited = wait_until(PATIENCE, "a pod is ready", || {
            ensure!(self.shared.candidates(0).next().is_some(), "none is");
            Ok(())
        });
        waited.unwrap_or_else(|error| panic!("{error:#}"));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over. With nobody listening there is nobody to wake.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn endpoints(&self) -> std::sync::MutexGuard<'_, Vec<Endpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ready pods' addresses, starting with the one whose turn it is.
    fn candidates(&self, turn: usize) -> impl Iterator<Item = SocketAddr> {
        let endpoints = self.endpoints();
        let mut ready: Vec<SocketAddr> = endpoints
            .iter()
            .filter(|endpoint| (endpoint.is_ready)())
            .map(|endpoint| endpoint.address)
            .collect();
        if !ready.is_empty() {
            let turn = turn % ready.len();
            ready.rotate_left(turn);
        }
        ready.into_iter()
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            // A client that is gone before it was accepted asks for nothing.
            let Ok(client) = client else { continue };
            // One choice, as kube-proxy makes it: it does not try the next pod when the chosen one is gone.
            let chosen = self.candidates(self.next.fetch_add(1, Ordering::SeqCst)).next();
            let shared = Arc::clone(self);
            std::thread::spawn(move || {
                if chosen.is_none_or(|pod| forward(&client, pod).is_err()) {
                    shared.refused.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    }
}

/// Carries bytes both ways until both sides have ended. An error means that the pod was not reached.
fn forward(client: &TcpStream, pod: SocketAddr) -> io::Result<()> {
    let pod = TcpStream::connect_timeout(&pod, Duration::from_secs(1))?;
    client.set_nodelay(true)?;
    pod.set_nodelay(true)?;
    std::thread::scope(|scope| {
        scope.spawn(|| carry(client, &pod));
        carry(&pod, client);
    });
    Ok(())
}

/// Carries bytes one way; an end is passed on as an end, a broken connection breaks the other.
fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let end = match io::copy(&mut from, &mut to) {
        Ok(_) => Shutdown::Write,
        Err(_) => Shutdown::Both,
    };
    if end == Shutdown::Both {
        drop(from.shutdown(end));
    }
    // It may be closed already, which is what this is for.
    drop(to.shutdown(end));
}
