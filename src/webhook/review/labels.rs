//! Finds the labels of the two objects of a review. Only a persona's selector reads them, so a review without one is not read
//! twice.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::policy::json::Object;
use crate::webhook::skim;

/// `metadata.labels` of both objects as JSON; empty where there are none.
#[derive(Debug, Default)]
pub struct Labels<'a> {
    /// Those of the new object.
    pub new: &'a str,
    /// Those of the stored one.
    pub stored: &'a str,
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    request: Inner<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner<'a> {
    #[serde(borrow, default)]
    object: Object<Labelled<'a>>,
    #[serde(borrow, default)]
    old_object: Object<Labelled<'a>>,
}

#[derive(Default, Deserialize)]
struct Labelled<'a> {
    #[serde(borrow, default)]
    metadata: Object<OfMetadata<'a>>,
}

#[derive(Default, Deserialize)]
struct OfMetadata<'a> {
    #[serde(borrow, default)]
    labels: Option<&'a RawValue>,
}

impl<'a> Labels<'a> {
    /// Those of a review that was read before.
    pub fn read(body: &'a [u8]) -> Labels<'a> {
        let read = skim::from_slice::<Outer<'a>>(body);
        let Some(Outer { request }) = read.ok().or_else(|| serde_json::from_slice(body).ok()) else {
            return Labels::default();
        };
        let labels = |object: Object<Labelled<'a>>| object.0.metadata.0.labels.map_or("", RawValue::get);
        Labels {
            new: labels(request.object),
            stored: labels(request.old_object),
        }
    }
}
