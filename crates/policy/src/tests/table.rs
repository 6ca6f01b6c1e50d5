//! The table of what happens to a finding: every rule, the level that its persona wishes, the level that the platform requires,
//! locked or not, the mode, an exception in each of its phases, and whether the finding is old. Every cell is asked as a review
//! and as a status.

use std::collections::BTreeMap;

use dorgu_api::PersonaException;
use serde_json::{Value, json};

use super::levels::{CONTAINER, compliant, steps, with};
use super::*;
use crate::exception::{MaxLength, Moment};
use crate::image::Registries;
use crate::persona::Images;

/// Now, in seconds and as an API server writes it.
const NOW: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

/// What happens to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Nothing,
    Recorded,
    Warned,
    Denied,
}

/// An exception for the rule, by its phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excepted {
    No,
    Pending,
    Active,
    Expired,
    TooLong,
}

/// What the stored object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    /// There is none.
    None,
    /// It has the same finding.
    Same,
    /// It has none.
    Compliant,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    wish: Option<Level>,
    floor: Option<Level>,
    locked: bool,
    mode: Mode,
    excepted: Excepted,
    stored: Stored,
}

fn cells() -> Vec<Cell> {
    const LEVELS: [Option<Level>; 5] = [
        None,
        Some(Level::Off),
        Some(Level::Audit),
        Some(Level::Warn),
        Some(Level::Deny),
    ];
    const EXCEPTED: [Excepted; 5] = [
        Excepted::No,
        Excepted::Pending,
        Excepted::Active,
        Excepted::Expired,
        Excepted::TooLong,
    ];
    const STORED: [Stored; 3] = [Stored::None, Stored::Same, Stored::Compliant];
    let count = LEVELS.len() * LEVELS.len() * 2 * 2 * EXCEPTED.len() * STORED.len();
    let cell = |number: usize| {
        let mut rest = number;
        // The digits of the number, each to the base of its choices.
        let mut digit = |choices: usize| {
            let chosen = rest % choices;
            rest /= choices;
            chosen
        };
        Cell {
            wish: LEVELS[digit(LEVELS.len())],
            floor: LEVELS[digit(LEVELS.len())],
            locked: digit(2) == 1,
            mode: [Mode::Advisory, Mode::Enforcing][digit(2)],
            excepted: EXCEPTED[digit(EXCEPTED.len())],
            stored: STORED[digit(STORED.len())],
        }
    };
    (0..count).map(cell).collect()
}

impl Cell {
    /// The level, as docs/rules.md says it.
    fn level(self, rule: Rule) -> Level {
        let built_in = match rule.severity() {
            Severity::Error => Level::Deny,
            Severity::Warning => Level::Warn,
            Severity::Info => Level::Audit,
        };
        let floor = match (self.floor, self.locked) {
            (None, true) => Some(built_in),
            (floor, _) => floor,
        };
        match (self.wish, floor) {
            (Some(wish), Some(floor)) if wish < floor => floor,
            (Some(wish), _) => wish,
            (None, Some(floor)) => floor,
            (None, None) => built_in,
        }
    }

    fn is_covered(self) -> bool {
        self.excepted == Excepted::Active && !self.locked
    }

    /// What a review says.
    fn outcome(self, rule: Rule) -> Outcome {
        match self.level(rule) {
            Level::Off => Outcome::Nothing,
            Level::Audit => Outcome::Recorded,
            Level::Warn => Outcome::Warned,
            Level::Deny if self.is_covered() => Outcome::Warned,
            Level::Deny if self.mode == Mode::Enforcing && self.stored != Stored::Same => Outcome::Denied,
            Level::Deny => Outcome::Warned,
        }
    }

    /// What a status says.
    fn severity(self, rule: Rule) -> Option<Severity> {
        match self.level(rule) {
            Level::Off => None,
            Level::Audit => Some(Severity::Info),
            Level::Deny if !self.is_covered() => Some(Severity::Error),
            Level::Deny | Level::Warn => Some(Severity::Warning),
        }
    }

    fn exceptions(self, rule: Rule) -> Vec<Arc<Exception>> {
        let (starts, expires) = match self.excepted {
            Excepted::No => return Vec::new(),
            Excepted::Pending => (NOW + 1, NOW + DAY),
            Excepted::Active => (NOW - DAY, NOW + 1),
            Excepted::Expired => (NOW - DAY, NOW),
            Excepted::TooLong => (NOW - DAY, NOW + 90 * DAY),
        };
        let time = |second: i64| {
            let days = (second - NOW).div_euclid(DAY);
            let rest = (second - NOW).rem_euclid(DAY);
            // 2026-01-01 and the days around it.
            let date = match days {
                -1 => "2025-12-31".to_owned(),
                0 => "2026-01-01".to_owned(),
                1 => "2026-01-02".to_owned(),
                90 => "2026-04-01".to_owned(),
                other => panic!("{other} days"),
            };
            format!("{date}T00:00:0{rest}Z")
        };
        let object: PersonaException = serde_json::from_value(json!({
            "apiVersion": "dorgu.io/v1", "kind": "PersonaException",
            "metadata": {"name": "for-now", "namespace": "shop"},
            "spec": {
                "app": "orders", "rules": [rule.name()], "reason": "The second zone comes in spring",
                "owner": "jane", "starts": time(starts), "expires": time(expires),
            },
        }))
        .expect("an exception");
        vec![Arc::new(Exception::parse(&object).expect("it can be used"))]
    }
}

/// The object with another image; those of registry.example.com are allowed.
fn with_image(image: &str) -> Value {
    with(&compliant(), &format!("{CONTAINER}/image"), json!(image))
}

