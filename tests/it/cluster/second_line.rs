//! The ValidatingAdmissionPolicies of a persona decide as dorgu does: a real API server applies what is printed, and each verdict
//! is compared with the engine's, rule by rule.
//!
//! Asked are the corpus and generated pairs of a persona and a Deployment. `DORGU_POLICY_CASES` and `DORGU_POLICY_SEED` choose
//! how many pairs and which. What the API server itself rejects is left out. Where a case has several personas, each is compared
//! with its own policies.

mod generate;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::time::{Duration, Instant};

use anyhow::ensure;
use dorgu::admission_policy::{Setting, Translation, Untranslatable, translated, yaml};
use dorgu::api::ApplicationPersona;
use dorgu::index::Snapshot;
use dorgu::policy::finding::Fact;
use dorgu::policy::{
    Left, Mode, ModeWish, ObjectLabels, Old, Persona, PlatformRules, Question, Rule, RuleSet, Rulebook, Subject,
    Workload, decide,
};
use http::Method;
use serde_json::{Value, json};

use super::api_server::{Ask, Reply, ask_all};
use super::corpus::Question as Asked;
use crate::bed::{Bed, Options, wait_until};
use crate::cases::{Case, governed};

const PAIRS: usize = 60;
const SEED: u64 = 20_261_129;
/// Pairs of the corpus, a few fewer than when this was written.
const OF_CORPUS: usize = 250;
/// Differences that are shown.
const SHOWN: usize = 8;
const TIMEOUT: Duration = Duration::from_secs(120);
/// Added for each object: an API server compiles one policy after the other.
const TIMEOUT_EACH: Duration = Duration::from_millis(400);
const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

/// A Deployment to be asked about, and the personas of its namespace.
pub(super) struct Pair {
    pub(super) what: String,
    pub(super) namespace: String,
    /// Creates the namespace.
    pub(super) make: Ask,
    /// Creates the stored object.
    pub(super) store: Option<Ask>,
    /// Deletes it; its finalizers keep it there.
    pub(super) delete: Option<Ask>,
    /// Reads it.
    pub(super) look: Option<Ask>,
    /// The request, as a dry run.
    pub(super) ask: Ask,
    pub(super) personas: Vec<Persona>,
    pub(super) platform: PlatformRules,
    /// The process's mode.
    pub(super) mode: Mode,
    /// The namespace's label.
    pub(super) wish: ModeWish,
}

/// A pair that the API server takes, with the objects as it has them.
struct Ready {
    pair: Pair,
    stored: Option<Value>,
    object: Value,
    translations: Vec<Translation>,
}

/// What becomes of the rules that are translated.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    denied: BTreeSet<String>,
    /// Those that warn and do not deny.
    warned: BTreeSet<String>,
}

#[test]
fn an_api_server_decides_by_the_policies_of_a_persona_as_dorgu_does() {
    // Not the shared one: policies are cluster-scoped, and each costs every request a little.
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let begun = Instant::now();
    let pairs = number("DORGU_POLICY_CASES").unwrap_or(PAIRS);
    let seed = number("DORGU_POLICY_SEED").map_or(SEED, |seed| seed as u64);
    let proxy = bed.proxy_url();
    let of_corpus = prepare(&proxy, corpus());
    let mut generated = prepare(&proxy, generate::pairs(seed, 2 * pairs));
    generated.truncate(pairs);
    assert_eq!(generated.len(), pairs, "the API server rejects too many");
    let in_corpus = of_corpus.len();
    assert!(in_corpus >= OF_CORPUS, "only {in_corpus} pairs of the corpus");
    let ready: Vec<Ready> = of_corpus.into_iter().chain(generated).collect();
    let prepared = begun.elapsed();

    put_in_force(&bed, &proxy, &ready);
    let in_force = begun.elapsed();
    let replies = ask_all(&proxy, ready.iter().map(|ready| ready.pair.ask.clone()));
    let mut tally = Tally::default();
    for (ready, reply) in ready.iter().zip(&replies) {
        tally.compare(ready, reply);
    }
    println!(
        "seed {seed}: {in_corpus} of the corpus, {pairs} generated; prepared in {prepared:.1?}, in force after {in_force:.1?}, \
         asked after {:.1?}\n{}",
        begun.elapsed(),
        tally.line()
    );
    let shown = tally
        .differences
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n\n");
    assert!(
        tally.differences.is_empty(),
        "{} differ\n{shown}",
        tally.differences.len()
    );
    // Every translated rule was seen to deny or to warn.
    let missing: Vec<&str> = translated()
        .map(Rule::name)
        .filter(|rule| !tally.seen.contains_key(*rule))
        .collect();
    assert!(missing.is_empty(), "no pair violates {missing:?}");
    assert!(tally.denied > pairs / 5, "{}", tally.line());
}

