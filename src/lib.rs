//! dorgu: a Kubernetes admission operator.
//!
//! The modules in reading order. A module imports only what `tests/it/architecture.rs` allows it, which is always
//! something above it.

pub mod api;
pub mod index;
pub mod policy;
pub mod schema;
pub mod server;
