//! Certificates in the cluster: a CA and a leaf in our Secret, made and rotated by whoever holds the Lease, served by
//! every replica; the caBundle of the webhook configuration kept in step. Knows no persona and no review.
//!
//! [`plan`] decides, without IO; `keeper` reads the plan out to the API server; `follower` takes up what others wrote.

mod bundle;
mod configuration;
mod plan;
mod secret;
mod sight;
