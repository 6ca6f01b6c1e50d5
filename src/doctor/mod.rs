//! `dorgu doctor`: reports what is wrong with an installation, why, and which command to run next.
//!
//! `observe` sends requests to the API server and judges nothing. [`run`] calls it and the rest in order. The rest is
//! **pure**, from [`Facts`] to [`Report`]: `checks/` has one file for each family and one function for each check, [`Setup`]
//! reads the Deployment's arguments, [`Commands`] writes commands to paste.
//!
//! Nothing in a cluster is changed. The one object that is sent is a dry run (`k8s::dry_run_create`).

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
pub use facts::{Facts, Fetched, LeaseSample, Namespace, Readiness, SecretFacts, Unavailable};
pub use finding::{Finding, Severity};
pub use report::{Line, Report, Status};
pub use rights::Right;
pub use run::{Examination, run};
pub use setup::{Arguments, Setup, Wanted};

#[cfg(test)]
mod tests;
