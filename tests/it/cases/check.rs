//! Runs the corpus through `dorgu check`'s engine: what it finds in a file is what the webhook then answers.

use dorgu::check::{Judge, Judgement, Stored};
use dorgu::policy::render::{Covered, Message};
use dorgu::policy::text::cut;
use dorgu::policy::{AttributedFinding, Matching, PlatformRules, RuleSet, Rulebook, Severity};

use dorgu::index::{Clock, Index};

use super::Case;

/// A finding in words, as an answer has it. Upstream's lines are of any length.
fn words(set: RuleSet, found: &AttributedFinding<'_>) -> String {
    let covered = found.exception().map(|exception| Covered(exception).to_string());
    let line = format!("{}{}", Message(found.finding()), covered.unwrap_or_default());
    match set {
        RuleSet::Complete => cut(line, LINE),
        RuleSet::Upstream => line,
    }
}

/// The longest line of an answer.
const LINE: usize = 256;

#[test]
fn a_check_finds_what_the_webhook_answers() {
    let (mut asked, mut wrong) = (0, Vec::new());
    for case in Case::all() {
        let (Some(deployment), None) = (&case.deployment, &case.review) else {
            continue; // A file holds no Scale and no review.
        };
        // Nor an object that is being deleted.
        if !deployment["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        let matching = match case.matching.as_deref() {
            Some("chain") => Matching::Chain,
            _ => Matching::Label,
        };
        let at = case.moment();
        let index = Index::new(matching, PlatformRules::default()).by_clock(Clock::new(move || at));
        let index = index.with_platform_defaults(case.default_personas_namespace.as_deref());
        index.replace(case.snapshot());
        let snapshot = index.load();
        let new = Stored::of(deployment.clone(), "default");
        let old = case.old_deployment.clone().map(|old| Stored::of(old, "default"));
        for (set, mode) in Case::COLUMNS {
            let Some(expected) = case.answer(set, mode) else {
                continue;
            };
            let judge = Judge {
                index: &snapshot,
                rulebook: Rulebook { set, mode },
                requires_label: case.requires_label && set == RuleSet::Complete,
                at,
            };
            let judged = judge.judge(&new, old.as_ref(), |judgement, _| match judgement {
                Judgement::Ungoverned => (Vec::new(), Vec::new()),
                Judgement::Decided(decision) => {
                    let shown = |found: &&AttributedFinding<'_>| found.severity() > Severity::Info;
                    let all = decision.findings().filter(shown);
                    let (denied, warned): (Vec<_>, Vec<_>) = all.partition(|found| found.refuses());
                    let words = |list: Vec<&AttributedFinding<'_>>| {
                        list.into_iter().map(|found| words(set, found)).collect::<Vec<_>>()
                    };
                    (words(denied), words(warned))
                }
            });
            // What an API server would refuse is no question.
            let Ok((denied, warned)) = judged else { continue };
            asked += 1;
            let mut differences = Vec::new();
            if denied.is_empty() != expected.allowed {
                differences.push(format!(
                    "denied: {denied:?}, and the webhook allows: {}",
                    expected.allowed
                ));
            }
            let missing = |line: &&String| !expected.message.contains(line.as_str());
            differences.extend(
                denied
                    .iter()
                    .filter(missing)
                    .map(|line| format!("not in the denial: {line}")),
            );
            let is_cut = expected.warnings.iter().any(|line| line.contains(" more"));
            if !is_cut {
                let expected: Vec<&str> = expected.warnings.iter().map(String::as_str).collect();
                let unexpected = warned
                    .iter()
                    .filter(|line| !expected.iter().any(|warning| warning.contains(line.as_str())));
                differences.extend(unexpected.map(|line| format!("not among the warnings: {line}")));
                let unfound = expected
                    .iter()
                    .filter(|warning| !warned.iter().any(|line| warning.contains(line.as_str())));
                differences.extend(unfound.map(|line| format!("not found: {line}")));
            }
            if !differences.is_empty() {
                wrong.push(format!(
                    "{} ({set:?}, {mode}):\n  {}",
                    case.name(),
                    differences.join("\n  ")
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {asked} differ\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(asked >= 1_000, "only {asked} of the corpus were asked here");
}
