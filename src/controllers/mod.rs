//! Controllers that keep the status of our own kinds, where it can be read after the warnings of a terminal are gone.
//!
//! Each controller has one shape: observe (IO) -> derive (pure, the time is an argument) -> write, only when something
//! other than a timestamp changed. They run only where the Lease is held, apart from the webhook's threads, and write
//! nothing but status.

pub mod cluster;
pub mod metrics;
pub mod persona;
