//! An AdmissionReview read from bytes: one borrowing pass that keeps only what rules look at.
//!
//! Owns the wire format of the request, v1 and v1beta1 alike (they differ in nothing that is read here). What the
//! answer looks like is in `answer`.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::skim;
use crate::policy::json::Object;
use crate::policy::text::{Shown, Text, cut};
use crate::policy::workload::{Metadata, Spec, Workload};

/// The two versions of `admission.k8s.io` that are spoken; the answer repeats that of the question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `admission.k8s.io/v1`.
    #[default]
    V1,
    /// `admission.k8s.io/v1beta1`.
    V1Beta1,
}

impl Version {
    /// The `apiVersion` on the wire.
    pub fn api_version(self) -> &'static str {
        match self {
            Version::V1 => "admission.k8s.io/v1",
            Version::V1Beta1 => "admission.k8s.io/v1beta1",
        }
    }
}

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new object.
    Create,
    /// A changed one.
    Update,
    /// DELETE, CONNECT or anything not known today: no opinion (contract 2.3, step 1).
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
#[derive(Debug)]
pub struct Outline<'a> {
    /// Which version asks.
    pub version: Version,
    /// Echoed in the answer.
    pub uid: Text<'a>,
    /// What is done.
    pub operation: Operation,
    /// The request's namespace.
    pub namespace: Text<'a>,
    /// The object's name; empty on a create by `generateName`.
    pub name: Text<'a>,
    /// The kind of the object as asked; empty where a caller leaves it out.
    pub kind: Text<'a>,
    /// Whether it is about `deployments/scale`.
    pub scale: bool,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// A review whose object was read.
#[derive(Debug)]
pub struct Review<'a> {
    /// Everything but the objects.
    pub outline: Outline<'a>,
    /// The object as it would be stored; none on a delete.
    pub object: Option<Workload<'a>>,
    /// The stored object; none on a create.
    pub old: Option<Stored<'a>>,
}

/// `oldObject`: its labels at once, its spec only when a finding makes it matter.
#[derive(Debug, Default, Deserialize)]
pub struct Stored<'a> {
    /// Identity and labels.
    #[serde(borrow, default)]
    pub metadata: Object<Metadata<'a>>,
    #[serde(borrow, default)]
    spec: Option<&'a RawValue>,
}

impl<'a> Stored<'a> {
    /// Reads the spec. `None` when it is not what a Deployment or a Scale holds.
    pub fn workload(&self) -> Option<Workload<'a>> {
        let spec: Spec<'a> = match self.spec {
            Some(spec) => match skim::from_slice::<Object<Spec<'a>>>(spec.get().as_bytes()) {
                Ok(Object(spec)) => spec,
                Err(_) => serde_json::from_str::<Object<Spec<'a>>>(spec.get()).ok()?.0,
            },
            None => Spec::default(),
        };
        Some(Workload {
            spec,
            ..Workload::default()
        })
    }
}

/// Why a body is no review that can be judged.
#[derive(Debug)]
pub enum Malformed<'a> {
    /// The envelope is fine and the object is not: there is a uid to answer to.
    Object {
        /// What is known.
        outline: Box<Outline<'a>>,
        /// What is wrong, without any content of the object.
        reason: String,
    },
    /// Not an AdmissionReview: contract 2.2's error body.
    Envelope(String),
}

/// The body; `New` and `Old` are the two objects, or something that skips them.
#[derive(Default, Deserialize)]
#[serde(
    rename_all = "camelCase",
    bound(deserialize = "'de: 'a, New: Default + Deserialize<'de>, Old: Default + Deserialize<'de>")
)]
struct Envelope<'a, New, Old> {
    #[serde(borrow, default)]
    api_version: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(default)]
    request: Option<Object<Request<'a, New, Old>>>,
}

#[derive(Default, Deserialize)]
#[serde(
    rename_all = "camelCase",
    bound(deserialize = "'de: 'a, New: Default + Deserialize<'de>, Old: Default + Deserialize<'de>")
)]
struct Request<'a, New, Old> {
    #[serde(borrow, default)]
    uid: Text<'a>,
    #[serde(borrow, default)]
    kind: Object<Kind<'a>>,
    #[serde(borrow, default)]
    sub_resource: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    namespace: Text<'a>,
    #[serde(borrow, default)]
    operation: Text<'a>,
    #[serde(default)]
    object: Option<New>,
    #[serde(default)]
    old_object: Option<Old>,
    #[serde(default)]
    dry_run: Option<bool>,
}

#[derive(Default, Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default)]
    kind: Text<'a>,
}

/// A body in which everything that rules look at is read.
type Whole<'a> = Object<Envelope<'a, Object<Workload<'a>>, Object<Stored<'a>>>>;

