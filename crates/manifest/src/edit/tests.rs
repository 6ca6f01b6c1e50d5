//! Tests of single edits: what a person would write.

use serde_json::{Value, json};

use super::*;

pub(crate) fn add(pointer: &str, value: Value) -> Operation {
    Operation {
        pointer: pointer.to_owned(),
        action: Action::Add(value),
    }
}

pub(crate) fn replace(pointer: &str, value: Value) -> Operation {
    Operation {
        pointer: pointer.to_owned(),
        action: Action::Replace(value),
    }
}

pub(crate) fn remove(pointer: &str) -> Operation {
    Operation {
        pointer: pointer.to_owned(),
        action: Action::Remove,
    }
}

/// The text after operations on its last document.
fn edited(text: &str, operations: &[Operation]) -> Result<String, EditError> {
    let read = read(text);
    assert_eq!(read.error, None);
    let last = read.documents.len() - 1;
    let edits = edit(text, &read.documents, &[(last, operations)])?;
    Ok(apply(text, &edits))
}

#[track_caller]
fn becomes(before: &str, operations: &[Operation], after: &str) {
    assert_eq!(edited(before, operations).as_deref(), Ok(after));
}

#[track_caller]
fn rejected(before: &str, operation: Operation, why: &str) {
    assert_eq!(edited(before, &[operation]).unwrap_err().to_string(), why);
}

#[test]
fn a_key_is_added_below_its_siblings_and_before_what_follows() {
    let parents = [
        add("/a/resources", json!({})),
        add("/a/resources/limits", json!({})),
        add("/a/resources/limits/cpu", json!("500m")),
        add("/a/resources/limits/memory", json!("1Gi")),
    ];
    becomes(
        "a:\n    name: x   # why\n\n# next\nb: 1",
        &parents,
        "a:\n    name: x   # why\n    resources:\n        limits:\n            cpu: 500m\n            memory: 1Gi\n\n# next\nb: 1",
    );
    let flag = [add("/0/runAsNonRoot", json!(true))];
    becomes("- name: x\n# end\n", &flag, "- name: x\n  runAsNonRoot: true\n# end\n");
    becomes("-   name: x", &flag, "-   name: x\n    runAsNonRoot: true");
    becomes(
        "- name: |+\n    x\n\n# end\n",
        &flag,
        "- name: |+\n    x\n\n  runAsNonRoot: true\n# end\n",
    );
    becomes("- <<: {a: 1}\n", &flag, "- <<: {a: 1}\n  runAsNonRoot: true\n");
    becomes("- !!map\n  a: 1\n", &flag, "- !!map\n  a: 1\n  runAsNonRoot: true\n");
    becomes(
        "\u{feff}- a: 1\r\n- b\r\n",
        &flag,
        "\u{feff}- a: 1\r\n  runAsNonRoot: true\r\n- b\r\n",
    );
}

#[test]
fn comments_stay_behind_what_they_are_indented_like() {
    let keys = [add("/a/b/x", json!(1)), add("/a/w", json!(2)), add("/z", json!(3))];
    becomes(
        "a:\n  b:\n    c: 1\n    # d: 2\n\n     # e\n  # f\n\n# g\nh: 4\n",
        &keys,
        "a:\n  b:\n    c: 1\n    # d: 2\n\n     # e\n    x: 1\n  # f\n  w: 2\n\n# g\nh: 4\nz: 3\n",
    );
    becomes(
        "a:\r\n  b:\r\n  - c: 1\r\n  # - d\r\n",
        &keys[1..],
        "a:\r\n  b:\r\n  - c: 1\r\n  # - d\r\n  w: 2\r\nz: 3\r\n",
    );
}

#[test]
fn keys_of_two_levels_are_added_at_one_place() {
    becomes(
        "a:\n  b:\n    c: 1\nd: 2\n",
        &[add("/a/e", json!(4)), add("/a/b/f", json!(3))],
        "a:\n  b:\n    c: 1\n    f: 3\n  e: 4\nd: 2\n",
    );
    becomes(
        "a: {b: {c: 1}}",
        &[add("/a/e", json!(4)), add("/a/b/f", json!(3))],
        "a: {b: {c: 1, f: 3}, e: 4}",
    );
}

