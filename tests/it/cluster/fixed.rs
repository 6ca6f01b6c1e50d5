//! Every printed fix works: a program that knows only the grammar of a denial's lines applies them, and then the API server
//! stores the object and dorgu allows it.
//!
//! `DORGU_FIX_CASES` and `DORGU_FIX_SEED` choose how many denials and which.

pub(crate) mod generate;
pub(super) mod lines;

use std::env;
use std::fs;
use std::time::Instant;

use http::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::api_server::{Ask, Reply, ask_all};
use crate::bed::{Bed, Dorgu, Options, Registration};
use generate::{APPS, Generator, Question, personas};
use lines::Said;

const CASES: usize = 150;
const SEED: u64 = 20_261_129;
/// Findings of one denial; what has more is fixed in rounds.
const FINDINGS: usize = 40;
/// Failures that are shown.
const SHOWN: usize = 5;

#[test]
fn what_a_denial_says_to_change_is_stored_and_allowed() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let start = Instant::now();
    let cases = number("DORGU_FIX_CASES").unwrap_or(CASES);
    let seed = number("DORGU_FIX_SEED").map_or(SEED, |seed| seed as u64);
    let namespace = bed.namespace("fixed", &[("dorgu.io/validate", "true")]);
    let folder = TempDir::new().expect("a folder");
    let documents: Vec<String> = personas(&namespace).iter().map(Value::to_string).collect();
    assert!(documents.len() > APPS);
    fs::write(folder.path().join("personas.yaml"), documents.join("\n---\n")).expect("written");
    let dorgu = Dorgu::with_personas(folder.path(), &["--webhook-mode=enforcing"]);
    let proxy = bed.proxy_url();

    let mut generator = Generator::new(seed, &namespace);
    // Some are good as they are, and some are refused by the API server itself.
    let mut questions: Vec<Question> = (0..3 * cases as u64).map(|number| generator.question(number)).collect();
    // Stored while nothing is registered, so that what is stored may be denied.
    let stored = questions.iter().filter(|question| question.stored.is_some());
    let replies = ask_all(&proxy, stored.map(|question| store(&namespace, question)));
    let mut replies = replies.iter();
    questions.retain(|question| question.stored.is_none() || replies.next().is_some_and(Reply::succeeded));
    bed.register(&Registration::of(&dorgu, &namespace));

    let asked = ask_all(&proxy, questions.iter().map(|question| ask(&namespace, question)));
    let mut tally = Tally::default();
    let mut fixed = Vec::new();
    for (question, reply) in questions.into_iter().zip(&asked) {
        let findings = reply.body["details"]["causes"].as_array().map_or(0, Vec::len);
        match reply.status {
            403 if findings <= FINDINGS && fixed.len() < cases => fixed.extend(tally.fix(question, reply)),
            403 => tally.beyond += 1,
            422 => tally.invalid_before += 1,
            _ => tally.allowed += 1,
        }
    }
    let again = ask_all(&proxy, fixed.iter().map(|(question, _)| ask(&namespace, question)));
    for ((question, denial), reply) in fixed.iter().zip(&again) {
        tally.settle(question, denial, reply);
    }
    for command in tally.commands.iter().take(20) {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        bed.kubectl(&words).expect_success();
    }
    let denials = fixed.len();
    println!(
        "seed {seed}: {denials} denials in {:.1?}; {}",
        start.elapsed(),
        tally.line()
    );
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n\n"));
    assert_eq!((denials, tally.stored), (cases, cases));
    assert!(
        tally.scales > cases / 50 && tally.updates > cases / 5,
        "{}",
        tally.line()
    );
}

/// What became of the questions.
#[derive(Default)]
struct Tally {
    allowed: usize,
    invalid_before: usize,
    beyond: usize,
    findings: usize,
    lines: usize,
    updates: usize,
    scales: usize,
    stored: usize,
    invalid_after: usize,
    denied_again: usize,
    commands: Vec<String>,
    failures: Vec<String>,
}

impl Tally {
    /// The question as the denial's lines change it, and the denial.
    fn fix(&mut self, mut question: Question, reply: &Reply) -> Option<(Question, String)> {
        let denial = reply.body["message"].as_str().unwrap_or_default().to_owned();
        let applied = Said::read(&denial).and_then(|said| {
            if said.more || said.lines.is_empty() {
                return Err("something is left out".to_owned());
            }
            if question.is_scale() && said.commands.len() != 1 {
                return Err("no command".to_owned());
            }
            self.lines += said.lines.len();
            self.commands
                .extend(said.commands.iter().map(|command| (*command).to_owned()));
            said.lines.iter().try_for_each(|line| line.apply(&mut question.object))
        });
        if let Err(why) = applied {
            self.fail(format!("{why}\n{denial}"));
            return None;
        }
        self.findings += reply.body["details"]["causes"].as_array().map_or(0, Vec::len);
        self.scales += usize::from(question.is_scale());
        self.updates += usize::from(!question.is_scale() && question.stored.is_some());
        Some((question, denial))
    }

    fn settle(&mut self, question: &Question, denial: &str, reply: &Reply) {
        match reply.status {
            200 | 201 => self.stored += 1,
            status => {
                self.invalid_after += usize::from(status == 422);
                self.denied_again += usize::from(status == 403);
                let stored = question.stored.as_ref().map(|stored| format!("{:#}", stored["spec"]));
                self.fail(format!(
                    "{denial}\nafterwards {status}: {}\n{:#}\nstored before: {}",
                    reply.body["message"].as_str().unwrap_or_default(),
                    question.object,
                    stored.unwrap_or_default()
                ));
            }
        }
    }

    fn fail(&mut self, why: String) {
        if self.failures.len() < SHOWN {
            self.failures.push(why);
        }
    }

    fn line(&self) -> String {
        format!(
            "{} findings in {} lines, {} updates, {} Scales; afterwards {} stored, {} invalid, {} denied again; besides \
             {} allowed, {} invalid as they were, {} more denials",
            self.findings,
            self.lines,
            self.updates,
            self.scales,
            self.stored,
            self.invalid_after,
            self.denied_again,
            self.allowed,
            self.invalid_before,
            self.beyond
        )
    }
}

fn deployments(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments")
}

fn store(namespace: &str, question: &Question) -> Ask {
    Ask {
        method: Method::POST,
        path: deployments(namespace),
        body: question.stored.clone().unwrap_or_default(),
    }
}

fn ask(namespace: &str, question: &Question) -> Ask {
    let all = deployments(namespace);
    let (method, path) = match (question.is_scale(), question.stored.is_some()) {
        (true, _) => (Method::PUT, format!("{all}/{}/scale", question.name)),
        (false, true) => (Method::PUT, format!("{all}/{}", question.name)),
        (false, false) => (Method::POST, all),
    };
    let body = question.object.clone();
    Ask { method, path, body }
}

pub(crate) fn number(variable: &str) -> Option<usize> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{variable}={text}: {error}")),
    )
}
