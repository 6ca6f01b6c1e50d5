//! Tests of places: the text at the place of any value, parsed, is that value, in whatever style a document is written.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::super::*;
use super::write::{dressed, lines};

/// The blanks before the entries of a collection, of which a tag may stand on a line above.
fn indent(text: &str, node: &Node) -> String {
    let part = node.place.text(text);
    let line = part.lines().skip(1).map(|line| (line, line.trim_start_matches(' ')));
    let mut filled = line.filter(|(_, rest)| !rest.is_empty() && !rest.starts_with('#'));
    match filled.next() {
        Some((line, rest)) if part.starts_with('!') => " ".repeat(line.len() - rest.len()),
        _ => " ".repeat(node.place.column() - 1),
    }
}

/// The value of a text that stands where `node` stands in a document. `parent` is the collection around it.
fn parsed(text: &str, node: &Node, parent: Option<&Node>) -> Result<Value, ReadError> {
    let part = node.place.text(text);
    let (alone, pointer) = match parent {
        // One pair in a list in brackets is a map without braces.
        Some(parent) if is_pair(part, node) && parent.place.text(text).starts_with('[') => {
            (format!("[\n{part}]"), "/0")
        }
        Some(parent) if is_block(part) => match parent.content {
            Content::List(_) => (format!("{}- {part}", indent(text, parent)), "/0"),
            _ => (format!("{}key: {part}", indent(text, parent)), "/key"),
        },
        _ => (format!("{}{part}", " ".repeat(node.place.column() - 1)), ""),
    };
    let read = read(&alone);
    if let Some(error) = read.error {
        return Err(error);
    }
    let value = read.documents.first().map_or(Value::Null, Node::to_value);
    Ok(value.pointer(pointer).cloned().unwrap_or_default())
}

/// Whether an alias stands in a text, so that it cannot be read alone. No value has these texts.
fn has_alias(part: &str) -> bool {
    part.contains("*a|") || part.contains("*b")
}

fn is_pair(part: &str, node: &Node) -> bool {
    matches!(node.content, Content::Map(_)) && !part.starts_with(['{', '!'])
}

fn is_block(part: &str) -> bool {
    part.trim_start_matches("!!str ").starts_with(['|', '>'])
}

/// All that is wrong with the places of a text.
struct Check<'t> {
    text: &'t str,
    wrong: Vec<String>,
    /// How many values were read alone.
    read: usize,
}