#[test]
fn a_key_in_brackets_is_added_in_brackets() {
    let text = [add("/a/image", json!("x:1"))];
    becomes("a: { b: 1 } # c\n", &text, "a: { b: 1, image: \"x:1\" } # c\n");
    becomes("a: {\"b\":1}", &text, "a: {\"b\":1,\"image\":\"x:1\"}");
    becomes("a: {b: 1,}", &text, "a: {b: 1, image: \"x:1\",}");
    becomes(
        "a: {\n  b: 1, # one\n  c: 2 # two\n}\n",
        &text,
        "a: {\n  b: 1, # one\n  c: 2, # two\n  image: \"x:1\"\n}\n",
    );
    becomes(
        "a: {\n  b: 1, # one\n}\n",
        &text,
        "a: {\n  b: 1, # one\n  image: \"x:1\",\n}\n",
    );
    becomes("a: {<<: {b: 1}}\n", &text, "a: {image: \"x:1\", <<: {b: 1}}\n");
    becomes(
        "a: {b: 1, <<: {c: 1}}\n",
        &text,
        "a: {b: 1, image: \"x:1\", <<: {c: 1}}\n",
    );
}

#[test]
fn json_stays_json() {
    let parents = [
        add("/a/r", json!({})),
        add("/a/r/cpu", json!("1")),
        add("/z", json!([1, {}])),
    ];
    becomes(
        "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}\n",
        &parents,
        "{\n\t\"a\": {\n\t\t\"b\": 1,\n\t\t\"r\": {\n\t\t\t\"cpu\": \"1\"\n\t\t}\n\t},\n\t\"z\": [\n\t\t1,\n\t\t{}\n\t]\n}\n",
    );
    becomes(
        "{\n  \"a\": {}\n}",
        &parents,
        "{\n  \"a\": {\n    \"r\": {\n      \"cpu\": \"1\"\n    }\n  },\n  \"z\": [\n    1,\n    {}\n  ]\n}",
    );
    becomes(
        "{\"a\":{\"b\":1}}",
        &parents,
        "{\"a\":{\"b\":1,\"r\":{\"cpu\":\"1\"}},\"z\":[1,{}]}",
    );
    becomes("{\"a\": {}}", &parents[..2], "{\"a\": {\"r\": {\"cpu\": \"1\"}}}");
}

#[test]
fn an_empty_value_becomes_lines() {
    let parents = [
        replace("/a/s", json!({})),
        add("/a/s/x", json!(true)),
        add("/a/s/c", json!({"drop": ["ALL", {"p": 1, "q": [2]}]})),
    ];
    for empty in ["a:\n  s: {}", "a:\n  s:", "a:\n  s: null", "a:\n  s: ~", "a:\n  s: { }"] {
        for tail in ["\n", " # why\n", " # why\n  # set me\n"] {
            let comment = tail.strip_prefix(" # why").map_or("", |_| " # why");
            let rest = tail.strip_prefix(" # why").unwrap_or(tail);
            let lines = "\n    c:\n      drop:\n      - ALL\n      - p: 1\n        q:\n        - 2\n    x: true";
            becomes(
                &format!("{empty}{tail}"),
                &parents,
                &format!("a:\n  s:{comment}{lines}{rest}"),
            );
        }
    }
    becomes("a:\n- s:\n", &[add("/a/0/s", json!(1))], "a:\n- s: 1\n");
}

#[test]
fn a_value_keeps_its_quotes() {
    let text = [replace("/a", json!("1"))];
    becomes("a: '2' # c\n", &text, "a: '1' # c\n");
    becomes("a: \"2\"\n", &text, "a: \"1\"\n");
    becomes("a: 2\n", &text, "a: \"1\"\n");
    becomes("a: &x 2\n", &text, "a: &x \"1\"\n");
    becomes("a: !!str 2\n", &text, "a: \"1\"\n");
    becomes("a:\n  2\n", &text, "a:\n  \"1\"\n");
    becomes("a: |\n  2\n\n# c\nb: 1\n", &text, "a: \"1\"\n\n# c\nb: 1\n");
    becomes("{a: '2'}", &text, "{a: '1'}");
    becomes("{a: }", &text, "{a: \"1\" }");
    becomes("'a': 500m", &[replace("/a", json!("1500m"))], "'a': 1500m");
    becomes("a: [1, 2]", &[replace("/a/1", json!(3))], "a: [1, 3]");
    becomes("- - 1\n  - 2", &[replace("/0/1", json!(3))], "- - 1\n  - 3");
    becomes("a:\n  b: 1\n", &[replace("/a", json!(false))], "a: false\n");
    becomes("a: # c\n  b: 1\n", &[replace("/a", json!(false))], "a: # c\n  false\n");
}

