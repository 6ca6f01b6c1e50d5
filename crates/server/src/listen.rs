//! Binds a listener, and later accepts its connections. The two are separate steps, so that a taken port is an error at
//! start, and a test can bind port 0 and ask for the address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::address::Host as BindHost;
pub use super::address::{BadAddress, BindAddress};
use super::app::App;
use super::connection::Host;
use super::drain::{Drain, State};
use super::limits::Limits;
use super::registry::Registry;
use super::service::Application;
use super::stats::Stats;
use super::track::{Connection, FAREWELL};
use super::workers::{Given, Workers};

/// Connections that the kernel may hold between their TCP handshake and our accept.
const BACKLOG: u32 = 1024;

/// Dead peers (a node that lost power) are probed after 30 s of silence, every 10 s.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Time for the runtime to receive connections that the kernel has already accepted.
const ONE_TURN: Duration = Duration::from_millis(5);

/// After a failed accept: first and longest pause before the next.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Why a listener could not be bound. The message is one line: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The host name has no address.
    #[error("cannot listen on {address}: the host name cannot be resolved ({source}); use an IP address")]
    Resolve {
        /// The address as given.
        address: BindAddress,
        /// The resolver's error.
        source: io::Error,
    },
    /// Another listener has this address.
    #[error(
        "cannot listen on {address}: something listens there already, another process or dorgu itself by another flag; choose another port"
    )]
    Taken {
        /// The address as given.
        address: BindAddress,
    },
    /// The system failed for another reason.
    #[error("cannot listen on {address}: {source}")]
    Refused {
        /// The address as given.
        address: BindAddress,
        /// The system's error.
        source: io::Error,
    },
}

/// A bound listener that does not accept yet. New connections wait in the kernel's queue.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    local: SocketAddr,
    stats: Arc<Stats>,
    workers: Workers,
}

impl Bound {
    /// Binds. `:PORT` takes IPv6 and IPv4 together and falls back to IPv4 where the machine has no IPv6.
    ///
    /// # Errors
    /// The address is taken, not ours, or not allowed; or its host name has no address.
    pub async fn bind(address: &BindAddress) -> Result<Bound, ListenError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::Taken {
                address: address.clone(),
            },
            _ => ListenError::Refused {
                address: address.clone(),
                source,
            },
        };
        let candidates: Vec<SocketAddr> = match &address.host {
            BindHost::All => [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)]
                .map(|ip| SocketAddr::new(ip, address.port))
                .into(),
            BindHost::Ip(ip) => vec![SocketAddr::new(*ip, address.port)],
            BindHost::Name(name) => {
                let resolved = tokio::net::lookup_host((name.as_str(), address.port)).await;
                let mut found: Vec<SocketAddr> = resolved
                    .map_err(|source| ListenError::Resolve {
                        address: address.clone(),
                        source,
                    })?
                    .collect();
                // Of several addresses an IPv4 one, as in Go.
                found.sort_by_key(SocketAddr::is_ipv6);
                found
            }
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for candidate in candidates {
            match listen(candidate) {
                Ok(listener) => {
                    let local = listener.local_addr().map_err(refused)?;
                    return Ok(Bound {
                        listener,
                        local,
                        stats: Arc::default(),
                        workers: Workers::default(),
                    });
                }
                // Trying another address would hide that a process already answers on this one.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(refused(error)),
                Err(error) => last = error,
            }
        }
        Err(refused(last))
    }

    /// The bound address, with the real port when 0 was requested.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The counters of this listener, which outlive it.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Serves its connections on runtimes of their own, one a core, each with one worker. Nothing but connections runs there,
    /// and no connection changes its worker. That takes less processor time than sharing workers, for a listener of which
    /// much is asked.
    ///
    /// # Errors
    /// The system denies a thread or a descriptor.
    pub fn on_own_workers(self) -> io::Result<Bound> {
        Ok(Bound {
            workers: Workers::start()?,
            ..self
        })
    }

    /// Accepts and serves HTTP/1.1 until `drain` has run: through its refusing phase until no request is in flight (at most
    /// [`Limits::drain`]). Then the listener closes, connections opened a moment ago get their 503, idle ones are closed, and
    /// this returns. Dropping the future drops every connection.
    ///
    /// No failed accept and no panic ends it. It uses TLS when `tls` is given, plain HTTP otherwise.
    pub async fn serve<A: App>(self, tls: Option<Arc<rustls::ServerConfig>>, app: A, limits: Limits, drain: Drain) {
        let Bound {
            listener,
            local,
            stats,
            workers,
        } = self;
        let application = Application {
            app,
            drain: drain.clone(),
            stats: Arc::clone(&stats),
        };
        let host = Arc::new(Host::new(application, tls.map(TlsAcceptor::from), limits));
        let registry = Arc::new(Registry::new(limits.max_connections));
        let mut acceptor = Acceptor {
            host,
            registry,
            stats,
            pending: None,
            connections: JoinSet::new(),
            workers,
        };

        let registry = Arc::clone(&acceptor.registry);
        let empty = async {
            drain.reached(State::Refusing).await;
            if timeout(limits.drain, registry.quiet()).await.is_err() {
                tracing::warn!(%local, "requests still in flight at the end of the drain are cut off");
            }
        };
        tokio::select! {
            biased;
            () = empty => {}
            () = acceptor.accept_for_ever(&listener) => {}
        }

        let farewell = async {
            // Closing the listener would reset connections that the kernel has already accepted for us.
            acceptor.place_pending().await;
            let turned = Instant::now() + ONE_TURN;
            for _ in 0..BACKLOG {
                let Ok(Ok(accepted)) = timeout_at(turned, listener.accept()).await else {
                    break;
                };
                acceptor.admit(accepted).await;
            }
            drop(listener);
            acceptor.registry.leave();
            while acceptor.reap().await {}
        };
        if timeout(FAREWELL + 2 * limits.linger, farewell).await.is_err() {
            acceptor.connections.shutdown().await;
        }
    }
}