/// The cases whose question an API server can be sent, with an enforcing process.
fn corpus() -> Vec<Pair> {
    let cases = Case::all().into_iter().enumerate();
    // A Scale has no label, and the rest is read by the label alone.
    let cases = cases.filter(|(_, case)| {
        case.review.is_none() && case.deployment.is_some() && case.matching.is_none() && case.exceptions.is_empty()
    });
    cases
        .map(|(number, case)| {
            let (what, platform) = (case.name(), PlatformRules::of_cluster([&*case.platform]));
            let question = Asked::of(number, case);
            let make = question.make_namespace();
            let labels = &make.body["metadata"]["labels"];
            Pair {
                what,
                wish: ModeWish::read_beside(labels[ModeWish::KEY].as_str(), None::<&str>),
                store: question.store(),
                delete: question.delete(),
                look: question.look(),
                ask: question.ask(),
                personas: question.personas().map(parse).collect(),
                namespace: question.namespace.clone(),
                make,
                platform,
                mode: Mode::Enforcing,
            }
        })
        .collect()
}

pub(super) fn parse(persona: Value) -> Persona {
    let object: ApplicationPersona = serde_json::from_value(persona).expect("a persona");
    Persona::parse(&object)
}

/// Makes namespaces, stores old objects and asks the API server alone.
fn prepare(proxy: &str, pairs: Vec<Pair>) -> Vec<Ready> {
    let mut pairs = pairs;
    for step in [
        (|pair| Some(pair.make.clone())) as fn(&Pair) -> Option<Ask>,
        |pair| pair.store.clone(),
        |pair| pair.delete.clone(),
    ] {
        let mut replies = ask_all(proxy, pairs.iter().filter_map(step)).into_iter();
        pairs.retain(|pair| step(pair).is_none() || replies.next().is_some_and(|reply| reply.succeeded()));
    }
    let objects = ask_all(proxy, pairs.iter().map(|pair| pair.ask.clone()));
    let mut stored = ask_all(proxy, pairs.iter().filter_map(|pair| pair.look.clone())).into_iter();
    let ready = pairs.into_iter().zip(objects).filter_map(|(pair, reply)| {
        let stored = pair.look.as_ref().and_then(|_| stored.next()).map(|reply| reply.body);
        if !reply.succeeded() {
            return None;
        }
        let setting = Setting {
            mode: pair.wish.or_stricter(pair.mode),
            platform: &pair.platform,
        };
        let mut translations = Vec::new();
        for persona in pair
            .personas
            .iter()
            .filter(|persona| persona.namespace == pair.namespace)
        {
            match Translation::of(persona, setting) {
                Ok(translation) if is_storable(&persona.name) => translations.push(translation),
                // No API server stores such a persona.
                Ok(_) | Err(Untranslatable::Default(_)) => {}
                Err(error) => panic!("{}: {error}", pair.what),
            }
        }
        (!translations.is_empty()).then_some(Ready {
            object: reply.body,
            stored,
            translations,
            pair,
        })
    });
    ready.collect()
}

