//! The field of a finding: what stands there is what was observed, or nothing where something is missing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::field::{Field, Holder};
use crate::finding::{Escalation, Fact, ModeHolder, Place};
use crate::image::Registries;
use crate::persona::{Flaw, Images, Problem};
use crate::rules::{Context, Surface, judge};

/// A persona that demands all that can be demanded.
fn demanding() -> Persona {
    let allowed = Registries::parse(&["ghcr.io/acme".to_owned()], |entry| panic!("{entry}"));
    Persona {
        images: Some(Box::new(Images {
            registries: Some(allowed),
            deny_latest: true,
            require_digest: true,
        })),
        ..persona()
    }
}

/// Reads all findings on an object, whatever happens to them.
fn each_finding(object: &Value, mut read: impl FnMut(&Finding<'_>)) {
    let text = object.to_string();
    let workload: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
    for surface in [Surface::Answer, Surface::Status] {
        let context = Context {
            set: RuleSet::Complete,
            surface,
            subject: Subject::Deployment,
            workload: &workload,
            persona: &demanding(),
            platform: &PlatformRules::NONE,
        };
        judge(&context, &mut |finding| read(&finding));
    }
}

/// What has to be at the field of a finding. `None` where the object is not the one that has the field.
fn observed(finding: &Finding<'_>) -> Option<Value> {
    Some(match &finding.fact {
        Fact::LimitAbove { observed, .. } | Fact::PodLimitAbove { observed, .. } => json!(observed.to_string()),
        Fact::LimitMissing { .. }
        | Fact::RequestsMissing { .. }
        | Fact::EscalationUnset
        | Fact::LabelMissing { .. }
        | Fact::ProbeMissing { .. } => Value::Null,
        Fact::Replicas { observed, .. } => json!(observed),
        Fact::NonRootNotDemanded { observed, .. } | Fact::WritableRoot { observed } => json!(observed),
        Fact::RunsAsRoot { user: None, .. } => json!(false),
        Fact::RunsAsRoot { user: Some(user), .. } => user.account.map_or(json!(0), |account| json!(account)),
        Fact::Escalation(Escalation::Capability(name, _)) => json!(name),
        Fact::Escalation(Escalation::ProcMount) => json!("Unmasked"),
        Fact::Escalation(_) => json!(true),
        Fact::PathDiffers { observed, .. } => json!(observed),
        Fact::ImageNotAllowed { image, .. } | Fact::ImageLatest { image } | Fact::DigestMissing { image } => {
            json!(image)
        }
        Fact::Label { observed: "", .. } => Value::Null,
        Fact::Label { observed, .. } => json!(observed),
        Fact::SelectorLabel { observed, .. } => json!(observed),
        Fact::Unreadable { .. } | Fact::Duplicate { .. } | Fact::ModeUnknown { .. } | Fact::ModeMisplaced { .. } => {
            return None;
        }
    })
}

/// As the rules compare: a quantity by its value, of which zero is none, an absent replica count as one, and a map without
/// values as an absent one.
fn comparable(finding: &Finding<'_>, there: Option<&Value>) -> Value {
    let amount = |there: &Value| quantity::Quantity::parse(there.as_str()?).ok();
    let is_none = |there: &Value| there.is_null() || amount(there) == quantity::Quantity::parse("0").ok();
    match (&finding.fact, there) {
        (Fact::LimitAbove { .. } | Fact::PodLimitAbove { .. }, Some(there)) => {
            json!(amount(there).map(|amount| amount.to_string()))
        }
        (Fact::Replicas { .. }, None | Some(Value::Null)) => json!(1),
        (Fact::LimitMissing { .. }, Some(limit)) if is_none(limit) => Value::Null,
        (Fact::RequestsMissing { .. }, Some(Value::Object(map))) if map.values().all(is_none) => Value::Null,
        // In a status a probe without HTTP is none.
        (Fact::ProbeMissing { .. }, Some(probe)) if probe["httpGet"].is_null() => Value::Null,
        (_, there) => there.cloned().unwrap_or_default(),
    }
}

proptest! {
    #[test]
    fn what_was_observed_stands_at_the_field(object in deployment()) {
        let mut wrong = Vec::new();
        each_finding(&object, |finding| {
            let Field { holder, pointer } = Field::of(finding);
            let there = comparable(finding, object.pointer(pointer.as_str()));
            if holder != Holder::Workload || Some(&there) != observed(finding).as_ref() {
                wrong.push(format!("{}: {pointer} is {there}", render::Message(finding)));
            }
        });
        prop_assert!(wrong.is_empty(), "{wrong:#?}\n{object:#}");
    }
}

/// An object and the field of its finding by one rule.
#[track_caller]
fn assert_field(seen: &mut BTreeSet<Rule>, rule: Rule, object: &Value, field: &str) {
    let mut fields = Vec::new();
    each_finding(object, |finding| {
        if finding.rule == rule {
            fields.push(Field::of(finding).pointer.to_string());
        }
    });
    assert!(fields.iter().any(|found| found == field), "{rule:?}: {fields:?}");
    seen.insert(rule);
}

#[test]
fn every_rule_has_a_field() {
    let mut seen = BTreeSet::new();
    let first = |field: &str| format!("/spec/template/spec/containers/0/{field}");
    let bare = one_container(json!({"image": "nginx"}));
    let high = one_container(json!({
        "resources": {"limits": {"cpu": "2", "memory": "2Gi"}},
        "livenessProbe": {"httpGet": {"path": "/x"}},
        "securityContext": {"allowPrivilegeEscalation": true, "capabilities": {"add": ["CHOWN", "SYS_ADMIN"]}},
    }));
    for (rule, object, field) in [
        (Rule::CpuLimitAbovePersona, &high, "resources/limits/cpu"),
        (Rule::MemoryLimitAbovePersona, &high, "resources/limits/memory"),
        (Rule::CpuLimitMissing, &bare, "resources/limits/cpu"),
        (Rule::MemoryLimitMissing, &bare, "resources/limits/memory"),
        (Rule::RequestsMissing, &bare, "resources/requests"),
        (Rule::LivenessProbeMissing, &bare, "livenessProbe"),
        (Rule::LivenessPathDiffers, &high, "livenessProbe/httpGet/path"),
        (Rule::ReadinessProbeMissing, &bare, "readinessProbe"),
        (
            Rule::PrivilegeEscalation,
            &high,
            "securityContext/allowPrivilegeEscalation",
        ),
        (Rule::PrivilegeEscalation, &high, "securityContext/capabilities/add/1"),
        (
            Rule::PrivilegeEscalationUnset,
            &bare,
            "securityContext/allowPrivilegeEscalation",
        ),
        (
            Rule::WritableRootFilesystem,
            &bare,
            "securityContext/readOnlyRootFilesystem",
        ),
        (Rule::ImageRegistryNotAllowed, &bare, "image"),
        (Rule::ImageTagLatest, &bare, "image"),
        (Rule::ImageDigestMissing, &bare, "image"),
    ] {
        assert_field(&mut seen, rule, object, &first(field));
    }
    let mut object = json!({"spec": {"replicas": 1, "template": {"spec": {"initContainers": [
        {"name": "a"}, {"name": "b", "securityContext": {"runAsUser": 0}},
    ]}}}});
    let pod = "/spec/template/spec";
    assert_field(&mut seen, Rule::ReplicasBelowMinimum, &object, "/spec/replicas");
    let demand = format!("{pod}/securityContext/runAsNonRoot");
    assert_field(&mut seen, Rule::RunAsNonRoot, &object, &demand);
    let user = format!("{pod}/initContainers/1/securityContext/runAsUser");
    assert_field(&mut seen, Rule::RunAsNonRoot, &object, &user);
    object["spec"]["replicas"] = json!(9);
    assert_field(&mut seen, Rule::ReplicasAboveMaximum, &object, "/spec/replicas");
    // An inherited setting stands on the pod.
    object["spec"]["template"]["spec"]["securityContext"] =
        json!({"runAsUser": 0, "windowsOptions": {"hostProcess": true, "runAsUserName": "ContainerAdministrator"}});
    let user = format!("{pod}/securityContext/runAsUser");
    assert_field(&mut seen, Rule::RunAsNonRoot, &object, &user);
    let host = format!("{pod}/securityContext/windowsOptions/hostProcess");
    assert_field(&mut seen, Rule::PrivilegeEscalation, &object, &host);
    object["spec"]["template"]["spec"]["os"] = json!({"name": "windows"});
    let account = format!("{pod}/securityContext/windowsOptions/runAsUserName");
    assert_field(&mut seen, Rule::RunAsNonRoot, &object, &account);

    // What rules of a single object do not find.
    let problem = Problem {
        field: "spec.resources.limits.cpu",
        value: "x".to_owned(),
        flaw: Flaw::Unreadable,
    };
    let personas = [Arc::new(demanding())];
    let removed = crate::rules::escaped(&personas[0], "orders", "", &[]);
    let changed = crate::rules::escaped(&personas[0], "orders", "other", &[]);
    let missing = Fact::LabelMissing { wanted: None };
    let label = Place::Object("metadata.labels[app.kubernetes.io/name]");
    let found = |rule, place, fact| Finding { rule, place, fact };
    let about = |rule, fact| found(rule, Place::Object(""), fact);
    let unreadable = Fact::Unreadable {
        persona: "orders",
        problem: &problem,
    };
    let duplicate = Fact::Duplicate {
        personas: &personas,
        app: "orders",
    };
    let (namespace, persona) = (ModeHolder::Namespace("shop"), ModeHolder::Persona("orders"));
    let unknown = |holder| Fact::ModeUnknown { holder, observed: "x" };
    let misplaced = |holder| Fact::ModeMisplaced { holder, observed: "x" };
    let name = "/metadata/labels/app.kubernetes.io~1name";
    let (labelled, annotated) = (
        "/metadata/labels/dorgu.io~1mode",
        "/metadata/annotations/dorgu.io~1mode",
    );
    let (of_persona, of_namespace) = (Holder::Persona("orders"), Holder::Namespace("shop"));
    for (finding, holder, field) in [
        (found(Rule::AppLabelMissing, label, missing), Holder::Workload, name),
        (removed, Holder::Workload, name),
        (changed, Holder::Workload, name),
        (
            about(Rule::PersonaValueUnreadable, unreadable),
            of_persona,
            "/spec/resources/limits/cpu",
        ),
        (about(Rule::PersonaDuplicate, duplicate), of_persona, "/spec/name"),
        (about(Rule::ModeUnknown, unknown(namespace)), of_namespace, labelled),
        (about(Rule::ModeUnknown, unknown(persona)), of_persona, annotated),
        (about(Rule::ModeUnknown, misplaced(namespace)), of_namespace, annotated),
        (about(Rule::ModeUnknown, misplaced(persona)), of_persona, labelled),
    ] {
        let found = Field::of(&finding);
        assert_eq!(
            (found.holder, found.pointer.as_str()),
            (holder, field),
            "{:?}",
            finding.rule
        );
        seen.insert(finding.rule);
    }
    // An object that cannot be read has no findings.
    let without: Vec<Rule> = Rule::ALL.into_iter().filter(|rule| !seen.contains(rule)).collect();
    assert_eq!(without, [Rule::ObjectUnreadable]);
}
