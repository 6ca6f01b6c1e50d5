//! Personas that are judged as one give the same findings as each of them alone.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use dorgu_api::levels::RuleName;

use super::*;
use crate::answer::{Help, message, warnings};
use crate::compare::FindingSubject;
use crate::decision::{Decision, Rulebook, decide};
use crate::image::Registries;
use crate::joint::Joint;
use crate::left::Left;
use crate::level::{Levels, PlatformRules};
use crate::persona::{Flaw, Images, PersonaResources, Problem};
use crate::quantity::Quantity;
use crate::question::{Governed, Old, Question};
use crate::rule::Severity;
use crate::rules::{RuleSet, Subject};
use crate::selector::{ObjectLabels, Selector};
use crate::tests::deployment;
use crate::workload::Workload;

/// Levels of some rules; mostly of none.
fn levels() -> impl Strategy<Value = Levels> {
    let names: Vec<RuleName> = Rule::all_settable().map(|(name, _)| name).collect();
    let some = vec(
        (
            proptest::sample::select(names),
            proptest::sample::select(&Level::ALL[..]),
        ),
        0..8,
    );
    let set = |list: Vec<(RuleName, Level)>| {
        let mut levels = Levels::default();
        list.into_iter().for_each(|(rule, level)| levels.set(rule, level));
        levels
    };
    prop_oneof![2 => Just(Levels::default()), 1 => some.prop_map(set)]
}

/// Demands on images, of registries that include one another or do not.
fn images() -> impl Strategy<Value = Option<Box<Images>>> {
    const ALL: &[&str] = &[
        "docker.io",
        "docker.io/library",
        "ghcr.io",
        "ghcr.io/acme",
        "ghcr.io/acme/api",
        "ghcr.io/acme-evil",
    ];
    let registries = proptest::sample::subsequence(ALL, 1..4).prop_map(|list| {
        let list: Vec<String> = list.into_iter().map(str::to_owned).collect();
        Registries::parse(&list, |entry| panic!("{entry}"))
    });
    let some = (
        proptest::option::weighted(0.8, registries),
        any::<bool>(),
        any::<bool>(),
    );
    let images = some.prop_map(|(registries, deny_latest, require_digest)| {
        Box::new(Images {
            registries,
            deny_latest,
            require_digest,
        })
    });
    proptest::option::of(images)
}

/// What differs between two personas of one app, in any mixture.
fn persona() -> impl Strategy<Value = Persona> {
    let quantity = |words: &'static [&'static str]| {
        let quantity = |word: &str| Quantity::parse(word).ok();
        proptest::option::weighted(0.6, proptest::sample::select(words)).prop_map(move |word| quantity(word?))
    };
    let list = move || {
        let (cpu, memory) = (
            quantity(&["0", "100m", "0.25", "250m", "500m", "1"]),
            quantity(&["64Mi", "512Mi", "1Gi"]),
        );
        (cpu, memory).prop_map(|(cpu, memory)| PersonaResources { cpu, memory })
    };
    let path = || proptest::option::of(proptest::sample::select(vec!["/a", "/b"]));
    let count = || proptest::option::of(0..7);
    let mode = prop_oneof![
        Just(ModeWish::Unset),
        Just(ModeWish::Set(Mode::Advisory)),
        Just(ModeWish::Set(Mode::Enforcing)),
        Just(ModeWish::Unknown("loud".into())),
    ];
    let flags = any::<[bool; 5]>();
    let user = proptest::option::of(1..3_i64);
    (
        (mode, list(), list(), flags, user, levels()),
        (count(), count(), path(), path(), count(), images()),
    )
        .prop_map(
            |((mode, limits, requests, flags, user, levels), (min, max, liveness, readiness, port, images))| {
                let [has_resources, broken, non_root, read_only, escalation] = flags;
                let problem = Problem {
                    field: "spec.resources.limits.cpu",
                    value: "lots".into(),
                    flaw: Flaw::Unreadable,
                };
                Persona {
                    namespace: "shop".into(),
                    mode,
                    has_resources,
                    limits: if has_resources {
                        limits
                    } else {
                        PersonaResources::default()
                    },
                    requests: if has_resources {
                        requests
                    } else {
                        PersonaResources::default()
                    },
                    min_replicas: min,
                    max_replicas: max,
                    liveness_path: liveness.map(Into::into),
                    readiness_path: readiness.map(Into::into),
                    probe_port: port,
                    run_as_non_root: non_root,
                    run_as_user: user,
                    read_only_root_filesystem: read_only,
                    forbids_privilege_escalation: escalation,
                    images,
                    levels,
                    problems: if broken { vec![problem] } else { Vec::new() },
                    ..Persona::default()
                }
            },
        )
}

