//! Properties of places in any text.

use dorgu::manifest::{self, Content, Link, Node, Place};

/// The places of a text lie within it and inside their collection, lines and columns count to them, and a JSON pointer leads back
/// to each value.
pub fn places(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    for document in manifest::read(text).documents {
        there(text, document.place, None);
        walk(text, &document, &document, "");
    }
}

fn walk(text: &str, document: &Node, node: &Node, pointer: &str) {
    let found = document.nearest(pointer);
    assert!(std::ptr::eq(found.node, node) && found.missing == 0, "{pointer:?}");
    // What an alias or a merge key brings in stands elsewhere, and is walked there: a short text may copy much.
    let copied = |child: &Node| matches!(child.link.as_deref(), Some(Link::Alias { .. } | Link::Merge { .. }));
    let around = |child: &Node| Some(node.place).filter(|_| !copied(child));
    match &node.content {
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                there(text, item.place, around(item));
                if !copied(item) {
                    walk(text, document, item, &format!("{pointer}/{index}"));
                }
            }
        }
        Content::Map(entries) => {
            for entry in entries {
                let value = &entry.value;
                there(text, entry.place, around(value));
                there(text, value.place, around(value));
                if copied(value) {
                    continue;
                }
                let key = entry.key.replace('~', "~0").replace('/', "~1");
                walk(text, document, value, &format!("{pointer}/{key}"));
            }
        }
        _ => {}
    }
}

fn there(text: &str, place: Place, around: Option<Place>) {
    let bytes = place.bytes();
    assert!(text.get(bytes.clone()).is_some(), "{place:?}");
    let inside = |around: Place| around.bytes().start <= bytes.start && bytes.end <= around.bytes().end;
    assert!(around.is_none_or(inside), "{place:?} is not inside {around:?}");
    let before = text[..bytes.start]
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let counted = (before.matches('\n').count() + 1, column);
    assert_eq!((place.line(), place.column()), counted, "{place:?}");
}