fn is_storable(name: &str) -> bool {
    name.bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

/// Creates all policies, and returns when the API server applies them.
fn put_in_force(bed: &Bed, proxy: &str, ready: &[Ready]) {
    let mut objects: Vec<Value> = Vec::new();
    for translation in ready.iter().flat_map(|ready| &ready.translations) {
        // As printed.
        let printed = yaml(std::slice::from_ref(translation)).expect("YAML");
        for document in printed.split("---\n") {
            let object: Value = serde_saphyr::from_str(document).expect("YAML");
            // The same once more, which shows every rule that denies and not the first alone.
            if object["spec"]["validationActions"] == json!(["Deny"]) {
                let mut seen = object.clone();
                seen["metadata"]["name"] =
                    json!(format!("{}.seen", object["metadata"]["name"].as_str().expect("a name")));
                seen["spec"]["validationActions"] = json!(["Warn"]);
                objects.push(seen);
            }
            objects.push(object);
        }
    }
    // The API server applies them in one go with this, which is stored last.
    let canary = bed.namespace("canary", &[]);
    let create = |object: &Value| Ask {
        method: Method::POST,
        path: format!(
            "{GROUP}/{}",
            match object["kind"].as_str() {
                Some("ValidatingAdmissionPolicy") => "validatingadmissionpolicies",
                _ => "validatingadmissionpolicybindings",
            }
        ),
        body: object.clone(),
    };
    let replies = ask_all(proxy, objects.iter().map(create));
    for (object, reply) in objects.iter().zip(&replies) {
        assert!(reply.succeeded(), "{}\n{object:#}", reply.body);
        // A warning would be about an expression.
        assert!(reply.warnings.is_empty(), "{:?}", reply.warnings);
    }
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": canary},
        "spec": {
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]},
            ]},
            "validations": [{"expression": "false", "message": "in force"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": canary},
        "spec": {
            "policyName": canary, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": canary}}},
        },
    });
    bed.apply(&format!("{policy}\n---\n{binding}")).expect_success();
    let probe = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe", "namespace": canary}});
    let timeout = TIMEOUT + TIMEOUT_EACH * u32::try_from(objects.len()).unwrap_or(u32::MAX);
    let waited = wait_until(timeout, "the policies are in force", || {
        let answer = bed.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &probe.to_string());
        ensure!(answer.stderr.contains("in force"), "{answer}");
        Ok(())
    });
    waited.expect("the policies are in force");
}

/// What the engine decides for one persona, by the rules that are translated.
fn expected(ready: &Ready, persona: &Persona) -> Verdict {
    let Pair {
        namespace,
        platform,
        mode,
        wish,
        ..
    } = &ready.pair;
    let snapshot =
        Snapshot::build([persona.clone().into()], [(namespace.clone(), wish.clone())]).requiring(platform.clone());
    let stored = ready.stored.as_ref();
    let is_being_deleted = !ready.object["metadata"]["deletionTimestamp"].is_null();
    if is_being_deleted && stored.is_some_and(|stored| stored["spec"] == ready.object["spec"]) {
        return Verdict::default();
    }
    let labels = |object: &Value| match &object["metadata"]["labels"] {
        Value::Null => "{}".to_owned(),
        labels => labels.to_string(),
    };
    let (labels_now, labels_before) = (labels(&ready.object), stored.map(labels).unwrap_or_default());
    let (labels_now, labels_before) = (ObjectLabels::Json(&labels_now), ObjectLabels::Json(&labels_before));
    let (new, stored) = (ready.object.to_string(), stored.map(Value::to_string));
    let new: Workload<'_> = serde_json::from_str(&new).expect("a Deployment");
    let read = || serde_json::from_str::<Workload<'_>>(stored.as_deref()?).ok();
    let before = read();
    let index = (&snapshot, RuleSet::Complete);
    let (mut narrowed, mut narrowed_before) = (None, None);
    let now = governed(index, namespace, &new.metadata.labels.name, labels_now, &mut narrowed);
    let governed_before = before.as_ref().map(|before| {
        governed(
            index,
            namespace,
            &before.metadata.labels.name,
            labels_before,
            &mut narrowed_before,
        )
    });
    let left = governed_before.and_then(|before| Left::between((before, labels_before), (now, labels_now)));
    let old = governed_before.map(|governed| Old {
        governed: dorgu::policy::Governed {
            left: left.as_ref(),
            ..governed
        },
        workload: &read,
    });
    if now.is_empty() && governed_before.is_none_or(|before| before.is_empty()) {
        return Verdict::default();
    }
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed: now,
        old,
        namespace,
        namespace_mode: snapshot.namespace_mode(namespace),
        platform: snapshot.platform(),
    };
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: *mode,
    };
    let decision = decide(rulebook, &question);
    let mut verdict = Verdict::default();
    for found in decision.findings() {
        let finding = found.finding();
        if !translated().any(|rule| rule == finding.rule) || matches!(finding.fact, Fact::SelectorLabel { .. }) {
            continue;
        }
        let set = if found.refuses() {
            &mut verdict.denied
        } else {
            &mut verdict.warned
        };
        set.insert(finding.rule.name().to_owned());
    }
    verdict.settled()
}

