//! Determines the resource of a review from `request.kind`, `request.resource` and `request.subResource`.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::policy::json::Object;
use crate::policy::text::{Shown, Text, cut};

/// The text that an API server writes for every Deployment and its subresources, so that it need not be parsed each time.
const DEPLOYMENTS: &str = r#"{"group":"apps","version":"v1","resource":"deployments"}"#;

/// The resource of a review, not parsed yet.
#[derive(Debug, Default)]
pub struct Target<'a> {
    pub(super) kind: Kind<'a>,
    /// `request.resource` as received; parsed only where it is not the usual one.
    pub(super) resource: Option<&'a RawValue>,
    pub(super) sub_resource: Text<'a>,
}

/// `request.kind`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(borrow, default)]
    group: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
}

/// `request.resource`.
#[derive(Default, Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    group: Text<'a>,
    #[serde(borrow, default)]
    resource: Text<'a>,
}

impl Target<'_> {
    /// Whether it is a Scale, by its kind or by the subresource that was written.
    pub fn is_scale(&self) -> bool {
        self.kind.kind.as_str() == "Scale" || self.sub_resource.as_str() == "scale"
    }

    /// Whether its kind is neither Deployment nor Scale. A client may leave the kind out.
    pub fn is_of_another_kind(&self) -> bool {
        !matches!(self.kind.kind.as_str(), "" | "Deployment" | "Scale")
    }

    /// Why it is not the Deployment of `apps`, nor a Scale of one, although its kind has that name: the Scale of a StatefulSet,
    /// or a custom resource. Omitted members do not count.
    pub fn foreign(&self) -> Option<String> {
        let Kind { group, kind } = &self.kind;
        if kind.as_str() == "Deployment" && !matches!(group.as_str(), "" | "apps") {
            let kind = cut(Qualified(kind, group), 200);
            return Some(format!("its kind is {kind}, not Deployment.apps"));
        }
        let resource = self.resource.map(RawValue::get)?;
        if resource == DEPLOYMENTS {
            return None;
        }
        let Ok(Object(Resource { group, resource })) = serde_json::from_str::<Object<Resource<'_>>>(resource) else {
            return Some("request.resource is not an object with a group and a resource".to_owned());
        };
        if matches!(group.as_str(), "" | "apps") && matches!(resource.as_str(), "" | "deployments") {
            return None;
        }
        let resource = cut(Qualified(&resource, &group), 200);
        Some(format!("its resource is {resource}, not deployments.apps"))
    }
}

/// A kind or a resource with its group, as Kubernetes writes it: `statefulsets.apps`.
struct Qualified<'t>(&'t str, &'t str);

impl fmt::Display for Qualified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Qualified(name, group) = self;
        write!(f, "{}", Shown(name))?;
        match *group {
            "" => Ok(()),
            group => write!(f, ".{}", Shown(group)),
        }
    }
}
