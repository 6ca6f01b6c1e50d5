//! Listeners, TLS, probes and shutdown. This crate handles HTTP and certificates; it contains no policy.
//!
//! General-purpose HTTP servers may close an idle connection just when the API server sends on it. kube-apiserver keeps idle
//! connections for 90 s, and it does not retry a POST that fails because the connection is closing. With `failurePolicy:
//! Ignore`, such a failure admits an unchecked object. Therefore this server keeps idle connections longer than 90 s, and at
//! shutdown announces the close with an answer (`Connection: close`).
//!
//! Start reading in [`listen`]. `track` says what a connection may do and for how long.

pub mod address;
pub mod admin;
mod ahead;
pub mod app;
pub mod body;
pub mod budget;
mod connection;
pub mod descriptors;
pub mod drain;
mod eviction;
pub mod guard;
pub mod limits;
pub mod listen;
mod pace;
mod registry;
pub mod sender;
mod service;
pub mod shutdown;
pub mod stats;
pub mod tls;
mod track;
pub mod upgrade;
mod wire;
mod workers;
