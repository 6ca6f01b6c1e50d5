//! Generates or loads a CA, which signs serving certificates. Keys are ECDSA P-256. This module knows no file and no clock:
//! its callers decide when a CA is generated and where it is kept.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::{CertificateFacts, TlsError, facts, pair, unusable};

/// A CA starts before any leaf, also after a clock was set back by some days.
const CA_BACKDATED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A CA with its private key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    facts: CertificateFacts,
}

/// A certificate that an [`Authority`] has signed, and its private key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// Generates a CA that expires `lifetime` after `now`. `name` is for people who inspect it.
    ///
    /// # Errors
    /// The generator fails; no argument can make it.
    pub fn make(name: &str, now: Timestamp, lifetime: SignedDuration) -> Result<Authority, TlsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params.not_before = SystemTime::from(now - CA_BACKDATED).into();
        params.not_after = SystemTime::from(now + lifetime).into();
        let made = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .and_then(|key| Ok((params.self_signed(&key)?, key)))
            .map_err(|source| TlsError::Make {
                names: vec![name.to_owned()],
                source,
            })?;
        let (certificate, key) = made;
        Ok(Authority {
            facts: own(facts(certificate.der()))?,
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Loads a CA that was generated earlier.
    ///
    /// # Errors
    /// Certificate or key are not PEM, the certificate is not a CA's, or the two do not belong together.
    pub fn load(certificate: &str, key: &str) -> Result<Authority, TlsError> {
        let (file, key_file) = (Path::new("ca.crt"), Path::new("ca.key"));
        let refused = |problem: String| unusable("CA", file, problem);
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|error| refused(format!("is not valid PEM: {error}")))?;
        let (_, parsed) = X509Certificate::from_der(&der)
            .map_err(|error| refused(format!("holds a certificate that cannot be read: {error}")))?;
        if !parsed.is_ca() {
            return Err(refused("holds a certificate that may not sign others".to_owned()));
        }
        let key = KeyPair::from_pem(key)
            .map_err(|_| unusable("CA key", key_file, "holds no private key in PEM".to_owned()))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(TlsError::Mismatch {
                certificate: file.into(),
                key: key_file.into(),
            });
        }
        let issuer = Issuer::from_ca_cert_der(&der, key);
        Ok(Authority {
            facts: facts(&der).map_err(refused)?,
            pem: certificate.to_owned(),
            issuer: issuer.map_err(|error| unusable("CA", file, format!("cannot sign: {error}")))?,
        })
    }

    /// The certificate that callers trust, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The private key, as PEM.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The facts that the CA's certificate states.
    #[must_use]
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// Signs a serving certificate for these DNS names and IP addresses.
    ///
    /// # Errors
    /// A name cannot stand in a certificate.
    pub fn sign(&self, names: &[String], not_before: Timestamp, not_after: Timestamp) -> Result<Leaf, TlsError> {
        let make = || {
            let mut params = CertificateParams::new(names)?;
            params.distinguished_name.push(DnType::CommonName, "dorgu");
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            params.not_before = SystemTime::from(not_before).into();
            params.not_after = SystemTime::from(not_after).into();
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            let certificate = params.signed_by(&key, &self.issuer)?;
            Ok(Leaf {
                certificate: certificate.pem(),
                key: key.serialize_pem(),
            })
        };
        make().map_err(|source| TlsError::Make {
            names: names.to_owned(),
            source,
        })
    }
}

impl Leaf {
    /// As the TLS library needs it, with its facts.
    ///
    /// # Errors
    /// Certificate or key are not PEM, or the two do not belong together.
    pub fn certified(&self) -> Result<(CertifiedKey, CertificateFacts), TlsError> {
        pair(
            (Path::new("tls.crt"), self.certificate.as_bytes()),
            (Path::new("tls.key"), self.key.as_bytes()),
        )
    }
}

fn own<T>(made: Result<T, String>) -> Result<T, TlsError> {
    made.map_err(|problem| rustls::Error::General(format!("our own certificate {problem}")).into())
}

/// Shows no key.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// Shows no key.
impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}
