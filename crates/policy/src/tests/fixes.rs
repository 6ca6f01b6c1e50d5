//! The lines of a denial that say what to change: whole, unambiguous, and for a finding all of them or none.

use serde_json::{Value, json};

use super::judged;
use crate::Mode;
use crate::answer::{Help, message};
use crate::finding::{ContainerKind, ContainerRef};
use crate::fix::{Change, Level, Setting};
use crate::render::FixLine;
use crate::text::Literal;

/// What the denial of an update says below its first line. Stored is the first container alone, with what it demands.
fn fixes(containers: &[Value]) -> Vec<String> {
    let object = |containers| json!({"spec": {"replicas": 2, "template": {"spec": {"containers": containers}}}});
    let stored = json!({"name": containers[0]["name"], "securityContext": {
        "runAsNonRoot": containers[0]["securityContext"]["runAsNonRoot"],
    }});
    let (object, stored) = (object(json!(containers)), object(json!([stored])));
    judged(&object, Some(&stored), Mode::Enforcing, |decision| {
        let text = message(decision, None, &Help::NONE);
        assert!(text.len() <= 64 << 10, "{}", text.len());
        text.lines().skip(1).map(|line| line.trim_start().to_owned()).collect()
    })
}

/// So many new containers that do not demand another user than root, behind one that never did, so that each gets its own
/// demand.
fn silent(count: usize) -> Vec<Value> {
    let container = |number: usize| {
        json!({
            "name": format!("c{number}"),
            "securityContext": {"allowPrivilegeEscalation": false},
        })
    };
    (0..=count).map(container).collect()
}

fn demand(number: usize) -> String {
    format!("spec.template.spec.containers[c{number}].securityContext.runAsNonRoot: unset -> true")
}

#[test]
fn a_finding_about_hundreds_of_containers_has_a_line_for_each_or_none() {
    let lines: Vec<String> = (1..=200).map(demand).collect();
    assert!(fixes(&silent(200)) == lines);
    assert_eq!(fixes(&silent(2_000)), ["and 1 more"]);
}

#[test]
fn what_has_no_room_for_all_its_lines_is_counted_and_the_next_one_has_its_own() {
    // The first finding takes nearly all changes that a plan has.
    let mut containers = silent(158);
    let adding = json!(["A B", "SYS_ADMIN", "ALL"]);
    containers[1]["securityContext"]["capabilities"] = json!({"add": adding});
    containers[2]["securityContext"]["capabilities"] = json!({"add": ["ALL"]});
    let mut lines: Vec<String> = (1..=158).map(demand).collect();
    let added = "spec.template.spec.containers[c1].securityContext.capabilities.add";
    lines.push(format!("{added}: \"A B\" -> removed"));
    lines.push(format!("{added}: SYS_ADMIN -> removed"));
    lines.push("and 2 more".to_owned());
    let said = fixes(&containers);
    assert_eq!(said.len(), lines.len(), "{:?}", said.last());
    assert!(said == lines, "{:?}", said.last());
}

#[test]
fn a_long_text_is_printed_whole_or_its_finding_is_counted() {
    let adding = |names: &[&str]| {
        let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"add": names}, "runAsNonRoot": true});
        fixes(&[json!({"name": "api", "securityContext": context})])
    };
    let (long, longest) = (" ".repeat(5_000), " ".repeat(70_000));
    let added = "spec.template.spec.containers[api].securityContext.capabilities.add";
    let line = |name: &str| format!("{added}: \"{name}\" -> removed");
    assert_eq!(adding(&[&format!("{long}x y")]), [line(&format!("{long}x y"))]);
    let (too_long, short) = (format!("{longest}x y"), "x y");
    assert_eq!(adding(&[&too_long, short]), [line(short), "and 1 more".to_owned()]);
}

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

#[test]
fn the_most_bytes_of_a_line_are_no_fewer_than_it_has() {
    let texts = [
        "",
        "SYS_ADMIN",
        "\u{0}\u{7}\u{1f}",
        "\"\\\"\\",
        "\u{202e}\u{131}\u{17f}",
        "\u{1f600}\u{10ffff}",
        "-> removed",
    ];
    let settings = || {
        let texts = texts.map(|text| Setting::Text(text.into()));
        texts.into_iter().chain([
            Setting::Unset,
            Setting::Removed,
            Setting::Flag(false),
            Setting::Number(i64::MIN),
        ])
    };
    for name in texts {
        let container = ContainerRef {
            kind: ContainerKind::Init,
            index: 0,
            name,
        };
        for level in [Level::Object, Level::Pod, Level::Container(container)] {
            for (from, to) in settings().flat_map(|from| settings().map(move |to| (from.clone(), to))) {
                let field = "resources.limits.cpu";
                let change = Change { level, field, from, to };
                let line = FixLine(&change);
                assert!(line.to_string().len() <= line.most_bytes(), "{line}");
            }
        }
    }
}
