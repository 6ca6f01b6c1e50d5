//! Compares the pages about rules and bypasses with the rules and the corpus. An unexplained rule, an example that does not do
//! what the page says and a renamed case each fail here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use dorgu::policy::{
    Governed, Mode, ModeWish, ObjectLabels, Old, Question, Rule, RuleSet, Rulebook, Severity, Subject, Workload,
    decide, judge_unlabelled,
};

use super::{Answer, Case, Expect, Words, governed};

/// Classes that must be caught and that a case can express. Of the others, 14, 15 and 17 are states and sizes of the server,
/// and 11, 18 and 19 are out of scope.
const CLOSED: [u8; 23] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16, 20, 21, 22, 23, 24, 25, 26, 27, 30, 31,
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The sections of docs/rules.md that are named after a rule, by that name.
fn sections() -> BTreeMap<String, String> {
    let text = read("docs/rules.md");
    let mut sections = BTreeMap::new();
    for section in text.split("\n## ").skip(1) {
        let (heading, body) = section.split_once('\n').expect("a section has a body");
        if heading.starts_with(char::is_lowercase) {
            let before = sections.insert(heading.to_owned(), body.to_owned());
            assert!(before.is_none(), "docs/rules.md explains {heading} twice");
        }
    }
    sections
}

#[test]
fn every_rule_has_a_section_and_every_section_a_rule() {
    let named: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    let explained = sections();
    let explained: BTreeSet<&str> = explained.keys().map(String::as_str).collect();
    assert_eq!(
        named, explained,
        "rules on the left, sections of docs/rules.md on the right"
    );
}

#[test]
fn every_section_says_how_much_its_rule_weighs() {
    for rule in Rule::ALL {
        let section = &sections()[rule.name()];
        let row = format!("\n| under `complete` | {}", rule.severity().as_str());
        assert!(
            section.contains(&row),
            "docs/rules.md, {}: no row '{}'",
            rule.name(),
            row.trim()
        );
        for row in ["under `upstream`", "text", "field", "contract"] {
            assert!(
                section.contains(&format!("\n| {row} | ")),
                "docs/rules.md, {}: no row '{row}'",
                rule.name()
            );
        }
        assert!(
            section.contains("t 3 a.m.: "),
            "docs/rules.md, {}: what to type at 3 a.m.?",
            rule.name()
        );
    }
}

#[test]
fn every_example_does_what_it_says() {
    for rule in Rule::ALL {
        let section = &sections()[rule.name()];
        // Users who deploy never see the first; the second concerns no Deployment.
        if rule.severity() == Severity::Info || rule == Rule::ObjectUnreadable {
            continue;
        }
        let found = |title, set| found(&example(section, title), set);
        assert!(
            found("violation", RuleSet::Complete).contains(&rule),
            "{}: the violation is none",
            rule.name()
        );
        assert!(
            !found("fix", RuleSet::Complete).contains(&rule),
            "{}: the fix fixes nothing",
            rule.name()
        );
        assert_eq!(
            found("violation", RuleSet::Upstream).contains(&rule),
            !section.contains("\n| under `upstream` | not checked"),
            "{}: what upstream does",
            rule.name()
        );
    }
}

/// What is stored and asked in one example.
fn example(section: &str, title: &str) -> Case {
    let blocks: BTreeMap<&str, &str> = section
        .split("\n```yaml\n# ")
        .skip(1)
        .map(|block| block.split("\n```").next().expect("a block has an end"))
        .map(|block| block.split_once('\n').expect("a block has a title and a body"))
        .collect();
    let mut case = Case {
        platform: Vec::new(),
        exceptions: Vec::new(),
        now: None,
        help: Words::default(),
        personas: Vec::new(),
        namespaces: Vec::new(),
        matching: None,
        requires_label: false,
        default_personas_namespace: None,
        deployment: Some(deployment(json!({}))),
        old_deployment: None,
        scale: None,
        old_scale: None,
        review: None,
        expect: Expect {
            complete: None,
            upstream: None,
        },
        closes: Vec::new(),
        file: PathBuf::from("docs/rules.md"),
    };
    for document in documents(blocks.get("stored").copied()) {
        case.old_deployment = Some(deployment(document));
    }
    for document in documents(Some(blocks.get(title).copied().expect("the example is there"))) {
        match document["kind"].as_str() {
            Some("ApplicationPersona") => case.personas.push(persona(document)),
            Some("Deployment") => case.deployment = Some(deployment(document)),
            Some("Namespace") => case
                .namespaces
                .push(over(document, json!({"metadata": {"name": "shop"}}))),
            kind => panic!("{title}: {kind:?}"),
        }
    }
    if case.personas.is_empty() {
        let mut personas: Vec<Value> = documents(blocks.get("persona").copied())
            .into_iter()
            .map(persona)
            .collect();
        if personas.is_empty() {
            personas.push(persona(json!({})));
        }
        case.personas = personas;
    }
    case
}

fn documents(block: Option<&str>) -> Vec<Value> {
    let parse = |text| serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    block
        .map(|block| block.split("\n---\n").map(parse).collect())
        .unwrap_or_default()
}

