//! Compares what a test expects with what was found.

use super::format::{Expected, Findings, Others, SeverityWord, StandingWord, Test};
use super::names::instead;
use super::result::{Failure, Kind};
use crate::policy::{Rule, Severity};
use crate::report::{ReportedFinding, Standing};

/// What was found about one Deployment.
#[derive(Clone, Debug)]
pub(super) struct Facts<'f> {
    /// Its namespace and name, as NAMESPACE/NAME.
    pub(super) deployment: &'f str,
    /// Its containers, init containers included.
    pub(super) containers: &'f [String],
    /// The personas that govern it.
    pub(super) personas: &'f [String],
    /// All personas of the suite, each as NAME and as NAMESPACE/NAME.
    pub(super) known_personas: &'f [String],
    pub(super) findings: &'f [ReportedFinding],
}

/// Every difference.
pub(super) fn compare(test: &Test, facts: &Facts<'_>) -> Vec<Failure> {
    let mut failures = Vec::new();
    governed(test, facts, &mut failures);
    if let Some(allowed) = test.allowed {
        verdict(allowed, facts, &mut failures);
    }
    let expected = match &test.findings {
        None => return failures,
        Some(Findings::None(_)) => &[][..],
        Some(Findings::List(list)) => list,
    };
    for expected in expected {
        match unknown_names(expected, facts) {
            names if !names.is_empty() => failures.extend(names),
            _ if facts.findings.iter().any(|found| expected.is(found)) => {}
            _ => failures.push(Failure {
                kind: Kind::FindingMissing,
                expected: expected.words(),
                found: all(facts.findings),
            }),
        }
    }
    if test.other_findings == Others::Fail {
        let others = facts.findings.iter().filter(|found| {
            // What is only recorded reaches no user.
            found.severity > Severity::Info && !expected.iter().any(|expected| expected.is(found))
        });
        failures.extend(others.map(|found| Failure {
            kind: Kind::FindingUnexpected,
            expected: match expected.is_empty() {
                true => "no finding".to_owned(),
                false => "no other finding".to_owned(),
            },
            found: vec![words(found)],
        }));
    }
    failures
}

fn governed(test: &Test, facts: &Facts<'_>, failures: &mut Vec<Failure>) {
    let deployment = facts.deployment;
    let is_governed = !facts.personas.is_empty();
    let expected = match test.governed {
        // A finding of an ungoverned Deployment says that it is one.
        None if is_governed || !facts.findings.is_empty() => return,
        None | Some(true) if !is_governed => {
            let hint = match test.governed {
                None => " (governed: false expects none)",
                Some(_) => "",
            };
            format!("a persona that governs {deployment}{hint}")
        }
        Some(false) if is_governed => format!("no persona that governs {deployment}"),
        _ => return,
    };
    let full = facts.known_personas.iter().filter(|name| name.contains('/'));
    let known: Vec<&str> = full.map(String::as_str).collect();
    let found = match (is_governed, known.is_empty()) {
        (true, _) => format!("governed by {}", facts.personas.join(", ")),
        (false, true) => "governed by none; the suite has no persona".to_owned(),
        (false, false) => format!("governed by none; the personas of the suite are {}", known.join(", ")),
    };
    failures.push(Failure {
        kind: Kind::Governed,
        expected,
        found: vec![found],
    });
}

fn verdict(allowed: bool, facts: &Facts<'_>, failures: &mut Vec<Failure>) {
    let denying: Vec<String> = facts.findings.iter().filter(|found| found.denied).map(words).collect();
    if denying.is_empty() == allowed {
        return;
    }
    let failure = match allowed {
        true => Failure {
            kind: Kind::Verdict,
            expected: "allowed".to_owned(),
            found: std::iter::once("denied".to_owned()).chain(denying).collect(),
        },
        false => {
            let is_new =
                |found: &&ReportedFinding| found.severity == Severity::Error && found.standing == Standing::New;
            let errors: Vec<String> = facts.findings.iter().filter(is_new).map(words).collect();
            let why = match errors.is_empty() {
                true => "allowed: it has no error that counts",
                false => "allowed: process, namespace and persona are advisory",
            };
            Failure {
                kind: Kind::Verdict,
                expected: "denied".to_owned(),
                found: std::iter::once(why.to_owned()).chain(errors).collect(),
            }
        }
    };
    failures.push(failure);
}

