use serde_json::json;

use super::*;
use crate::finding::Finding;
use crate::{Governed, Level, ModeWish, PlatformRules, RuleSet, Subject, Workload, fix, remedy};
use dorgu_api::levels::RuleName;

fn judged<R>(
    object: &serde_json::Value,
    platform: &PlatformRules,
    mode: Mode,
    read: impl FnOnce(Option<Decision<'_>>) -> R,
) -> R {
    let text = object.to_string();
    let new: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed: Governed::default(),
        old: None,
        namespace: "shop",
        namespace_mode: &ModeWish::Unset,
        platform,
    };
    let set = RuleSet::Complete;
    read(judge_unlabelled(Rulebook { set, mode }, &question))
}

#[test]
fn only_the_level_deny_in_enforcing_mode_denies() {
    let object = json!({"metadata": {"name": "web"}, "spec": {}});
    for (level, mode) in Level::ALL
        .into_iter()
        .flat_map(|level| Mode::ALL.map(|mode| (Some(level), mode)))
        .chain(Mode::ALL.map(|mode| (None, mode)))
    {
        let mut platform = PlatformRules::default();
        if let Some(level) = level {
            platform.require(RuleName::AppLabelMissing, level);
        }
        judged(&object, &platform, mode, |decision| {
            let level = level.unwrap_or(Level::Warn);
            let Some(decision) = decision else {
                return assert_eq!(level, Level::Off);
            };
            assert_ne!(level, Level::Off);
            assert_eq!(decision.allows(), (level, mode) != (Level::Deny, Mode::Enforcing));
            assert_eq!(decision.findings().count(), usize::from(level > Level::Audit));
            let counted: Vec<_> = decision.rules().map(|(rule, _, count)| (rule, count)).collect();
            assert_eq!(counted, [(Rule::AppLabelMissing, 1)], "counted at every level");
            assert_eq!(decision.personas().count(), 0);
        });
    }
}

#[test]
fn the_patch_is_the_fix_line() {
    let object = json!({"metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "site"}},
    }});
    judged(&object, &PlatformRules::NONE, Mode::Advisory, |decision| {
        let decision = decision.expect("a finding");
        let found: Vec<&Finding<'_>> = decision.findings().map(AttributedFinding::finding).collect();
        let plan = fix::Plan::new(&found, decision.workload());
        let lines: Vec<String> = plan
            .changes
            .iter()
            .map(|(change, _)| crate::render::FixLine(change).to_string())
            .collect();
        assert_eq!(lines, ["metadata.labels[app.kubernetes.io/name]: unset -> web"]);
        let mut fixed = object.clone();
        let patch = remedy::patch(found[0], &object).expect("the name is known");
        json_patch::patch(&mut fixed, &patch.0).expect("it applies");
        assert_eq!(fixed["metadata"]["labels"], json!({"app.kubernetes.io/name": "web"}));
    });
}