fn persona(shown: Value) -> Value {
    let rest = json!({"metadata": {"name": "orders", "namespace": "shop"}, "spec": {"name": "orders", "type": "api"}});
    over(shown, rest)
}

fn deployment(shown: Value) -> Value {
    let mut rest = json!({
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "api"}]}}},
    });
    if shown["metadata"]["labels"].is_null() {
        rest["metadata"]["labels"] = json!({"app.kubernetes.io/name": "orders"});
    }
    over(shown, rest)
}

/// What an example shows, over what it leaves out.
fn over(shown: Value, rest: Value) -> Value {
    match (shown, rest) {
        (Value::Object(shown), Value::Object(mut rest)) => {
            for (key, value) in shown {
                let below = rest.remove(&key).unwrap_or(Value::Null);
                rest.insert(key, over(value, below));
            }
            Value::Object(rest)
        }
        (Value::Null, rest) => rest,
        (shown, _) => shown,
    }
}

/// The rules that an enforcing process finds broken.
fn found(case: &Case, set: RuleSet) -> BTreeSet<Rule> {
    let snapshot = case.snapshot();
    let text = |object: &Option<Value>| object.as_ref().map(ToString::to_string);
    let (new, stored) = (
        text(&case.deployment).expect("a Deployment"),
        text(&case.old_deployment),
    );
    let new: Workload<'_> = serde_json::from_str(&new).expect("the example is a Deployment");
    let read = || serde_json::from_str::<Workload<'_>>(stored.as_deref()?).ok();
    let before = read();
    let (mut narrowed, mut narrowed_before) = (None, None);
    let no_labels = ObjectLabels::Json("");
    let snapshot_of = (&snapshot, set);
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed: governed(snapshot_of, "shop", &new.metadata.labels.name, no_labels, &mut narrowed),
        old: before.as_ref().map(|before| Old {
            governed: governed(
                snapshot_of,
                "shop",
                &before.metadata.labels.name,
                no_labels,
                &mut narrowed_before,
            ),
            workload: &read,
        }),
        namespace: "shop",
        namespace_mode: case
            .namespaces
            .first()
            .map_or(&ModeWish::Unset, |_| snapshot.namespace_mode("shop")),
        platform: snapshot.platform(),
    };
    let mode = Mode::Enforcing;
    let rulebook = Rulebook { set, mode };
    let is_governed = [Some(question.governed), question.old.as_ref().map(|old| old.governed)];
    let decision = match is_governed.iter().flatten().all(Governed::is_empty) && set == RuleSet::Complete {
        // As with --require-label.
        true => judge_unlabelled(rulebook, &question).expect("the rule is on"),
        false => decide(rulebook, &question),
    };
    decision.findings().map(|charge| charge.finding().rule).collect()
}

/// The words that identify a rule in an answer; `None` for a rule that users who deploy never see.
fn words(rule: Rule) -> Option<&'static [&'static str]> {
    Some(match rule {
        Rule::CpuLimitAbovePersona => &["CPU limit ", " exceeds persona limit "],
        Rule::MemoryLimitAbovePersona => &["Memory limit ", " exceeds persona limit "],
        Rule::CpuLimitMissing => &["] no CPU limit; persona limit "],
        Rule::MemoryLimitMissing => &["] no Memory limit; persona limit "],
        Rule::RequestsMissing => &["] no resource requests; persona sets resources"],
        Rule::ReplicasBelowMinimum => &["replicas (", ") below persona minimum ("],
        Rule::ReplicasAboveMaximum => &["replicas (", ") above persona maximum ("],
        Rule::LivenessProbeMissing => &["] no liveness probe; persona expects path /"],
        Rule::LivenessPathDiffers => return None,
        Rule::ReadinessProbeMissing => &["] no readiness probe; persona expects path /"],
        Rule::RunAsNonRoot => &["persona requires runAsNonRoot but Deployment does not enforce it"],
        Rule::PrivilegeEscalation => &["] privilege escalation enabled but persona forbids it"],
        Rule::PrivilegeEscalationUnset => &["] allowPrivilegeEscalation not set, which means true; persona forbids it"],
        Rule::WritableRootFilesystem => &["] root filesystem writable; persona requires readOnlyRootFilesystem"],
        Rule::ImageRegistryNotAllowed => &["] image ", " is not allowed; persona allows "],
        Rule::ImageTagLatest => &["] image ", " has no tag, which means latest; persona forbids latest"],
        Rule::ImageDigestMissing => &["] image ", " has no digest; persona requires a digest"],
        Rule::AppLabelRemoved => &[
            "label app.kubernetes.io/name removed; ApplicationPersona '",
            "' governs this Deployment",
        ],
        Rule::AppLabelChanged => &[
            "label app.kubernetes.io/name changed to '",
            "', which no ApplicationPersona governs; ",
        ],
        Rule::AppLabelMissing => &["Deployment has no app.kubernetes.io/name label"],
        Rule::PersonaValueUnreadable => &["ApplicationPersona '", "' is not a quantity; check skipped"],
        Rule::PersonaDuplicate => &["ApplicationPersonas '", "' share spec.name '", "'; all apply"],
        Rule::ModeUnknown => &["dorgu.io/mode '", "' is not one of advisory, enforcing; ignored"],
        Rule::ObjectUnreadable => &["dorgu could not read this object (", "); it was not checked"],
    })
}

