//! Tests of reading manifests, by cases and by two properties: JSON reads as itself, and any text gets an answer.

use proptest::prelude::*;
use serde_json::json;

use super::*;

mod edits;
mod places;
mod write;

/// The values of all documents of a valid text.
#[track_caller]
fn values(text: &str) -> Vec<Value> {
    let read = read(text);
    assert_eq!(read.error, None);
    read.documents.iter().map(Node::to_value).collect()
}

/// The error of a text, as `line N: reason`.
#[track_caller]
fn mistake(text: &str) -> String {
    read(text).error.unwrap().to_string()
}

#[test]
fn several_documents_are_read_and_empty_ones_left_out() {
    assert_eq!(
        values("a: 1\n---\n---\n# nothing\n---\nb: 2\n...\n"),
        [json!({ "a": 1 }), json!({ "b": 2 })]
    );
    assert!(values("").is_empty());
    assert_eq!(values("\u{feff}a: 1\r\nb: x\r\n"), [json!({ "a": 1, "b": "x" })]);
}

#[test]
fn what_stands_before_a_mistake_is_read() {
    let read = read("a: 1\n---\nb: 2\n---\nc: [\n");
    assert_eq!(read.documents.len(), 2);
    assert_eq!(read.error.unwrap().line, 5);
}

#[test]
fn every_value_and_key_knows_its_line() {
    let read = read("# head\nspec:\n  ports:\n  - port: 1\n  -\n    port: 2\n  text: |\n    x\n---\n{a: {b: 1}}\n");
    let spec = read.documents[0].entry("spec").unwrap();
    assert_eq!((spec.place.line(), spec.value.place.line()), (2, 3));
    let ports = &spec.value.entry("ports").unwrap().value;
    assert_eq!(
        ports.items().iter().map(|item| item.place.line()).collect::<Vec<_>>(),
        [4, 6]
    );
    assert_eq!(ports.items()[1].entry("port").unwrap().place.line(), 6);
    assert_eq!(spec.value.entry("text").unwrap().place.line(), 7);
    assert_eq!(read.documents[1].place.line(), 10);
}

#[test]
fn words_mean_what_they_mean_to_kubectl() {
    let cases = [
        ("yes", json!(true)),
        ("On", json!(true)),
        ("y", json!(true)),
        ("NO", json!(false)),
        ("off", json!(false)),
        ("yEs", json!("yEs")),
        ("~", json!(null)),
        ("", json!(null)),
        ("NULL", json!(null)),
        ("nil", json!("nil")),
        ("0", json!(0)),
        ("-0", json!(0)),
        ("+7", json!(7)),
        ("010", json!(8)),
        ("-010", json!(-8)),
        ("08", json!(8)),
        ("0o17", json!(15)),
        ("0x1F", json!(31)),
        ("-0b101", json!(-5)),
        ("0x", json!("0x")),
        ("1_000", json!(1000)),
        ("_1", json!("_1")),
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(u64::MAX)),
        ("+18446744073709551615", json!(18_446_744_073_709_551_615.0)),
        ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
        ("+-1", json!("+-1")),
        ("--1", json!("--1")),
        ("1.", json!(1)),
        (".5", json!(0.5)),
        (".5_0", json!(0.5)),
        (".5__0", json!(".5__0")),
        ("._5", json!("._5")),
        ("1__0", json!(10)),
        ("1e3", json!(1000)),
        ("-4.0", json!(-4)),
        ("1e18", json!(1_000_000_000_000_000_000_i64)),
        ("1.5", json!(1.5)),
        ("1e", json!("1e")),
        ("1e999", json!("1e999")),
        (".", json!(".")),
        ("+", json!("+")),
        ("1.2.3", json!("1.2.3")),
        ("500m", json!("500m")),
        ("25%", json!("25%")),
        ("2026-01-01", json!("2026-01-01")),
        ("'yes'", json!("yes")),
        ("\"1\"", json!("1")),
        ("!!str 1", json!("1")),
        ("!!int \"1\"", json!(1)),
        ("!!float 1", json!(1)),
        ("! 1", json!("1")),
        ("!local 1", json!("1")),
    ];
    for (text, meaning) in cases {
        assert_eq!(values(&format!("a: {text}\n")), [json!({ "a": meaning })], "{text}");
    }
}

#[test]
fn numbers_that_json_cannot_hold_and_wrong_tags_are_mistakes() {
    assert_eq!(
        mistake("a: 1\nb: .inf"),
        "line 2: .inf is not a number that a manifest can hold; quote it if it is text"
    );
    assert_eq!(mistake("a: !!int x"), "line 1: \"x\" is not a !!int");
    assert_eq!(mistake("a: !!int 1.5"), "line 1: \"1.5\" is not a !!int");
    assert_eq!(
        mistake("a: !!binary eA=="),
        "line 1: binary values are not supported in manifests"
    );
}

