//! Runs the corpus through the pure decision.

use dorgu::policy::answer::{ScaleTarget, message, warnings};
use dorgu::policy::{
    Decision, Governed, Left, ObjectLabels, Old, Question, RuleSet, Rulebook, Severity, Subject, Workload, decide,
    issues, judge_unlabelled,
};
use serde_json::Value;

use super::{Answer, Case, governed};

#[test]
fn the_decision_is_what_each_case_says() {
    Case::check(1_100, |case, set, mode| {
        if case.matching.is_some() || case.default_personas_namespace.is_some() || case.review.is_some() {
            return None; // Finding the persona and reading odd reviews is the webhook's part.
        }
        let snapshot = case.snapshot();
        let (subject, new, old) = match (&case.deployment, &case.scale) {
            (Some(new), _) => (Subject::Deployment, new, &case.old_deployment),
            (_, new) => (
                Subject::Scale,
                new.as_ref().expect("a deployment or a scale"),
                &case.old_scale,
            ),
        };
        let namespace = new["metadata"]["namespace"].as_str().unwrap_or("default");
        let labels = |object: &Value| object["metadata"]["labels"].to_string();
        let (new_labels, old_labels) = (labels(new), old.as_ref().map(labels).unwrap_or_default());
        let (new, old) = (new.to_string(), old.as_ref().map(ToString::to_string));
        let new = serde_json::from_str::<Workload<'_>>(&new).ok()?;
        let app = |workload: &Workload<'_>| match subject {
            Subject::Deployment => workload.metadata.labels.name.to_string(),
            Subject::Scale => workload
                .status
                .required_label("app.kubernetes.io/name")
                .unwrap_or_default()
                .to_owned(),
        };
        let now = app(&new);
        let name = new.metadata.name.as_str();
        let excepted = |governed: Governed<'_>| snapshot.exceptions(namespace, governed.app, name, || case.moment());
        let (mut narrowed, mut narrowed_before, mut left) = (None, None, None);
        let new_labels = match subject {
            Subject::Deployment => ObjectLabels::Json(&new_labels),
            Subject::Scale => ObjectLabels::Required(&new.status),
        };
        let now = governed((&snapshot, set), namespace, &now, new_labels, &mut narrowed);
        let now = Governed {
            exceptions: excepted(now),
            ..now
        };
        let before = old
            .as_deref()
            .map(|text| app(&serde_json::from_str(text).expect("a stored object is readable")));
        let read = || serde_json::from_str(old.as_deref()?).ok();
        let old = before.as_deref().map(|before| match subject {
            Subject::Deployment => {
                let labels = ObjectLabels::Json(&old_labels);
                let before = governed((&snapshot, set), namespace, before, labels, &mut narrowed_before);
                left = Left::between((before, labels), (now, new_labels));
                Governed {
                    exceptions: excepted(before),
                    left: left.as_ref(),
                    ..before
                }
            }
            Subject::Scale => now,
        });
        let upstream = set == RuleSet::Upstream;
        // Upstream forgets who governed the stored object.
        let escaped = !upstream && old.is_some_and(|old| !old.is_empty() && !old.by_default);
        let nobody = now.is_empty() && !escaped;
        let lacks_label = case.requires_label && !upstream && subject == Subject::Deployment && now.app.is_empty();
        let keeps_spec = match (&case.deployment, &case.old_deployment) {
            (Some(new), Some(old)) => new["spec"] == old["spec"],
            _ => false,
        };
        let going = !upstream && new.metadata.deletion_timestamp.is_some() && keeps_spec;
        if (nobody && !lacks_label) || going || (subject == Subject::Scale && upstream) {
            return None; // Answered by the webhook without a decision.
        }
        let old = old.map(|governed| Old {
            governed,
            workload: &read,
        });
        let namespace_mode = snapshot.namespace_mode(namespace);
        let question = Question {
            subject,
            new: &new,
            governed: now,
            old,
            namespace,
            namespace_mode,
            platform: snapshot.platform(),
        };
        let decision = match nobody {
            true => judge_unlabelled(Rulebook { set, mode }, &question)?,
            false => decide(Rulebook { set, mode }, &question),
        };
        if subject == Subject::Deployment && set == RuleSet::Complete && !nobody && !case.exceptions.is_empty() {
            assert_eq!(in_status(&question), in_answer(&question, &decision), "{}", case.name());
        }
        let scale = (subject == Subject::Scale).then_some(ScaleTarget {
            namespace,
            name: &new.metadata.name,
        });
        Some(Answer {
            allowed: decision.allows(),
            message: message(&decision, scale, &case.help.to_help()).into_owned(),
            warnings: warnings(&decision),
        })
    });
}

/// How many errors the statuses of the personas have, and how many findings are excepted in them.
fn in_status(question: &Question<'_>) -> (usize, usize) {
    let Governed {
        personas, exceptions, ..
    } = question.governed;
    let of = |persona| {
        issues(
            RuleSet::Complete,
            question.new,
            persona,
            &personas,
            question.platform,
            exceptions,
        )
    };
    let all = personas.iter().map(|persona| of(persona));
    all.fold((0, 0), |(errors, excepted), issues| {
        (errors + issues.errors, excepted + issues.excepted)
    })
}

/// The same of the answer. What it says about the personas of another app is in no status of these.
fn in_answer(question: &Question<'_>, decision: &Decision<'_>) -> (usize, usize) {
    let is_governing = |name: &str| question.governed.personas.iter().any(|persona| persona.name == name);
    let findings = || decision.findings().filter(|found| is_governing(found.persona()));
    let errors = findings().filter(|found| found.severity() == Severity::Error);
    let excepted = findings().filter(|found| found.exception().is_some());
    (errors.count(), excepted.count())
}
