use proptest::prelude::*;
use serde_json::Value;

use super::Json;

fn written(write: impl FnOnce(&mut Json)) -> Value {
    let mut json = Json::with_capacity(0);
    write(&mut json);
    let bytes = json.into_bytes();
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)))
}

#[test]
fn lists_and_numbers_are_json() {
    let list = written(|json| {
        json.raw("[");
        json.list(&[200_u16, 403, 0, u16::MAX], |json, number| json.number(*number));
        json.raw("]");
    });
    assert_eq!(list, serde_json::json!([200, 403, 0, 65535]));
    assert_eq!(written(|json| json.joined([])), "");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_text_is_written_as_serde_json_does(text in any::<String>(), escaped in "[a\"\\\\\\x00-\\x1f\u{7f}\u{2028}é/]{0,40}") {
        for text in [text, escaped] {
            let mut json = Json::with_capacity(0);
            json.text(&text);
            let written = String::from_utf8(json.into_bytes());
            prop_assert_eq!(written.ok(), serde_json::to_string(&text).ok());
        }
    }

    #[test]
    fn words_are_joined_by_commas(words in prop::collection::vec("[a-z\"\\\\]{0,4}", 0..4)) {
        let read = written(|json| json.joined(words.iter().map(String::as_str)));
        prop_assert_eq!(read, words.join(","));
    }
}