/// What the rule demands of images, and an image that violates nothing else.
fn images(rule: Rule) -> Option<(Images, &'static str)> {
    let none = Images::default();
    let of_registry = || {
        let list = ["registry.example.com".to_owned()];
        Registries::parse(&list, |entry| panic!("{entry}"))
    };
    match rule {
        Rule::ImageRegistryNotAllowed => {
            let registries = Some(of_registry());
            Some((Images { registries, ..none }, "elsewhere.example.com/orders:1"))
        }
        Rule::ImageTagLatest => Some((
            Images {
                deny_latest: true,
                ..none
            },
            "registry.example.com/orders:latest",
        )),
        Rule::ImageDigestMissing => Some((
            Images {
                require_digest: true,
                ..none
            },
            "registry.example.com/orders:2",
        )),
        _ => None,
    }
}

/// A Deployment without any finding of any rule.
fn good() -> Value {
    with_image(&format!("registry.example.com/orders:1@sha256:{}", "0".repeat(64)))
}

/// An object with a finding of each rule, and of no other.
fn violations() -> BTreeMap<Rule, Value> {
    let fields = steps().into_iter().map(|(rule, field, mut values)| {
        let worst = values.pop().expect("a last step");
        (rule, with(&compliant(), &format!("{CONTAINER}{field}"), worst))
    });
    let replicas = |count: i32| with(&compliant(), "/spec/replicas", json!(count));
    let escalates = "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation";
    let others = [
        (Rule::ReplicasBelowMinimum, replicas(1)),
        (Rule::ReplicasAboveMaximum, replicas(9)),
        (
            Rule::RunAsNonRoot,
            with(&compliant(), "/spec/template/spec/securityContext", Value::Null),
        ),
        (Rule::PrivilegeEscalation, with(&compliant(), escalates, json!(true))),
    ];
    let of_images = Rule::ALL
        .into_iter()
        .filter_map(|rule| Some((rule, with_image(images(rule)?.1))));
    fields.chain(others).chain(of_images).collect()
}

fn asked<R>(rule: Rule, cell: Cell, object: &Value, read: impl FnOnce(&Decision<'_>, &Issues) -> R) -> R {
    let (name, _) = Rule::all_settable().find(|(_, known)| *known == rule).expect("a level");
    let mut persona = persona();
    persona.images = images(rule).map(|(images, _)| Box::new(images));
    if let Some(wish) = cell.wish {
        persona.levels.set(name, wish);
    }
    let mut platform = PlatformRules::default();
    if let Some(floor) = cell.floor {
        platform.require(name, floor);
    }
    if cell.locked {
        platform.lock(name);
    }
    let (personas, exceptions) = ([Arc::new(persona)], cell.exceptions(rule));
    let exceptions = Exceptions {
        of_app: &exceptions,
        of_workload: &[],
        now: Moment(NOW),
        max: MaxLength::DEFAULT,
    };
    let text = object.to_string();
    let new: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
    let before = match cell.stored {
        Stored::None => None,
        Stored::Same => Some(text.clone()),
        Stored::Compliant => Some(good().to_string()),
    };
    let stored = || serde_json::from_str(before.as_deref()?).ok();
    let governed = Governed {
        app: "orders",
        personas: personas[..].into(),
        exceptions,
        ..Governed::default()
    };
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed,
        old: before.as_ref().map(|_| Old {
            governed,
            workload: &stored,
        }),
        namespace: "shop",
        namespace_mode: &ModeWish::Unset,
        platform: &platform,
    };
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: cell.mode,
    };
    let issues = issues(RuleSet::Complete, &new, &personas[0], &[], &platform, exceptions);
    read(&decide(rulebook, &question), &issues)
}

#[test]
fn every_cell_of_the_table_is_as_the_page_of_rules_says() {
    let (violations, cells) = (violations(), cells());
    // No persona governs a Deployment without the app label: `unlabelled` has a table of its own.
    let settable = Rule::all_settable().filter(|(_, rule)| *rule != Rule::AppLabelMissing);
    assert_eq!(violations.len(), settable.count(), "{:?}", violations.keys());
    let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
    for (rule, object) in &violations {
        for cell in &cells {
            asked(*rule, *cell, object, |decision, issues| {
                let found: Vec<_> = decision.rules().map(|(rule, _, count)| (rule, count)).collect();
                let outcome = match (decision.allows(), decision.warned(), found.is_empty()) {
                    (false, _, _) => Outcome::Denied,
                    (true, 1, _) => Outcome::Warned,
                    (true, _, false) => Outcome::Recorded,
                    (true, _, true) => Outcome::Nothing,
                };
                assert_eq!(outcome, cell.outcome(*rule), "{rule:?}, a review: {cell:?}");
                *counts.entry(outcome).or_default() += 1;
                if outcome != Outcome::Nothing {
                    assert_eq!(found, [(*rule, 1)], "{cell:?}");
                }
                let covered = decision.excepted().map(|(_, rule, count)| (rule, count));
                let covered: Vec<_> = covered.collect();
                match cell.is_covered() && outcome != Outcome::Nothing {
                    true => assert_eq!(covered, [(*rule, 1)], "{cell:?}"),
                    false => assert_eq!(covered, [], "{cell:?}"),
                }
                let listed: Vec<Severity> = issues.list.iter().map(|issue| issue.severity).collect();
                let wanted: Vec<Severity> = cell.severity(*rule).into_iter().collect();
                assert_eq!(listed, wanted, "{rule:?}, a status: {cell:?}");
                assert_eq!(issues.excepted, covered.len(), "{cell:?}");
            });
        }
    }
    println!("{} rules, {} cells each: {counts:?}", violations.len(), cells.len());
    assert!(
        counts.len() == 4 && counts.values().all(|count| *count > 1_000),
        "{counts:?}"
    );
}
