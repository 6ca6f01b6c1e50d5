//! Provides certificates, generated or from files. Each can be replaced while connections continue.
//!
//! A handshake reads the current certificate with one atomic load from [`Resolver`]. [`SelfSigned`] and [`CertificateFiles`]
//! replace it there, and other callers may. [`Authority`] signs; [`trusts`] verifies a chain as a client would.
//! [`ClientAuth`] verifies clients.
//!
//! A type with a method `run` is opened first, so that errors are reported at start. `run` is then a task that renews or
//! reloads what the type holds.

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