/// Selectors that overlap, exclude one another, or are none.
fn selector() -> impl Strategy<Value = Option<Box<Selector>>> {
    let requirement =
        |key: &str, operator: &str, values: &[&str]| json!({"key": key, "operator": operator, "values": values});
    let requirements = vec![
        requirement("tier", "In", &["a"]),
        requirement("tier", "In", &["a", "b"]),
        requirement("tier", "NotIn", &["a"]),
        requirement("tier", "DoesNotExist", &[]),
        requirement("track", "Exists", &[]),
        requirement("track", "NotIn", &["x"]),
    ];
    proptest::sample::subsequence(requirements, 0..3).prop_map(|requirements| {
        let selector = serde_json::from_value(json!({"matchExpressions": requirements})).expect("a selector");
        Selector::parse(&selector, |_, requirement| panic!("{requirement}"))
    })
}

/// An object of the app that is governed by all or by some.
fn governing<'a>(all: Personas<'a>, some: &'a Option<Joint>) -> Governed<'a> {
    Governed {
        app: "orders",
        personas: some.as_ref().map_or(all, Joint::personas),
        ..Governed::default()
    }
}

fn labels() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "{}",
        r#"{"tier":"a"}"#,
        r#"{"tier":"b","track":"x"}"#,
        r#"{"tier":"c","track":"y"}"#,
        r#"{"track":"x"}"#,
        r#"{"tier":"a","track":"x"}"#,
    ])
}

/// The personas of an app, by name; those of two apps take turns in the alphabet.
fn personas(app: &'static str, count: Range<usize>) -> impl Strategy<Value = Vec<Arc<Persona>>> {
    vec((persona(), 0..4_u8), count).prop_map(move |list| {
        let mut place = 0;
        let named = |(persona, gap): (Persona, u8)| {
            place += 1 + u32::from(gap);
            Arc::new(Persona {
                name: format!("p{place:02}-{app}"),
                app: app.into(),
                ..persona
            })
        };
        list.into_iter().map(named).collect()
    })
}

/// Everything a decision depends on.
#[derive(Clone, Debug)]
struct Asked {
    rulebook: Rulebook,
    namespace_mode: ModeWish,
    platform: PlatformRules,
    subject: Subject,
    new: String,
    old: Option<String>,
    /// The label of the new object, and of the old one.
    apps: [&'static str; 2],
}

fn asked() -> impl Strategy<Value = Asked> {
    let mode = || prop_oneof![Just(Mode::Advisory), Just(Mode::Enforcing)];
    let set = prop_oneof![4 => Just(RuleSet::Complete), 1 => Just(RuleSet::Upstream)];
    let namespace_mode = prop_oneof![Just(ModeWish::Unset), mode().prop_map(ModeWish::Set)];
    let subject = prop_oneof![5 => Just(Subject::Deployment), 1 => Just(Subject::Scale)];
    // As it was, with other replicas, or another one altogether.
    let old = prop_oneof![
        Just(None),
        deployment().prop_map(Some),
        (0..8_i32).prop_map(|replicas| Some(json!(replicas)))
    ];
    let apps = prop_oneof![
        6 => Just(["orders", "orders"]),
        2 => Just(["orders", "carts"]),
        1 => Just(["", "carts"]),
        1 => Just(["nothing", "carts"])
    ];
    let platform = levels().prop_map(|levels| {
        let mut platform = PlatformRules::default();
        for (name, rule) in Rule::all_settable() {
            levels
                .get(rule)
                .into_iter()
                .for_each(|level| platform.require(name, level));
        }
        platform
    });
    (set, mode(), namespace_mode, platform, subject, deployment(), old, apps).prop_map(
        |(set, mode, namespace_mode, platform, subject, object, old, apps)| {
            let labelled = |mut object: Value, app: &str| {
                for list in ["containers", "initContainers"] {
                    let containers = object["spec"]["template"]["spec"][list].as_array_mut();
                    containers.into_iter().flatten().for_each(spelled_once);
                }
                object["metadata"]["labels"]["app.kubernetes.io/name"] = json!(app);
                object.to_string()
            };
            let old = old.map(|old| match old {
                replicas @ Value::Number(_) => {
                    let mut same = object.clone();
                    same["spec"]["replicas"] = replicas;
                    same
                }
                other => other,
            });
            Asked {
                rulebook: Rulebook { set, mode },
                namespace_mode,
                platform,
                subject,
                new: labelled(object, apps[0]),
                old: old.map(|old| labelled(old, apps[1])),
                apps,
            }
        },
    )
}

type Stored<'a> = &'a dyn Fn() -> Option<Workload<'a>>;

/// A capability that is added in two spellings is two findings on one subject, of which others' are merged with one.
fn spelled_once(container: &mut Value) {
    if let Some(added) = container["securityContext"]["capabilities"]["add"].as_array_mut()
        && added.contains(&json!("SYS_ADMIN"))
    {
        added.retain(|name| name != "cap_sys_admin");
    }
}

#[derive(Clone, Copy)]
struct Asking<'a> {
    asked: &'a Asked,
    new: &'a Workload<'a>,
    stored: Stored<'a>,
}

