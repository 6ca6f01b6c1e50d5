//! Reads each format back as its readers do.

use std::collections::BTreeMap;

use dorgu::report::{Format, ReportedFinding, Standing};
use serde_json::Value;

/// What a format says about a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    pub(super) rule: String,
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) fix: String,
    pub(super) help: String,
    pub(super) note: String,
}

/// The note that stands behind a message, in brackets.
pub(super) fn note(finding: &ReportedFinding) -> &'static str {
    match finding.standing {
        Standing::Before => NOTES[0],
        Standing::Excepted => NOTES[1],
        Standing::New if finding.denied => NOTES[2],
        Standing::New => "",
    }
}

const NOTES: [&str; 3] = ["was there before", "covered by an exception", "would be denied"];

fn note_in(message: &str) -> String {
    let found = NOTES.iter().find(|note| message.contains(&format!("({note})")));
    found.map_or_else(String::new, |note| (*note).to_owned())
}

/// Text without control characters, as formats for people show it.
pub(super) fn cleaned(text: &str) -> String {
    text.replace('\n', "\\u{a}")
}

pub(super) fn read(format: Format, text: &str) -> Vec<Told> {
    let mut told = match format {
        Format::Table => table(text),
        Format::Wide => wide(text),
        Format::Json => json(&serde_json::from_str(text).expect("JSON")),
        Format::Yaml => json(&serde_saphyr::from_str(text).expect("YAML")),
        Format::Sarif => sarif(&serde_json::from_str(text).expect("JSON")),
        Format::Junit => junit(text),
        Format::Github => github(text),
        Format::Gitlab => gitlab(&serde_json::from_str(text).expect("JSON")),
        Format::Markdown => markdown(text),
    };
    told.sort();
    told
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> usize {
    value
        .as_u64()
        .map_or(1, |number| usize::try_from(number).expect("a line"))
}

fn lines(value: &Value) -> String {
    let lines = value.as_array().expect("a list").iter().map(string);
    lines.collect::<Vec<_>>().join("; ")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}

fn unreadable(file: &str, line: usize) -> Told {
    Told {
        rule: "unreadable".to_owned(),
        file: cleaned(file),
        line,
        ..Told::default()
    }
}

fn json(document: &Value) -> Vec<Told> {
    assert_eq!(document["apiVersion"], "cli.dorgu.io/v1");
    assert_eq!(document["kind"], "CheckReport");
    let findings = list(&document["findings"]).map(|finding| Told {
        rule: string(&finding["rule"]),
        file: cleaned(&string(&finding["location"]["file"])),
        line: number(&finding["location"]["start"]["line"]),
        fix: lines(&finding["fix"]),
        help: string(&finding["help"]),
        note: match (&finding["standing"], &finding["denied"]) {
            (Value::String(standing), _) if standing == "before" => NOTES[0].to_owned(),
            (Value::String(standing), _) if standing == "excepted" => NOTES[1].to_owned(),
            (_, Value::Bool(true)) => NOTES[2].to_owned(),
            _ => String::new(),
        },
    });
    let problems = list(&document["problems"]).map(|one| unreadable(&string(&one["file"]), number(&one["line"])));
    findings.chain(problems).collect()
}

/// `%41` is `A`.
fn decoded(uri: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = uri.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
            u8::from_str_radix(std::str::from_utf8(&digits).expect("digits"), 16).expect("hex")
        } else {
            byte
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}

pub(super) fn sarif(log: &Value) -> Vec<Told> {
    let run = &log["runs"][0];
    let rules: BTreeMap<String, &Value> = list(&run["tool"]["driver"]["rules"])
        .map(|rule| (string(&rule["id"]), rule))
        .collect();
    let place = |found: &Value| {
        let physical = &found["locations"][0]["physicalLocation"];
        let uri = decoded(physical["artifactLocation"]["uri"].as_str().expect("a URI"));
        (cleaned(&uri), number(&physical["region"]["startLine"]))
    };
    let results = list(&run["results"]).map(|result| {
        let (file, line) = place(result);
        let text = result["message"]["text"].as_str().expect("a text");
        let rule = rules[&string(&result["ruleId"])];
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        let fix = lines(&result["properties"]["fix"]);
        assert!(fix.is_empty() || text.contains(&format!(" Fix: {fix}.")), "{text}");
        let command = text.rsplit_once("Run `").and_then(|(_, rest)| rest.split_once('`'));
        Told {
            rule: string(&rule["id"]),
            file,
            line,
            fix,
            help: rule["helpUri"]
                .as_str()
                .or(command.map(|(command, _)| command))
                .unwrap_or_default()
                .to_owned(),
            note: note_in(text),
        }
    });
    let notifications = list(&run["invocations"][0]["toolExecutionNotifications"]);
    let problems = notifications.filter(|found| found.get("locations").is_some());
    let problems = problems.map(|found| {
        let (file, line) = place(found);
        unreadable(&file, line)
    });
    results.chain(problems).collect()
}

fn junit(text: &str) -> Vec<Told> {
    use quick_junit::{NonSuccessKind, TestCaseStatus};
    let report = quick_junit::Report::deserialize_from_str(text).expect("JUnit");
    let mut told = Vec::new();
    let (mut failures, mut errors, mut skipped, mut tests) = (0, 0, 0, 0);
    let mut names = std::collections::BTreeSet::new();
    for case in report.test_suites.iter().flat_map(|suite| &suite.test_cases) {
        tests += 1;
        let extra = |wanted: &str| {
            let mut all = case.extra.iter();
            all.find(|(name, _)| name.as_str() == wanted)
                .map(|(_, value)| value.as_str())
        };
        let classname = case.classname.as_ref().expect("a class").as_str();
        assert!(names.insert((classname, case.name.as_str())), "{}", case.name.as_str());
        let (kind, message, ty, description) = match &case.status {
            TestCaseStatus::NonSuccess {
                kind,
                message,
                ty,
                description,
                ..
            } => (Some(*kind), message, ty, description),
            TestCaseStatus::Skipped {
                message,
                ty,
                description,
            } => {
                skipped += 1;
                (None, message, ty, description)
            }
            TestCaseStatus::Success { .. } => {
                assert_eq!(case.name.as_str(), "no findings");
                continue;
            }
        };
        let file = extra("file").expect("a file").to_owned();
        let line = extra("line").expect("a line").parse().expect("a number");
        if kind == Some(NonSuccessKind::Error) {
            errors += 1;
            told.push(unreadable(&file, line));
            continue;
        }
        failures += usize::from(kind.is_some());
        let description = description.as_ref().expect("a description").as_str();
        let fix: Vec<&str> = description
            .lines()
            .filter_map(|line| line.strip_prefix("Fix: "))
            .collect();
        assert!(description.starts_with(&format!("{file}:{line}:")), "{description}");
        told.push(Told {
            rule: ty.as_ref().expect("a type").as_str().to_owned(),
            file,
            line,
            fix: fix.join("; "),
            help: description.lines().last().expect("a line").to_owned(),
            note: note_in(message.as_ref().expect("a message").as_str()),
        });
    }
    assert_eq!(
        (report.failures, report.errors, report.skipped, report.tests),
        (failures, errors, skipped, tests)
    );
    told
}

/// As the runner reads a command.
pub(super) fn command(line: &str) -> Option<(&str, BTreeMap<&str, String>, String)> {
    let unescape = |text: &str| {
        text.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%25", "%")
    };
    let (head, message) = line.strip_prefix("::")?.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let properties = properties.split(',').filter_map(|pair| pair.split_once('='));
    let properties = properties.map(|(name, value)| (name, unescape(value))).collect();
    Some((name, properties, unescape(message)))
}

fn github(text: &str) -> Vec<Told> {
    let mut told = Vec::new();
    let mut further = false;
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        assert!(!line.contains("##["), "{line}");
        let Some((name, properties, message)) = command(line) else {
            if further {
                told.push(plain(line));
            }
            continue;
        };
        match name {
            "group" => further = true,
            "endgroup" => further = false,
            "error" | "warning" | "notice" => {
                *shown.entry(name).or_default() += 1;
                let title = properties["title"].as_str();
                if title == "dorgu check" {
                    assert!(message.contains(" more: "), "{message}");
                    continue;
                }
                // Without a file for standard input, which has no page.
                let file = properties.get("file").map_or("-", String::as_str);
                let line = properties.get("line").map_or(0, |line| line.parse().expect("a number"));
                if title == "unreadable" {
                    told.push(unreadable(file, line));
                    continue;
                }
                let fix: Vec<&str> = message.lines().filter_map(|line| line.strip_prefix("Fix: ")).collect();
                let place = message.lines().rev().nth(1).and_then(|line| line.strip_prefix("At "));
                told.push(Told {
                    rule: title.to_owned(),
                    file: cleaned(file),
                    line: place.map_or(line, |place| file_and_line(place).1),
                    fix: fix.join("; "),
                    help: message.lines().last().expect("a line").to_owned(),
                    note: note_in(&message),
                });
            }
            name => panic!("{name}"),
        }
    }
    assert!(shown.values().all(|count| *count <= 10), "{shown:?}");
    told
}

