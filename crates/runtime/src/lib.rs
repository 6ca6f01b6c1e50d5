//! What a long-running process is made of: [`part`] says what one part brings along, [`metric`] how a family is described.
//!
//! Knows no persona and no part. `dorgu serve` puts parts together; an installation, `dorgu doctor` and the reference read
//! what parts declare.

pub mod metric;
pub mod part;

pub use part::{About, Admission, Grant, Handler, Need, Object, Part, Scope, Task, Watched};