impl<'a> Asking<'a> {
    fn decide(&self, now: Personas<'a>, before: Personas<'a>) -> Decision<'a> {
        let asked = self.asked;
        let [governed, left] = [(asked.apps[0], now), (asked.apps[1], before)];
        let governed_by = |(app, personas)| Governed {
            app,
            personas,
            ..Governed::default()
        };
        let question = Question {
            subject: asked.subject,
            new: self.new,
            governed: governed_by(governed),
            old: asked.old.as_ref().map(|_| Old {
                governed: governed_by(left),
                workload: self.stored,
            }),
            namespace: "shop",
            namespace_mode: &asked.namespace_mode,
            platform: &asked.platform,
        };
        decide(asked.rulebook, &question)
    }

    /// The same for an update that leaves some of the personas by their selectors.
    fn decide_leaving(&self, now: Governed<'a>, before: Governed<'a>) -> Decision<'a> {
        let question = Question {
            subject: self.asked.subject,
            new: self.new,
            governed: now,
            old: Some(Old {
                governed: before,
                workload: self.stored,
            }),
            namespace: "shop",
            namespace_mode: &self.asked.namespace_mode,
            platform: &self.asked.platform,
        };
        decide(self.asked.rulebook, &question)
    }

    /// What each persona says alone, merged thing by thing.
    fn one_by_one(&self, now: &'a [Arc<Persona>], before: &'a [Arc<Persona>]) -> Vec<String> {
        let upstream = self.asked.rulebook.set == RuleSet::Upstream;
        let moved = self.asked.apps[0] != self.asked.apps[1];
        let mut said: HashMap<FindingSubject<'a>, Vec<Said<'a>>> = HashMap::new();
        let mut add = |decision: &Decision<'a>, escapes: bool| self.say(decision, escapes, &mut said);
        for persona in now.chunks(1).take(if upstream { 1 } else { usize::MAX }) {
            let alone = Personas::from(persona);
            let before = if moved { Personas::default() } else { alone };
            add(&self.decide(alone, before), true);
        }
        let leaves = moved && !upstream && self.asked.old.is_some() && self.asked.subject == Subject::Deployment;
        for persona in before.chunks(1).filter(|_| leaves) {
            add(&self.decide(Personas::default(), persona.into()), now.is_empty());
        }
        let mut lines: Vec<String> = said.into_values().flat_map(merged).collect();
        lines.sort();
        lines
    }
}

impl Asking<'_> {
    /// Adds what a decision says, of an escape only where it is one.
    fn say<'d>(&self, decision: &Decision<'d>, escapes: bool, said: &mut HashMap<FindingSubject<'d>, Vec<Said<'d>>>) {
        for attributed in decision.findings() {
            let finding = attributed.finding();
            let is_escape = matches!(finding.rule, Rule::AppLabelRemoved | Rule::AppLabelChanged);
            if is_escape <= escapes {
                said.entry(finding.subject()).or_default().push(Said {
                    finding: finding.clone(),
                    persona: attributed.persona(),
                    severity: attributed.severity(),
                    refuses: attributed.refuses(),
                });
            }
        }
    }
}

