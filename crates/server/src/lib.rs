//! Listeners, TLS, probes and shutdown. Knows HTTP and certificates, and no persona.
//!
//! It exists because the ready-made servers close under the API server's hands: kube-apiserver keeps idle connections for
//! 90 s and does not send a POST again that dies on a closing one, so with `failurePolicy: Ignore` every connection that
//! we close at the wrong moment admits an unchecked object. Start reading in [`listen`]; what one connection may do, and
//! for how long, is in `track`.

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
