//! `dorgu check` says what the enforcing webhook then really does: generated pairs of stored and new Deployments are judged as
//! files, then sent to a real API server. The settings that decide are varied.
//!
//! `DORGU_CHECK_CASES` and `DORGU_CHECK_SEED` choose how many pairs for each setting and which. The first updates of each setting
//! are files for the program, too, as CI would run it: `DORGU_CHECK_UPDATES`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use dorgu::api::levels::Level;
use dorgu::check::{Judge, Judgement, Stored};
use dorgu::policy::render::Message;
use dorgu::policy::{Matching, Mode, Moment, PlatformRules, Rule, RuleSet, Rulebook, Severity};
use dorgu::world::{self, Deciding};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::api_server::{Ask, Reply, ask_all};
use super::fixed::{generate::Generator, generate::Question, generate::personas, number};
use crate::bed::{Bed, Dorgu, Options, Registration};

const CASES: usize = 60;
const UPDATES: usize = 6;
const SEED: u64 = 20_261_130;

/// One way to run the process, and the same for a check.
struct Setting {
    name: &'static str,
    flags: &'static [&'static str],
    deciding: fn() -> Deciding,
    /// The mode that the namespace asks for.
    namespace_mode: Option<&'static str>,
}

fn deciding(set: RuleSet, mode: Mode) -> Deciding {
    Deciding {
        rulebook: Rulebook { set, mode },
        ..Deciding::default()
    }
}

const RAISED: [Rule; 4] = [
    Rule::CpuLimitAbovePersona,
    Rule::MemoryLimitMissing,
    Rule::WritableRootFilesystem,
    Rule::ReplicasAboveMaximum,
];

const SETTINGS: [Setting; 5] = [
    Setting {
        name: "enforcing",
        flags: &["--webhook-mode=enforcing"],
        deciding: || deciding(RuleSet::Complete, Mode::Enforcing),
        namespace_mode: None,
    },
    Setting {
        name: "by-namespace",
        flags: &["--webhook-mode=advisory"],
        deciding: || deciding(RuleSet::Complete, Mode::Advisory),
        namespace_mode: Some("enforcing"),
    },
    Setting {
        name: "raised",
        flags: &[
            "--webhook-mode=enforcing",
            "--rule-level=cpu-limit-above-persona=deny,memory-limit-missing=deny",
            "--rule-level=writable-root-filesystem=deny,replicas-above-maximum=deny,run-as-non-root=off",
        ],
        deciding: || {
            let mut platform = PlatformRules::NONE;
            for rule in RAISED {
                platform.require(rule.settable().expect("it has a level"), Level::Deny);
            }
            platform.require(Rule::RunAsNonRoot.settable().expect("it has a level"), Level::Off);
            Deciding {
                platform,
                ..deciding(RuleSet::Complete, Mode::Enforcing)
            }
        },
        namespace_mode: None,
    },
    Setting {
        name: "chain",
        flags: &["--webhook-mode=enforcing", "--match=chain"],
        deciding: || Deciding {
            matching: Matching::Chain,
            ..deciding(RuleSet::Complete, Mode::Enforcing)
        },
        namespace_mode: None,
    },
    Setting {
        name: "upstream",
        flags: &["--webhook-mode=enforcing", "--rules=upstream"],
        deciding: || deciding(RuleSet::Upstream, Mode::Enforcing),
        namespace_mode: None,
    },
];

#[test]
fn a_check_says_what_the_webhook_then_does() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let cases = number("DORGU_CHECK_CASES").unwrap_or(CASES);
    let seed = number("DORGU_CHECK_SEED").map_or(SEED, |seed| seed as u64);
    let mut tally = Tally::default();
    for (position, setting) in (0..).zip(&SETTINGS) {
        compare(&bed, setting, (cases, seed + position), &mut tally);
    }
    println!("seed {seed}: {tally:?}");
    assert!(tally.differences.is_empty(), "{}", tally.differences.join("\n\n"));
    let asked = tally.denied + tally.allowed;
    assert!(
        asked > SETTINGS.len() * cases / 2 && tally.denied > asked / 5 && tally.allowed > asked / 10,
        "{tally:?}"
    );
    let least = (SETTINGS.len() * updates()).min(tally.updates);
    assert!(
        tally.compared >= least * 3 / 4 && tally.failed > tally.compared / 10 && tally.failed < tally.compared,
        "{tally:?}"
    );
    assert!(tally.updates > asked / 4 && tally.warnings > asked / 5, "{tally:?}");
}

