//! Properties of objects from files and from an API server.

use std::sync::LazyLock;

use dorgu::api::{API_VERSION, ApplicationPersona, crds};
use dorgu::index::{Deployment, Namespace, StoredPersona};
use dorgu::k8s::Decode;
use dorgu::manifest;
use dorgu::policy::Persona;
use dorgu::policy::quantity::Quantity;
use dorgu::policy::workload::Spec;
use dorgu::schema::Kinds;
use dorgu::server::tls::{Authority, CertificateFacts};

static KINDS: LazyLock<Kinds> = LazyLock::new(|| {
    let is_quantity = |text: &str| Quantity::parse(text).is_ok();
    Kinds::read(&crds(), is_quantity).expect("our own schemas")
});

/// A persona file of any content is read, or refused on lines of their own; what the schema lets in is readable, and is
/// let in again as it is.
pub fn persona_file(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let read = manifest::read(text);
    if let Some(error) = read.error {
        one_line(&error.to_string());
    }
    let kind = KINDS.find(API_VERSION, "ApplicationPersona").expect("our own kind");
    for document in read.documents {
        let created = match kind.create(document.to_value(), "default") {
            Ok(created) => created,
            Err(errors) => {
                errors.iter().for_each(|error| one_line(&error.to_string()));
                continue;
            }
        };
        created
            .warnings
            .iter()
            .for_each(|warning| one_line(&warning.to_string()));
        let again = kind
            .create(created.object.clone(), "default")
            .expect("what is stored can be stored");
        assert_eq!(again.object, created.object);
        let persona: ApplicationPersona = serde_json::from_value(created.object).expect("the schema let it in");
        let problems = Persona::parse(&persona).problems;
        assert!(problems.is_empty(), "{problems:?}");
    }
}

/// An object that a watch brings is kept, or named on one line; of a Deployment is kept what reads as the same spec.
pub fn watched(json: &[u8]) {
    let Ok(json) = std::str::from_utf8(json) else { return };
    for refused in [StoredPersona::decode(json).err(), Namespace::decode(json).err()] {
        refused.iter().for_each(|reason| one_line(reason.as_str()));
    }
    match Deployment::decode(json) {
        Ok(deployment) => {
            let running = deployment.running.expect("what it runs");
            let Ok(kept) = running.spec else { return };
            let spec: Spec<'_> = serde_json::from_str(&kept).unwrap_or_else(|error| panic!("{error}: {kept}"));
            assert_eq!(spec.to_json(), *kept);
        }
        Err(reason) => one_line(reason.as_str()),
    }
}

/// A certificate, or a CA with its key, is read or refused on one line.
pub fn certificate(pem: &[u8]) {
    let Ok(pem) = std::str::from_utf8(pem) else { return };
    for refused in [
        CertificateFacts::of_pem(pem).err(),
        Authority::load(pem, pem).err().map(|error| error.to_string()),
    ] {
        refused.iter().for_each(|reason| one_line(reason));
    }
}

/// What people read is one line, and not empty.
fn one_line(words: &str) {
    assert!(!words.is_empty() && !words.contains(['\n', '\r']), "{words:?}");
}