#[test]
fn what_kubectl_takes_for_something_else_is_quoted() {
    let quoted = [
        "yes",
        "No",
        "on",
        "y",
        "null",
        "~",
        "",
        "010",
        "1e3",
        "0x1",
        "1_000",
        "12:30",
        "12:30:45",
        "1.5",
        ".5",
        "-1",
        "+1",
        "2026-01-01",
        "1E",
        "0o7",
        ".inf",
        "<<",
        "=",
        "- x",
        "a: b",
        "a #b",
        "a:",
        " a",
        "a ",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "{",
        "a, b",
        "[x]",
        "x]",
        "\"",
        "it's",
        "\n",
        "a\tb",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7f}",
        "1.2.3Mi",
        "1.Mi",
        "a  b",
        "?",
        "|",
        ">",
        "#",
    ];
    let plain = [
        "500m",
        "128Mi",
        "1.5Gi",
        "25%",
        "/healthz",
        "a b",
        "nginx:1.25",
        "é",
        "ALL",
        "a-b_c.d/e",
        "2k",
    ];
    for (text, quotes) in quoted
        .iter()
        .map(|it| (it, true))
        .chain(plain.iter().map(|it| (it, false)))
    {
        for before in ["a: 1\n", "{a: 1}", "- a\n", "[a]"] {
            let pointer = if before.contains("a:") { "/b" } else { "/1" };
            let after = edited(before, &[add(pointer, json!(text))]).unwrap();
            let really = after.contains(['"', '\'']);
            // In brackets a colon is quoted, too.
            let expected = quotes || before.contains(['{', '[']) && text.contains(':');
            assert_eq!(really, expected, "{text:?} in {after:?}");
        }
        let keyed = edited(
            "a: 1\n",
            &[add(
                &format!("/{}", text.replace('/', "~1").replace('~', "~0").replace("~01", "~1")),
                json!(1),
            )],
        );
        assert!(keyed.is_ok(), "{text:?}");
    }
}

#[test]
fn an_entry_is_removed_and_its_comments_stay() {
    let first = [remove("/a/b")];
    becomes("a:\n  # b\n  b: 1\n  c: 2\n", &first, "a:\n  # b\n  c: 2\n");
    becomes("a:\n  b: 1 # why\n  c: 2\n", &first, "a:\n  # why\n  c: 2\n");
    becomes("a:\n  c: 2\n  b:\n  - 1\n  # in\n  - 2\n", &first, "a:\n  c: 2\n");
    becomes("a:\n  c: 2\n  b: 1", &first, "a:\n  c: 2");
    becomes("a:\r\n  b: 1\r\n  c: 2\r\n", &first, "a:\r\n  c: 2\r\n");
    becomes("a:\n  b: 1\nc: 2\n", &first, "a: {}\nc: 2\n");
    becomes("a: # c\n  b: 1 # d\n", &first, "a: # c\n  {} # d\n");
    becomes("a: {b: 1}", &first, "a: {}");
    becomes("a: { b: 1, c: 2 }", &first, "a: { c: 2 }");
    becomes("a: { c: 2, b: 1 }", &first, "a: { c: 2 }");
    becomes(
        "a: {\n  c: 2, # c\n  b: 1 # d\n}",
        &first,
        "a: {\n  c: 2 # c\n   # d\n}",
    );
    becomes("b: 1\na: 2\n", &[remove("/b")], "a: 2\n");
    let compact = [remove("/0/b")];
    becomes("- b: 1\n  c: 2\n", &compact, "- c: 2\n");
    becomes("- b: 1 # d\n  c: 2\n", &compact, "- # d\n  c: 2\n");
    becomes("- b: 1\n  # d\n  c: 2\n", &compact, "-\n  # d\n  c: 2\n");
    becomes("- b: 1\n  <<: {c: 1}\n", &compact, "- <<: {c: 1}\n");
    becomes("- b: 1\n- c: 1\n", &compact, "- {}\n- c: 1\n");
}

#[test]
fn an_item_is_removed() {
    let text = "add:\n- A\n# b\n- B # why\n- C\ndrop: [A, B, C]\n";
    becomes(
        text,
        &[remove("/add/0")],
        "add:\n# b\n- B # why\n- C\ndrop: [A, B, C]\n",
    );
    becomes(
        text,
        &[remove("/add/1")],
        "add:\n- A\n# b\n# why\n- C\ndrop: [A, B, C]\n",
    );
    becomes(
        text,
        &[remove("/add/2")],
        "add:\n- A\n# b\n- B # why\ndrop: [A, B, C]\n",
    );
    becomes(
        text,
        &[remove("/drop/0")],
        "add:\n- A\n# b\n- B # why\n- C\ndrop: [B, C]\n",
    );
    becomes(
        text,
        &[remove("/drop/2"), remove("/drop/1")],
        "add:\n- A\n# b\n- B # why\n- C\ndrop: [A]\n",
    );
    becomes("add:\n  - A\nb: 1\n", &[remove("/add/0")], "add: []\nb: 1\n");
    becomes("- - 1\n  - 2\n", &[remove("/0/0")], "- - 2\n");
    becomes(
        "a:\n- 1\n",
        &[add("/a/-", json!({"b": 1, "c": {"d": 2}}))],
        "a:\n- 1\n- b: 1\n  c:\n    d: 2\n",
    );
}

