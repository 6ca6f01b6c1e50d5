//! Reads an AdmissionReview from bytes in one borrowing pass that keeps only what rules read.
//!
//! This file defines the wire format of the request, v1 and v1beta1 alike (they differ in nothing that is read here). `answer`
//! defines that of the answer.

mod envelope;
mod labels;
mod opening;
mod target;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use envelope::{Body, Envelope, InPlace};
pub use labels::Labels;
pub use opening::Opening;
pub use target::Target;

use super::skim;
use crate::policy::json::Object;
use crate::policy::room::{Room, within};
use crate::policy::text::{Shown, Text, cut};
use crate::policy::workload::{Metadata, Spec, Workload};

/// The two supported versions of `admission.k8s.io`. The answer repeats the version of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `admission.k8s.io/v1`.
    #[default]
    V1,
    /// `admission.k8s.io/v1beta1`.
    V1Beta1,
}

impl Version {
    /// The version of this `apiVersion`.
    pub fn read(text: &str) -> Option<Version> {
        match text {
            "admission.k8s.io/v1" => Some(Version::V1),
            "admission.k8s.io/v1beta1" => Some(Version::V1Beta1),
            _ => None,
        }
    }

    /// The `apiVersion` on the wire.
    pub fn api_version(self) -> &'static str {
        match self {
            Version::V1 => "admission.k8s.io/v1",
            Version::V1Beta1 => "admission.k8s.io/v1beta1",
        }
    }
}

/// The operation on the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new object.
    Create,
    /// A changed one.
    Update,
    /// DELETE, CONNECT or an operation unknown today: always allowed (contract 2.3, step 1).
    #[default]
    Other,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 3] = [Operation::Create, Operation::Update, Operation::Other];

    fn read(text: &str) -> Operation {
        match text {
            "CREATE" => Operation::Create,
            "UPDATE" => Operation::Update,
            _ => Operation::Other,
        }
    }

    /// The label in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Other => "other",
        }
    }
}

/// The part of a review that is understood even when its object is not.
#[derive(Debug, Default)]
pub struct Outline<'a> {
    /// The version of the request.
    pub version: Version,
    /// Echoed in the answer.
    pub uid: Text<'a>,
    /// The operation.
    pub operation: Operation,
    /// The request's namespace.
    pub namespace: Text<'a>,
    /// The object's name; empty on a create by `generateName`.
    pub name: Text<'a>,
    /// The resource.
    pub target: Target<'a>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// A review whose object was read.
#[derive(Debug)]
pub struct Review<'a> {
    /// Everything but the objects.
    pub outline: Outline<'a>,
    /// The object as it would be stored; `None` on a delete.
    pub object: Option<Workload<'a>>,
    /// The stored object; `None` on a create.
    pub old: Option<Stored<'a>>,
    /// The room for containers that the object left.
    left: Room,
}

/// `oldObject`: its labels immediately, its spec only when a finding needs it.
#[derive(Debug, Default, Deserialize)]
pub struct Stored<'a> {
    /// Identity and labels.
    #[serde(borrow, default)]
    pub metadata: Object<Metadata<'a>>,
    #[serde(borrow, default)]
    spec: Option<&'a RawValue>,
    /// How much of the spec is read. What is beyond it excuses nothing.
    #[serde(skip)]
    room: Room,
}

impl<'a> Stored<'a> {
    /// Reads the spec. `None` when it is not that of a Deployment or a Scale.
    pub fn workload(&self) -> Option<Workload<'a>> {
        let spec: Spec<'a> = match self.spec {
            Some(spec) => self.within_room(spec.get())?,
            None => Spec::default(),
        };
        Some(Workload {
            spec,
            ..Workload::default()
        })
    }
}

impl<'a> Stored<'a> {
    fn within_room(&self, spec: &'a str) -> Option<Spec<'a>> {
        let read = within(&mut { self.room }, || {
            skim::from_slice::<Object<Spec<'a>>>(spec.as_bytes())
        });
        if let Ok(Object(spec)) = read {
            return Some(spec);
        }
        let read = within(&mut { self.room }, || serde_json::from_str::<Object<Spec<'a>>>(spec));
        Some(read.ok()?.0)
    }
}

/// Why a body is no review that can be judged.
#[derive(Debug)]
pub enum Malformed<'a> {
    /// The envelope is valid and the object is not, so there is a uid to answer to.
    Object {
        /// The outline.
        outline: Box<Outline<'a>>,
        /// What is wrong, without any content of the object.
        reason: String,
    },
    /// Not an AdmissionReview: the answer is the error body of contract 2.2.
    Envelope(String),
}

/// A body of which everything that rules read is parsed.
type Whole<'a> = Envelope<'a, Object<Workload<'a>>, Object<Stored<'a>>>;

impl<'a> Review<'a> {
    /// Namespace and name of the object (contract 2.3): the object's own, and the request's where the object has none. Some
    /// clients leave the name of a Scale to the URL.
    pub fn identity_of<'r>(&'r self, object: &'r Workload<'_>) -> (&'r str, &'r str) {
        let first = |own: &'r Text<'_>, of_request: &'r Text<'_>| match own.as_str() {
            "" => of_request.as_str(),
            own => own,
        };
        let Outline { namespace, name, .. } = &self.outline;
        let Metadata {
            namespace: own_namespace,
            name: own_name,
            ..
        } = &object.metadata;
        (first(own_namespace, namespace), first(own_name, name))
    }

