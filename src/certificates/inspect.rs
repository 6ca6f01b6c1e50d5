//! Examines a Secret and a caBundle for `dorgu doctor`: reads them as the process does, and verifies them as an API server
//! does. No private key leaves this module.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use super::pem;
use super::secret::{Found, Secret};
use crate::k8s::{Decode, Unreadable};
use crate::server::tls::{CertificateFacts, Leaf, Untrusted, trusts};

/// The content of a Secret.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Whether the process writes this Secret; otherwise it is foreign.
    pub ours: bool,
    /// The certificate that is served from it, or why there is none.
    pub offered: Result<Offered, String>,
}

/// A certificate that matches its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The facts that it states.
    pub facts: CertificateFacts,
    chain: Vec<CertificateDer<'static>>,
}

impl Inspected {
    /// Reads a Secret.
    ///
    /// # Errors
    /// The object is not a Secret.
    pub fn read(json: &str) -> Result<Inspected, Unreadable> {
        let secret = Secret::decode(json)?;
        let (ours, offered) = match secret.found {
            Found::Ours { stored, .. } => {
                let signing = stored
                    .signing
                    .ok_or("it waits until API servers know its new CA, some 10 s");
                let offered = signing.map_err(str::to_owned);
                (true, offered.and_then(|signing| Offered::read(&signing.leaf)))
            }
            Found::Unusable(reason) => (true, Err(reason)),
            Found::Foreign { leaf, .. } => (false, Offered::read(&leaf)),
            Found::ForeignUnusable(reason) => (false, Err(reason)),
        };
        Ok(Inspected { ours, offered })
    }
}

impl Offered {
    fn read(leaf: &Leaf) -> Result<Offered, String> {
        let (certified, facts) = leaf.certified().map_err(|error| error.to_string())?;
        Ok(Offered {
            facts,
            chain: certified.cert,
        })
    }

    /// Whether an API server that trusts this bundle (PEM) and calls by this name accepts it at this time.
    ///
    /// # Errors
    /// Why it does not.
    pub fn is_trusted(&self, bundle: &[u8], server_name: &str, at: Timestamp) -> Result<(), Untrusted> {
        trusts(bundle, &self.chain, server_name, at)
    }

    /// Whether it is valid for this name.
    ///
    /// # Errors
    /// Why it is not.
    pub fn is_for(&self, server_name: &str) -> Result<(), Untrusted> {
        names_it(&self.facts.names, server_name)
    }
}

/// Whether the names contain this one, or a wildcard for its first label.
fn names_it(names: &[String], wanted: &str) -> Result<(), Untrusted> {
    let wildcard = wanted.split_once('.').map(|(_, rest)| format!("*.{rest}"));
    let named = names
        .iter()
        .any(|name| name.eq_ignore_ascii_case(wanted) || wildcard.as_ref().is_some_and(|wild| name == wild));
    if named {
        return Ok(());
    }
    Err(Untrusted::WrongName {
        wanted: wanted.to_owned(),
        names: names.to_vec(),
    })
}

/// The facts of each certificate of a bundle (PEM). Other content is skipped, as by an API server.
#[must_use]
pub fn authorities(bundle: &[u8]) -> Vec<CertificateFacts> {
    let certificates = pem::certificates(bundle);
    let facts = certificates.iter().map(|pem| CertificateFacts::of_pem(pem));
    facts.filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::names_it;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let names = ["*.guards.svc".to_owned(), "exact.other.svc".to_owned()];
        assert_eq!(names_it(&names, "webhook.guards.svc"), Ok(()));
        assert_eq!(names_it(&names, "exact.other.svc"), Ok(()));
        let refused = names_it(&names, "a.b.guards.svc").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "it is not for a.b.guards.svc but for *.guards.svc, exact.other.svc"
        );
    }
}
