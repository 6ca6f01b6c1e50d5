use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Unusual, from_slice};
use crate::policy::text::Text;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Asked<'a> {
    #[serde(borrow)]
    text: Text<'a>,
    number: Option<i32>,
    list: Vec<Option<bool>>,
}

fn read(text: &str) -> Result<Asked<'_>, Unusual> {
    from_slice(text.as_bytes())
}

/// An accepted text must give the same value as with `serde_json`.
fn agrees(text: &str) {
    let ours = read(text).unwrap_or_else(|_| panic!("not read: {text}"));
    let theirs: Asked<'_> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(ours, theirs, "{text}");
}

#[test]
fn what_is_asked_for_is_read_and_the_rest_passed_over() {
    agrees(r#"{"text":"a","other":{"text":"}]\"","deep":[[{}]]},"number":-7,"more":"\\","list":[true,null,false]}"#);
    agrees(" {\n\t\"text\" : \"a\" , \"number\" : 0 , \"list\" : [ ] , \"x\" : 1.5e3 , \"y\" : null } \r\n");
    agrees("{}");
}

#[test]
fn escapes_of_an_asked_for_text_and_of_a_name_are_undone() {
    agrees(r#"{"te\u0078t":"a\"b\u00e9\n\ud83d\ude00"}"#);
    assert!(matches!(read(r#"{"text":"\ud800"}"#), Err(Unusual)));
}

#[test]
fn what_is_out_of_the_ordinary_is_left_to_the_other_reader() {
    for text in [
        "",
        "{",
        "[]x",
        r#"{"text":"a"} x"#,
        r#"{"text":"a",}"#,
        r#"{,"text":"a"}"#,
        r#"{"text" "a"}"#,
        r#"{"text":"a""number":1}"#,
        r#"{"text":'a'}"#,
        r#"{text:"a"}"#,
        r#"{"text":"a"#,
        "{\"text\":\"a\nb\"}",
        r#"{"text":"a","text":"b"}"#,
        r#"{"text":{}}"#,
        r#"{"number":1.0}"#,
        r#"{"number":1e2}"#,
        r#"{"number":01}"#,
        r#"{"number":-0}"#,
        r#"{"number":-}"#,
        r#"{"number":2147483648}"#,
        r#"{"number":99999999999999999999}"#,
        r#"{"list":[true,]}"#,
        r#"{"list":[true false]}"#,
        r#"{"list":[tru]}"#,
        r#"{"x":}"#,
        r#"{"x":{"#,
    ] {
        assert!(matches!(read(text), Err(Unusual)), "{text}");
    }
    assert_eq!(from_slice::<Asked<'_>>(b"{\"text\":\"\xff\"}"), Err(Unusual));
}

/// The name with which `serde_json` requests raw bytes is private. If it changed, every review would be read twice, and only
/// this test would notice.
#[test]
fn the_bytes_of_a_value_can_be_had() {
    #[derive(Deserialize)]
    struct Raw<'a> {
        #[serde(borrow)]
        spec: &'a RawValue,
    }
    for value in ["{\"a\":[1, 2]}", "null", "12", "\"x\\\"y\"", "[ ]"] {
        let text = format!("{{\"spec\": {value} ,\"z\":1}}");
        let raw: Raw<'_> = from_slice(text.as_bytes()).expect("read");
        assert_eq!(raw.spec.get(), value);
    }
}
