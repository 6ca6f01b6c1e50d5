//! The companion: what the controllers write into the status of our kinds.

mod cluster;