impl Check<'_> {
    fn document<'a>(text: &'a str, value: &Value) -> Check<'a> {
        let read = read(text);
        match (read.error, read.documents.last()) {
            (None, Some(document)) => Check::tree(text, document, value),
            (error, _) => panic!("{text}\nnot read: {error:?}"),
        }
    }

    fn tree<'a>(text: &'a str, document: &Node, value: &Value) -> Check<'a> {
        let mut check = Check {
            text,
            wrong: Vec::new(),
            read: 0,
        };
        check.node("", document, document, value, None);
        check
    }

    fn say(&mut self, pointer: &str, place: Place, what: &str) {
        let Place { line, column, .. } = place;
        let part = place.text(self.text);
        self.wrong
            .push(format!("{pointer:?} at {line}:{column}, {part:?}: {what}"));
    }

    /// Whether line and column are those of the bytes.
    fn position(&mut self, pointer: &str, place: Place) {
        let before = self.text[..place.bytes().start]
            .trim_start_matches('\u{feff}')
            .replace("\r\n", "\n");
        let line = before.matches('\n').count() + 1;
        let last = before.rsplit('\n').next().unwrap_or_default();
        let column = last.chars().count() + 1;
        if (place.line(), place.column()) != (line, column) {
            self.say(pointer, place, &format!("really at {line}:{column}"));
        }
        let units = last.encode_utf16().count() + 1;
        if place.utf16_column(self.text) != units {
            self.say(pointer, place, &format!("really at unit {units}"));
        }
        let whole = self.text[..place.bytes().end]
            .trim_start_matches('\u{feff}')
            .replace("\r\n", "\n");
        let end = (
            whole.matches('\n').count() + 1,
            whole.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        );
        if place.end(self.text) != end {
            self.say(pointer, place, &format!("really ends at {end:?}"));
        }
        let part = place.text(self.text);
        let kept = part.contains('+') && part.contains(['|', '>']);
        let blank = |c: Option<char>| c.is_some_and(char::is_whitespace);
        if !kept && (blank(part.chars().next()) || part.ends_with(['\n', '\r'])) {
            self.say(pointer, place, "has blanks around it");
        }
    }

    fn node(&mut self, pointer: &str, root: &Node, node: &Node, value: &Value, parent: Option<&Node>) {
        self.position(pointer, node.place);
        let found = root.nearest(pointer);
        if !std::ptr::eq(found.node, node) || found.missing != 0 {
            self.say(pointer, node.place, "not found by its pointer");
        }
        if root.nearest(&format!("{pointer}/no ~1 such/0")).missing != 2 {
            self.say(pointer, node.place, "a missing child is found");
        }
        let part = node.place.text(self.text);
        // The indentation of a block scalar counts from its collection, which is another one for an alias.
        let elsewhere = matches!(node.link.as_deref(), Some(Link::Alias { .. } | Link::Merge { .. }));
        if !(has_alias(part) || elsewhere && is_block(part)) {
            self.read += 1;
            match parsed(self.text, node, parent) {
                Ok(read) if read == *value => {}
                other => self.say(pointer, node.place, &format!("{other:?} instead of {value}")),
            }
        }
        match (&node.content, value) {
            (Content::List(items), Value::Array(values)) if items.len() == values.len() => {
                for (index, (item, value)) in items.iter().zip(values).enumerate() {
                    self.node(&format!("{pointer}/{index}"), root, item, value, Some(node));
                }
            }
            (Content::Map(entries), Value::Object(values)) if entries.len() == values.len() => {
                for entry in entries {
                    let pointer = format!("{pointer}/{}", entry.key.replace('~', "~0").replace('/', "~1"));
                    self.position(&pointer, entry.place);
                    let key = read(entry.place.text(self.text)).documents.first().map(Node::to_value);
                    if key != Some(Value::from(entry.key.as_str())) {
                        self.say(&pointer, entry.place, &format!("{key:?} instead of the key"));
                    }
                    if root.nearest(&pointer).key != Some(entry.place) {
                        self.say(&pointer, entry.place, "the pointer leads to another key");
                    }
                    match values.get(&entry.key) {
                        Some(value) => self.node(&pointer, root, &entry.value, value, Some(node)),
                        None => self.say(&pointer, entry.place, "no such key"),
                    }
                }
            }
            (Content::List(_) | Content::Map(_), _) => self.say(pointer, node.place, "has other children"),
            _ => {}
        }
    }
}

/// The place of a pointer in the last document, as `line:column text`.
#[track_caller]
fn at(text: &str, pointer: &str) -> String {
    let read = read(text);
    assert_eq!(read.error, None);
    let found = read.documents.last().unwrap().nearest(pointer);
    let place = found.node.place;
    format!("{}:{} {}", place.line(), place.column(), place.text(text))
}

#[test]
fn a_value_stands_where_a_person_points() {
    let text = "# head\na: é\nb:\n- x\n-   z: 'two' # tail\nc:\nd: >- # why\n  e\n\n# end\nf: {g: [1, h: 2], i, j: }\nk: !!str 1\nl:\n  # m\n  m:\n  - - o\n";
    let cases = [
        ("/a", "2:4 é"),
        ("/b", "4:1 - x\n-   z: 'two'"),
        ("/b/0", "4:3 x"),
        ("/b/1", "5:5 z: 'two'"),
        ("/b/1/z", "5:8 'two'"),
        ("/c", "6:3 "),
        ("/d", "7:4 >- # why\n  e"),
        ("/f", "11:4 {g: [1, h: 2], i, j: }"),
        ("/f/g/1", "11:12 h: 2"),
        ("/f/i", "11:20 "),
        ("/f/j", "11:24 "),
        ("/k", "12:4 !!str 1"),
        ("/l", "15:3 m:\n  - - o"),
        ("/l/m", "16:3 - - o"),
        ("/l/m/0", "16:5 - o"),
        // What is missing stands at the nearest parent.
        ("/b/1/x/0", "5:5 z: 'two'"),
        ("/b/01", "4:1 - x\n-   z: 'two'"),
        ("/a/b", "2:4 é"),
    ];
    for (pointer, place) in cases {
        assert_eq!(at(text, pointer), place, "{pointer}");
    }
    let read = read(text);
    let found = read.documents[0].nearest("/b/1/z");
    assert_eq!(found.key.unwrap().text(text), "z");
    assert_eq!((found.missing, found.line()), (0, 5));
    assert_eq!(read.documents[0].nearest("/b/1/x/0").missing, 2);
    assert_eq!(read.documents[0].nearest("/b/1").key, None);
}

