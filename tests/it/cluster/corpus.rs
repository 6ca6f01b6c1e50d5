//! Runs the corpus through a real API server that calls the real process.
//!
//! Every case gets a namespace of its own, where its old object is stored while nothing is registered. Then it is requested,
//! always as a dry run: once without the webhook, and once for every rule set and mode. What the API server itself rejects
//! cannot be sent to us; what it warns of itself, it warns of in addition to us. This file knows no rule: the expected answers
//! are the corpus's.

mod question;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Instant;

use dorgu::policy::{Mode, RuleSet};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::api_server::{Ask, Reply, ask_all};
use super::warnings::recorded;
use crate::bed::{Bed, Dorgu, Options, Registration};
use crate::cases::{Answer, Case, Words};
use crate::https;
use question::MATCH;
pub(crate) use question::Question;

/// Reviews for each rule set and mode, a few fewer than when this was written. Less would mean that the corpus, or what can be
/// sent through an API server, has become smaller unnoticed.
const REVIEWS: usize = 290;
pub(crate) const MATCHINGS: [&str; 2] = ["label", "chain"];
const FAIL_OPEN: &str = "apiserver_admission_webhook_fail_open_count";

#[test]
fn the_api_server_hands_on_what_each_case_says() {
    // Not the shared one: other tests stop their servers. The API server would then continue without those webhooks, or roll
    // out what this test stores.
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let start = Instant::now();
    let (mut report, mut left_out) = (Report::default(), LeftOut::default());
    let questions = questions(&mut left_out);
    let personas = write_personas(&questions);
    let processes = Processes::start(&personas);
    let questions = left_out.keep_served(questions, &processes.refused_files());
    let proxy = bed.proxy_url();
    let ready = prepare(&proxy, questions, &mut left_out);
    report.lines.push(format!("{:.1?} to prepare", start.elapsed()));

    let watched = bed.namespace("corpus", &[("dorgu.io/validate", "true")]);
    let failed_open = bed.metric(FAIL_OPEN);
    for (set, mode) in Case::COLUMNS {
        processes.register(&bed, &watched, set, mode);
        let expected = |ready| Some((ready, Ready::expected(ready, set, mode)?));
        let asked: Vec<(&Ready, Answer)> = ready.iter().filter_map(expected).collect();
        let begun = Instant::now();
        let replies = ask_all(&proxy, asked.iter().map(|(ready, _)| ready.question.ask()));
        report.compare(set, mode, &asked, &replies);
        report.lines.push(format!(
            "{set:?}, {mode}: {} asked in {:.1?}",
            asked.len(),
            begun.elapsed()
        ));
        for matching in MATCHINGS {
            let of_it = |(ready, _): &&(&Ready, _)| ready.sent && ready.question.matching() == matching;
            let expected = asked.iter().filter(of_it).count();
            let arrived = reviews(processes.of(set, mode, matching));
            report.expect_reviews(set, mode, matching, expected, arrived);
        }
        let sent = asked.iter().filter(|(ready, _)| ready.sent).count();
        report.expect_at_least(REVIEWS, sent, set, mode);
    }
    let by_itself = bed.metric(FAIL_OPEN) - failed_open;
    if by_itself > 0.0 {
        report.differ(format!("the API server went on without us {by_itself} times"));
    }
    report.lines.push(format!("{:.1?} in all", start.elapsed()));
    println!("{report}\n{left_out}");
    assert!(report.differences.is_empty(), "{report}\n{left_out}");
}

/// A question that the API server takes.
struct Ready {
    question: Question,
    /// The warnings of the API server itself.
    own: Vec<String>,
    /// Whether the registration's conditions let it through to us.
    sent: bool,
}

impl Ready {
    /// What a client should see, if the case speaks of this rule set and mode.
    fn expected(&self, set: RuleSet, mode: Mode) -> Option<Answer> {
        let answer = self.question.answer(set, mode)?;
        let allowed = answer.allowed || !self.sent;
        let ours = if self.sent { answer.warnings } else { Vec::new() };
        Some(Answer {
            allowed,
            message: if allowed { String::new() } else { answer.message },
            warnings: recorded(self.own.iter().chain(&ours)),
        })
    }
}

