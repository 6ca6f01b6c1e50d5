//! Reports images from where the persona allows none, images with the tag `latest`, and images without a digest. All containers
//! are judged. Pod templates have no ephemeral ones.
//!
//! An image that cannot be read as a reference violates each of these demands: what it would be cannot be known. That includes an
//! absent image, which an API server rejects, and one of blanks, which it stores in a template.

use super::{Context, Found};
use crate::finding::{ContainerRef, Fact, Finding, Rule};
use crate::image::Reference;
use crate::workload::Container;

pub(super) fn judge_container<'a>(
    context: &Context<'a>,
    container: ContainerRef<'a>,
    spec: &'a Container<'a>,
    found: Found<'_, 'a>,
) {
    let Some(images) = &context.persona.images else {
        return;
    };
    if !context.complete() {
        return;
    }
    let image = spec.image.as_str();
    let reference = Reference::parse(image);
    let mut violates = |rule, fact| found(Finding::container(rule, container, "image", fact));
    if let Some(allowed) = &images.registries
        && !allowed.allows(reference.as_ref())
    {
        violates(Rule::ImageRegistryNotAllowed, Fact::ImageNotAllowed { image, allowed });
    }
    if images.deny_latest && reference.is_none_or(|reference| reference.is_latest()) {
        violates(Rule::ImageTagLatest, Fact::ImageLatest { image });
    }
    if images.require_digest && reference.is_none_or(|reference| reference.digest().is_none()) {
        violates(Rule::ImageDigestMissing, Fact::DigestMissing { image });
    }
}