impl<'a, New, Old> Envelope<'a, New, Old> {
    fn open(self) -> Result<(Outline<'a>, Option<New>, Option<Old>), String> {
        let version = match self.api_version.as_str() {
            "admission.k8s.io/v1" => Version::V1,
            "admission.k8s.io/v1beta1" => Version::V1Beta1,
            "" => return Err("apiVersion is missing; send an admission.k8s.io/v1 AdmissionReview".to_owned()),
            _ => return Err("apiVersion is not admission.k8s.io/v1 or admission.k8s.io/v1beta1".to_owned()),
        };
        if self.kind.as_str() != "AdmissionReview" {
            return Err("kind is not AdmissionReview".to_owned());
        }
        let Some(Object(request)) = self.request else {
            return Err("request is missing; an AdmissionReview without one asks nothing".to_owned());
        };
        if request.uid.is_empty() {
            return Err("request.uid is missing; there is nothing to answer to".to_owned());
        }
        let outline = Outline {
            version,
            uid: request.uid,
            operation: Operation::read(&request.operation),
            namespace: request.namespace,
            name: request.name,
            scale: request.kind.0.kind.as_str() == "Scale" || request.sub_resource.as_str() == "scale",
            kind: request.kind.0.kind,
            dry_run: request.dry_run.unwrap_or(false),
        };
        Ok((outline, request.object, request.old_object))
    }
}

impl<'a> Review<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Malformed`]: with the outline where only an object is unreadable.
    pub fn read(body: &'a [u8]) -> Result<Review<'a>, Malformed<'a>> {
        match skim::from_slice::<Whole<'a>>(body) {
            Ok(whole) => Self::open(whole),
            Err(_) => Self::read_every_byte(body),
        }
    }

    /// Reads a body by `serde_json` alone, which checks also what nobody asks for: the word on everything that the quick
    /// reader does not take, and what that is held against.
    ///
    /// # Errors
    /// As [`Review::read`].
    pub fn read_every_byte(body: &'a [u8]) -> Result<Review<'a>, Malformed<'a>> {
        match serde_json::from_slice::<Whole<'a>>(body) {
            Ok(whole) => Self::open(whole),
            Err(_) => Err(Self::malformed(body)),
        }
    }

    fn open(Object(envelope): Whole<'a>) -> Result<Review<'a>, Malformed<'a>> {
        let (outline, object, old) = envelope.open().map_err(Malformed::Envelope)?;
        Ok(Review {
            outline,
            object: object.map(|new| new.0),
            old: old.map(|old| old.0),
        })
    }

    /// The second, tolerant pass, taken only when the first one failed: objects are skipped whatever they hold.
    fn malformed(body: &'a [u8]) -> Malformed<'a> {
        match serde_json::from_slice::<Object<Envelope<'a, IgnoredAny, IgnoredAny>>>(body) {
            Ok(Object(envelope)) => match envelope.open() {
                Ok((outline, _, _)) => Malformed::Object {
                    outline: Box::new(outline),
                    reason: object_reason(body),
                },
                Err(reason) => Malformed::Envelope(reason),
            },
            Err(error) => Malformed::Envelope(format!("the body is not an AdmissionReview: {}", reason(&error))),
        }
    }

    /// Whether the update leaves `spec` as it was, byte for byte: both come from one encoder.
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

/// What serde says, with content shown safely: it may quote a key or a value of the object.
fn reason(error: &serde_json::Error) -> String {
    cut(Shown(&error.to_string()), 160)
}

/// Which field of the object is wrong and how, found by a third pass that keeps track of where it is. The position in
/// the body, which serde adds, would mean nothing to whoever wrote the object.
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
    // Rust's names for numbers mean nothing to whoever wrote the object.
    let text = text
        .replace("expected i32", "expected a 32-bit integer")
        .replace("expected i64", "expected a 64-bit integer");
    cut(format_args!("{}: {}", Shown(&path), Shown(&text)), 200)
}

/// Finds a string field in the first bytes of a review that is too large or too odd to read. An API server writes
/// `uid` and `namespace` before the objects.
pub fn scan<'a>(prefix: &'a [u8], key: &str) -> Option<&'a str> {
    let text = match std::str::from_utf8(prefix) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(prefix.get(..error.valid_up_to())?).ok()?,
    };
    let quoted = format!("\"{key}\"");
    let after = text
        .get(text.find(&quoted)? + quoted.len()..)?
        .trim_start()
        .strip_prefix(':')?
        .trim_start();
    let value = after.strip_prefix('"')?;
    let value = value.get(..value.find('"')?)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!value.is_empty() && value.len() <= 253 && value.bytes().all(plain)).then_some(value)
}

#[cfg(test)]
mod tests;
