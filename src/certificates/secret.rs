//! Parses and writes the content of our Secret.
//!
//! | key | holds |
//! |---|---|
//! | `ca.crt` | every trusted CA: the signing one first, then the staged one, then the old ones |
//! | `ca.key` | the key of the CA that signs |
//! | `tls.crt`, `tls.key` | the leaf that every replica serves, and its key |
//! | `next.crt`, `next.key` | a staged CA: clients trust it, and it signs nothing yet |
//! | `previous.crt` | CAs that no longer sign, trusted until the last leaf they signed has expired |
//!
//! All keys are always written, with an empty value where there is none. Server-side apply removes only our own fields, so
//! an omitted key would keep the value of another writer or a backup. An empty value is read as absent.
//!
//! The label `app.kubernetes.io/managed-by: dorgu` marks a Secret as ours. A Secret in cert-manager's format without this
//! label is foreign.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::pem;
use crate::k8s::{Decode, Name, Resource, Unreadable, from_json};
use crate::server::tls::{Authority, CertificateFacts, Leaf, trusts};

/// The kind.
pub(super) fn secrets() -> Resource {
    Resource::of::<k8s_openapi::api::core::v1::Secret>()
}

/// Every key that we write.
pub(super) const KEYS: [&str; 7] = [
    "ca.crt",
    "ca.key",
    "tls.crt",
    "tls.key",
    "next.crt",
    "next.key",
    "previous.crt",
];

/// Marks the writer of the Secret.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "dorgu");
/// Set by users who want new certificates: `leaf` or `ca`.
const ROTATE: &str = "dorgu.io/rotate";
/// When the last leaf of the CA that signs expires.
const LEAF_UNTIL: &str = "dorgu.io/leaf-until";
/// Until when each CA in `previous.crt` is trusted, in the same order.
const PREVIOUS_UNTIL: &str = "dorgu.io/previous-until";
/// The annotation has this value while it is being removed. Server-side apply removes only fields that we own, and we own what
/// we have set.
pub(super) const TAKEN_UP: &str = "taken-up";

/// A CA and its key, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct KeyedCa {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// The CA that signs, and the leaf that it has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signing {
    pub(super) ca: KeyedCa,
    pub(super) leaf: Leaf,
    /// When the last leaf that it signed expires.
    pub(super) until: Timestamp,
}

/// A CA that no longer signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Old {
    pub(super) certificate: String,
    /// Until when it is trusted.
    pub(super) until: Timestamp,
}

/// The content of a complete Secret of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// `None` only while the very first CA after a loss is staged.
    pub(super) signing: Option<Signing>,
    pub(super) next: Option<KeyedCa>,
    /// Newest first.
    pub(super) previous: Vec<Old>,
}

/// The classification of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Ours.
    Ours {
        stored: Stored,
        /// What the annotation requests.
        rotate: Option<String>,
        /// Its text is what we would write.
        tidy: bool,
    },
    /// Another writer manages it: served, never written.
    Foreign {
        leaf: Leaf,
        /// `ca.crt`, where there is one.
        ca: Option<String>,
    },
    /// Foreign and unusable, with the reason.
    ForeignUnusable(String),
    /// Ours or of unknown origin, and unusable, with the reason.
    Unusable(String),
}

/// The Secret as the API server returns it.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub(super) version: String,
    pub(super) found: Found,
}

impl KeyedCa {
    pub(super) fn of(authority: &Authority) -> KeyedCa {
        KeyedCa {
            // The generator's text in the form in which it will be read back.
            certificate: pem::first(authority.pem()).unwrap_or_default(),
            key: authority.key_pem(),
        }
    }
}

impl Stored {
    /// Every trusted CA, the signing one first.
    pub(super) fn trusted(&self) -> Vec<&str> {
        let signing = self.signing.iter().map(|signing| signing.ca.certificate.as_str());
        let next = self.next.iter().map(|next| next.certificate.as_str());
        let previous = self.previous.iter().map(|old| old.certificate.as_str());
        signing.chain(next).chain(previous).collect()
    }

