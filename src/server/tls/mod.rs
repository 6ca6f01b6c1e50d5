//! Certificates: our own or brought along, always replaceable while connections go on.
//!
//! A handshake reads the current certificate with one atomic load from [`Resolver`]; [`SelfSigned`] and
//! [`CertificateFiles`] put new ones there. [`ClientAuth`] is the other direction: who may call. Each of the three is
//! opened first, so that what is wrong is said at start, and then `run` as a task that keeps it fresh.

mod certificate;
mod client_auth;
mod config;
mod file_watch;
mod files;
mod resolver;
mod self_signed;

pub use certificate::{CertificateFacts, Reloads, TlsError};
pub use client_auth::ClientAuth;
pub use config::server_config;
pub use files::CertificateFiles;
pub use resolver::Resolver;
pub use self_signed::SelfSigned;

#[cfg(test)]
mod tests;
