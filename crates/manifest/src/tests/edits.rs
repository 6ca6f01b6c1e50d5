//! Tests of edits in any style: the edited text is read as the patched value, all else stays, and nothing is left to do.

use json_patch::Patch;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::super::edit::{Action, EditError, Operation, TextEdit, apply, edit};
use super::super::*;
use super::places::{any_map, choices, config};
use super::write::{dressed, lines};

/// What an operation is made of: where, what, and the value.
type Seed = (prop::sample::Index, u8, u8);

/// Operations that fit a value, and the value after them by another implementation.
fn operations(value: &Value, seeds: &[Seed]) -> (Vec<Operation>, Value) {
    let mut patched = value.clone();
    let mut operations = Vec::new();
    for (place, what, new) in seeds {
        let mut targets = Vec::new();
        pointers(&patched, String::new(), &mut targets);
        let (pointer, parent) = targets[place.index(targets.len())].clone();
        let fresh = match parent {
            Parent::Map => format!("{pointer}/new {what}"),
            Parent::List => format!("{pointer}/-"),
            Parent::Leaf => pointer.clone(),
        };
        let values = [
            json!(true),
            json!("500m"),
            json!("1"),
            json!({}),
            json!({"x": {"y": "010"}}),
            json!(-7),
            json!([1, {"z": null}]),
        ];
        let new = values[usize::from(*new) % values.len()].clone();
        let (pointer, action) = match what % 4 {
            0 if !pointer.is_empty() => (pointer, Action::Remove),
            1 if !pointer.is_empty() => (pointer, Action::Replace(new)),
            _ if parent == Parent::Leaf => (pointer, Action::Replace(new)),
            _ => (fresh, Action::Add(new)),
        };
        let operation = Operation { pointer, action };
        json_patch::patch(&mut patched, &patch(&operation)).expect("fits");
        operations.push(operation);
    }
    (operations, patched)
}

fn patch(operation: &Operation) -> Patch {
    let path = &operation.pointer;
    let operation = match &operation.action {
        Action::Add(value) => json!({"op": "add", "path": path, "value": value}),
        Action::Replace(value) => json!({"op": "replace", "path": path, "value": value}),
        Action::Remove => json!({"op": "remove", "path": path}),
    };
    serde_json::from_value(json!([operation])).expect("an operation")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parent {
    Map,
    List,
    Leaf,
}

fn pointers(value: &Value, at: String, found: &mut Vec<(String, Parent)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                pointers(
                    value,
                    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
            found.push((at, Parent::Map));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, format!("{at}/{index}"), found);
            }
            found.push((at, Parent::List));
        }
        _ => found.push((at, Parent::Leaf)),
    }
}

/// Everything but the replaced bytes is as it was, by the bytes that stand there.
fn beside(text: &str, edits: &[TextEdit], after: &str) -> bool {
    let mut rest = after;
    let mut from = 0;
    for edit in edits {
        let kept = &text[from..edit.bytes.start];
        let Some(behind) = rest
            .strip_prefix(kept)
            .and_then(|rest| rest.strip_prefix(edit.text.as_str()))
        else {
            return false;
        };
        (rest, from) = (behind, edit.bytes.end);
    }
    rest == &text[from..]
}

/// What came of editing a text: an error, or what is wrong with the result.
fn outcome(text: &str, value: &Value, seeds: &[Seed], base: &str) -> Result<(), Result<EditError, String>> {
    let (operations, patched) = operations(value, seeds);
    let based = |it: &Operation| Operation {
        pointer: format!("{base}{}", it.pointer),
        action: it.action.clone(),
    };
    let operations: Vec<Operation> = operations.iter().map(based).collect();
    let before = read(text);
    let last = before.documents.len() - 1;
    let edits = edit(text, &before.documents, &[(last, &operations)]).map_err(Ok)?;
    let after = apply(text, &edits);
    let say = |what: &str| Err(Err(format!("{what}\n{text}\n=> {operations:?}\n{after}")));
    let reread = read(&after);
    let mut values: Vec<Value> = reread.documents.iter().map(Node::to_value).collect();
    if reread.error.is_some() || values.pop().and_then(|it| it.pointer(base).cloned()) != Some(patched) {
        return say("another value");
    }
    let others: Vec<Value> = before
        .documents
        .iter()
        .rev()
        .skip(1)
        .rev()
        .map(Node::to_value)
        .collect();
    if values != others {
        return say("another document changed");
    }
    if !beside(text, &edits, &after) {
        return say("something else changed");
    }
    if !edits.windows(2).all(|pair| pair[0].bytes.end < pair[1].bytes.start) {
        return say("edits touch");
    }
    Ok(())
}

fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    prop::collection::vec(any::<Seed>(), 1..4)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_edited_text_is_read_as_the_patched_value(map in any_map(), choices in choices(), dress in 0..16_u8, seeds in seeds()) {
        let text = dressed(&lines(&map, 0, &choices), dress);
        let value = Value::Object(map);
        match outcome(&text, &value, &seeds, "") {
            Ok(()) | Err(Ok(_)) => {}
            Err(Err(wrong)) => prop_assert!(false, "{}", wrong),
        }
    }

    #[test]
    fn an_edit_in_a_list_or_a_later_document_changes_nothing_else(map in any_map(), choices in choices(), dress in 0..16_u8, seeds in seeds()) {
        let value = Value::Object(map.clone());
        let moved = [
            (format!("a: 1\n---\n# one: é\n\n   # two\n{}", lines(&map, 0, &choices)), ""),
            (format!("kind: List\nitems:\n- a: 1\n-\n{}- b: 2\n", lines(&map, 2, &choices)), "/items/1"),
        ];
        for (text, base) in moved {
            match outcome(&dressed(&text, dress), &value, &seeds, base) {
                Ok(()) | Err(Ok(_)) => {}
                Err(Err(wrong)) => prop_assert!(false, "{}", wrong),
            }
        }
    }

    #[test]
    fn json_is_edited_whatever_the_operations(map in any_map(), seeds in seeds()) {
        let value = Value::Object(map);
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let outcome = outcome(&text, &value, &seeds, "");
            prop_assert!(outcome.is_ok(), "{:?}\n{}", outcome, text);
        }
    }
}

/// Rejecting everything would pass the tests above. Plain styles must be edited, and of all styles nearly all.
#[test]
fn few_texts_are_rejected() {
    const CASES: usize = 1000;
    let mut runner = TestRunner::deterministic();
    let (mut plain, mut odd) = (Vec::new(), Vec::new());
    for _ in 0..CASES {
        let strategy = (any_map(), choices(), 0..16_u8, seeds());
        let (map, choices, dress, seeds) = strategy.new_tree(&mut runner).unwrap().current();
        let value = Value::Object(map.clone());
        for (choices, found) in [(&[][..], &mut plain), (&choices, &mut odd)] {
            let text = dressed(&lines(&map, 0, choices), dress);
            if let Err(Ok(EditError::Unsupported { line })) = outcome(&text, &value, &seeds, "") {
                found.push((line, operations(&value, &seeds).0, text));
            }
        }
    }
    assert!(plain.is_empty(), "{plain:#?}");
    assert!(odd.len() < CASES / 20, "{} of {CASES}: {odd:#?}", odd.len());
}
