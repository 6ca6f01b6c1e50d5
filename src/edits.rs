//! Makes of a patch of an object the edits of the file that it stands in: what `dorgu fix` writes, and what a report offers.
//! Pure.

use json_patch::{Patch, PatchOperation};

use crate::manifest::Node;
use crate::manifest::edit::{Action, Operation, TextEdit, edit, position};
use crate::policy::Finding;
use crate::policy::remedy::patch;
use crate::report::{Edit, Position};

/// The operations of a patch on an object that stands at `base` in a document. What a patch tests is left out: it was made for
/// this very object. `None` where an operation is one that no fix has.
pub fn operations(patch: &Patch, base: &str) -> Option<Vec<Operation>> {
    let mut operations = Vec::with_capacity(patch.0.len());
    for operation in &patch.0 {
        let (path, action) = match operation {
            PatchOperation::Test(_) => continue,
            PatchOperation::Add(add) => (&add.path, Action::Add(add.value.clone())),
            PatchOperation::Replace(replace) => (&replace.path, Action::Replace(replace.value.clone())),
            PatchOperation::Remove(remove) => (&remove.path, Action::Remove),
            PatchOperation::Move(_) | PatchOperation::Copy(_) => return None,
        };
        operations.push(Operation {
            pointer: format!("{base}{path}"),
            action,
        });
    }
    Some(operations)
}

/// The edits that fix one finding about the object at `base` in a document, which is one of those of the text. Empty where the
/// text must be changed by hand.
pub fn of_finding(text: &str, documents: &[Node], (document, base): (usize, &str), finding: &Finding<'_>) -> Vec<Edit> {
    let edits = || {
        let object = documents.get(document)?.nearest(base);
        let patch = patch(finding, &object.node.to_value())?;
        let operations = operations(&patch, base)?;
        edit(text, documents, &[(document, &operations)]).ok()
    };
    edits().map(|edits| reported(text, &edits)).unwrap_or_default()
}

/// Edits as a report has them.
pub fn reported(text: &str, edits: &[TextEdit]) -> Vec<Edit> {
    let at = |byte: usize| {
        let (line, column) = position(text, byte);
        Position { line, column }
    };
    let edits = edits.iter().map(|edit| Edit {
        bytes: edit.bytes.clone(),
        start: at(edit.bytes.start),
        end: at(edit.bytes.end),
        text: edit.text.clone(),
    });
    edits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_bytes() {
        let text = "\u{feff}a: é\r\nbc: 1\r\n";
        let edits = [
            TextEdit {
                bytes: 6..8,
                text: "x".to_owned(),
            },
            TextEdit {
                bytes: 14..15,
                text: "2".to_owned(),
            },
        ];
        let places: Vec<_> = reported(text, &edits)
            .iter()
            .map(|edit| (edit.start.line, edit.start.column, edit.end.line, edit.end.column))
            .collect();
        assert_eq!(places, [(1, 4, 1, 5), (2, 5, 2, 6)]);
    }
}