#[test]
fn removed_and_added_at_once() {
    becomes(
        "a:\n  b: 1\n  c: 2\nd: 3\n",
        &[remove("/a/c"), add("/a/e", json!(5)), remove("/d"), add("/f", json!(6))],
        "a:\n  b: 1\n  e: 5\nf: 6\n",
    );
    becomes(
        "a: {b: 1, c: 2}",
        &[remove("/a/c"), add("/a/d", json!(3))],
        "a: {b: 1, d: 3}",
    );
    becomes("a: 1\n", &[remove("/a"), add("/a", json!(2))], "a: 2\n");
    becomes("a: 1\n", &[replace("/a", json!(2)), replace("/a", json!(1))], "a: 1\n");
}

#[test]
fn only_the_document_that_is_meant_changes() {
    becomes(
        "---\n# one\na: 1\n---\n\na: 1\n...\n",
        &[replace("/a", json!(2))],
        "---\n# one\na: 1\n---\n\na: 2\n...\n",
    );
    let text = "a: 1\n---\na: 1\n";
    let documents = read(text).documents;
    let operations = [replace("/a", json!(2))];
    let both = [(0, &operations[..]), (1, &operations[..])];
    let edits = edit(text, &documents, &both).unwrap();
    assert_eq!(apply(text, &edits), "a: 2\n---\na: 2\n");
    assert_eq!(edit(text, &documents, &[]), Ok(Vec::new()));
}

#[test]
fn a_shared_value_is_rejected_with_both_lines() {
    let text = "a: &x\n  b: {c: 1}\nd: *x\ne:\n  <<: *x\n  f: 1\ng: &y {h: 1}\n";
    let shared = "line 3 uses the value that has an anchor at line 1; change it by hand, or write it out at both";
    rejected(text, replace("/a/b/c", json!(2)), shared);
    rejected(text, replace("/d/b/c", json!(2)), shared);
    rejected(text, remove("/a"), shared);
    rejected(text, remove("/d"), shared);
    rejected(
        text,
        replace("/e/b/c", json!(2)),
        "the merge key at line 5 brings the value in from line 2; change it there, or write it out",
    );
    // Beside what is shared, and below an anchor without an alias, all is free.
    becomes(
        text,
        &[add("/e/i", json!(1)), replace("/g/h", json!(2))],
        &text.replace("f: 1", "f: 1\n  i: 1").replace("h: 1", "h: 2"),
    );
    let inner = "a:\n  b: &x 1\nc: *x\n";
    rejected(
        inner,
        replace("/a", json!({})),
        "line 3 uses the value that has an anchor at line 2; change it by hand, or write it out at both",
    );
    becomes(inner, &[add("/a/d", json!(2))], "a:\n  b: &x 1\n  d: 2\nc: *x\n");
}

#[test]
fn what_cannot_be_edited_is_rejected() {
    let tabs = "line 1: tabs in the indentation; replace them by spaces";
    rejected("-\ta: 1\n", add("/0/b", json!(1)), tabs);
    let absent = "line 1: nothing can be changed at /a/x/b";
    rejected("a: 1\n", add("/a/x/b", json!(1)), absent);
    rejected("a: 1\n", remove("/b"), "line 1: nothing can be changed at /b");
    rejected(
        "- 1\n",
        replace("/01", json!(1)),
        "line 1: nothing can be changed at /01",
    );
    let form = "line 1: what stands here is written in a way that cannot be edited; change it by hand";
    becomes(
        "? a\n: 1\n? b\n: 2\n",
        &[remove("/b"), add("/c", json!(3))],
        "? a\n: 1\nc: 3\n",
    );
    rejected("[a: 1]\n", add("/0/b", json!(1)), form);
    // A key that another map would be given, too.
    rejected("a: &x {b: 1}\nc:\n  <<: *x\n  b: 2\n", add("/a/d", json!(1)), form);
    // Nothing is edited in a text that ends in an error.
    let broken = "a: 1\n---\n{";
    let operations = [replace("/a", json!(2))];
    let outcome = edit(broken, &read(broken).documents, &[(0, &operations)]);
    assert_eq!(outcome.unwrap_err().to_string(), form);
}
