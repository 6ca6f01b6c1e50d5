//! What `/readyz?verbose` and `/metrics` say: the certificate that is served, the Secret and the caBundle, held against
//! each other.

use jiff::Timestamp;

use super::configuration::Called;
use super::secret::Found;
use super::state::State;
use crate::server::tls::{CertificateFacts, trusts};

impl State {
    /// Whether there is a certificate that is worth serving. A Secret that went away makes nobody unready: what is
    /// served goes on being good.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn certificate(&self, now: Timestamp) -> Result<String, String> {
        let sight = self.sight.borrow();
        let name = self.settings.secret_name();
        let secret = match sight.secret() {
            None => self.unread(&format!("Secret {name}"), self.secret_watch.trouble()),
            Some(None) => format!("Secret {name} does not exist; {}", self.by_holder("makes it")),
            Some(Some(secret)) => match &secret.found {
                Found::Ours { stored, .. } if stored.signing.is_none() => {
                    format!("Secret {name} has no certificate until API servers know the new CA, some 10 s")
                }
                Found::Ours { .. } | Found::Foreign { .. } => format!("from Secret {name}"),
                Found::Unusable(problem) => {
                    format!("Secret {name} is of no use ({problem}); {}", self.by_holder("mends it"))
                }
                Found::ForeignUnusable(problem) => {
                    format!(
                        "Secret {name} is not ours and of no use ({problem}); mend it, or delete it to have one made"
                    )
                }
            },
        };
        let Some(served) = sight.served() else {
            return Err(format!("no certificate yet: {secret}"));
        };
        if let Some(problem) = served.facts.problem(now) {
            return Err(format!("{problem}; {secret}"));
        }
        let (serial, expires) = (&served.facts.serial, served.facts.not_after);
        let held_back = sight
            .held_back
            .as_ref()
            .map(|reason| format!(", which offers another one: {reason}"));
        Ok(format!(
            "serial {serial}, expires {expires}, {secret}{}",
            held_back.unwrap_or_default()
        ))
    }

    /// Whether API servers accept the certificate that is served. Where none is asked to call us, there is nothing to
    /// accept.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn ca_bundle(&self, now: Timestamp) -> Result<String, String> {
        let sight = self.sight.borrow();
        let name = format!("ValidatingWebhookConfiguration {}", self.settings.configuration);
        let seen = match sight.configuration() {
            None => return Err(self.unread(&name, self.configuration_watch.trouble())),
            Some(None) => {
                return Ok(format!(
                    "{name} does not exist, so no reviews will come; apply it again to end an emergency stop"
                ));
            }
            Some(Some(seen)) => seen,
        };
        let Some(called) = &seen.called else {
            return Ok(format!(
                "{name} has no webhook validate-deployment.dorgu.io, so no reviews will come"
            ));
        };
        let brought = self.settings.secret.is_none();
        if brought && called.bundle.is_empty() {
            return Ok(format!(
                "{name} has no caBundle, so API servers trust what their own system trusts, which is not checked here"
            ));
        }
        match self.accepted(called, now) {
            Ok(()) => Ok(format!(
                "{name} trusts the certificate served, for {}",
                called.server_name
            )),
            Err(reason) => {
                let remedy = if brought {
                    "put the CA of your certificate into its caBundle".to_owned()
                } else if seen.injected {
                    "cert-manager keeps its caBundle: have cert-manager issue the Secret too, or take the annotation \
                     cert-manager.io/inject-… off"
                        .to_owned()
                } else {
                    self.by_holder("writes it")
                };
                Err(format!(
                    "{name} does not trust the certificate served: {reason}; {remedy}"
                ))
            }
        }
    }

    /// Whether API servers accept what is served; none where none is asked to call us.
    #[must_use]
    pub fn is_trusted(&self, now: Timestamp) -> Option<bool> {
        let sight = self.sight.borrow();
        let called = sight.configuration().flatten()?.called.as_ref()?;
        Some(self.accepted(called, now).is_ok())
    }

    /// When the CA that signs expires; of somebody else's Secret, the first one in it.
    #[must_use]
    pub fn ca_expiry(&self) -> Option<Timestamp> {
        let sight = self.sight.borrow();
        let certificate = match &sight.secret().flatten()?.found {
            Found::Ours { stored, .. } => &stored.signing.as_ref()?.ca.certificate,
            Found::Foreign { ca, .. } => ca.as_ref()?,
            Found::Unusable(_) | Found::ForeignUnusable(_) => return None,
        };
        CertificateFacts::of_pem(certificate).ok().map(|facts| facts.not_after)
    }

    fn accepted(&self, called: &Called, now: Timestamp) -> Result<(), String> {
        match self.resolver.current() {
            Some(current) => trusts(&called.bundle, &current.cert, &called.server_name, now),
            None => Err("there is none yet".to_owned()),
        }
    }

    fn unread(&self, what: &str, trouble: Option<String>) -> String {
        let trouble = trouble.unwrap_or_else(|| "the first list is not over".to_owned());
        format!("{what} was not read yet: {trouble}")
    }

    fn by_holder(&self, what: &str) -> String {
        match self.trouble() {
            Some(trouble) => format!("this replica holds the Lease, and {trouble}"),
            None => {
                format!("the replica that holds the Lease {what} within seconds, or says in its log and here why not")
            }
        }
    }
}