/// `FILE:LINE:COLUMN: LEVEL: RULE: OBJECT: MESSAGE | Fix: FIX | HELP`.
fn plain(line: &str) -> Told {
    let level = [": error: ", ": warning: ", ": notice: "];
    let (at, level) = level
        .iter()
        .find_map(|level| Some((line.find(level)?, level)))
        .expect("a level");
    let (place, rest) = (&line[..at], &line[at + level.len()..]);
    let (rule, rest) = rest.split_once(": ").expect("a rule");
    if rule == "unreadable" {
        let (file, line) = place
            .rsplit_once(':')
            .filter(|(_, line)| line.parse::<usize>().is_ok())
            .unwrap_or((place, "1"));
        return unreadable(file, line.parse().expect("a number"));
    }
    let (file, line) = file_and_line(place);
    let (rest, help) = rest.rsplit_once(" | ").expect("help");
    Told {
        rule: rule.to_owned(),
        file,
        line,
        fix: rest
            .rsplit_once(" | Fix: ")
            .map_or_else(String::new, |(_, fix)| fix.to_owned()),
        help: help.to_owned(),
        note: note_in(rest),
    }
}

/// Of `FILE:LINE:COLUMN`.
fn file_and_line(place: &str) -> (String, usize) {
    let mut parts = place.rsplitn(3, ':');
    let (_, line, file) = (
        parts.next(),
        parts.next().expect("a line"),
        parts.next().expect("a file"),
    );
    (file.to_owned(), line.parse().expect("a number"))
}

