//! Reads the objects of one text, for commands that are given a file or standard input.

use std::collections::HashSet;
use std::path::Path;

use super::serving::Named;
use super::{FileProblem, Loaded, document};
use crate::api;
use crate::policy::quantity::Quantity;
use crate::schema::{Kinds, SchemaError};

/// Reads one text like a file of a folder. An object that names no namespace is in `namespace`. An object that the text has
/// twice is a problem.
///
/// # Errors
/// A schema that cannot be read, which is a mistake in the types.
pub fn read_text(file: &Path, text: &str, namespace: &str) -> Result<Loaded, SchemaError> {
    let kinds = Kinds::read(&api::crds(), |text| Quantity::parse(text).is_ok())?;
    let contents = document::load(file, text, &kinds, namespace);
    let mut loaded = Loaded {
        problems: contents.problems,
        warnings: contents.warnings,
        skipped: contents.skipped,
        ..Loaded::default()
    };
    let mut known = HashSet::new();
    for thing in &contents.things {
        if known.insert(Named { file, thing }) {
            thing.add_to(&mut loaded);
        } else {
            let reason = format!("{thing} is in this file twice");
            loaded.problems.push(FileProblem::at(file, thing.line, reason));
        }
    }
    Ok(loaded)
}
