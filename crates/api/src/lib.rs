//! Defines the Kubernetes API types of the `dorgu.io` group, exactly as on the wire, and the CustomResourceDefinitions
//! generated from them.
//!
//! The types define JSON names, closed sets, bounds, schema defaults and the descriptions that `kubectl explain` prints.
//! This crate depends on no other crate of this repository. The types apply no default themselves. The API server fills in a
//! schema's default (for files, `schema` of the crate `manifest` does), and only where the parent object is present, so an
//! absent option means "not checked" (contract 1, "Defaulting rule").

pub mod application_persona;
pub mod cluster_persona;
mod condition;
pub mod crd;
pub mod labels;
pub mod levels;
pub mod names;
pub mod persona_exception;
mod resources;
pub mod rules;
mod scaling;
pub mod selector;

pub use application_persona::{ApplicationPersona, ApplicationPersonaSpec, ApplicationPersonaStatus};
pub use cluster_persona::{ClusterPersona, ClusterPersonaSpec, ClusterPersonaStatus};
pub use crd::crds;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
pub use persona_exception::{PersonaException, PersonaExceptionSpec, PersonaExceptionStatus};
pub use resources::{Profile, ResourceValues, Resources};
pub use scaling::{Behavior, Scaling};

/// The API group of every kind here.
pub const GROUP: &str = "dorgu.io";
/// The only version that was ever served.
pub const VERSION: &str = "v1";
/// `apiVersion` of these kinds.
pub const API_VERSION: &str = "dorgu.io/v1";

#[cfg(test)]
mod tests;
