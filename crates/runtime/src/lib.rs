//! The building blocks of a long-running process: [`part`] defines what one part contributes, [`metric`] how a metric family is
//! described, [`flags`] what flags share, [`telemetry`] where log lines and metrics go.
//!
//! This crate knows no persona and no concrete part. `dorgu serve` assembles the parts. An installation, `dorgu doctor` and the
//! reference of metrics read what parts declare.

pub mod flags;
pub mod metric;
pub mod part;
pub mod telemetry;

pub use part::{About, Admission, Grant, Handler, Need, Object, Part, Scope, Task, Watched};
