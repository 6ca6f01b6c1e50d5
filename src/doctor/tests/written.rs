//! Commands, the report, the canary and the evaluation of its answer.

use serde_json::{Value, json};

use super::{Call, Check, Clinic, Commands, Fetched, Report, Status, edit, namespace, persona};
use crate::api::levels::PlatformRule;
use crate::doctor::canary::Canary;
use crate::doctor::checks::shipped;
use crate::doctor::commands::word;
use crate::doctor::finding::{Finding, NotOk, Outcome, skip};
use crate::k8s::Verdict;
use crate::policy::PlatformRules;

#[test]
fn commands_are_for_the_same_cluster_and_survive_a_shell() {
    let commands = Commands {
        kubeconfig: Some("/home/me/my config".to_owned()),
        context: Some("prod".to_owned()),
    };
    assert_eq!(
        commands.kubectl_in("shop", "get pods"),
        "kubectl --kubeconfig '/home/me/my config' --context prod --namespace shop get pods"
    );
    assert_eq!(word("it's"), r"'it'\''s'");
    assert_eq!(word(""), "''");
    assert_eq!(word("$(reboot)"), "'$(reboot)'");
}

#[test]
fn an_installation_is_put_back_by_what_it_was_installed_with() {
    let again = |clinic: &Clinic| Commands::default().install_again(&clinic.setup(), clinic.facts.deployment.here());
    let ours = Clinic::with(|clinic| {
        super::installation::argument(clinic, "--match=chain");
        super::installation::argument(clinic, "--webhook-mode=enforcing");
        clinic.wanted.namespace = "guards".to_owned();
        edit(&mut clinic.facts.deployment, |object| {
            object["spec"]["replicas"] = json!(3);
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.example.com/dorgu:7");
        });
    });
    assert_eq!(
        again(&ours),
        "dorgu manifests --namespace guards --replicas 3 --image registry.example.com/dorgu:7 --webhook-mode enforcing \
         --match chain | kubectl apply -f -"
    );
    let required = Clinic::with(|clinic| super::installation::argument(clinic, "--require-label"));
    assert_eq!(again(&required), "dorgu manifests --require-label | kubectl apply -f -");
    let helm = Clinic::with(|clinic| {
        edit(&mut clinic.facts.deployment, |object| {
            object["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "guard"});
        });
    });
    assert_eq!(
        again(&helm),
        "helm upgrade guard charts/dorgu-operator --namespace dorgu-system --reset-then-reuse-values"
    );
}

#[test]
fn a_report_is_a_line_a_check_with_cause_and_cure_and_the_same_as_json() {
    let mut report = Report {
        server: "https://10.0.0.1".to_owned(),
        namespace: "dorgu-system".to_owned(),
        name: "dorgu-operator".to_owned(),
        ..Report::default()
    };
    report.add(Check::ApiServer, Ok("Kubernetes v1.33.1".to_owned()));
    report.add(
        Check::Timeout,
        Err(Finding::warn("30\x1b[2Js", "too long", "kubectl patch").into()),
    );
    report.add(Check::Personas, skip("nobody\nknows"));
    assert_eq!(
        report.text(),
        "dorgu-operator in dorgu-system at https://10.0.0.1\n\n\
         ok    api-server             Kubernetes v1.33.1\n\
         warn  timeout                30 [2Js\n      cause: too long\n      cure:  kubectl patch\n\
         skip  personas               nobody knows\n\n\
         3 checks: 1 ok, 1 warn, 0 fail, 1 skip\n"
    );
    let read: Value = serde_json::from_str(&report.json()).expect("JSON");
    assert_eq!(
        read["checks"][1],
        json!({"check": "timeout", "status": "warn", "findings": [
            {"severity": "warn", "seen": "30\u{1b}[2Js", "cause": "too long", "cure": "kubectl patch"},
        ]})
    );
    assert_eq!(read["summary"], json!({"ok": 1, "warn": 1, "fail": 0, "skip": 1}));
    assert!(!report.is_clean());
}

fn canary(clinic: &Clinic) -> Option<Canary> {
    clinic.view(Canary::find)
}

#[test]
fn a_canary_is_made_for_a_persona_that_it_breaks_where_it_is_sent() {
    let found = canary(&Clinic::new()).expect("a canary");
    assert_eq!((found.namespace.as_str(), found.persona.as_str()), ("shop", "orders"));
    assert_eq!(found.object["metadata"]["labels"]["app.kubernetes.io/name"], "orders");
    assert_eq!(found.object["spec"]["replicas"], 0);
    assert_eq!(
        found.warnings,
        ["persona requires runAsNonRoot but Deployment does not enforce it"]
    );
    assert!(!found.refused);
    let enforcing = Clinic::with(|clinic| {
        let labels = [("dorgu.io/validate", "true"), ("dorgu.io/mode", "enforcing")];
        clinic.facts.namespaces = Fetched::Here(vec![namespace("shop", &labels)]);
    });
    assert!(canary(&enforcing).is_some_and(|canary| canary.refused));
    let leveled = |level: &str| {
        let rules: Vec<PlatformRule> =
            serde_json::from_value(json!([{"rule": "run-as-non-root", "level": level}])).expect("rules");
        Clinic::with(|clinic| {
            let labels = [("dorgu.io/validate", "true"), ("dorgu.io/mode", "enforcing")];
            clinic.facts.namespaces = Fetched::Here(vec![namespace("shop", &labels)]);
            clinic.facts.platform = Fetched::Here(PlatformRules::of_cluster([&*rules]));
        })
    };
    let warned = canary(&leveled("warn")).expect("a canary");
    assert!(!warned.refused && warned.warnings == found.warnings, "{warned:?}");
    assert!(canary(&leveled("deny")).is_some_and(|canary| canary.refused));
    for level in ["audit", "off"] {
        assert_eq!(canary(&leveled(level)), None, "no answer would say it");
    }
    let unknown = Clinic::with(|clinic| clinic.facts.platform = super::forbidden("you may not read clusterpersonas"));
    assert_eq!(canary(&unknown), None);
    let without = Clinic::with(|clinic| clinic.facts.platform = Fetched::Absent);
    assert!(canary(&without).is_some());
    let by_default = Clinic::with(|clinic| {
        let demands = json!({"name": "*", "type": "api", "policies": {"security": {"runAsNonRoot": true}}});
        clinic.facts.personas = Fetched::Here(vec![persona("shop", demands)]);
    });
    let by_default = canary(&by_default).expect("a canary");
    let label = &by_default.object["metadata"]["labels"]["app.kubernetes.io/name"];
    assert_eq!(label, "dorgu-doctor-canary", "* is no value of a label");
    let elsewhere = Clinic::with(|clinic| clinic.facts.namespaces = Fetched::Here(vec![namespace("shop", &[])]));
    assert_eq!(canary(&elsewhere), None);
    let lax = Clinic::with(|clinic| {
        clinic.facts.personas = Fetched::Here(vec![persona("shop", json!({"name": "orders", "type": "api"}))]);
    });
    assert_eq!(canary(&lax), None, "nothing to break");
}

fn judged(code: u16, warnings: &[&str], message: &str, failed_open: Option<f64>) -> Outcome {
    let clinic = Clinic::new();
    let call = Call::Answered {
        canary: canary(&clinic).expect("a canary"),
        verdict: Verdict {
            code,
            warnings: warnings.iter().map(|&text| text.to_owned()).collect(),
            message: message.to_owned(),
        },
        failed_open,
    };
    clinic.view(|view| call.judged(view))
}

#[test]
fn only_our_own_words_prove_that_we_were_asked() {
    let ours = "persona requires runAsNonRoot but Deployment does not enforce it";
    assert!(judged(201, &["somebody else's", ours], "", None).is_ok());
    let denied = r#"admission webhook "validate-deployment.dorgu.io" denied the request: no"#;
    assert!(judged(403, &[], denied, None).is_ok());
    let finding = |outcome: Outcome| match outcome {
        Err(NotOk::Found(mut findings)) => findings.remove(0),
        other => panic!("{other:?}"),
    };
    let unseen = finding(judged(201, &["somebody else's"], "", None));
    assert!(unseen.seen.contains("went by without a word"), "{unseen:?}");
    let called = finding(judged(201, &[], "", Some(1.0)));
    assert!(called.seen.contains("called and got no answer"), "{called:?}");
    assert!(called.cause.contains("firewall"), "{called:?}");
    let never = finding(judged(201, &[], "", Some(0.0)));
    assert!(never.cause.contains("it was not asked at all"), "{never:?}");
    let failing = r#"Internal error occurred: failed calling webhook "validate-deployment.dorgu.io": tls: bad"#;
    assert!(finding(judged(500, &[], failing, None)).seen.contains("tls: bad"));
    for (code, message) in [
        (403, "deployments.apps is forbidden: User cannot create"),
        (422, "quota"),
    ] {
        let skipped = judged(code, &[], message, None);
        assert!(
            matches!(&skipped, Err(NotOk::Skip(reason)) if reason.contains(message)),
            "{skipped:?}"
        );
    }
}

#[test]
fn the_canary_waits_for_what_comes_first() {
    let report = Clinic::with(|clinic| clinic.facts.configuration = Fetched::Absent).report();
    assert_eq!(report.first_failure(), Some("webhook-configuration"));
    assert!(report.checks.iter().all(|line| line.check != "webhook-call"));
    let setup = Clinic::new().setup();
    assert_eq!(shipped(&setup).name, "validate-deployment.dorgu.io");
    assert_eq!(
        report.checks.iter().filter(|line| line.status == Status::Fail).count(),
        1
    );
}
