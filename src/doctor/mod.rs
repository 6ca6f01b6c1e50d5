//! `dorgu doctor`: what is wrong with an installation, why, and what to type next.
//!
//! Two halves. `observe` asks the API server and judges nothing; everything else is **pure**, from [`Facts`] to
//! [`Report`]: `checks/` has one file a family and one function a check, [`Setup`] reads what the Deployment's arguments
//! say, [`Commands`] writes what can be pasted. [`run`] is the order of it all. Nothing in a cluster is changed: the one
//! object that is sent is sent as a dry run (`k8s::dry_run_create`).

mod canary;
mod checks;
mod commands;
mod facts;
mod finding;
mod observe;
mod report;
mod rights;
mod run;
mod setup;

pub use checks::Check;
pub use commands::Commands;
pub use facts::{Facts, Fetched, LeaseSample, Namespace, SecretFacts, Unavailable};
pub use finding::{Finding, Severity};
pub use report::{Line, Report, Status};
pub use rights::Right;
pub use run::{Examination, run};
pub use setup::{Setup, Wanted};

#[cfg(test)]
mod tests;
