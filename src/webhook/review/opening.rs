//! Reads the first bytes of a review that is too large to be kept: the uid to answer to, and the namespace, which decides the
//! mode.
//!
//! The members are found by structure: only `apiVersion` and the members of `request` count, in any order, with or without
//! escapes. The same text in a name, a label or an annotation is an ordinary value. The bytes may end anywhere; members that
//! are complete before their end are read.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::Version;
use crate::policy::text::Text;
use crate::webhook::skim;

/// The members found in the first bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The version of the request; v1 where it is unknown.
    pub version: Version,
    /// The uid to answer to.
    pub uid: Text<'a>,
    /// The request's namespace, if it was reached.
    pub namespace: Option<Text<'a>>,
    /// The object's name, if it was reached.
    pub name: Option<Text<'a>>,
}

impl<'a> Opening<'a> {
    /// Reads the members. `None` where there is no uid to answer to, or where a relevant member occurs twice.
    pub fn read(bytes: &'a [u8]) -> Option<Opening<'a>> {
        let mut found = Found::default();
        // It fails where the bytes end. What was found before counts.
        let _ = skim::start(bytes, Outer(&mut found));
        let Found {
            version,
            uid,
            namespace,
            name,
            repeated,
            request: _,
        } = found;
        let stated = |text: Option<Text<'a>>| text.filter(|text| !text.is_empty());
        if repeated {
            return None;
        }
        Some(Opening {
            version: version.as_deref().map_or(Some(Version::default()), Version::read)?,
            uid: stated(uid)?,
            namespace: stated(namespace),
            name: stated(name),
        })
    }
}

#[derive(Default)]
struct Found<'a> {
    version: Option<Text<'a>>,
    /// Whether `request` has begun.
    request: bool,
    uid: Option<Text<'a>>,
    namespace: Option<Text<'a>>,
    name: Option<Text<'a>>,
    /// A member occurred twice, so it is undefined which of them counts.
    repeated: bool,
}

/// Keeps a member, once.
fn keep<'de, A: MapAccess<'de>>(
    place: &mut Option<Text<'de>>,
    repeated: &mut bool,
    map: &mut A,
) -> Result<(), A::Error> {
    if place.is_some() {
        *repeated = true;
        return Err(A::Error::custom("a member comes twice"));
    }
    *place = Some(map.next_value()?);
    Ok(())
}

/// The relevant members of the review.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum OfReview {
    ApiVersion,
    Request,
    #[serde(other)]
    Other,
}

/// The relevant members of `request`.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum OfRequest {
    Uid,
    Namespace,
    Name,
    #[serde(other)]
    Other,
}

struct Outer<'f, 'a>(&'f mut Found<'a>);
struct Inner<'f, 'a>(&'f mut Found<'a>);

impl<'de> DeserializeSeed<'de> for Outer<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Outer<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an AdmissionReview")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let found = self.0;
        while let Some(member) = map.next_key()? {
            match member {
                OfReview::ApiVersion => keep(&mut found.version, &mut found.repeated, &mut map)?,
                OfReview::Request if found.request => {
                    found.repeated = true;
                    return Err(A::Error::custom("a member comes twice"));
                }
                OfReview::Request => {
                    found.request = true;
                    map.next_value_seed(Inner(found))?;
                }
                OfReview::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Inner<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inner<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let found = self.0;
        while let Some(member) = map.next_key()? {
            match member {
                OfRequest::Uid => keep(&mut found.uid, &mut found.repeated, &mut map)?,
                OfRequest::Namespace => keep(&mut found.namespace, &mut found.repeated, &mut map)?,
                OfRequest::Name => keep(&mut found.name, &mut found.repeated, &mut map)?,
                OfRequest::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
