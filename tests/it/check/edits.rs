//! The fixes of a SARIF report, applied one by one as a program would, give the file that `dorgu fix` writes.

use std::fs;

use serde_json::Value;

use super::{Checked, Place, deployment};

/// Where a line and a column are, both counted from 1, in characters.
fn offset(text: &str, line: &Value, column: &Value) -> usize {
    let number = |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("small");
    let start: usize = text.split_inclusive('\n').take(number(line) - 1).map(str::len).sum();
    let rest = &text[start..];
    let columns = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    start
        + columns
            .into_iter()
            .nth(number(column) - 1)
            .expect("a column of the line")
}

/// A text with the first fix of a report made; `None` where it has none.
fn applied(text: &str, sarif: &Value) -> Option<String> {
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let mut fixes = results
        .iter()
        .filter_map(|result| result["fixes"][0]["artifactChanges"][0]["replacements"].as_array());
    let mut edits: Vec<(usize, usize, &str)> = fixes
        .next()?
        .iter()
        .map(|edit| {
            let region = &edit["deletedRegion"];
            let from = offset(text, &region["startLine"], &region["startColumn"]);
            let to = offset(text, &region["endLine"], &region["endColumn"]);
            (from, to, edit["insertedContent"]["text"].as_str().expect("a text"))
        })
        .collect();
    edits.sort_unstable();
    let mut text = text.to_owned();
    for (from, to, new) in edits.into_iter().rev() {
        text.replace_range(from..to, new);
    }
    Some(text)
}

#[test]
fn the_fixes_of_a_report_are_those_that_fix_writes() {
    let place = Place::new();
    for (name, text) in [
        ("plain.yaml", deployment("orders", "2")),
        (
            "umlaut.yaml",
            deployment("orders", "2").replace("name: api", "name: api # öfter"),
        ),
        ("windows.yaml", deployment("orders", "2").replace('\n', "\r\n")),
        (
            "two.yaml",
            format!("{}---\n{}", deployment("one", "2"), deployment("two", "900m")),
        ),
    ] {
        let mut by_report = text.clone();
        let mut fixes = 0;
        loop {
            place.write(name, &by_report);
            let Checked { stdout, stderr, .. } = place.check(&["-o", "sarif", name]);
            let sarif: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
            let Some(fixed) = applied(&by_report, &sarif) else {
                break;
            };
            by_report = fixed;
            fixes += 1;
            assert!(fixes < 20, "{name}: a fix leaves its finding there:\n{by_report}");
        }
        assert!(fixes > 2, "{name}: {fixes}");
        place.write(name, &text);
        let level = "--rule-level=cpu-limit-above-persona=deny";
        let fix = ["fix", "--all", "--personas", "personas.yaml", level, name];
        let fixed = Checked::of(&place.command(&fix).output().expect("the program runs"));
        assert_eq!(fixed.code, Some(0), "{name}: {fixed:?}");
        let by_fix = fs::read_to_string(place.path().join(name)).expect("read");
        assert_eq!(by_report, by_fix, "{name}");
    }
}