/// Makes namespaces, stores old objects and asks the API server alone; what it refuses is left out.
fn prepare(proxy: &str, questions: Vec<Question>, left_out: &mut LeftOut) -> Vec<Ready> {
    let mut take = |why, questions: Vec<Question>, ask: &dyn Fn(&Question) -> Option<Ask>| {
        let (asked, others): (Vec<_>, Vec<_>) = questions.into_iter().partition(|question| ask(question).is_some());
        let replies = ask_all(proxy, asked.iter().filter_map(ask));
        let taken = left_out.keep_taken(why, asked.into_iter().zip(replies));
        (taken, others)
    };
    let (made, _) = take("their namespace is refused", questions, &|q| Some(q.make_namespace()));
    let made = made.into_iter().map(|(question, _)| question).collect();
    let (stored, news) = take("their old object is refused", made, &Question::store);
    let stored = stored.into_iter().map(|(question, _)| question).collect();
    let (leaving, staying) = take("their old object cannot be deleted", stored, &Question::delete);
    let leaving = leaving.into_iter().map(|(question, _)| question);
    let all = leaving.chain(staying).chain(news).collect();
    let (asked, _) = take("their object is refused", all, &|q| Some(q.ask()));

    let mut stored = ask_all(proxy, asked.iter().filter_map(|(question, _)| question.look())).into_iter();
    let ready = asked.into_iter().map(|(question, reply)| {
        let before = question.look().and_then(|_| stored.next());
        Ready {
            sent: question.is_sent(before.as_ref().map(|reply| &reply.body), &reply.body),
            own: reply.warnings,
            question,
        }
    });
    ready.collect()
}

fn questions(left_out: &mut LeftOut) -> Vec<Question> {
    let mut questions = Vec::new();
    for (number, case) in Case::all().into_iter().enumerate() {
        if case.review.is_some() {
            // An API server writes its reviews itself.
            left_out.add("they are whole reviews", case.name());
        } else if !case.platform.is_empty()
            || !case.exceptions.is_empty()
            || case.default_personas_namespace.is_some()
            || case.requires_label
            || case.help != Words::default()
        {
            left_out.add("their settings would hold for all cases", case.name());
        } else {
            questions.push(Question::of(number, case));
        }
    }
    questions
}

/// One file for each case.
pub(crate) fn write_personas(questions: &[Question]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for question in questions {
        std::fs::write(folder.path().join(&question.file), question.documents()).expect("written");
    }
    folder
}