fn updates() -> usize {
    number("DORGU_CHECK_UPDATES").unwrap_or(UPDATES)
}

#[derive(Debug, Default)]
struct Tally {
    denied: usize,
    allowed: usize,
    /// Refused by the API server itself.
    invalid: usize,
    updates: usize,
    /// Updates that the program compared as files, and those of them that failed.
    compared: usize,
    failed: usize,
    warnings: usize,
    differences: Vec<String>,
}

/// What a check found: the messages that refuse, and those that warn.
type Found = (Vec<String>, Vec<String>);

fn compare(bed: &Bed, setting: &Setting, (cases, seed): (usize, u64), tally: &mut Tally) {
    let start = Instant::now();
    let namespace = bed.namespace(setting.name, &[("dorgu.io/validate", "true")]);
    let folder = TempDir::new().expect("a folder");
    let mut documents: Vec<String> = personas(&namespace).iter().map(Value::to_string).collect();
    if let Some(mode) = setting.namespace_mode {
        let labels = json!({"dorgu.io/mode": mode});
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels},
        });
        documents.push(namespace.to_string());
    }
    fs::write(folder.path().join("personas.yaml"), documents.join("\n---\n")).expect("written");

    let mut generator = Generator::new(seed, &namespace);
    let questions = (0..cases as u64).map(|number| generator.question(number));
    let mut questions: Vec<Question> = questions.filter(|question| !question.is_scale()).collect();
    let proxy = bed.proxy_url();
    let all = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    // Stored while nothing is registered, so that what is stored may be denied.
    let store = |stored: &Value| Ask {
        method: Method::POST,
        path: all.clone(),
        body: stored.clone(),
    };
    let replies = ask_all(
        &proxy,
        questions
            .iter()
            .filter_map(|question| question.stored.as_ref())
            .map(store),
    );
    let mut replies = replies.iter();
    questions.retain(|question| question.stored.is_none() || replies.next().is_some_and(Reply::succeeded));

    let deciding = (setting.deciding)();
    let at = Moment(0);
    let index = deciding.index(Some(at));
    let loaded = world::read(&[PathBuf::from(folder.path())], &index).expect("the personas are read");
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let snapshot = index.load();
    let judge = Judge::of(&deciding, &snapshot, at);
    let found: Vec<Found> = questions
        .iter()
        .map(|question| check(&judge, question, &namespace))
        .collect();

    let dorgu = Dorgu::with_personas(folder.path(), setting.flags);
    bed.register(&Registration::of(&dorgu, &namespace));
    let ask = |question: &Question| {
        let (method, path) = match question.stored {
            Some(_) => (Method::PUT, format!("{all}/{}", question.name)),
            None => (Method::POST, all.clone()),
        };
        let body = question.object.clone();
        Ask { method, path, body }
    };
    let replies = ask_all(&proxy, questions.iter().map(ask));
    let mut left = updates();
    for ((question, (denied, warned)), reply) in questions.iter().zip(&found).zip(&replies) {
        let said = reply.body["message"].as_str().unwrap_or_default();
        let mut difference = |what: String| {
            if tally.differences.len() < 5 {
                let stored = question.stored.as_ref().map(|stored| format!("{stored:#}"));
                tally.differences.push(format!(
                    "{}: {what}\nchecked: {denied:?}\nwarned: {warned:?}\n{} {said}\n{:#}\nstored before: {}",
                    setting.name,
                    reply.status,
                    question.object,
                    stored.unwrap_or_default()
                ));
            }
        };
        tally.updates += usize::from(question.stored.is_some());
        if let Some(stored) = question.stored.as_ref().filter(|_| left > 0 && reply.status != 422) {
            left -= 1;
            let (code, said) = compare_files(folder.path(), &namespace, setting.flags, (stored, &question.object));
            let wanted = i32::from(reply.status == 403);
            tally.compared += 1;
            tally.failed += usize::from(code == Some(1));
            if code != Some(wanted) {
                difference(format!("check --old ended with {code:?} and not {wanted}: {said}"));
            }
        }
        match reply.status {
            403 => {
                tally.denied += 1;
                if denied.is_empty() {
                    difference("denied, and the check passed".to_owned());
                }
                // A long denial is cut.
                let missing = denied.iter().find(|line| !said.contains(line.as_str()));
                if let Some(line) = missing.filter(|_| !said.contains(" more")) {
                    difference(format!("the denial does not say {line}"));
                }
            }
            200 | 201 => {
                tally.allowed += 1;
                tally.warnings += warned.len();
                if !denied.is_empty() {
                    difference("stored, and the check failed".to_owned());
                }
                let is_said = |line: &&String| reply.warnings.iter().any(|warning| warning.contains(line.as_str()));
                let is_cut = reply.warnings.iter().any(|warning| warning.contains(" more"));
                if let Some(line) = warned.iter().find(|line| !is_said(line)).filter(|_| !is_cut) {
                    difference(format!("no warning says {line}; they say {:?}", reply.warnings));
                }
            }
            422 => tally.invalid += 1,
            status => difference(format!("answered with {status}")),
        }
    }
    println!("{}: {} pairs in {:.1?}", setting.name, questions.len(), start.elapsed());
}

