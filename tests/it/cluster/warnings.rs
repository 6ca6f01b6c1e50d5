//! Reads the `Warning` headers of an API server, and knows how it shortens them.

use http::HeaderMap;

/// Above this many characters in total, each warning is cut (kube-apiserver, endpoints/filters/warning.go).
const TOTAL: usize = 4 * 1024;
/// The length to which each is cut.
const ITEM: usize = 256;

/// The texts, in order.
pub(super) fn texts(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all("warning").iter();
    values
        .map(|value| text(&String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

/// `299 - "text"`, where a backslash stands before quotes and backslashes.
fn text(header: &str) -> String {
    let quoted = header.strip_prefix("299 - \"").and_then(|rest| rest.strip_suffix('"'));
    let quoted = quoted.unwrap_or_else(|| panic!("not a warning: {header}"));
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

/// What arrives of these: each text once, none with a control character, and beyond the limit each cut and the last
/// ones dropped.
pub(super) fn recorded<'a>(all: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut once: Vec<&str> = Vec::new();
    for text in all {
        if !text.is_empty() && !once.contains(&text.as_str()) {
            once.push(text);
        }
    }
    once.retain(|text| !text.contains(char::is_control));
    let length = |text: &str| text.chars().count();
    let cut = |text: &str| text.chars().take(ITEM).collect::<String>();
    let mut arrived: Vec<String> = Vec::new();
    let (mut written, mut cutting) = (0, false);
    for text in once {
        if !cutting && written + length(text) > TOTAL {
            // Those that came before are cut after the fact, and this one still goes with them.
            cutting = true;
            arrived = arrived.iter().map(|text| cut(text)).collect();
            written = arrived.iter().map(|text| length(text)).sum();
        } else if cutting && written >= TOTAL {
            break;
        }
        arrived.push(if cutting { cut(text) } else { text.to_owned() });
        written += arrived.last().map_or(0, |text| length(text));
    }
    arrived
}

#[test]
fn a_quoted_text_is_read_back() {
    assert_eq!(text(r#"299 - "a \"b\" \\n""#), r#"a "b" \n"#);
}

#[test]
fn what_is_too_much_is_cut_and_dropped() {
    let long: Vec<String> = (0..20).map(|number| format!("{number:0300}")).collect();
    let few = recorded(&long[..13]);
    assert!(few.iter().all(|text| text.len() == 300), "3,900 are left alone");
    let many = recorded(&long);
    assert_eq!(many.len(), 16, "16 times 256 are the limit");
    assert!(many.iter().all(|text| text.len() == ITEM));
    assert_eq!(recorded(&["a".to_owned(), "a\n".to_owned(), "a".to_owned()]), ["a"]);
}
