//! What programs do with SARIF: regions, edits, fingerprints, help.

use std::sync::Arc;

use dorgu::manifest;
use dorgu::policy::Rule;
use dorgu::report::{Edit, Format, Position, Report, ReportedFinding, View};
use serde_json::Value;

use super::{sample, text};

fn log(findings: Vec<ReportedFinding>, docs_url: &str) -> Value {
    let report = Report {
        findings,
        docs_url: docs_url.to_owned(),
        ..Report::default()
    };
    serde_json::from_str(&text(&report, Format::Sarif, View::default())).expect("JSON")
}

fn position(line: usize, column: usize) -> Position {
    Position { line, column }
}

/// The byte at which a position of SARIF stands, by what the run says about columns and line breaks.
fn byte(run: &Value, text: &str, line: &Value, column: &Value) -> usize {
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    assert_eq!(run["newlineSequences"], serde_json::json!(["\r\n", "\n", "\r"]));
    let (line, column) = (line.as_u64().expect("a line"), column.as_u64().expect("a column"));
    // SARIF counts no byte order mark.
    let mut at = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    for _ in 1..line {
        let end = text[at..].find(['\r', '\n']).expect("a line end");
        let end = at + end;
        at = end + if text[end..].starts_with("\r\n") { 2 } else { 1 };
    }
    let before = text[at..].chars().take(usize::try_from(column).expect("small") - 1);
    at + before.map(char::len_utf8).sum::<usize>()
}

fn region(run: &Value, text: &str, region: &Value) -> std::ops::Range<usize> {
    let start = byte(run, text, &region["startLine"], &region["startColumn"]);
    start..byte(run, text, &region["endLine"], &region["endColumn"])
}

/// A file with all that makes columns, bytes and UTF-16 units differ, and the finding at a value of it.
fn placed(pointer: &str) -> (&'static str, ReportedFinding) {
    const TEXT: &str = "\u{feff}# ünïcödé 😀\r\n{\"日本\": \"😀😀\", \"ä\": {\"cpu\": \"2\"}}\r\n";
    let found = manifest::read(TEXT);
    let place = found.documents[0].nearest(pointer).node.place;
    let (end_line, end_column) = place.end(TEXT);
    let (start, end) = (position(place.line(), place.column()), position(end_line, end_column));
    let mut finding = sample::one();
    finding.location.start = start;
    finding.location.end = end;
    finding.edits = vec![Edit {
        bytes: place.bytes(),
        start,
        end,
        text: "\"ß\"".to_owned(),
    }];
    (TEXT, finding)
}

#[test]
fn columns_count_code_points_and_lines_count_what_yaml_breaks_at() {
    let (text, finding) = placed("/ä/cpu");
    assert_eq!((finding.location.start.line, finding.location.start.column), (2, 27));
    let log = log(vec![finding], "");
    let run = &log["runs"][0];
    let place = &run["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!(&text[region(run, text, place)], "\"2\"");
}

#[test]
fn an_applied_fix_is_the_edit_of_the_file() {
    for pointer in ["/ä/cpu", "/日本", "/ä"] {
        let (text, finding) = placed(pointer);
        let mut wanted = text.to_owned();
        wanted.replace_range(finding.edits[0].bytes.clone(), &finding.edits[0].text);
        let log = log(vec![finding], "");
        let run = &log["runs"][0];
        let change = &run["results"][0]["fixes"][0]["artifactChanges"][0];
        assert_eq!(change["artifactLocation"]["uri"], "deploy/orders.yaml");
        let replacement = &change["replacements"][0];
        let mut fixed = text.to_owned();
        let new = replacement["insertedContent"]["text"].as_str().expect("a text");
        fixed.replace_range(region(run, text, &replacement["deletedRegion"]), new);
        assert_eq!(fixed, wanted);
    }
}

fn fingerprints(findings: Vec<ReportedFinding>) -> Vec<String> {
    let log = log(findings, "");
    let results = log["runs"][0]["results"].as_array().expect("results").iter();
    let prints = results.map(|result| {
        result["partialFingerprints"]["primaryLocationLineHash"]
            .as_str()
            .expect("one")
            .to_owned()
    });
    prints.collect()
}