fn gitlab(issues: &Value) -> Vec<Told> {
    let mut fingerprints = std::collections::BTreeSet::new();
    let issues = list(issues).map(|issue| {
        assert!(fingerprints.insert(string(&issue["fingerprint"])), "{issue}");
        let (file, line) = (
            string(&issue["location"]["path"]),
            number(&issue["location"]["lines"]["begin"]),
        );
        let (rule, description) = (string(&issue["check_name"]), string(&issue["description"]));
        if rule == "unreadable" {
            return unreadable(&file, line);
        }
        let (rest, help) = description.rsplit_once(" | ").expect("help");
        Told {
            rule,
            file: cleaned(&file),
            line,
            fix: rest
                .rsplit_once(" | Fix: ")
                .map_or_else(String::new, |(_, fix)| fix.to_owned()),
            help: help.to_owned(),
            note: note_in(rest),
        }
    });
    issues.collect()
}

/// The cells of a row of a table of GitHub's Markdown: a bar behind a backslash is none between cells.
fn cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut letters = row.trim().trim_start_matches('|').chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&'|') => {
                letters.next();
                cells.last_mut().expect("one").push('|');
            }
            '|' => cells.push(String::new()),
            letter => cells.last_mut().expect("one").push(letter),
        }
    }
    assert_eq!(cells.pop().as_deref(), Some(""), "{row}");
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// The spans of code in a cell, as text. A fence ends at the next run of as many backticks.
fn code(cell: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = cell;
    while let Some(start) = rest.find('`') {
        let width = rest[start..].chars().take_while(|c| *c == '`').count();
        let (fence, after) = (&rest[start..start + width], &rest[start + width..]);
        let mut from = 0;
        let end = loop {
            let at = from + after[from..].find(fence).expect("a closed span");
            let run = after[at..].chars().take_while(|c| *c == '`').count();
            if run == width {
                break at;
            }
            from = at + run;
        };
        let inside = &after[..end];
        let inside = match inside.strip_prefix(' ').and_then(|inside| inside.strip_suffix(' ')) {
            Some(padded) if !padded.trim().is_empty() => padded,
            _ => inside,
        };
        found.push(inside.to_owned());
        rest = &after[end + width..];
    }
    found
}