/// A failure for every name that matches nothing.
fn unknown_names(expected: &Expected, facts: &Facts<'_>) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut unknown = |what: &str, name: &str, found: String| {
        failures.push(Failure {
            kind: Kind::UnknownName,
            expected: format!("{what} {name}"),
            found: vec![found],
        });
    };
    if Rule::by_name(&expected.rule).is_none() {
        let found = instead("rule", &expected.rule, Rule::ALL.map(Rule::name));
        unknown("rule", &expected.rule, found);
    }
    if let Some(name) = &expected.container
        && !facts.containers.contains(name)
    {
        let found = instead("container", name, facts.containers.iter().map(String::as_str));
        unknown("container", name, format!("{found} (of {})", facts.deployment));
    }
    if let Some(name) = &expected.persona
        && !facts.known_personas.contains(name)
    {
        // Names without a namespace, unless one is written.
        let alike = |known: &&String| known.contains('/') == name.contains('/');
        let known = facts.known_personas.iter().filter(alike);
        unknown("persona", name, instead("persona", name, known.map(String::as_str)));
    }
    failures
}

impl Expected {
    /// Whether this is one of the findings that are meant.
    fn is(&self, found: &ReportedFinding) -> bool {
        let severity = self.severity.is_none_or(|word| Severity::from(word) == found.severity);
        let standing = self.standing.is_none_or(|word| Standing::from(word) == found.standing);
        let container = self.container.is_none() || self.container == found.container;
        let persona = self.persona.as_deref().is_none_or(|name| {
            // That of another namespace has both names already.
            let full = || format!("{}/{}", found.object.namespace, found.persona);
            let short = found.persona.rsplit('/').next();
            name == found.persona || Some(name) == short || name == full()
        });
        self.rule == found.rule.name() && severity && standing && container && persona
    }

    fn words(&self) -> String {
        let mut words = match self.severity {
            Some(severity) => format!("{} {}", Severity::from(severity).as_str(), self.rule),
            None => self.rule.clone(),
        };
        if let Some(container) = &self.container {
            words.push_str(&format!(", container {container}"));
        }
        if let Some(persona) = &self.persona {
            words.push_str(&format!(", persona {persona}"));
        }
        if let Some(standing) = self.standing {
            words.push_str(&format!(", {}", standing_word(standing.into())));
        }
        words
    }
}

/// A finding on one line.
pub(super) fn words(found: &ReportedFinding) -> String {
    let mut words = format!("{} {}", found.severity.as_str(), found.rule.name());
    if let Some(container) = &found.container {
        words.push_str(&format!(", container {container}"));
    }
    if !found.persona.is_empty() {
        words.push_str(&format!(", persona {}", found.persona));
    }
    if found.standing != Standing::New {
        words.push_str(&format!(", {}", standing_word(found.standing)));
    }
    format!("{words}: {}", found.message)
}

fn all(findings: &[ReportedFinding]) -> Vec<String> {
    match findings {
        [] => vec!["no finding".to_owned()],
        findings => findings.iter().map(words).collect(),
    }
}

/// The word of suites and of reports.
pub(super) fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::New => "new",
        Standing::Before => "before",
        Standing::Excepted => "excepted",
    }
}

impl From<SeverityWord> for Severity {
    fn from(word: SeverityWord) -> Self {
        match word {
            SeverityWord::Info => Severity::Info,
            SeverityWord::Warning => Severity::Warning,
            SeverityWord::Error => Severity::Error,
        }
    }
}

impl From<StandingWord> for Standing {
    fn from(word: StandingWord) -> Self {
        match word {
            StandingWord::New => Standing::New,
            StandingWord::Before => Standing::Before,
            StandingWord::Excepted => Standing::Excepted,
        }
    }
}
