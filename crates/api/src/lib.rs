//! Kubernetes API types of the `dorgu.io` group, exactly as on the wire, and the CustomResourceDefinitions made from them.
//!
//! Owns the JSON names, the closed sets, the bounds, the schema defaults and the sentences that `kubectl explain` prints.
//! Knows no other module of this crate. The types apply no default themselves: a default of the schema is filled in by
//! the API server (or, for files, by [`crate::schema`]), and only where the parent object is present, so an absent
//! option here means "not checked" (contract 1, "Defaulting rule").

pub mod application_persona;
pub mod cluster_persona;
mod condition;
pub mod crd;
pub mod labels;
pub mod names;
mod resources;
pub mod rules;
mod scaling;

pub use application_persona::{ApplicationPersona, ApplicationPersonaSpec, ApplicationPersonaStatus};
pub use cluster_persona::{ClusterPersona, ClusterPersonaSpec, ClusterPersonaStatus};
pub use crd::crds;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
pub use resources::{Profile, ResourceValues, Resources};
pub use scaling::{Behavior, Scaling};

/// The API group of every kind here.
pub const GROUP: &str = "dorgu.io";
/// The only version that was ever served.
pub const VERSION: &str = "v1";
/// What `apiVersion` says in a manifest of these kinds.
pub const API_VERSION: &str = "dorgu.io/v1";

#[cfg(test)]
mod tests;
