//! Reviews invented from bytes. Random bytes hardly ever get past the first bracket; here they decide what an otherwise
//! sound review says (`review`) and how oddly it is written (`writer`), so that each changed byte is another review.

mod choices;
mod review;
mod writer;

pub use choices::Choices;
pub use review::{deployment, persona, review};
pub use writer::{alike, plain, wild};
