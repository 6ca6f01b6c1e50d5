//! The one integration binary: each file below is a topic.
#![expect(unreachable_pub, reason = "one binary: nothing in it can be reached from outside")]

mod cases;
mod generated;
