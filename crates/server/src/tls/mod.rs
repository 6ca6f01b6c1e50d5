//! Certificates: our own or brought along, always replaceable while connections go on.
//!
//! A handshake reads the current certificate with one atomic load from [`Resolver`]; [`SelfSigned`] and
//! [`CertificateFiles`] put new ones there, and so may others. [`Authority`] signs, [`trusts`] says whether a caller would
//! accept. [`ClientAuth`] is the other direction: who may call. Each that runs is
//! opened first, so that what is wrong is said at start, and then `run` as a task that keeps it fresh.

mod authority;
mod certificate;
mod client_auth;
mod config;
mod file_watch;
mod files;
mod resolver;
mod self_signed;
mod trust;

pub use authority::{Authority, Leaf};
pub use certificate::{CertificateFacts, Reloads, TlsError};
pub use client_auth::ClientAuth;
pub use config::server_config;
pub use files::CertificateFiles;
pub use resolver::Resolver;
pub use self_signed::SelfSigned;
pub use trust::{Untrusted, trusts};

#[cfg(test)]
mod tests;
