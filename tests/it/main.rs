//! The one integration binary: each file below is a topic.

mod server;
