//! Reports about certificates in `/readyz?verbose` and `/metrics`, from a comparison of the certificate being served with
//! the Secret and the caBundle. A replica whose certificate API servers would reject is unready, with the reason from here.

use jiff::Timestamp;

use super::configuration::Called;
use super::pem;
use super::secret::Found;
use super::state::State;
use crate::server::tls::{CertificateFacts, Untrusted, trusts};

impl State {
    /// Whether a usable certificate is served. A deleted Secret does not make a replica unready, since the certificate being
    /// served stays valid.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn certificate(&self, now: Timestamp) -> Result<String, String> {
        let observed = self.observed.borrow();
        let name = self.settings.secret_name();
        let secret = match observed.secret() {
            None => self.unread(&format!("Secret {name}"), self.secret_watch.trouble()),
            Some(None) => format!("Secret {name} does not exist; {}", self.by_holder("makes it")),
            Some(Some(secret)) => match &secret.found {
                Found::Ours { stored, .. } if stored.signing.is_none() => {
                    format!("Secret {name} has no certificate until API servers know the new CA, some 10 s")
                }
                Found::Ours { .. } | Found::Foreign { .. } => format!("from Secret {name}"),
                Found::Unusable(problem) => {
                    format!("Secret {name} is unusable ({problem}); {}", self.by_holder("fixes it"))
                }
                Found::ForeignUnusable(problem) => {
                    format!("Secret {name} is not ours and unusable ({problem}); fix it, or delete it to have one made")
                }
            },
        };
        let Some(served) = observed.served() else {
            return Err(format!("no certificate yet: {secret}"));
        };
        if let Some(problem) = served.facts.problem(now) {
            return Err(format!("{problem}; {secret}"));
        }
        let (serial, expires) = (&served.facts.serial, served.facts.not_after);
        let held_back = observed
            .held_back
            .as_ref()
            .map(|reason| format!(", which offers another one: {reason}"));
        Ok(format!(
            "serial {serial}, expires {expires}, {secret}{}",
            held_back.unwrap_or_default()
        ))
    }

    /// Whether API servers accept the certificate being served. Where no configuration calls us, this is fulfilled.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn ca_bundle(&self, now: Timestamp) -> Result<String, String> {
        let observed = self.observed.borrow();
        let name = format!("ValidatingWebhookConfiguration {}", self.settings.configuration);
        let seen = match observed.configuration() {
            None => return Err(self.unread(&name, self.configuration_watch.trouble())),
            Some(None) => {
                return Ok(format!(
                    "{name} does not exist, so no reviews will come; apply it again to end an emergency stop"
                ));
            }
            Some(Some(seen)) => seen,
        };
        let Some(called) = seen.called() else {
            return Ok(format!(
                "{name} has no webhook {}, so no reviews will come",
                self.webhooks().join(", ")
            ));
        };
        let brought = self.settings.secret.is_none();
        if brought && called.bundle.is_empty() {
            return Ok(format!(
                "{name} has no caBundle, so API servers trust what their own system trusts, which is not checked here"
            ));
        }
        match self.accepted(&called, now) {
            Ok(()) => Ok(format!(
                "{name} trusts the certificate served, for {}",
                called.server_name
            )),
            Err(reason) => {
                let remedy = if brought {
                    "put the CA of your certificate into its caBundle".to_owned()
                } else {
                    let found = observed.secret().flatten().map(|secret| &secret.found);
                    self.remedy(found, seen.injected, &called.server_name)
                };
                Err(format!(
                    "{name} does not trust the certificate served: {reason}; {remedy}"
                ))
            }
        }
    }

    /// Whether API servers accept the certificate being served; `None` where no configuration calls us.
    #[must_use]
    pub fn is_trusted(&self, now: Timestamp) -> Option<bool> {
        let observed = self.observed.borrow();
        let called = observed.configuration().flatten()?.called()?;
        Some(self.accepted(&called, now).is_ok())
    }

    /// When the signing CA expires; for a foreign Secret, the first CA in it.
    #[must_use]
    pub fn ca_expiry(&self) -> Option<Timestamp> {
        let observed = self.observed.borrow();
        let certificate = match &observed.secret().flatten()?.found {
            Found::Ours { stored, .. } => &stored.signing.as_ref()?.ca.certificate,
            Found::Foreign { ca, .. } => ca.as_ref()?,
            Found::Unusable(_) | Found::ForeignUnusable(_) => return None,
        };
        CertificateFacts::of_pem(certificate).ok().map(|facts| facts.not_after)
    }

    fn accepted(&self, called: &Called, now: Timestamp) -> Result<(), Untrusted> {
        match self.resolver.current() {
            Some(current) => trusts(&called.bundle, &current.cert, &called.server_name, now),
            None => Err(Untrusted::Other("there is none yet".to_owned())),
        }
    }

    /// What to do about a certificate that API servers reject. The holder writes the caBundle, but it cannot help where the
    /// caBundle is not the cause.
    fn remedy(&self, found: Option<&Found>, injected: bool, server_name: &str) -> String {
        let name = self.settings.secret_name();
        let foreign = match found {
            Some(Found::Foreign { leaf, ca }) => Some((leaf, ca)),
            Some(Found::ForeignUnusable(_)) => {
                return format!("Secret {name} is not ours and unusable: fix it, or delete it to have one made");
            }
            Some(Found::Ours { .. } | Found::Unusable(_)) | None => None,
        };
        let leaf = match (found, foreign) {
            (Some(Found::Ours { stored, .. }), _) => stored.signing.as_ref().map(|signing| &signing.leaf),
            (_, foreign) => foreign.map(|(leaf, _)| leaf),
        };
        if leaf.is_some_and(|leaf| !is_for(&leaf.certificate, server_name)) {
            return if foreign.is_some() {
                format!("have the certificate in Secret {name} issued for {server_name}")
            } else {
                "certificates are made for the Service that --webhook-service and --namespace name: have these and the \
                 configuration's clientConfig name the same"
                    .to_owned()
            };
        }
        if injected {
            return "cert-manager or OpenShift keeps its caBundle: have the same issue the Secret too, or take the \
                    annotation cert-manager.io/inject-… or service.beta.openshift.io/inject-cabundle off"
                .to_owned();
        }
        match foreign {
            Some((_, None)) => format!(
                "Secret {name} is not ours and has no ca.crt: add the CA that signed its tls.crt as ca.crt, or put that \
                 CA into the caBundle yourself"
            ),
            Some((leaf, Some(ca))) if !goes_with(ca, &leaf.certificate, server_name) => format!(
                "Secret {name} is not ours, and its ca.crt has not signed its tls.crt: put the CA that has into ca.crt"
            ),
            _ => self.by_holder("writes it"),
        }
    }

    fn unread(&self, what: &str, trouble: Option<String>) -> String {
        let trouble = trouble.unwrap_or_else(|| "the first list is not over".to_owned());
        format!("{what} was not read yet: {trouble}")
    }

    fn by_holder(&self, what: &str) -> String {
        match self.trouble.reason() {
            Some(trouble) => format!("this replica holds the Lease, and {trouble}"),
            None => {
                format!("the replica that holds the Lease {what} within seconds, or says in its log and here why not")
            }
        }
    }
}

/// Whether a certificate is for this name, ignoring signer and expiry: it is verified as its own CA.
fn is_for(certificate: &str, server_name: &str) -> bool {
    goes_with(certificate, certificate, server_name)
}

/// Whether `ca` verifies the certificate, ignoring expiry.
fn goes_with(ca: &str, certificate: &str, server_name: &str) -> bool {
    let chain = pem::chain(certificate);
    let until = pem::first(certificate).and_then(|leaf| CertificateFacts::of_pem(&leaf).ok());
    let until = until.map(|facts| facts.not_after);
    until.is_some_and(|until| trusts(ca.as_bytes(), &chain, server_name, until).is_ok())
}

#[cfg(test)]
mod tests;
