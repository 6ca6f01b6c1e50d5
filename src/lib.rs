//! dorgu: a Kubernetes admission operator.
//!
//! Below, each module comes before the modules that it may import. `tests/it/architecture.rs` checks imports against a
//! table. The lowest modules are crates of their own below `crates/`, re-exported here.

pub mod admission_policy;
pub mod check;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod explain;
pub mod personas;
pub mod report;
pub mod serve;
pub mod simulate;
pub mod suite;

pub mod certificates;
pub mod controllers;
pub mod persona_webhook;
pub mod webhook;

pub mod files;
pub mod impact;
pub mod index;
pub mod watched;
pub mod world;
pub use dorgu_k8s as k8s;
pub use dorgu_manifest as manifest;
pub use dorgu_manifest::schema;

pub use dorgu_policy as policy;

pub use dorgu_api as api;
pub mod install;

pub use dorgu_runtime::{self as runtime, metric, telemetry};
pub use dorgu_server as server;
