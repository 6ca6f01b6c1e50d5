//! The server module over real sockets and real TLS.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

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
mod support;