    /// The object that an update replaces.
    pub fn replaced(&self) -> Option<&Stored<'a>> {
        self.old
            .as_ref()
            .filter(|_| self.outline.operation == Operation::Update)
    }

    /// Why the object is not judged, where it has more containers than there was room for. An update needs room for the stored
    /// object, too.
    pub fn excess(&self) -> Option<String> {
        let exceeded = match self.replaced() {
            Some(_) => self.left.is_exceeded_by_another(),
            None => self.left.is_exceeded(),
        };
        exceeded.then(|| self.left.reason())
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Malformed`]: with the outline where only an object is unreadable.
    pub fn read(body: &'a [u8]) -> Result<Review<'a>, Malformed<'a>> {
        Self::read_within(Room::of_review(body.len()), body)
    }

    /// As [`Review::read`], with this much room for containers.
    ///
    /// # Errors
    /// As [`Review::read`].
    pub fn read_within(room: Room, body: &'a [u8]) -> Result<Review<'a>, Malformed<'a>> {
        let mut left = room;
        let mut whole = Whole::default();
        match within(&mut left, || skim::from_slice_seed(body, InPlace(Body(&mut whole)))) {
            Ok(()) => Self::open(whole, left),
            Err(_) => Self::by_serde_json(room, body),
        }
    }

    /// Reads a body by `serde_json` alone, which also checks fields that are not read. It decides about everything that the
    /// fast reader rejects, and tests compare the fast reader with it.
    ///
    /// # Errors
    /// As [`Review::read`].
    pub fn read_every_byte(body: &'a [u8]) -> Result<Review<'a>, Malformed<'a>> {
        Self::by_serde_json(Room::of_review(body.len()), body)
    }

    fn by_serde_json(room: Room, body: &'a [u8]) -> Result<Review<'a>, Malformed<'a>> {
        let mut left = room;
        match within(&mut left, || serde_json::from_slice::<Whole<'a>>(body)) {
            Ok(whole) => Self::open(whole, left),
            Err(_) => {
                left = room;
                Err(within(&mut left, || Self::malformed(body)))
            }
        }
    }

    #[inline]
    fn open(envelope: Whole<'a>, left: Room) -> Result<Review<'a>, Malformed<'a>> {
        let (outline, object, old) = envelope.open().map_err(Malformed::Envelope)?;
        Ok(Review {
            outline,
            object: object.map(|Object(new)| new),
            old: old.map(|Object(mut old)| {
                old.room = left.of_stored();
                old
            }),
            left,
        })
    }

    /// The second, tolerant pass after a failed first one: objects are skipped whatever they contain.
    fn malformed(body: &'a [u8]) -> Malformed<'a> {
        match serde_json::from_slice::<Envelope<'a, IgnoredAny, IgnoredAny>>(body) {
            Ok(envelope) => match envelope.open() {
                Ok((outline, _, _)) => Malformed::Object {
                    outline: Box::new(outline),
                    reason: object_reason(body),
                },
                Err(reason) => Malformed::Envelope(reason),
            },
            Err(error) => Malformed::Envelope(format!("the body is not an AdmissionReview: {}", reason(&error))),
        }
    }

    /// Whether the update leaves `spec` unchanged, byte for byte: both come from one encoder.
    pub fn keeps_spec(&self, body: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Outer<'a> {
            #[serde(borrow)]
            request: Inner<'a>,
        }
        #[derive(Deserialize)]
        struct Inner<'a> {
            #[serde(borrow)]
            object: Specified<'a>,
        }
        #[derive(Deserialize)]
        struct Specified<'a> {
            #[serde(borrow, default)]
            spec: Option<&'a RawValue>,
        }
        let new = skim::from_slice::<Outer<'_>>(body)
            .ok()
            .or_else(|| serde_json::from_slice(body).ok())
            .map(|outer| outer.request.object.spec);
        let old = self.old.as_ref().map(|old| old.spec);
        match (new, old) {
            (Some(new), Some(old)) => new.map(RawValue::get) == old.map(RawValue::get),
            _ => false,
        }
    }
}

/// serde's message, with content escaped: it may quote a key or a value of the object.
fn reason(error: &serde_json::Error) -> String {
    cut(Shown(&error.to_string()), 160)
}

/// Which field of the object is wrong and how, found by a third pass that tracks the path. The position in the body, which
/// serde adds, means nothing to the user who wrote the object.
fn object_reason(body: &[u8]) -> String {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read: Result<Whole<'_>, _> = serde_path_to_error::deserialize(&mut json);
    let Some(error) = read.err() else { return String::new() };
    let path = error.path().to_string();
    let path = path
        .trim_start_matches("request.")
        .trim_start_matches("object.")
        .to_owned();
    let error = error.into_inner();
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&position).unwrap_or(&text);
    // Rust's names for numbers mean nothing to the user who wrote the object.
    let text = text
        .replace("expected i32", "expected a 32-bit integer")
        .replace("expected i64", "expected a 64-bit integer");
    cut(format_args!("{}: {}", Shown(&path), Shown(&text)), 200)
}

#[cfg(test)]
mod tests;
