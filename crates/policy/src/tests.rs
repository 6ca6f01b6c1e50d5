//! What the corpus (`tests/cases`) cannot express: properties, and the JSON patches.

mod fields;
mod fixes;
mod images;
mod large;
mod levels;
mod table;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::decision::Rulebook;
use super::question::{Governed, Old, Question};
use super::*;

fn persona() -> Persona {
    let quantity = |text| quantity::Quantity::parse(text).ok();
    Persona {
        namespace: "shop".into(),
        name: "orders".into(),
        app: "orders".into(),
        has_resources: true,
        limits: persona::PersonaResources {
            cpu: quantity("500m"),
            memory: quantity("512Mi"),
        },
        requests: persona::PersonaResources {
            cpu: quantity("100m"),
            memory: quantity("128Mi"),
        },
        min_replicas: Some(2),
        max_replicas: Some(5),
        liveness_path: Some("/live".into()),
        readiness_path: Some("/ready".into()),
        probe_port: Some(8080),
        run_as_non_root: true,
        read_only_root_filesystem: true,
        forbids_privilege_escalation: true,
        ..Persona::default()
    }
}

fn judged<R>(object: &Value, old: Option<&Value>, mode: Mode, read: impl FnOnce(&Decision<'_>) -> R) -> R {
    judged_by(&PlatformRules::NONE, object, old, mode, read)
}

fn judged_by<R>(
    platform: &PlatformRules,
    object: &Value,
    old: Option<&Value>,
    mode: Mode,
    read: impl FnOnce(&Decision<'_>) -> R,
) -> R {
    let personas = [Arc::new(persona())];
    let text = object.to_string();
    let new: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
    let before = old.map(ToString::to_string);
    let governed = Governed {
        app: "orders",
        personas: personas[..].into(),
        ..Governed::default()
    };
    let stored = || serde_json::from_str(before.as_deref()?).ok();
    let old = old.map(|_| Old {
        governed,
        workload: &stored,
    });
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed,
        old,
        namespace: "shop",
        namespace_mode: &ModeWish::Unset,
        platform,
    };
    read(&decide(
        Rulebook {
            set: RuleSet::Complete,
            mode,
        },
        &question,
    ))
}

/// Images of every kind that matters to a rule.
fn image() -> impl Strategy<Value = String> + Clone {
    const NAMES: &[&str] = &[
        "nginx",
        "docker.io/acme/api",
        "ghcr.io/acme",
        "GHCR.io/acme/api",
        "ghcr.io/acme/other",
        "ghcr.io/acme-evil/api",
        "quay.io/acme/api",
        "Cannot/Be/Read",
    ];
    const ENDS: &[&str] = &["", ":1", ":latest"];
    let digest = proptest::sample::select(vec![String::new(), format!("@sha256:{}", "0".repeat(64))]);
    let parts = (proptest::sample::select(NAMES), proptest::sample::select(ENDS), digest);
    parts.prop_map(|(name, tag, digest)| format!("{name}{tag}{digest}"))
}

/// Deployments of every shape that rules cover.
pub(crate) fn deployment() -> impl Strategy<Value = Value> {
    let flag = || prop_oneof![Just(Value::Null), Just(json!(true)), Just(json!(false))];
    let amount = |words: &'static [&'static str]| {
        prop_oneof![
            Just(Value::Null),
            proptest::sample::select(words).prop_map(|word| json!(word))
        ]
    };
    let cpu = || amount(&["100m", "500m", "0.5", "2", "0", "1e3"]);
    let memory = || amount(&["64Mi", "512Mi", "1Gi", "0", "600M"]);
    let security = (
        flag(),
        prop_oneof![Just(Value::Null), Just(json!(0)), Just(json!(1000))],
        flag(),
        flag(),
        flag(),
    );
    let added = proptest::sample::subsequence(vec!["NET_ADMIN", "SYS_ADMIN", "cap_sys_admin", "ALL"], 0..4);
    let container = (
        cpu(),
        memory(),
        cpu(),
        memory(),
        security.clone(),
        added,
        flag(),
        any::<bool>(),
        image(),
    )
        .prop_map(
            |(lc, lm, rc, rm, (non_root, user, escalate, privileged, read_only), added, probed, sidecar, image)| {
                let probe = if probed == json!(true) {
                    json!({"httpGet": {"path": "/x", "port": 1}})
                } else {
                    Value::Null
                };
                json!({
                    "image": image,
                    "resources": {"limits": {"cpu": lc, "memory": lm}, "requests": {"cpu": rc, "memory": rm}},
                    "securityContext": {
                        "runAsNonRoot": non_root, "runAsUser": user, "allowPrivilegeEscalation": escalate,
                        "privileged": privileged, "readOnlyRootFilesystem": read_only, "capabilities": {"add": added},
                    },
                    "livenessProbe": probe,
                    "restartPolicy": if sidecar { json!("Always") } else { Value::Null },
                })
            },
        );
    let named = |prefix: &'static str, list: Vec<Value>| -> Vec<Value> {
        let name = |(position, mut container): (usize, Value)| {
            container["name"] = json!(format!("{prefix}{position}"));
            container
        };
        list.into_iter().enumerate().map(name).collect()
    };
    let containers = proptest::collection::vec(container.clone(), 1..4);
    let inits = proptest::collection::vec(container, 0..3);
    let replicas = prop_oneof![Just(Value::Null), (0..8i32).prop_map(|count| json!(count))];
    (containers, inits, replicas, security, cpu()).prop_map(
        move |(containers, inits, replicas, (non_root, user, ..), pod_cpu)| {
            json!({
                "metadata": {"name": "orders", "namespace": "shop", "labels": {"app.kubernetes.io/name": "orders"}},
                "spec": {"replicas": replicas, "template": {"spec": {
                    "containers": named("app", containers),
                    "initContainers": named("init", inits),
                    "securityContext": {"runAsNonRoot": non_root, "runAsUser": user},
                    "resources": {"limits": {"cpu": pod_cpu}},
                }}},
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_combined_patch_leaves_nothing_to_find(object in deployment()) {
        let fixed = judged(&object, None, Mode::Enforcing, |decision| {
            let patch = remedy::patch_all(decision.findings().map(AttributedFinding::finding), &object);
            let mut fixed = object.clone();
            json_patch::patch(&mut fixed, &patch).expect("the patch applies to the object it was made for");
            fixed
        });
        judged(&fixed, None, Mode::Enforcing, |decision| {
            let left: Vec<String> =
                decision.findings().map(|attributed| render::Message(attributed.finding()).to_string()).collect();
            prop_assert!(left.is_empty(), "{left:?}\n{fixed:#}");
            Ok(())
        })?;
    }

    #[test]
    fn each_patch_applies_and_removes_its_finding(object in deployment()) {
        judged(&object, None, Mode::Enforcing, |decision| {
            for attributed in decision.findings() {
                let finding = attributed.finding();
                let patch = remedy::patch(finding, &object);
                prop_assert!(patch.is_some(), "no patch for {finding:?}");
                // One capability may stand there in several spellings, each a finding.
                let same = decision.findings().map(AttributedFinding::finding).filter(|other| other.subject() == finding.subject());
                let mut fixed = object.clone();
                json_patch::patch(&mut fixed, &remedy::patch_all(same, &object)).expect("applies");
                let still = judged(&fixed, None, Mode::Enforcing, |after| {
                    after.findings().any(|other| other.finding().subject() == finding.subject())
                });
                prop_assert!(!still, "{finding:?} stays after its own patch\n{fixed:#}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_fix_of_a_denial_passes_and_leaves_what_was_excused(old in deployment(), new in deployment(), update in any::<bool>()) {
        let old = update.then_some(&old);
        let fixed = judged(&new, old, Mode::Enforcing, |decision| {
            let refused = decision.refusals().iter().map(AttributedFinding::finding);
            let named: Vec<String> = refused.clone().map(|finding| render::Message(finding).to_string()).collect();
            let patch = remedy::patch_all(refused, &new);
            let mut fixed = new.clone();
            json_patch::patch(&mut fixed, &patch).expect("the patch applies to the object it was made for");
            // A container about which nothing is said keeps what it has; what it inherits is the pod's.
            for list in ["containers", "initContainers"] {
                let lists = [&new, &fixed].map(|object| object["spec"]["template"]["spec"][list].as_array().cloned());
                for (before, after) in lists[0].iter().flatten().zip(lists[1].iter().flatten()) {
                    let name = before["name"].as_str().unwrap_or_default();
                    let is_named = named.iter().any(|text| text.contains(&format!("[{name}]")))
                        || named.iter().any(|text| text.contains("does not enforce it"));
                    prop_assert!(before == after || is_named, "{name} is changed unasked\n{fixed:#}");
                }
            }
            Ok(fixed)
        })?;
        judged(&fixed, old, Mode::Enforcing, |decision| {
            let left: Vec<String> =
                decision.refusals().iter().map(|attributed| render::Message(attributed.finding()).to_string()).collect();
            prop_assert!(left.is_empty(), "{left:?}\n{fixed:#}");
            Ok(())
        })?;
    }

    #[test]
    fn an_update_that_changes_nothing_is_never_refused(object in deployment()) {
        judged(&object, Some(&object), Mode::Enforcing, |decision| {
            prop_assert!(decision.allows());
            Ok(())
        })?;
    }

    #[test]
    fn advisory_mode_never_refuses_and_tells_the_same(object in deployment()) {
        let reported = |decision: &Decision<'_>| {
            let mut reported: Vec<String> =
                decision.findings().map(|attributed| render::Message(attributed.finding()).to_string()).collect();
            reported.sort();
            (decision.allows(), reported)
        };
        let (advised, warnings) = judged(&object, None, Mode::Advisory, reported);
        let (_, findings) = judged(&object, None, Mode::Enforcing, reported);
        prop_assert!(advised);
        prop_assert_eq!(warnings, findings);
    }

    #[test]
    fn the_old_object_is_read_only_when_an_error_could_refuse(object in deployment(), enforcing in any::<bool>()) {
        let mode = if enforcing { Mode::Enforcing } else { Mode::Advisory };
        let personas = [Arc::new(persona())];
        let text = object.to_string();
        let new: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
        let governed = Governed { app: "orders", personas: personas[..].into(), ..Governed::default() };
        let read = std::cell::Cell::new(false);
        let stored = || { read.set(true); None };
        let question = Question {
            subject: Subject::Deployment, new: &new, governed, old: Some(Old { governed, workload: &stored }),
            namespace: "shop", namespace_mode: &ModeWish::Unset,
            platform: &PlatformRules::NONE,
        };
        let decision = decide(Rulebook { set: RuleSet::Complete, mode }, &question);
        let errors = decision.findings().any(|attributed| attributed.severity() == Severity::Error);
        prop_assert_eq!(read.get(), errors && enforcing);
    }
}

/// The lines that fix what does not refuse, as far as resources and privileges go.
fn lines(object: &Value) -> Vec<String> {
    judged(object, None, Mode::Enforcing, |decision| {
        let findings: Vec<&Finding<'_>> = decision.warnings().iter().map(AttributedFinding::finding).collect();
        let text = object.to_string();
        let workload: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
        let plan = fix::Plan::new(&findings, &workload);
        let lines = plan
            .changes
            .iter()
            .map(|(change, _)| render::FixLine(change).to_string());
        let shown = ["resources", "rivilege", "capabilities"];
        lines
            .filter(|line| shown.iter().any(|shown| line.contains(shown)))
            .collect()
    })
}

fn one_container(fields: Value) -> Value {
    let mut container = fields;
    container["name"] = json!("api");
    json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}}})
}

#[test]
fn a_fix_also_changes_what_the_api_server_ties_to_it() {
    let path = |field: &str| format!("spec.template.spec.containers[api].{field}");
    let object = one_container(json!({
        "resources": {"requests": {"cpu": "700m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "privileged": false},
    }));
    assert_eq!(
        lines(&object),
        [
            path("resources.limits.cpu: unset -> 500m"),
            path("resources.requests.cpu: 700m -> 500m"),
        ]
    );
    let object = one_container(json!({
        "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "500m", "memory": "512Mi"}},
        "securityContext": {"privileged": true, "capabilities": {"add": ["CHOWN", "CAP_SYS_ADMIN"]}},
    }));
    assert_eq!(
        lines(&object),
        [
            path("securityContext.allowPrivilegeEscalation: unset -> false"),
            path("securityContext.privileged: true -> false"),
            path("securityContext.capabilities.add: CAP_SYS_ADMIN -> removed"),
        ]
    );
}

#[test]
fn a_pod_level_limit_is_lowered_with_the_requests_that_would_exceed_it() {
    let mut object = one_container(json!({
        "resources": {"requests": {"cpu": "700m"}, "limits": {"memory": "512Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false},
    }));
    object["spec"]["template"]["spec"]["resources"] =
        json!({"requests": {"cpu": "800m", "memory": "1Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}});
    assert_eq!(
        lines(&object),
        [
            "spec.template.spec.containers[api].resources.limits.cpu: unset -> 500m",
            "spec.template.spec.containers[api].resources.requests.cpu: 700m -> 500m",
            "spec.template.spec.resources.limits.cpu: 2 -> 500m",
            "spec.template.spec.resources.requests.cpu: 800m -> 500m",
        ]
    );
}

#[test]
fn a_patch_refuses_an_object_it_was_not_made_for() {
    let object = json!({
        "metadata": {"labels": {"app.kubernetes.io/name": "orders"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "api"}]}}},
    });
    let patches = judged(&object, None, Mode::Enforcing, |decision| {
        decision
            .refusals()
            .iter()
            .filter_map(|attributed| remedy::patch(attributed.finding(), &object))
            .collect::<Vec<_>>()
    });
    let mut other = object.clone();
    other["spec"]["replicas"] = json!(7);
    assert!(
        json_patch::patch(&mut other, &patches[0]).is_err(),
        "the replica count had changed meanwhile"
    );
}

#[test]
fn rule_names_are_unique_and_stable() {
    let mut names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Rule::ALL.len());
}

#[test]
fn cut_text_never_exceeds_its_limit_and_says_that_it_was_cut() {
    assert_eq!(text::cut("abc", 3), "abc");
    assert_eq!(text::cut("abcdef", 5), "ab...");
    assert_eq!(
        text::cut(text::Shown("a\nb\u{e9}\u{1f600}"), 99),
        "a\\nb\\u00e9\\ud83d\\ude00"
    );
}
