//! Parses and prints bind addresses as users write them: `:9443`, `127.0.0.1:0`, `[::1]:9443`, `localhost:8081`. Opens no
//! socket.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A parsed bind address, as the `--…-bind-address` flags take it (contract 7.1). Port 0 means any free port. The caller
/// handles the `0` that switches a listener off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    pub(super) host: Host,
    pub(super) port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// Every address of the machine, IPv4 and IPv6.
    All,
    Ip(IpAddr),
    /// A host name. It is resolved when the address is bound.
    Name(String),
}

/// A bind address that cannot be parsed. The message is one line: what is wrong, and how to write it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is {}", self.reason())]
pub struct BadAddress {
    given: String,
    problem: &'static str,
}

impl BadAddress {
    /// The message without the address, for a caller that names it itself.
    pub fn reason(&self) -> String {
        let ways = "':9443' for all addresses, or '127.0.0.1:9443', '[::1]:9443', 'localhost:9443'";
        format!("not an address to listen on: {}; write {ways}", self.problem)
    }
}

impl FromStr for BindAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |problem| BadAddress {
            given: text.to_owned(),
            problem,
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(|| bad("it has no port"))?;
        let port = port
            .parse()
            .map_err(|_| bad("its port is not a number from 0 to 65535"))?;
        let host = if host.is_empty() {
            Host::All
        } else if let Some(inner) = host.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(|| bad("its '[' is not closed"))?;
            Host::Ip(IpAddr::V6(
                inner
                    .parse::<Ipv6Addr>()
                    .map_err(|_| bad("its IPv6 address cannot be read"))?,
            ))
        } else if let Ok(ip) = host.parse::<IpAddr>() {
            if ip.is_ipv6() {
                return Err(bad("an IPv6 address stands in brackets"));
            }
            Host::Ip(ip)
        } else if is_host_name(host) {
            Host::Name(host.to_owned())
        } else {
            return Err(bad("its host is neither an address nor a name"));
        };
        Ok(BindAddress { host, port })
    }
}

impl BindAddress {
    /// The name or address that a certificate for this listener should carry. `None` when it listens on all addresses.
    #[must_use]
    pub fn certificate_name(&self) -> Option<String> {
        match &self.host {
            Host::All => None,
            Host::Ip(ip) => (!ip.is_unspecified()).then(|| ip.to_string()),
            Host::Name(name) => Some(name.clone()),
        }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::All => write!(f, ":{}", self.port),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(ip) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Letters, digits, hyphens, dots and underscores. A name of digits and dots alone is a mistyped IPv4 address.
fn is_host_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    host.len() <= 253 && host.bytes().all(allowed) && host.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests;
