//! Splits and joins bundles of CA certificates in PEM. Writers wrap lines differently, so certificates are compared in one
//! canonical form.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::server::tls::CertificateFacts;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Returns the certificates in a text in the order of their first occurrence, each once, in canonical PEM (lines of 64
/// characters). It skips everything else: other text, other PEM blocks such as private keys, and certificates that cannot be
/// parsed. An API server skips the same when it reads a caBundle.
pub(super) fn certificates(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let mut found = Vec::new();
    let mut rest = &*text;
    while let Some(begin) = rest.find(BEGIN) {
        rest = &rest[begin + BEGIN.len()..];
        let Some(end) = rest.find(END) else { break };
        let pem = canonical(&rest[..end]);
        if CertificateFacts::of_pem(&pem).is_ok() && !found.contains(&pem) {
            found.push(pem);
        }
        rest = &rest[end + END.len()..];
    }
    found
}

/// The first certificate of a text in canonical form.
pub(super) fn first(text: &str) -> Option<String> {
    certificates(text.as_bytes()).into_iter().next()
}

/// A certificate and its chain, as the TLS library needs them; empty when the text is not PEM.
pub(super) fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).flatten().collect()
}

/// Lines of 64 characters, one newline at the end.
fn canonical(base64: &str) -> String {
    let digits: Vec<char> = base64.chars().filter(|c| !c.is_whitespace()).collect();
    let lines: Vec<String> = digits.chunks(64).map(|line| line.iter().collect()).collect();
    format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
}

/// Whether a certificate is within its dates.
pub(super) fn is_valid(pem: &str, now: Timestamp) -> bool {
    CertificateFacts::of_pem(pem).is_ok_and(|facts| facts.not_before <= now && now <= facts.not_after)
}