fn markdown(text: &str) -> Vec<Told> {
    let findings = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Severity"));
    let findings = findings.map(|row| {
        let cells = cells(row);
        let [_, rule, place, _, message, fix] = cells.as_slice() else {
            panic!("{row}");
        };
        assert!(!message.contains('<') || message.contains("@<!-- -->"), "{message}");
        let (file, line) = file_and_line(&code(place)[0]);
        let link = rule
            .split_once("](")
            .map(|(_, link)| link.trim_end_matches(')').to_owned());
        let rule = code(rule);
        Told {
            rule: rule[0].clone(),
            file,
            line,
            fix: code(fix).join("; "),
            help: link.unwrap_or_else(|| rule[1].clone()),
            note: note_in(message),
        }
    });
    let problems = text.lines().filter_map(|line| line.strip_prefix("- ")).map(|line| {
        let place = &code(line)[0];
        let with_line = place
            .rsplit_once(':')
            .and_then(|(file, line)| Some((file, line.parse().ok()?)));
        let (file, line) = with_line.unwrap_or((place, 1));
        unreadable(file, line)
    });
    findings.chain(problems).collect()
}

/// The cells of rows below a header, by the columns at which its words begin.
fn rows<'t>(header: &str, lines: impl Iterator<Item = &'t str>) -> Vec<Vec<String>> {
    let starts: Vec<usize> = header
        .char_indices()
        .filter(|(at, c)| *c != ' ' && (*at == 0 || header[..*at].ends_with("  ")))
        .map(|(at, _)| at)
        .collect();
    let row = |line: &str| {
        let letters: Vec<char> = line.chars().collect();
        let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
        let cells = starts.iter().zip(ends).map(|(start, end)| {
            let cell: String = letters.iter().take(end).skip(*start).collect();
            cell.trim_end().to_owned()
        });
        cells.collect()
    };
    lines.map(row).collect()
}

fn table(text: &str) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut all = text.lines().take_while(|line| !line.is_empty());
    let Some(header) = all.next().filter(|header| header.starts_with("PLACE ")) else {
        return told;
    };
    for line in all {
        if let Some(fix) = line.strip_prefix("  fix   ") {
            let last = &mut told.last_mut().expect("a finding").fix;
            *last = if last.is_empty() {
                fix.to_owned()
            } else {
                format!("{last}; {fix}")
            };
        } else if let Some(help) = line.strip_prefix("  help  ") {
            told.last_mut().expect("a finding").help = help.to_owned();
        } else {
            let row = &rows(header, [line].into_iter())[0];
            told.push(finding(&row[0], &row[2], &row[4]));
        }
    }
    told
}

fn wide(text: &str) -> Vec<Told> {
    let mut all = text.lines().take_while(|line| !line.is_empty());
    let Some(header) = all.next().filter(|header| header.starts_with("PLACE ")) else {
        return Vec::new();
    };
    let rows = rows(header, all).into_iter().map(|row| Told {
        fix: if row[8] == "-" { String::new() } else { row[8].clone() },
        help: row[9].clone(),
        ..finding(&row[0], &row[2], &row[7])
    });
    rows.collect()
}

fn finding(place: &str, rule: &str, message: &str) -> Told {
    let (file, line) = file_and_line(place);
    Told {
        rule: rule.to_owned(),
        file,
        line,
        note: note_in(message),
        ..Told::default()
    }
}
