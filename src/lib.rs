//! dorgu: a Kubernetes admission operator.
//!
//! The modules in reading order. A module imports only from modules named above it; `tests/it/architecture.rs` holds
//! the exact table and fails on an import that is not in it.

pub mod api;
pub mod files;
pub mod manifest;
pub mod policy;
pub mod schema;
pub mod server;
