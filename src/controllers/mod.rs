//! The companion: reconcilers that keep status fresh, run on the watches' thread and only where the Lease is held.
//!
//! Each controller is one folder of one shape: observe (from the index), derive (pure, takes the time as an argument),
//! write (`k8s::write_if_changed`). They write nothing but the status of our own kinds, and Events about them.

pub mod persona;
