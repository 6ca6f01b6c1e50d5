//! Compares the entries of parts, such as the one for ApplicationPersonas, with the shipped ones. Nothing is denied there, so
//! whatever differs is a warning.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{Entry, View, set, told};
use crate::doctor::finding::{Finding, Outcome};

pub(super) fn timeout(view: &View<'_>, entry: &Entry<'_>, seconds: i32) -> Outcome {
    let shipped = entry.shipped.timeout_seconds;
    if Some(seconds) == shipped {
        return Ok(format!("{seconds} s"));
    }
    Err(Finding::warn(
        format!("timeoutSeconds is {seconds}"),
        "every write of such an object may wait for so long when pods do not answer",
        set(view, entry, "timeoutSeconds", &shipped),
    )
    .into())
}

pub(super) fn namespace_selector(view: &View<'_>, entry: &Entry<'_>) -> Outcome {
    let (stored, shipped) = (&entry.webhook.namespace_selector, &entry.shipped.namespace_selector);
    same(view, entry, "namespaceSelector", stored, shipped)
}

pub(super) fn object_selector(view: &View<'_>, entry: &Entry<'_>) -> Outcome {
    let (stored, shipped) = (&entry.webhook.object_selector, &entry.shipped.object_selector);
    same(view, entry, "objectSelector", stored, shipped)
}

/// An API server stores an empty selector where there is none.
fn same(
    view: &View<'_>,
    entry: &Entry<'_>,
    field: &str,
    stored: &Option<LabelSelector>,
    shipped: &Option<LabelSelector>,
) -> Outcome {
    let (stored, shipped) = (stored.clone().unwrap_or_default(), shipped.clone().unwrap_or_default());
    if stored == shipped {
        return Ok("as shipped".to_owned());
    }
    Err(Finding::warn(
        format!("{field} is {}", told(&stored)),
        "writes of objects that it leaves out get no warnings",
        set(view, entry, field, &shipped),
    )
    .into())
}
