//! Generates reviews from bytes. Random bytes hardly ever parse. Here they decide the content of a valid review (`review`) and
//! its unusual spelling (`writer`), so that each changed byte gives another review.

mod choices;
mod review;
mod writer;

pub use choices::Choices;
pub use review::{deployment, persona, review};
pub use writer::{alike, plain, wild};
