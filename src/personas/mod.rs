//! Personas as people handle them, as values: what a list and a status show, and what changes from one version to the next.
//! Pure: `cli::persona` reads files and clusters.

mod changes;
pub mod derive;
mod describe;
mod meaning;
mod rows;
#[cfg(test)]
mod tests;

pub use changes::{Change, changes};
pub use describe::{Paint, describe};
pub use meaning::Effect;
pub use rows::{Columns, table};
