//! dorgu: a Kubernetes admission operator.
//!
//! The modules, each above what it may import; `tests/it/architecture.rs` holds the exact table and names an import that
//! is not in it.

pub mod cli;
pub mod config;
pub mod doctor;
pub mod serve;

pub mod certificates;
pub mod controllers;
pub mod webhook;

pub mod files;
pub mod index;
pub mod k8s;
pub mod manifest;

pub mod policy;
pub mod schema;

pub mod api;
pub mod install;

pub mod metric;
pub mod server;
pub mod telemetry;