#[test]
fn keys_are_text_and_unique() {
    assert_eq!(
        values("1: a\non: b\n0x10: c"),
        [json!({ "1": "a", "true": "b", "16": "c" })]
    );
    assert_eq!(
        mistake("a: 1\nb: 2\na: 3"),
        "line 3: key \"a\" is set twice, first at line 1"
    );
    assert_eq!(
        mistake("1: a\n'1': b"),
        "line 2: key \"1\" is set twice, first at line 1"
    );
    assert_eq!(mistake("x:\n  ~: b"), "line 2: a key must not be empty");
    assert_eq!(mistake("? [a]\n: b"), "line 1: a key must be text, not a list or a map");
}

#[test]
fn anchors_and_merge_keys_are_expanded() {
    assert_eq!(
        values("base: &b {p: 1, q: 2}\nown:\n  q: 3\n  <<: *b\nmany:\n  <<: [*b, {z: 4}]\ntext: \"<<\"\n"),
        [json!({
            "base": { "p": 1, "q": 2 }, "own": { "p": 1, "q": 3 }, "many": { "p": 1, "q": 2, "z": 4 }, "text": "<<"
        })]
    );
    assert_eq!(values("'<<': 1"), [json!({ "<<": 1 })]);
    assert_eq!(mistake("a:\n  <<: 5"), "line 2: '<<' takes a map or a list of maps");
    assert_eq!(
        mistake("a: &a [*a]"),
        "line 1: this alias stands inside the value that it names"
    );
    assert!(mistake("a: 1\n---\nb: &x 1\n---\nc: *x").starts_with("line 5: not valid YAML: "));
}

#[test]
fn size_and_depth_are_bounded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    assert_eq!(mistake(&bomb), "line 6: more than 1000000 values");
    let kept = "&a [".repeat(MAX_DEPTH) + &"x, ".repeat(10_000) + &"]".repeat(MAX_DEPTH);
    assert_eq!(mistake(&kept), "line 1: anchors hold more than 1000000 values");
    // Two gigabytes out of 160 kilobytes, though few values.
    let long = "x".repeat(100_000);
    let aliases = vec!["*a"; 20_000].join(", ");
    let copied = "anchors and aliases hold more than 67108864 bytes of text";
    assert_eq!(
        mistake(&format!("a: &a {long}\nb: [{aliases}]")),
        format!("line 2: {copied}")
    );
    let keys = format!("a: &a {{{}: 1}}\nb: [{aliases}]", "k".repeat(1_000));
    assert_eq!(
        mistake(&keys.replace("*a", "*a, *a, *a, *a")),
        format!("line 2: {copied}")
    );
    let held = "&a [".repeat(MAX_DEPTH) + &long.repeat(10) + &"]".repeat(MAX_DEPTH);
    assert_eq!(mistake(&held), format!("line 1: {copied}"));
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(values(&nested(MAX_DEPTH)).len(), 1);
    assert_eq!(mistake(&nested(MAX_DEPTH + 1)), "line 1: nested deeper than 200 levels");
    let chained = format!(
        "- &a {}\n- &b {}\n- [[*b]]",
        nested(150),
        "[".repeat(100) + "*a" + &"]".repeat(100)
    );
    assert_eq!(mistake(&chained), "line 2: nested deeper than 200 levels");
}

/// Text that is valid in YAML, which allows fewer characters than JSON.
fn any_text() -> impl Strategy<Value = String> {
    let foreign = |c: char| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    any::<String>().prop_map(move |text| text.replace(foreign, "?"))
}

/// Any JSON of a bounded size.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Whole floats are read as integers.
        any::<f64>().prop_map(|float| if float.fract() == 0.0 && float.abs() < 1e19 {
            Value::from(0)
        } else {
            float.into()
        }),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any_text(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_reads_as_itself(value in any_json()) {
        prop_assume!(!value.is_null());
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let read = read(&text);
            prop_assert_eq!(read.error, None);
            prop_assert_eq!(read.documents.iter().map(Node::to_value).collect::<Vec<_>>(), vec![value.clone()]);
        }
    }

    #[test]
    fn any_text_gets_an_answer_with_a_line_inside_it(text in "([a-z&*!<>{}\\[\\],:?|\"' \t\n#%-]|.){0,60}") {
        let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
        if let Some(error) = read(&text).error {
            prop_assert!((1..=lines + 1).contains(&error.line), "{} of {}", error, lines);
            prop_assert!(!error.reason.contains('\n'), "{}", error);
        }
    }
}

/// Whether a plain scalar is this text. For `write`, which other tests use, too.
fn is_text(text: &str) -> bool {
    scalar::resolve(text) == Ok(Content::Text(text.to_owned()))
}
