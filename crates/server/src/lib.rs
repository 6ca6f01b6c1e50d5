//! Listeners, TLS, probes and shutdown. This crate knows HTTP and certificates, and no persona.
//!
//! Ready-made servers close idle connections while the API server may be about to use them. kube-apiserver keeps idle
//! connections for 90 s and does not retry a POST that fails on a closing one. With `failurePolicy: Ignore`, every connection
//! that the server closes at the wrong moment admits an unchecked object.
//!
//! Start reading in [`listen`]. What one connection may do, and for how long, is in `track`.

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