    /// The text of `ca.crt`, and of the caBundle.
    pub(super) fn bundle(&self) -> String {
        self.trusted().concat()
    }

    /// The object to apply.
    pub(super) fn print(&self, name: &Name, version: Option<&str>, taken_up: bool) -> Value {
        let data: BTreeMap<&str, ByteString> = self
            .data()
            .into_iter()
            .map(|(key, text)| (key, ByteString(text.into_bytes())))
            .collect();
        let mut annotations = self.annotations();
        if taken_up {
            annotations.insert(ROTATE, TAKEN_UP.to_owned());
        }
        let (label, value) = MANAGED_BY;
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name.name,
                "namespace": name.namespace,
                "labels": {label: value},
                "annotations": annotations,
            },
            "data": data,
        });
        if let Some(version) = version {
            // If another writer changed it unseen, the apply conflicts.
            object["metadata"]["resourceVersion"] = version.into();
        }
        object
    }

    /// Every key.
    fn data(&self) -> BTreeMap<&'static str, String> {
        let mut data = BTreeMap::from(KEYS.map(|key| (key, String::new())));
        data.insert("ca.crt", self.bundle());
        if let Some(Signing { ca, leaf, .. }) = &self.signing {
            data.insert("ca.key", ca.key.clone());
            data.insert("tls.crt", leaf.certificate.clone());
            data.insert("tls.key", leaf.key.clone());
        }
        if let Some(next) = &self.next {
            data.insert("next.crt", next.certificate.clone());
            data.insert("next.key", next.key.clone());
        }
        if !self.previous.is_empty() {
            let previous = self.previous.iter().map(|old| old.certificate.as_str());
            data.insert("previous.crt", previous.collect());
        }
        data
    }

    /// Every annotation except the users' own.
    fn annotations(&self) -> BTreeMap<&'static str, String> {
        let leaf = self.signing.as_ref().map(|signing| signing.until.to_string());
        let previous: Vec<_> = self.previous.iter().map(|old| old.until.to_string()).collect();
        BTreeMap::from([
            (LEAF_UNTIL, leaf.unwrap_or_default()),
            (PREVIOUS_UNTIL, previous.join(",")),
        ])
    }

    fn parse(contents: &SecretContents) -> Result<Stored, String> {
        let text = |key: &str| contents.text(key);
        let (key, next_key) = (text("ca.key"), text("next.key"));
        let next = match (pem::first(&text("next.crt")), next_key.is_empty()) {
            (Some(certificate), false) => {
                Authority::load(&certificate, &next_key).map_err(|error| format!("next.crt and next.key: {error}"))?;
                Some(KeyedCa {
                    certificate,
                    key: next_key,
                })
            }
            (None, true) => None,
            _ => return Err("next.crt and next.key are not both there".to_owned()),
        };
        let signing = if key.is_empty() && next.is_some() && text("tls.crt").is_empty() {
            None
        } else {
            Some(signing(contents, key)?)
        };
        let until: Vec<Option<Timestamp>> = contents
            .annotation(PREVIOUS_UNTIL)
            .split(',')
            .map(|until| until.parse().ok())
            .collect();
        let previous = pem::certificates(text("previous.crt").as_bytes());
        let previous = previous.into_iter().enumerate().map(|(at, certificate)| {
            // Without a date: as long as the certificate is valid.
            let expires = || CertificateFacts::of_pem(&certificate).map(|facts| facts.not_after);
            let until = until.get(at).copied().flatten();
            Ok(Old {
                until: until.map_or_else(expires, Ok)?,
                certificate,
            })
        });
        Ok(Stored {
            signing,
            next,
            previous: previous.collect::<Result<_, String>>()?,
        })
    }
}

