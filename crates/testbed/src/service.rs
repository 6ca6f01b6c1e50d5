//! Forwards the connections of a Service without a node, in place of kube-proxy.
//!
//! The API server assigns cluster addresses in the loopback network and dials them itself, so listening there is enough.
//! Connections go to ready pods in turn. A pod that is no longer ready gets no new ones and keeps those it has. This file
//! knows no TLS and no HTTP.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Bed, Pod};

/// A Service that forwards; dropping it stops that for new connections.
pub struct Service {
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
    pub fn of(bed: &Bed, namespace: &str, name: &str) -> Self {
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
        let target_port = port["targetPort"].as_str().context("a target port by its name")?;
        let selector = selector.into_iter().collect();
        Self::listen(SocketAddr::from((address, number)), target_port, selector)
    }

    fn listen(address: SocketAddr, target_port: &str, selector: Vec<(String, String)>) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        let service = Self {
            address: listener.local_addr()?,
            target_port: target_port.to_owned(),
            selector,
            shared: Arc::default(),
        };
        let shared = Arc::clone(&service.shared);
        std::thread::spawn(move || shared.accept(&listener));
        Ok(service)
    }

    /// Sends connections to this pod, too, while it is ready.
    pub fn send_to(&self, pod: &Pod) {
        for (key, value) in &self.selector {
            assert_eq!(
                pod.labels().get(key),
                Some(value),
                "the selector does not find {}",
                pod.name()
            );
        }
        self.add(pod.name(), pod.port(&self.target_port), pod.is_ready());
    }

    /// Sends connections to this address, too, whenever `is_ready` returns true.
    pub fn add(&self, pod: &str, address: SocketAddr, is_ready: impl Fn() -> bool + Send + 'static) {
        self.shared.endpoints().push(Endpoint {
            pod: pod.to_owned(),
            address,
            is_ready: Box::new(is_ready),
        });
    }

    /// Sends no new connection to this pod: it is being deleted.
    pub fn forget(&self, pod: &Pod) {
        self.remove(pod.name());
    }

    /// The same, by the name that it was added by.
    pub fn remove(&self, pod: &str) {
        self.shared.endpoints().retain(|endpoint| endpoint.pod != pod);
    }

    /// Where it listens: the cluster address and the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections found no ready pod, or one that was gone.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the listener, which then ends. If nothing listens, there is nothing to wake.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn endpoints(&self) -> std::sync::MutexGuard<'_, Vec<Endpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ready pods' addresses, starting with the next in turn.
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
            // A client that left before it was accepted needs nothing.
            let Ok(client) = client else { continue };
            // Only one, as in kube-proxy: it does not try the next pod when the chosen one has ended.
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

/// Forwards bytes both ways until both sides have ended. An error means that the pod was not reached.
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

/// Forwards bytes one way. An end is passed on as an end; a broken connection breaks the other.
fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let end = match io::copy(&mut from, &mut to) {
        Ok(_) => Shutdown::Write,
        Err(_) => Shutdown::Both,
    };
    if end == Shutdown::Both {
        drop(from.shutdown(end));
    }
    // It may be closed already, which is the aim.
    drop(to.shutdown(end));
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// A pod that sends its letter to each client, and whether it is ready.
    fn pod(letter: u8) -> (SocketAddr, Arc<AtomicBool>) {
        let listener = TcpListener::bind(ANYWHERE).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    while client.read(&mut [0]).is_ok_and(|read| read == 1) {
                        client.write_all(&[letter]).unwrap();
                    }
                });
            }
        });
        (address, Arc::new(AtomicBool::new(true)))
    }

    fn add(service: &Service, (address, ready): &(SocketAddr, Arc<AtomicBool>)) {
        let ready = Arc::clone(ready);
        service.add("any", *address, move || ready.load(Ordering::SeqCst));
    }

    /// Which pod answers on this connection; `None` when it was closed.
    fn answer(connection: &mut TcpStream) -> Option<char> {
        let mut letter = [0];
        connection.write_all(b"?").ok()?;
        (connection.read(&mut letter).ok()? == 1).then(|| char::from(letter[0]))
    }

    #[test]
    fn connections_go_to_ready_pods_in_turn_and_stay_where_they_are() {
        let service = Service::listen(ANYWHERE, "any", Vec::new()).unwrap();
        let (a, b) = (pod(b'a'), pod(b'b'));
        add(&service, &a);
        add(&service, &b);
        let connect = || TcpStream::connect(service.address()).unwrap();
        let (mut first, mut second) = (connect(), connect());
        let mut both = [answer(&mut first).unwrap(), answer(&mut second).unwrap()];
        both.sort_unstable();
        assert_eq!(both, ['a', 'b']);

        a.1.store(false, Ordering::SeqCst);
        assert!((0..4).all(|_| answer(&mut connect()) == Some('b')));
        let mut still = [answer(&mut first).unwrap(), answer(&mut second).unwrap()];
        still.sort_unstable();
        assert_eq!(still, ['a', 'b'], "what stood goes on");

        b.1.store(false, Ordering::SeqCst);
        assert_eq!(answer(&mut connect()), None);
        assert_eq!(service.refused(), 1);
    }
}
