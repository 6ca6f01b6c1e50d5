//! Controllers write the status of our own kinds, so that findings can be read after a terminal's warnings are gone.
//!
//! Each controller has the same steps: observe (IO), derive (pure, the time is an argument), write (only when something
//! other than a timestamp changed). Controllers run only while the Lease is held, on other threads than the webhook, and
//! write nothing but status, Events about it and, when asked, a first ClusterPersona.

pub mod cluster;
pub mod exception;
pub mod metrics;
pub mod persona;
pub mod reconciler;
mod trigger;
