//! Finds the field of a finding: in which object, and its JSON pointer. The words of a path (`render`) and the patches
//! (`remedy`) start from the same fields.

use json_patch::jsonptr::PointerBuf;

use super::finding::{Escalation, Fact, Finding, ModeHolder, Place};
use super::fix::Level;
use super::mode::ModeWish;

/// The object that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// The object under review.
    Workload,
    /// A persona, by `metadata.name`. Of several that share an app, the first.
    Persona(&'a str),
    /// A namespace, by name.
    Namespace(&'a str),
}

/// The field of a finding: the observed one, or the one that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Whose field.
    pub holder: Holder<'a>,
    /// Where in it (RFC 6901). Containers are counted, not named.
    pub pointer: PointerBuf,
}

impl<'a> Field<'a> {
    /// The field of a finding.
    pub fn of(finding: &Finding<'a>) -> Self {
        if let Some((level, path)) = observed(finding) {
            let mut pointer = below(&base(level), path);
            if let Fact::Escalation(Escalation::Capability(_, index)) = finding.fact {
                pointer.push_back(index);
            }
            return Field {
                holder: Holder::Workload,
                pointer,
            };
        }
        let (holder, path) = match &finding.fact {
            Fact::Unreadable { persona, problem } => (Holder::Persona(persona), problem.field.to_owned()),
            Fact::Duplicate { personas, .. } => {
                let first = personas.first().map_or("", |persona| persona.name.as_str());
                (Holder::Persona(first), "spec.name".to_owned())
            }
            Fact::ModeUnknown { holder, .. } => mode(*holder, false),
            Fact::ModeMisplaced { holder, .. } => mode(*holder, true),
            // All others have a field of the workload.
            _ => (Holder::Workload, String::new()),
        };
        let pointer = below(&PointerBuf::new(), &path);
        Field { holder, pointer }
    }
}

/// Where the mode of a holder is read: of a namespace as a label, of a persona as an annotation. Misplaced, it is the other.
fn mode(holder: ModeHolder<'_>, misplaced: bool) -> (Holder<'_>, String) {
    let (holder, is_label) = match holder {
        ModeHolder::Namespace(name) => (Holder::Namespace(name), !misplaced),
        ModeHolder::Persona(name) => (Holder::Persona(name), misplaced),
    };
    let map = if is_label { "labels" } else { "annotations" };
    (holder, format!("metadata.{map}[{}]", ModeWish::KEY))
}

/// The field of the workload that a finding is about, below its level. `None` where it is about the persona or the namespace.
pub(super) fn observed<'a>(finding: &Finding<'a>) -> Option<(Level<'a>, &'static str)> {
    let (level, path) = match finding.place {
        Place::Object(path) => (Level::Object, path),
        Place::Pod(path) => (Level::Pod, path),
        Place::Container(container, path) => (Level::Container(container), path),
    };
    let inherited = |from_pod| if from_pod { Level::Pod } else { level };
    match &finding.fact {
        Fact::Unreadable { .. } | Fact::Duplicate { .. } | Fact::ModeUnknown { .. } | Fact::ModeMisplaced { .. } => {
            None
        }
        Fact::SelectorLabel { key, .. } => Some((Level::Label(key), "")),
        // The user is set in another field than the one that demands non-root, perhaps at another level.
        Fact::RunsAsRoot { user: Some(user), .. } => {
            let path = match user.account {
                Some(_) => "securityContext.windowsOptions.runAsUserName",
                None => "securityContext.runAsUser",
            };
            Some((inherited(user.from_pod), path))
        }
        Fact::Escalation(Escalation::HostProcess { from_pod }) => Some((inherited(*from_pod), path)),
        _ => Some((level, path)),
    }
}

/// Where the fields of a level start.
pub(super) fn base(level: Level<'_>) -> PointerBuf {
    let pod = ["spec", "template", "spec"];
    match level {
        Level::Object => PointerBuf::new(),
        Level::Label(key) => PointerBuf::from_tokens(["metadata", "labels", key]),
        Level::Pod => PointerBuf::from_tokens(pod),
        Level::Container(container) => {
            let mut base = PointerBuf::from_tokens(pod);
            base.push_back(container.kind.list());
            base.push_back(container.index);
            base
        }
    }
}

/// A path with dots, of which the last step may be a key in brackets.
pub(super) fn below(base: &PointerBuf, path: &str) -> PointerBuf {
    let (names, key) = match path.split_once('[') {
        Some((names, key)) => (names, Some(key.trim_end_matches(']'))),
        None => (path, None),
    };
    let mut pointer = base.clone();
    for token in names.split('.').chain(key).filter(|token| !token.is_empty()) {
        pointer.push_back(token);
    }
    pointer
}