fn check(judge: &Judge<'_>, question: &Question, namespace: &str) -> Found {
    let new = Stored::of(question.object.clone(), namespace);
    let old = question.stored.clone().map(|stored| Stored::of(stored, namespace));
    let judged = judge.judge(&new, old.as_ref(), |judgement, _| match judgement {
        Judgement::Ungoverned => Found::default(),
        Judgement::Decided(decision) => {
            let all = decision.findings().filter(|found| found.severity() > Severity::Info);
            let (denied, warned): (Vec<_>, Vec<_>) = all.partition(|found| found.refuses());
            let counts = |found: &&&dorgu::policy::AttributedFinding<'_>| {
                found.severity() == Severity::Error && !found.is_kept() && found.exception().is_none()
            };
            // What counts for the exit code is what an enforcing mode refuses.
            assert_eq!(denied.iter().filter(counts).count(), denied.len());
            assert_eq!(warned.iter().filter(counts).count(), 0, "{warned:?}");
            let words = |list: Vec<&dorgu::policy::AttributedFinding<'_>>| {
                list.into_iter()
                    .map(|found| Message(found.finding()).to_string())
                    .collect()
            };
            (words(denied), words(warned))
        }
    });
    judged.unwrap_or_else(|error| panic!("{error}: {}", question.object))
}

/// Runs `dorgu check --old` over files that hold an update, and returns its exit code and what it said.
fn compare_files(
    personas: &Path,
    namespace: &str,
    flags: &[&str],
    (old, new): (&Value, &Value),
) -> (Option<i32>, String) {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, object: &Value| {
        let file = folder.path().join(name);
        fs::write(&file, format!("{object:#}")).expect("written");
        file
    };
    let (old, new) = (write("old.json", old), write("new.json", new));
    // The mode is said otherwise here, and changes no exit code.
    let flags = flags.iter().map(|flag| flag.replace("--webhook-mode", "--mode"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_dorgu"));
    command
        .args(["check", "--namespace", namespace, "--personas"])
        .arg(personas);
    command.arg("--old").arg(old).args(flags).arg(new);
    let output = command.output().expect("the program runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}
