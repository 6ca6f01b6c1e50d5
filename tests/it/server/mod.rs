//! The server module over real sockets and real TLS.

mod bodies;
mod certificates;
mod child;
mod client_certificates;
mod draining;
mod idle;
mod listening;
mod requests;
mod signals;
mod stalled;
mod strangers;
pub(crate) mod support;
pub(crate) mod upgraded;