/// The CA that `ca.key` belongs to, and the leaf, which it must have signed.
fn signing(contents: &SecretContents, key: String) -> Result<Signing, String> {
    if key.is_empty() {
        return Err("there is no ca.key".to_owned());
    }
    let bundle = pem::certificates(contents.text("ca.crt").as_bytes());
    let mut problem = "ca.crt holds no certificate".to_owned();
    let mut of_key = bundle.into_iter().filter(|certificate| {
        Authority::load(certificate, &key)
            .map_err(|error| problem = error.to_string())
            .is_ok()
    });
    let Some(certificate) = of_key.next() else {
        drop(of_key);
        return Err(problem);
    };
    let leaf = contents.leaf();
    let (certified, facts) = leaf.certified().map_err(|error| error.to_string())?;
    // Verified at a moment when both were valid. An expired leaf is for the plan to renew, not for the parser to reject.
    let (at, name) = (facts.not_after, facts.names.first().cloned().unwrap_or_default());
    let ca_until = CertificateFacts::of_pem(&certificate)?.not_after;
    trusts(certificate.as_bytes(), &certified.cert, &name, at.min(ca_until))
        .map_err(|error| format!("tls.crt does not fit ca.crt: {error}"))?;
    let until = contents.annotation(LEAF_UNTIL).parse::<Timestamp>().ok();
    Ok(Signing {
        ca: KeyedCa { certificate, key },
        leaf,
        until: until.unwrap_or(facts.not_after).max(facts.not_after),
    })
}

#[derive(Deserialize)]
struct SecretContents {
    metadata: SecretMetadata,
    #[serde(default)]
    data: BTreeMap<String, ByteString>,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretMetadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl SecretContents {
    /// Empty when the key is absent or its value is not text.
    fn text(&self, key: &str) -> String {
        let bytes = self.data.get(key).map(|bytes| bytes.0.clone());
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    fn annotation(&self, key: &str) -> &str {
        self.metadata.annotations.get(key).map_or("", String::as_str)
    }

    fn leaf(&self) -> Leaf {
        Leaf {
            certificate: self.text("tls.crt"),
            key: self.text("tls.key"),
        }
    }

    fn is_marked(&self) -> bool {
        let (label, value) = MANAGED_BY;
        self.metadata.labels.get(label).is_some_and(|found| found == value)
    }

    /// In a format that others write, and without our label.
    fn is_foreign(&self) -> bool {
        let ours = self.is_marked() || self.data.contains_key("ca.key");
        !ours && (self.kind == "kubernetes.io/tls" || self.data.contains_key("tls.crt"))
    }

    fn found(&self) -> Found {
        if self.is_foreign() {
            let leaf = self.leaf();
            return match leaf.certified() {
                Ok(_) => Found::Foreign {
                    leaf,
                    ca: Some(self.text("ca.crt")).filter(|ca| !pem::certificates(ca.as_bytes()).is_empty()),
                },
                Err(error) => Found::ForeignUnusable(error.to_string()),
            };
        }
        match Stored::parse(self) {
            Ok(stored) => {
                let rotate = Some(self.annotation(ROTATE)).filter(|word| !word.is_empty());
                Found::Ours {
                    tidy: self.is_as_printed(&stored) && rotate != Some(TAKEN_UP),
                    rotate: rotate.filter(|word| *word != TAKEN_UP).map(str::to_owned),
                    stored,
                }
            }
            Err(problem) => Found::Unusable(problem),
        }
    }

    fn is_as_printed(&self, stored: &Stored) -> bool {
        let data = stored.data();
        let annotations = stored.annotations();
        data.iter().all(|(key, text)| self.text(key) == *text)
            && annotations.iter().all(|(key, text)| self.annotation(key) == text)
            && self.is_marked()
    }
}

impl Decode for Secret {
    /// Fails only on what no API server sends. [`Found`] classifies the content.
    fn decode(json: &str) -> Result<Secret, Unreadable> {
        let contents: SecretContents = from_json(json)?;
        Ok(Secret {
            found: contents.found(),
            version: contents.metadata.resource_version,
        })
    }
}

/// Shows no key.
impl std::fmt::Debug for KeyedCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedCa")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}
