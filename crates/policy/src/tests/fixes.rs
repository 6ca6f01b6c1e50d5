//! The lines of a denial that say what to change.

use crate::text::Literal;

#[test]
fn a_text_that_could_be_read_as_something_else_is_a_json_string() {
    for (text, shown) in [
        ("SYS_ADMIN", "SYS_ADMIN"),
        ("/live-2.x", "/live-2.x"),
        ("a:b@c", "a:b@c"),
        ("", r#""""#),
        ("a b", r#""a b""#),
        ("A -> removed", r#""A -> removed""#),
        ("A (2 findings)", r#""A (2 findings)""#),
        (r#"say "ALL""#, r#""say \"ALL\"""#),
        (r"NT AUTHORITY\SYSTEM\", r#""NT AUTHORITY\\SYSTEM\\""#),
        ("two\nlines\t", r#""two\nlines\t""#),
        ("SYS_ADM\u{131}N", r#""SYS_ADM\u0131N""#),
        ("\u{1f600}", r#""\ud83d\ude00""#),
        ("\u{7f}\u{0}", r#""\u007f\u0000""#),
        ("unset", r#""unset""#),
        ("removed", r#""removed""#),
        ("true", r#""true""#),
        ("42", r#""42""#),
        ("-x", r#""-x""#),
    ] {
        let literal = Literal(text).to_string();
        assert_eq!(literal, shown);
        if shown.starts_with('"') {
            assert_eq!(serde_json::from_str::<String>(&literal).expect("a JSON string"), text);
        }
    }
}
