//! What a persona demands and whether a workload meets it. Pure: no IO, no clock, no async, no logger.

pub mod quantity;
