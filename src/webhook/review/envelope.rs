//! Reads the envelope of a review: everything around its two objects.
//!
//! A review is large once it is read, and a derived reader moves all of it every time a struct contains another. Here the
//! members are read into a place that the caller owns.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::target::Kind;
use super::{Operation, Outline, Version};
use crate::policy::json::Object;
use crate::policy::text::Text;

/// The body. `New` and `Old` are the two objects, or a type that skips them.
#[derive(Default)]
pub(super) struct Envelope<'a, New, Old> {
    api_version: Text<'a>,
    kind: Text<'a>,
    /// Whether there is a request; without one the fields below are empty.
    is_asked: bool,
    operation: Text<'a>,
    outline: Outline<'a>,
    object: Option<New>,
    old: Option<Old>,
}

impl<'a, New, Old> Envelope<'a, New, Old> {
    /// The outline and the two objects; or what is missing.
    #[inline]
    pub(super) fn open(self) -> Result<(Outline<'a>, Option<New>, Option<Old>), String> {
        let Some(version) = Version::read(&self.api_version) else {
            let reason = match self.api_version.is_empty() {
                true => "apiVersion is missing; send an admission.k8s.io/v1 AdmissionReview",
                false => "apiVersion is not admission.k8s.io/v1 or admission.k8s.io/v1beta1",
            };
            return Err(reason.to_owned());
        };
        if self.kind.as_str() != "AdmissionReview" {
            return Err("kind is not AdmissionReview".to_owned());
        }
        if !self.is_asked {
            return Err("request is missing; an AdmissionReview without one asks nothing".to_owned());
        }
        if self.outline.uid.is_empty() {
            return Err("request.uid is missing; there is nothing to answer to".to_owned());
        }
        let outline = Outline {
            version,
            operation: Operation::read(&self.operation),
            ..self.outline
        };
        Ok((outline, self.object, self.old))
    }
}

impl<'de: 'a, 'a, New, Old> Deserialize<'de> for Envelope<'a, New, Old>
where
    New: Default + Deserialize<'de>,
    Old: Default + Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut envelope = Envelope::default();
        InPlace(Body(&mut envelope)).deserialize(deserializer)?;
        Ok(envelope)
    }
}

/// The members of the body.
pub(super) struct Body<'s, 'a, New, Old>(pub(super) &'s mut Envelope<'a, New, Old>);

/// The members of `request`.
struct Request<'s, 'a, New, Old>(&'s mut Envelope<'a, New, Old>);

#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum OfBody {
    ApiVersion,
    Kind,
    Request,
    #[serde(other)]
    Another,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum OfRequest {
    Uid,
    Kind,
    Resource,
    SubResource,
    Name,
    Namespace,
    Operation,
    Object,
    OldObject,
    DryRun,
    #[serde(other)]
    Another,
}

/// The members that were there already. One that occurs twice is an error, since which of the two counts differs from reader to
/// reader.
#[derive(Default)]
struct Seen(u16);

impl Seen {
    #[inline]
    fn once<E: de::Error>(&mut self, member: u32, name: &'static str) -> Result<(), E> {
        let bit = 1 << member;
        if self.0 & bit != 0 {
            return Err(E::duplicate_field(name));
        }
        self.0 |= bit;
        Ok(())
    }
}

/// The members of an object, read into a place that the value knows.
trait Members<'de>: Sized {
    fn read<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error>;
}

/// Reads an object into its place; null leaves that as it is.
pub(super) struct InPlace<T>(pub(super) T);

impl<'de, T: Members<'de>> DeserializeSeed<'de> for InPlace<T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Members<'de>> Visitor<'de> for InPlace<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.read(map)
    }
}

impl<'de: 'a, 'a, New, Old> Members<'de> for Body<'_, 'a, New, Old>
where
    New: Default + Deserialize<'de>,
    Old: Default + Deserialize<'de>,
{
    fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        while let Some(member) = map.next_key()? {
            let mut once = |name| seen.once(member as u32, name);
            match member {
                OfBody::ApiVersion => {
                    once("apiVersion")?;
                    self.0.api_version = map.next_value()?;
                }
                OfBody::Kind => {
                    once("kind")?;
                    self.0.kind = map.next_value()?;
                }
                OfBody::Request => {
                    once("request")?;
                    map.next_value_seed(InPlace(Request(&mut *self.0)))?;
                }
                OfBody::Another => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<'de: 'a, 'a, New, Old> Members<'de> for Request<'_, 'a, New, Old>
where
    New: Default + Deserialize<'de>,
    Old: Default + Deserialize<'de>,
{
    fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let envelope = self.0;
        envelope.is_asked = true;
        let outline = &mut envelope.outline;
        let mut seen = Seen::default();
        while let Some(member) = map.next_key()? {
            let mut once = |name| seen.once(member as u32, name);
            match member {
                OfRequest::Uid => {
                    once("uid")?;
                    outline.uid = map.next_value()?;
                }
                OfRequest::Kind => {
                    once("kind")?;
                    let Object(kind): Object<Kind<'a>> = map.next_value()?;
                    outline.target.kind = kind;
                }
                OfRequest::Resource => {
                    once("resource")?;
                    outline.target.resource = map.next_value()?;
                }
                OfRequest::SubResource => {
                    once("subResource")?;
                    outline.target.sub_resource = map.next_value()?;
                }
                OfRequest::Name => {
                    once("name")?;
                    outline.name = map.next_value()?;
                }
                OfRequest::Namespace => {
                    once("namespace")?;
                    outline.namespace = map.next_value()?;
                }
                OfRequest::Operation => {
                    once("operation")?;
                    envelope.operation = map.next_value()?;
                }
                OfRequest::Object => {
                    once("object")?;
                    envelope.object = map.next_value()?;
                }
                OfRequest::OldObject => {
                    once("oldObject")?;
                    envelope.old = map.next_value()?;
                }
                OfRequest::DryRun => {
                    once("dryRun")?;
                    outline.dry_run = map.next_value::<Option<bool>>()?.unwrap_or(false);
                }
                OfRequest::Another => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}