#[test]
fn every_rule_is_shown_by_a_case() {
    let cases = Case::all();
    let answers = cases
        .iter()
        .flat_map(|case| [&case.expect.complete, &case.expect.upstream])
        .flatten();
    let answers: Vec<&Answer> = answers
        .flat_map(|modes| [&modes.advisory, &modes.enforcing, &modes.both])
        .flatten()
        .collect();
    for rule in Rule::ALL {
        let Some(words) = words(rule) else {
            assert_eq!(rule.severity(), Severity::Info, "{}", rule.name());
            continue;
        };
        let says = |text: &String| words.iter().all(|words| text.contains(words));
        let shown = answers
            .iter()
            .any(|answer| says(&answer.message) || answer.warnings.iter().any(says));
        assert!(shown, "no case shows {}", rule.name());
        let refuses = answers.iter().any(|answer| !answer.allowed && says(&answer.message));
        // With levels, others deny, too.
        let must = rule.severity() == Severity::Error;
        assert!(refuses || !must, "{} in a denial", rule.name());
    }
}

/// The sections of docs/bypass.md that are about a class, by its number.
fn classes(text: &str) -> BTreeMap<u8, String> {
    let class = |section: &str| {
        let (class, body) = section.split_once(". ")?;
        Some((class.parse().ok()?, body.to_owned()))
    };
    text.split("\n## ").filter_map(class).collect()
}

/// What is linked to, below a folder.
fn links<'a>(text: &'a str, folder: &str) -> BTreeSet<&'a str> {
    let from_docs = format!("](../{folder}/");
    text.split(from_docs.as_str())
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect()
}

#[test]
fn the_bypass_page_names_exactly_the_cases_that_close_a_class() {
    let classes = classes(&read("docs/bypass.md"));
    assert_eq!(
        classes.keys().copied().collect::<Vec<_>>(),
        (1..=32).collect::<Vec<u8>>(),
        "one section a class"
    );
    let mut closing: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
    for case in Case::all() {
        for class in &case.closes {
            closing
                .entry(*class)
                .or_default()
                .insert(format!("{}.yaml", case.name()));
        }
    }
    for class in CLOSED {
        assert!(closing.contains_key(&class), "no case closes class {class}");
    }
    for (class, section) in &classes {
        let named = links(section, "tests/cases");
        let closing = closing.remove(class).unwrap_or_default();
        let closing: BTreeSet<&str> = closing.iter().map(String::as_str).collect();
        assert_eq!(
            named, closing,
            "class {class}: docs/bypass.md on the left, `closes` on the right"
        );
    }
    assert!(
        closing.is_empty(),
        "`closes` names classes that are none: {:?}",
        closing.keys()
    );
}

#[test]
fn the_bypass_page_names_nothing_that_is_gone() {
    let text = read("docs/bypass.md");
    for file in links(&text, "tests/cases") {
        assert!(
            root().join("tests/cases").join(file).is_file(),
            "docs/bypass.md names the case {file}"
        );
    }
    // Rust tests are named `path.rs::name`.
    let tests: Vec<(&str, &str)> = text
        .split('`')
        .filter_map(|word| word.split_once(".rs::"))
        .filter(|(file, _)| !file.contains(' '))
        .collect();
    assert!(tests.len() > 5, "docs/bypass.md names Rust tests: {tests:?}");
    for (file, test) in tests {
        let source = read(&format!("{file}.rs"));
        assert!(
            source.contains(&format!("fn {test}(")),
            "docs/bypass.md names {file}.rs::{test}"
        );
    }
    let rules = read("docs/rules.md");
    let headings = rules.lines().filter_map(|line| line.strip_prefix("## "));
    let anchors: BTreeSet<String> = headings
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    for anchor in text
        .split("](rules.md#")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
    {
        assert!(anchors.contains(anchor), "docs/bypass.md links to rules.md#{anchor}");
    }
}

#[test]
fn every_case_begins_with_what_it_shows() {
    for case in Case::all() {
        let text = std::fs::read_to_string(&case.file).expect("it was read before");
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("# ") && first.len() > 16,
            "{}: no sentence in the first line",
            case.name()
        );
        let modes = [&case.expect.complete, &case.expect.upstream].into_iter().flatten();
        let whole =
            |modes: &super::Modes| modes.both.is_some() != (modes.advisory.is_some() && modes.enforcing.is_some());
        assert!(
            modes.clone().count() > 0 && modes.clone().all(whole),
            "{}: both, or advisory and enforcing",
            case.name()
        );
        let sentence = case.name();
        let fine = |letter: char| letter.is_ascii_alphanumeric() || "_/".contains(letter);
        assert!(sentence.chars().all(fine), "{sentence}: a file is named as a sentence");
    }
}