impl Verdict {
    fn settled(mut self) -> Verdict {
        self.warned.retain(|rule| !self.denied.contains(rule));
        self
    }
}

/// What the API server said by the policies of one persona.
fn observed(translation: &Translation, reply: &Reply) -> Verdict {
    let prefix = "Validation failed for ValidatingAdmissionPolicy '";
    let name = format!("{}.{}", translation.namespace, translation.name);
    let mut verdict = Verdict::default();
    for warning in &reply.warnings {
        let Some((policy, rest)) = warning
            .strip_prefix(prefix)
            .and_then(|rest| rest.split_once("' with binding '"))
        else {
            continue;
        };
        let (_, message) = rest.split_once("': ").expect("a message");
        let (rule, _) = message.split_once(": ").expect("a rule");
        if policy == format!("{name}.deny") {
            verdict.denied.insert(rule.to_owned());
        } else if policy == format!("{name}.warn") {
            verdict.warned.insert(rule.to_owned());
        }
    }
    verdict.settled()
}

/// What was found.
#[derive(Default)]
struct Tally {
    denied: usize,
    warned: usize,
    updates: usize,
    /// How often each rule denied or warned.
    seen: BTreeMap<String, (usize, usize)>,
    differences: Vec<String>,
}

impl Tally {
    fn compare(&mut self, ready: &Ready, reply: &Reply) {
        let mut denies = false;
        for translation in &ready.translations {
            let of_it = |persona: &&Persona| persona.name == translation.name;
            let persona = ready.pair.personas.iter().find(of_it).expect("its persona");
            let (expected, observed) = (expected(ready, persona), observed(translation, reply));
            denies |= !expected.denied.is_empty();
            self.warned += usize::from(!expected.warned.is_empty());
            for rule in &expected.denied {
                self.seen.entry(rule.clone()).or_default().0 += 1;
            }
            for rule in &expected.warned {
                self.seen.entry(rule.clone()).or_default().1 += 1;
            }
            if expected != observed {
                self.differences.push(format!(
                    "{}, {}: dorgu {expected:?}\nAPI server {observed:?}\npersona {persona:?}\nstored {}\nobject {}\n{:?}\n{}",
                    ready.pair.what,
                    translation.name,
                    ready.stored.as_ref().map(|stored| stored["spec"].to_string()).unwrap_or_default(),
                    ready.object["spec"],
                    reply.warnings,
                    reply.body["message"],
                ));
            }
        }
        self.updates += usize::from(ready.stored.is_some());
        self.denied += usize::from(denies);
        let said = reply.body["message"].as_str().unwrap_or_default();
        let is_denied = reply.status == 403 && said.contains("ValidatingAdmissionPolicy");
        if is_denied != denies || !(is_denied || reply.succeeded()) {
            self.differences.push(format!(
                "{}: {} although dorgu denies: {denies}: {said}",
                ready.pair.what, reply.status
            ));
        }
    }

    fn line(&self) -> String {
        let rules = self
            .seen
            .iter()
            .map(|(rule, (denied, warned))| format!("{rule} {denied}/{warned}"));
        format!(
            "{} denied, {} warned, {} updates; denied and warned by rule: {}",
            self.denied,
            self.warned,
            self.updates,
            rules.collect::<Vec<_>>().join(", ")
        )
    }
}

fn number(variable: &str) -> Option<usize> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{variable}={text}: {error}")),
    )
}