/// Accepts connections and reaps finished ones.
struct Acceptor<A> {
    host: Arc<Host<A>>,
    registry: Arc<Registry>,
    stats: Arc<Stats>,
    /// Accepted, and waiting for a place. Kept here so that a drain that begins in the meantime does not drop it.
    pending: Option<Arrival>,
    connections: JoinSet<()>,
    workers: Workers,
}

struct Arrival {
    tcp: TcpStream,
    peer: SocketAddr,
}

impl<A: App> Acceptor<A> {
    async fn accept_for_ever(&mut self, listener: &TcpListener) {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => {
                        pause = FIRST_PAUSE;
                        self.admit(accepted).await;
                    }
                    Err(error) if concerns_one_peer(&error) => tracing::debug!(%error, "a connection was gone before it was accepted"),
                    Err(error) => {
                        // Out of descriptors or memory. Ending the process would not help; one closed connection will.
                        Stats::count(&self.stats.accept_errors);
                        let made_room = self.registry.evict_one(false);
                        tracing::warn!(%error, made_room, "cannot accept connections; trying again");
                        sleep(pause).await;
                        pause = (pause * 2).min(MAX_PAUSE);
                    }
                },
                _ = self.reap(), if !self.connections.is_empty() => {}
            }
        }
    }

    /// Starts serving an accepted connection, once there is a place for it.
    async fn admit(&mut self, (tcp, peer): (TcpStream, SocketAddr)) {
        Stats::count(&self.stats.accepted);
        self.pending = Some(Arrival { tcp, peer });
        self.place_pending().await;
    }

    async fn place_pending(&mut self) {
        if self.pending.is_none() {
            return;
        }
        let slot = match self.registry.try_slot() {
            Some(slot) => Some(slot),
            None => {
                Stats::count(&self.stats.waited);
                self.registry.slot().await
            }
        };
        // The semaphore is never closed, and only this method takes the pending connection.
        let (Some(slot), Some(Arrival { tcp, peer })) = (slot, self.pending.take()) else {
            return;
        };
        if let Err(error) = set_options(&tcp) {
            tracing::debug!(%peer, %error, "socket options not set");
        }
        let Given { tcp, runtime, counted } = match self.workers.give(tcp) {
            Ok(given) => given,
            Err(error) => {
                Stats::count(&self.stats.accept_errors);
                tracing::warn!(%peer, %error, "a connection was closed, since it cannot be served");
                return;
            }
        };
        let others = Arc::downgrade(&self.registry);
        // Its time starts with its place, since the wait for one is not the peer's fault.
        let connection = Arc::new(Connection::new(
            self.host.limits,
            Instant::now(),
            peer.ip().into(),
            others,
        ));
        let place = self
            .registry
            .enter(Arc::clone(&connection), slot, Arc::clone(&self.stats));
        let host = Arc::clone(&self.host);
        let served = async move {
            let _counted = counted;
            let reason = host.serve(tcp, peer, connection).await;
            tracing::trace!(%peer, reason = reason.name(), "connection closed");
            place.ended(reason);
        };
        self.connections.spawn_on(served, &runtime);
    }

    /// Waits for one connection to end; false when there is none.
    async fn reap(&mut self) -> bool {
        match self.connections.join_next().await {
            None => false,
            Some(Ok(())) => true,
            Some(Err(ended)) => {
                // Panics of handlers are caught, so this one is from an answer's body or from our code. It costs one
                // connection.
                if let Ok(panic) = ended.try_into_panic() {
                    let panic = super::service::panic_message(panic.as_ref());
                    tracing::error!(panic, "a connection's task panicked");
                    Stats::count(&self.stats.panics);
                }
                true
            }
        }
    }
}

/// Errors that concern one connection and not the listener.
fn concerns_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, PermissionDenied};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | PermissionDenied
    )
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // Both families, whatever the system's default is.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    // A restart must not wait for the TIME_WAIT of old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn set_options(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(tcp).set_tcp_keepalive(&keepalive)
}