/// A process for every rule set, mode and `--match`.
pub(crate) struct Processes(HashMap<(RuleSet, Mode, &'static str), Dorgu>);

impl Processes {
    /// Each reads the same folder.
    pub(crate) fn start(personas: &TempDir) -> Processes {
        let columns = Case::COLUMNS
            .into_iter()
            .flat_map(|(set, mode)| MATCHINGS.map(|m| (set, mode, m)));
        let start = |(set, mode, matching): (RuleSet, Mode, &'static str)| {
            let flags = [
                &format!("--rules={}", set.as_str()),
                &format!("--webhook-mode={mode}"),
                &format!("--match={matching}"),
                "--log-format=json",
            ];
            (
                (set, mode, matching),
                Dorgu::with_personas(personas.path(), flags.as_slice()),
            )
        };
        Processes(columns.map(start).collect())
    }

    pub(crate) fn of(&self, set: RuleSet, mode: Mode, matching: &'static str) -> &Dorgu {
        &self.0[&(set, mode, matching)]
    }

    /// The files that file mode does not serve as they stand, and why.
    fn refused_files(&self) -> BTreeMap<String, String> {
        let mut refused = BTreeMap::new();
        for dorgu in self.0.values() {
            dorgu.wait_for_line("the folder was read", |line| line.contains("Read the persona folders"));
            for line in dorgu.stderr() {
                let line: Value = serde_json::from_str(&line).expect("JSON");
                let problem = line["problem"].as_str().unwrap_or_default();
                if let Some((_, at)) = problem.split_once("/case-") {
                    let (file, reason) = at.split_once(':').expect("file:line: reason");
                    refused.insert(format!("case-{file}"), reason.to_owned());
                }
            }
        }
        refused
    }

    /// Sends every namespace of the corpus to the two processes of this rule set and mode.
    fn register(&self, bed: &Bed, watched: &str, set: RuleSet, mode: Mode) {
        let registration = |matching| Registration {
            match_label: matching == "label",
            ..Registration::of(self.of(set, mode, matching), watched)
        };
        for matching in MATCHINGS {
            let mut configuration = registration(matching).configuration();
            configuration["metadata"]["name"] = json!(format!("corpus-{matching}"));
            for entry in configuration["webhooks"].as_array_mut().expect("entries") {
                let selector = &mut entry["namespaceSelector"]["matchExpressions"];
                for expression in selector.as_array_mut().into_iter().flatten() {
                    if expression["values"] == json!([watched]) {
                        *expression = json!({"key": MATCH, "operator": "In", "values": [matching]});
                    }
                }
            }
            bed.apply(&configuration.to_string()).expect_success();
        }
        // The API server reads configurations in the order in which they were stored. Once this one is in effect, the two above
        // are.
        bed.register(&registration("label"));
    }
}

/// How many reviews a process has answered, by its own count.
fn reviews(dorgu: &Dorgu) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (_, metrics) = runtime.block_on(https::get(&dorgu.metrics_url())).expect("an answer");
    let counts = metrics
        .lines()
        .filter(|line| line.starts_with("dorgu_admission_requests_total{"));
    counts
        .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
        .sum()
}

/// Why cases were left out, and which.
#[derive(Default)]
struct LeftOut(BTreeMap<&'static str, Vec<String>>);

impl LeftOut {
    fn add(&mut self, why: &'static str, which: String) {
        self.0.entry(why).or_default().push(which);
    }

    /// Those whose file is served as it stands.
    fn keep_served(&mut self, mut questions: Vec<Question>, refused: &BTreeMap<String, String>) -> Vec<Question> {
        questions.retain(|question| {
            let reason = refused.get(&question.file);
            if let Some(reason) = reason {
                let name = question.case.name();
                self.add("file mode refuses their persona", format!("{name}: line {reason}"));
            }
            reason.is_none()
        });
        questions
    }

    /// Those that the API server took, in their order.
    fn keep_taken(
        &mut self,
        why: &'static str,
        asked: impl Iterator<Item = (Question, Reply)>,
    ) -> Vec<(Question, Reply)> {
        let (taken, refused): (Vec<_>, Vec<_>) = asked.partition(|(_, reply)| reply.succeeded());
        for (question, reply) in refused {
            let (name, said) = (question.case.name(), reply.answer().message);
            assert!(
                matches!(reply.status, 400 | 422),
                "{name}: that is no word about the object: {said}"
            );
            self.add(why, format!("{name}: {said}"));
        }
        taken
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (why, which) in &self.0 {
            writeln!(
                f,
                "{} cases left out because {why}\n  {}",
                which.len(),
                which.join("\n  ")
            )?;
        }
        Ok(())
    }
}

/// What a run found.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    differences: Vec<String>,
}

impl Report {
    fn differ(&mut self, what: String) {
        self.differences.push(what);
    }

    fn compare(&mut self, set: RuleSet, mode: Mode, asked: &[(&Ready, Answer)], replies: &[Reply]) {
        assert_eq!(asked.len(), replies.len());
        for ((ready, expected), reply) in asked.iter().zip(replies) {
            let got = reply.answer();
            if got != *expected {
                let name = ready.question.case.name();
                self.differ(format!(
                    "{name} ({set:?}, {mode}):\n  expected {expected:#?}\n  got {got:#?}"
                ));
            }
        }
    }

    fn expect_reviews(&mut self, set: RuleSet, mode: Mode, matching: &str, expected: usize, arrived: usize) {
        self.lines
            .push(format!("{set:?}, {mode}, {matching}: {arrived} reviews arrived"));
        if arrived != expected {
            self.differ(format!(
                "{set:?}, {mode}, {matching}: {arrived} reviews arrived, {expected} were expected"
            ));
        }
    }

    fn expect_at_least(&mut self, floor: usize, sent: usize, set: RuleSet, mode: Mode) {
        if sent < floor {
            self.differ(format!("{set:?}, {mode}: only {sent} reviews, there were {floor} once"));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { lines, differences } = self;
        let count = differences.len();
        write!(
            f,
            "{}\n{count} differences\n{}",
            lines.join("\n"),
            differences.join("\n")
        )
    }
}
