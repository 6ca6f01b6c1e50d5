//! x
mod assess;
mod status;
pub use status::print;