#[test]
fn columns_count_characters_and_a_byte_order_mark_counts_as_none() {
    let text = "\u{feff}{é𝄞: x, \"y\": \"ß\"}\r\n";
    let read = read(text);
    let found = read.documents[0].nearest("/y");
    let (key, value) = (found.key.unwrap(), found.node.place);
    assert_eq!((key.column(), key.utf16_column(text)), (9, 10));
    assert_eq!((value.column(), value.utf16_column(text)), (14, 15));
    assert_eq!((value.bytes(), value.text(text)), (20..24, "\"ß\""));
    assert_eq!(value.end(text), (1, 17));
}

#[test]
fn a_shared_value_names_anchor_and_alias() {
    let text = "base: &b\n  p: {q: 1}\none: *b\ntwo:\n  <<: [*b, {r: 2}]\nfree: &f 3\n";
    let read = read(text);
    let document = &read.documents[0];
    let links = |pointer: &str| {
        let links = document.nearest(pointer).links.into_iter().map(|link| match link {
            Link::Anchor { anchor } => vec![anchor],
            Link::Alias { alias, anchor } => vec![alias, anchor],
            Link::Merge { key, anchor } => [Some(key), anchor].into_iter().flatten().collect(),
        });
        let named = |place: Place| format!("{}:{}", place.line(), place.text(text));
        links
            .map(|link| link.into_iter().map(named).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(links("/base/p/q"), ["1:&b"]);
    assert_eq!(links("/one/p/q"), ["3:*b 1:&b"]);
    assert_eq!(links("/two/p/q"), ["5:<< 1:&b"]);
    assert_eq!(links("/two/r"), ["5:<<"]);
    assert_eq!(links("/two"), [""; 0]);
    // The text is where the anchor is.
    assert_eq!(at(text, "/one/p"), "2:6 {q: 1}");
    let used = |pointer: &str| match document.nearest(pointer).links[0] {
        Link::Anchor { anchor } => document.used(anchor).map(|place| place.line()),
        _ => None,
    };
    assert_eq!((used("/base"), used("/free")), (Some(3), None));
}

/// Applies a change to one place of a tree, counted from 0. Returns whether there are so many.
fn change(node: &mut Node, left: &mut usize, how: &impl Fn(&mut Place)) -> bool {
    if *left == 0 {
        how(&mut node.place);
        return true;
    }
    *left -= 1;
    match &mut node.content {
        Content::List(items) => items.iter_mut().any(|item| change(item, left, how)),
        Content::Map(entries) => entries.iter_mut().any(|entry| {
            if *left == 0 {
                how(&mut entry.place);
                return true;
            }
            *left -= 1;
            change(&mut entry.value, left, how)
        }),
        _ => false,
    }
}

/// The check below would be worth nothing if it took other places, too.
#[test]
fn a_place_that_is_off_by_one_is_noticed() {
    let text = "a:\n- \"bb\"\n- cc: [11, dd]\ne: |\n  x\n  y\nf:\ng: hh\n";
    let value = json!({"a": ["bb", {"cc": [11, "dd"]}], "e": "x\ny\n", "f": null, "g": "hh"});
    assert_eq!(Check::document(text, &value).wrong, [""; 0]);
    let faults: [fn(&mut Place); 6] = [
        |place| place.start += 1,
        |place| place.start -= 1,
        |place| place.end += 1,
        |place| place.end -= 1,
        |place| place.line += 1,
        |place| place.column += 1,
    ];
    for (number, fault) in faults.iter().enumerate() {
        // Before the first byte, and behind an empty place, there is nothing.
        let possible = |place: &Place| place.end > place.start && place.start > 0;
        let careful = |place: &mut Place| {
            if possible(place) {
                fault(place);
            }
        };
        for index in 0.. {
            let mut document = read(text).documents.remove(0);
            if !change(&mut document, &mut { index }, &careful) {
                assert_eq!(index, 15);
                break;
            }
            let untouched = document == read(text).documents[0];
            let noticed = !Check::tree(text, &document, &value).wrong.is_empty();
            assert!(noticed || untouched, "fault {number} at place {index}");
        }
    }
}

fn any_key() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "a/b",
        "a~b",
        "é",
        "yes",
        "1",
        "two words",
        "it's",
        "a: b",
        "-",
        "?",
        "\t",
    ]);
    prop_oneof![3 => "[a-d]", 1 => special.prop_map(str::to_owned)]
}