/// What one persona says of one thing.
struct Said<'a> {
    finding: Finding<'a>,
    persona: &'a str,
    severity: Severity,
    refuses: bool,
}

/// Of each effect the strictest limit and of equal ones the lowest name; one with less effect only where it asks for more than
/// all with more.
fn merged(said: Vec<Said<'_>>) -> Vec<String> {
    let beats = |one: &Said<'_>, other: &Said<'_>| {
        let laxer = other.finding.is_stricter_than(&one.finding);
        one.finding.is_stricter_than(&other.finding) || (!laxer && one.persona <= other.persona)
    };
    let best = |effect: (bool, Severity)| {
        let all: Vec<&Said<'_>> = said
            .iter()
            .filter(|said| (said.refuses, said.severity) == effect)
            .collect();
        all.iter()
            .copied()
            .find(|one| all.iter().all(|other| beats(one, other)))
    };
    // What is only recorded is in no list.
    let effects = [
        (true, Severity::Error),
        (false, Severity::Error),
        (false, Severity::Warning),
    ];
    let mut kept: Vec<&Said<'_>> = Vec::new();
    for one in effects.into_iter().filter_map(best) {
        if kept.iter().all(|more| one.finding.is_stricter_than(&more.finding)) {
            kept.push(one);
        }
    }
    kept.iter()
        .map(|said| line(&said.finding, said.persona, said.refuses))
        .collect()
}

fn line(finding: &Finding<'_>, persona: &str, refuses: bool) -> String {
    format!("{} {finding:?} by {persona}, refuses: {refuses}", finding.rule.name())
}

/// What a decision says, without the note on personas that share an app.
fn lines(decision: &Decision<'_>) -> Vec<String> {
    let collected = decision
        .findings()
        .filter(|attributed| attributed.finding().rule != Rule::PersonaDuplicate);
    let mut lines: Vec<String> = collected
        .map(|attributed| line(attributed.finding(), attributed.persona(), attributed.refuses()))
        .collect();
    lines.sort();
    lines
}

