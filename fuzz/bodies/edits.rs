//! Properties of edits of any text.

use dorgu::manifest::edit::{Action, Operation, apply, edit};
use dorgu::manifest::{self, Node};
use serde_json::{Value, json};

use super::invent::Choices;

/// How many bytes choose the operations; the text follows.
const CHOICES: usize = 16;
/// How many operations are tried.
const OPERATIONS: usize = 3;

/// An edited text is read as the patched value, whatever the text and the operations; other documents and all bytes beside the
/// edits stay.
pub fn edits(bytes: &[u8]) {
    let (chosen, text) = bytes.split_at(bytes.len().min(CHOICES));
    let Ok(text) = std::str::from_utf8(text) else { return };
    let choices = &mut Choices::of(chosen);
    let before = manifest::read(text);
    let count = before.documents.len();
    if count == 0 || before.error.is_some() {
        return;
    }
    let position = choices.below(count);
    let mut meant: Vec<Value> = before.documents.iter().map(Node::to_value).collect();
    let mut operations = Vec::new();
    for _ in 0..OPERATIONS {
        let operation = operation(&meant[position], choices);
        let patch = patch(&operation);
        if json_patch::patch(&mut meant[position], &patch).is_ok() {
            operations.push(operation);
        }
    }
    let Ok(edits) = edit(text, &before.documents, &[(position, &operations)]) else {
        return;
    };
    let after = apply(text, &edits);
    let read = manifest::read(&after);
    let values: Vec<Value> = read.documents.iter().map(Node::to_value).collect();
    assert_eq!(
        (read.error, values),
        (None, meant),
        "{operations:?}\n{text:?}\n{after:?}"
    );
    let apart = edits.windows(2).all(|pair| pair[0].bytes.end < pair[1].bytes.start);
    let whole = edits.iter().all(|edit| text.get(edit.bytes.clone()).is_some());
    assert!(apart && whole, "{edits:?}");
    let kept: usize = text.len() - edits.iter().map(|edit| edit.bytes.len()).sum::<usize>();
    assert_eq!(
        after.len(),
        kept + edits.iter().map(|edit| edit.text.len()).sum::<usize>()
    );
}

/// An operation somewhere in a value.
fn operation(value: &Value, choices: &mut Choices<'_>) -> Operation {
    let mut pointer = String::new();
    let mut at = value;
    loop {
        let step = choices.below(256);
        let (token, child) = match at {
            Value::Object(map) if !map.is_empty() && step % 4 != 3 => {
                let (key, child) = map.iter().nth(step % map.len()).expect("counted");
                (key.replace('~', "~0").replace('/', "~1"), child)
            }
            Value::Array(items) if !items.is_empty() && step % 4 != 3 => {
                let index = step % items.len();
                (index.to_string(), &items[index])
            }
            _ => break,
        };
        pointer = format!("{pointer}/{token}");
        at = child;
    }
    let new = [
        json!(true),
        json!("010"),
        json!({}),
        json!({"x": ["yes"]}),
        json!(-1),
        json!("a b"),
    ];
    let new = new[choices.below(new.len())].clone();
    let action = match (choices.below(4), at) {
        (0, _) => Action::Remove,
        (1, _) => Action::Replace(new),
        (_, Value::Object(_)) => {
            pointer.push_str("/new");
            Action::Add(new)
        }
        (_, Value::Array(_)) => {
            pointer.push_str("/-");
            Action::Add(new)
        }
        _ => Action::Replace(new),
    };
    Operation { pointer, action }
}

fn patch(operation: &Operation) -> json_patch::Patch {
    let path = &operation.pointer;
    let operation = match &operation.action {
        Action::Add(value) => json!({"op": "add", "path": path, "value": value}),
        Action::Replace(value) => json!({"op": "replace", "path": path, "value": value}),
        Action::Remove => json!({"op": "remove", "path": path}),
    };
    serde_json::from_value(json!([operation])).expect("an operation")
}