fn any_word() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "",
        "x",
        "two words",
        "1",
        "007",
        "yes",
        "~",
        "a: b",
        "a #b",
        "é𝄞",
        " x",
        "x ",
        "x\n",
        "x\n\n",
        "x\ny",
        "x\n\n  y \nz\n",
        "  x\ny",
        "x\n ",
        "x\n \n",
        "x\n   \n\n",
        "it's",
        "\"",
        "\\",
        "|",
        "- x",
        "{",
        "*a",
        "&a",
        "<<",
        "a\tb",
        "500m",
        "\u{7}",
    ]);
    special.prop_map(str::to_owned)
}

pub(super) fn any_map() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => (0..3_u8).prop_map(Value::from),
        1 => Just(json!(-1.5)),
        4 => any_word().prop_map(Value::from),
    ];
    let inner = leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any_key(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(any_key(), inner, 0..5).prop_map(|map| map.into_iter().collect())
}

/// As many as `DORGU_PLACE_CASES` says, or 500.
pub(super) fn config() -> ProptestConfig {
    let cases = std::env::var("DORGU_PLACE_CASES").ok();
    ProptestConfig {
        cases: cases.map_or(500, |cases| cases.parse().expect("DORGU_PLACE_CASES is a number")),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Places that are not inside the text, inside their collection, or where line and column say.
fn misplaced(text: &str, node: &Node, wrong: &mut Vec<String>) {
    // What an alias or a merge key brings in stands elsewhere.
    let inside = |child: &Node| Some(node.place).filter(|_| child.link.is_none());
    let (places, children): (Vec<(Place, Option<Place>)>, Vec<&Node>) = match &node.content {
        Content::List(items) => items.iter().map(|item| ((item.place, inside(item)), item)).unzip(),
        Content::Map(entries) => {
            wrong.extend(
                entries
                    .iter()
                    .filter_map(|it| out_of_place(text, it.place, inside(&it.value))),
            );
            entries
                .iter()
                .map(|it| ((it.value.place, inside(&it.value)), &it.value))
                .unzip()
        }
        _ => return,
    };
    wrong.extend(
        places
            .into_iter()
            .filter_map(|(place, around)| out_of_place(text, place, around)),
    );
    children.into_iter().for_each(|child| misplaced(text, child, wrong));
}

fn out_of_place(text: &str, place: Place, around: Option<Place>) -> Option<String> {
    let before = text
        .get(..place.bytes().start)
        .unwrap_or_default()
        .trim_start_matches('\u{feff}');
    let line = super::super::place::breaks(before) + 1;
    let column = super::super::place::line_before(before).chars().count() + 1;
    let inside = around.is_none_or(|around| around.start <= place.start && place.end <= around.end);
    let fine = text.get(place.bytes()).is_some() && inside && (place.line(), place.column()) == (line, column);
    (!fine).then(|| format!("{place:?} around {around:?}, really at {line}:{column}"))
}

pub(super) fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_text_at_a_place_is_the_value(map in any_map(), choices in choices(), dress in 0..16_u8) {
        let text = dressed(&lines(&map, 0, &choices), dress);
        let check = Check::document(&text, &Value::Object(map));
        prop_assert!(check.wrong.is_empty(), "{}\n{:#?}", text, check.wrong);
        prop_assert!(check.read > 0);
    }

    #[test]
    fn the_places_of_any_text_lie_within_it(text in "\u{feff}?([a-c:#&*!<>{}\\[\\],?|\"' \t\n\r%+-]|- |: |\n  |é){0,40}") {
        for document in read(&text).documents {
            let mut wrong = Vec::from_iter(out_of_place(&text, document.place, None));
            misplaced(&text, &document, &mut wrong);
            prop_assert!(wrong.is_empty(), "{:?}\n{:#?}", text, wrong);
        }
    }

    #[test]
    fn a_document_that_was_moved_keeps_its_places(map in any_map(), choices in choices(), dress in 0..16_u8) {
        let value = Value::Object(map.clone());
        let indented = lines(&map, 2, &choices);
        let moved = [
            (format!("a: 1\n---\n# one: é\n\n   # two\n{}", lines(&map, 0, &choices)), value.clone()),
            (format!("kind: List\nitems:\n- a: 1\n-\n{indented}"), json!({"kind": "List", "items": [{"a": 1}, value]})),
            (format!("a: &b\n{indented}c: *b\nd:\n- <<: *b\n"), json!({"a": value, "c": value, "d": [value]})),
        ];
        for (text, value) in moved {
            let text = dressed(&text, dress);
            let check = Check::document(&text, &value);
            prop_assert!(check.wrong.is_empty(), "{}\n{:#?}", text, check.wrong);
        }
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let check = Check::document(&text, &value);
            prop_assert!(check.wrong.is_empty(), "{}\n{:#?}", text, check.wrong);
        }
    }
}