#[test]
fn a_fingerprint_survives_edits_above_and_differs_by_file_rule_object_and_field() {
    let one = sample::one();
    let mut moved = one.clone();
    moved.location.start = position(99, 1);
    moved.location.end = position(99, 4);
    moved.message = "other words".to_owned();
    // A container in front of it.
    moved.field = moved.field.replace("/0/", "/1/");
    let print = fingerprints(vec![one.clone()]);
    assert_eq!(print, ["abab92e7978a0ea9:1"]);
    assert_eq!(fingerprints(vec![moved.clone()]), print);

    let changes: [fn(&mut ReportedFinding); 6] = [
        |finding| finding.location.file = Arc::from("deploy/other.yaml"),
        |finding| finding.rule = Rule::CpuLimitMissing,
        |finding| finding.object.kind.push('s'),
        |finding| finding.object.namespace.push('s'),
        |finding| finding.object.name.push('s'),
        |finding| finding.path.push('s'),
    ];
    let mut all = vec![one.clone(), moved];
    for change in changes {
        let mut other = one.clone();
        change(&mut other);
        all.push(other);
    }
    let prints = fingerprints(all);
    // The same twice, then six others.
    assert_eq!(prints[1], print[0].replace(":1", ":2"));
    let distinct: std::collections::BTreeSet<&str> = prints
        .iter()
        .map(|print| print.split_once(':').expect("a count").0)
        .collect();
    assert_eq!(distinct.len(), 7);
}

#[test]
fn errors_come_first_and_what_was_there_before_last() {
    let log = log(sample::many(72).findings, "");
    let results = log["runs"][0]["results"].as_array().expect("results");
    let rank = |level: &Value| ["error", "warning", "note"].iter().position(|one| level == one);
    let order: Vec<(bool, Option<usize>)> = results
        .iter()
        .map(|result| (result["baselineState"] == "unchanged", rank(&result["level"])))
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    let before = results
        .iter()
        .filter(|result| result["properties"]["standing"] == "before")
        .count();
    assert_eq!(order.iter().filter(|(unchanged, _)| *unchanged).count(), before);
    assert!(results.iter().all(|result| result["baselineState"].is_string()));
    // Without an old state there is nothing to compare with.
    let fresh = super::sarif::log(vec![sample::one()], "");
    assert_eq!(fresh["runs"][0]["results"][0].get("baselineState"), None);
}

#[test]
fn paths_are_uris_relative_to_the_root() {
    let at = |file: &str| {
        let mut finding = sample::one();
        finding.location.file = Arc::from(file);
        let log = log(vec![finding], "");
        log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"].clone()
    };
    let relative = |uri: &str| serde_json::json!({"uri": uri, "uriBaseId": "%SRCROOT%"});
    assert_eq!(at("deploy/a b.yaml"), relative("deploy/a%20b.yaml"));
    assert_eq!(at("ä/c:d%?#.yaml"), relative("%C3%A4/c%3Ad%25%3F%23.yaml"));
    assert_eq!(at("/tmp/x.yaml"), serde_json::json!({"uri": "file:///tmp/x.yaml"}));
}

#[test]
fn a_rule_brings_its_help() {
    for page in ["", "https://example.com/docs/rules.md"] {
        let log = log(sample::many(72).findings, page);
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
        assert_eq!(rules.len(), Rule::ALL.len());
        let mut links = 0;
        for rule in rules {
            let name = rule["id"].as_str().expect("a name");
            let help = rule["help"]["markdown"].as_str().expect("Markdown");
            assert!(
                name == "object-unreadable" || help.contains("```yaml\n# violation\n"),
                "{help}"
            );
            assert!(!help.contains("<!--") && !help.contains("](#"), "{help}");
            links += help.matches("](https://example.com/docs/").count();
            let link = format!("{page}#{name}");
            assert_eq!(
                rule.get("helpUri").and_then(Value::as_str),
                (!page.is_empty()).then_some(&*link)
            );
        }
        assert_eq!(links > 10, !page.is_empty(), "{links}");
        let first = &rules[0];
        assert_eq!(
            (&first["id"], &first["name"]),
            (&"cpu-limit-above-persona".into(), &"CpuLimitAbovePersona".into())
        );
    }
}