/// All that is read of a decision, in its order.
fn words(decision: &Decision<'_>) -> Vec<String> {
    let mut words = vec![
        decision.mode.to_string(),
        message(decision, None, &Help::NONE).into_owned(),
    ];
    words.extend(warnings(decision));
    words.extend(decision.personas().map(str::to_owned));
    let rules = decision.rules();
    let mut rules: Vec<String> = rules
        .map(|(rule, severity, count)| format!("{} {severity:?} {count}", rule.name()))
        .collect();
    rules.sort();
    words.extend(rules);
    words
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn personas_judged_as_one_say_what_each_says(
        orders in personas("orders", 0..7), carts in personas("carts", 0..4), asked in asked(),
    ) {
        let none: &[Arc<Persona>] = &[];
        let [now, before] = match asked.apps {
            ["orders", "orders"] => [&orders[..], &orders[..]],
            ["orders", _] => [&orders[..], &carts[..]],
            _ => [none, &carts[..]],
        };
        prop_assume!(!now.is_empty() || !before.is_empty());
        let strictest = [now, before].map(Strictest::compile);
        let compiled = |side: usize, list| Personas::compiled(list, Some(&strictest[side]));
        let new: Workload<'_> = serde_json::from_str(&asked.new).expect("a Deployment");
        let stored = || serde_json::from_str(asked.old.as_deref()?).ok();
        let asking = Asking { asked: &asked, new: &new, stored: &stored };
        let decision = asking.decide(compiled(0, now), compiled(1, before));
        prop_assert_eq!(lines(&decision), asking.one_by_one(now, before));
        let uncompiled = asking.decide(now.into(), before.into());
        prop_assert_eq!(words(&decision), words(&uncompiled));
    }

    #[test]
    fn narrowed_personas_judged_as_one_say_what_each_that_governs_says(
        orders in vec((persona(), selector()), 1..7), [new, old] in [labels(), labels()], asked in asked(),
    ) {
        let orders: Vec<Arc<Persona>> = orders.into_iter().zip(0..).map(|((persona, selector), place)| {
            Arc::new(Persona { name: format!("p{place}"), app: "orders".into(), selector, ..persona })
        }).collect();
        let rulebook = Rulebook { set: RuleSet::Complete, ..asked.rulebook };
        let old_object = asked.old.clone().unwrap_or_else(|| asked.new.clone());
        let asked = Asked { rulebook, apps: ["orders", "orders"], subject: Subject::Deployment, ..asked };
        let workload: Workload<'_> = serde_json::from_str(&asked.new).expect("a Deployment");
        let stored = || serde_json::from_str(&old_object).ok();
        let asking = Asking { asked: &asked, new: &workload, stored: &stored };
        let [new, old] = [new, old].map(ObjectLabels::Json);
        let strictest = Strictest::compile(&orders);
        let all = Personas::compiled(&orders, Some(&strictest));
        let [narrowed, narrowed_before] = [new, old].map(|labels| all.narrowed(labels));
        let [now, before] = [governing(all, &narrowed), governing(all, &narrowed_before)];
        let (now_list, before_list) = (now.personas.to_vec(), before.personas.to_vec());
        for (list, labels) in [(&now_list, new), (&before_list, old)] {
            let governs = |persona: &&Arc<Persona>| persona.governs(labels);
            let expected: Vec<&str> = orders.iter().filter(governs).map(|persona| &*persona.name).collect();
            let names: Vec<&str> = list.iter().map(|persona| &*persona.name).collect();
            prop_assert_eq!(names, expected);
        }
        prop_assume!(!now_list.is_empty() || !before_list.is_empty());
        let left = Left::between((before, old), (now, new));
        let decision = asking.decide_leaving(now, Governed { left: left.as_ref(), ..before });

        let is_in = |list: &[Arc<Persona>], persona: &Arc<Persona>| list.iter().any(|other| Arc::ptr_eq(other, persona));
        let moves = now_list.iter().any(|persona| !is_in(&before_list, persona));
        let lefts: Vec<Option<Left>> = before_list.chunks(1).map(|persona| {
            let alone = Governed { app: "orders", personas: persona.into(), ..Governed::default() };
            let new_one = Governed { app: "orders", ..Governed::default() };
            Left::between((alone, old), (new_one, new)).filter(|_| !is_in(&now_list, &persona[0]))
        }).collect();
        let mut said: HashMap<FindingSubject<'_>, Vec<Said<'_>>> = HashMap::new();
        for persona in now_list.chunks(1) {
            let alone = Governed { app: "orders", personas: persona.into(), ..Governed::default() };
            asking.say(&asking.decide_leaving(alone, alone), true, &mut said);
        }
        for (persona, left) in before_list.chunks(1).zip(&lefts) {
            let alone = Governed { app: "orders", personas: persona.into(), left: left.as_ref(), ..Governed::default() };
            if left.is_some() {
                let none = Governed { app: "orders", ..Governed::default() };
                asking.say(&asking.decide_leaving(none, alone), !moves, &mut said);
            }
        }
        let mut expected: Vec<String> = said.into_values().flat_map(merged).collect();
        expected.sort();
        prop_assert_eq!(lines(&decision), expected);
    }

    #[test]
    fn a_further_persona_only_tightens(
        orders in personas("orders", 2..7), left_out in any::<proptest::sample::Index>(), asked in asked(),
    ) {
        let mut fewer = orders.clone();
        fewer.remove(left_out.index(orders.len()));
        let strictest = [&fewer, &orders].map(|list| Strictest::compile(list));
        let rulebook = Rulebook { set: RuleSet::Complete, ..asked.rulebook };
        let asked = Asked { rulebook, apps: ["orders", "orders"], ..asked };
        let new: Workload<'_> = serde_json::from_str(&asked.new).expect("a Deployment");
        let stored = || serde_json::from_str(asked.old.as_deref()?).ok();
        let asking = Asking { asked: &asked, new: &new, stored: &stored };
        let decide = |place: usize, list| {
            let personas = Personas::compiled(list, Some(&strictest[place]));
            asking.decide(personas, personas)
        };
        let (before, after) = (decide(0, &fewer[..]), decide(1, &orders[..]));
        prop_assert!(before.mode <= after.mode);
        for attributed in before.findings().filter(|attributed| attributed.finding().rule != Rule::PersonaDuplicate) {
            let finding = attributed.finding();
            let mut same = after.findings().filter(|other| other.finding().subject() == finding.subject());
            let kept = same.any(|other| {
                attributed.refuses() <= other.refuses() && !finding.is_stricter_than(other.finding())
            });
            prop_assert!(kept, "{finding:?} is lost or loosened by one more persona");
        }
    }
}
