//! Properties of patches.

use std::sync::Arc;

use dorgu::policy::{
    AttributedFinding, Decision, Governed, Mode, ModeWish, Persona, PlatformRules, Question, RuleSet, Rulebook,
    Severity, Subject, Workload, decide, remedy::patch, remedy::patch_all,
};
use serde_json::{Value, json};

use super::invent::{self, Choices};

/// The patch for everything that was found applies, and leaves no error and nothing that it claimed to mend.
pub fn remedy(bytes: &[u8]) {
    let choices = &mut Choices::of(bytes);
    let object =
        json!({"metadata": {"name": "orders", "namespace": "shop"}, "spec": invent::persona(choices, "orders")});
    let object = serde_json::from_value(object).expect("a persona");
    let persona = Arc::new(Persona::parse(&object));
    let object = invent::deployment(choices);

    let mut fixed = object.clone();
    let hopeless = judged(&object, &persona, |decision| {
        let patch_all = patch_all(decision.findings().map(AttributedFinding::finding), &object);
        json_patch::patch(&mut fixed, &patch_all).unwrap_or_else(|error| panic!("{error}: {patch_all:?}\n{object:#}"));
        // Those for which no right value is known.
        let findings = decision.findings().map(AttributedFinding::finding);
        findings
            .filter(|finding| patch(finding, &object).is_none())
            .map(|finding| finding.rule)
            .collect::<Vec<_>>()
    });
    judged(&fixed, &persona, |decision| {
        for finding in decision.findings().map(AttributedFinding::finding) {
            assert!(
                finding.rule.severity() != Severity::Error && hopeless.contains(&finding.rule),
                "{finding:?}, beside {hopeless:?}\n{persona:#?}\n{object:#}\n{fixed:#}"
            );
        }
    });
}

fn judged<T>(object: &Value, persona: &Arc<Persona>, then: impl FnOnce(&Decision<'_>) -> T) -> T {
    let text = object.to_string();
    let new: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed: Governed {
            app: "orders",
            personas: std::slice::from_ref(persona).into(),
            ..Governed::default()
        },
        old: None,
        namespace: "shop",
        namespace_mode: &ModeWish::Unset,
        platform: &PlatformRules::NONE,
    };
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: Mode::Enforcing,
    };
    then(&decide(rulebook, &question))
}
