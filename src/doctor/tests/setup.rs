//! The setup from the Deployment's arguments, and the rights that it needs.

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;

use super::{Clinic, Wanted, parts, typed};
use crate::doctor::rights::{Listed, needed};
use crate::doctor::setup::Setup;
use crate::policy::Matching;
use crate::policy::{Mode, RuleSet};

fn read(args: &[&str], env: &[(&str, &str)]) -> Setup {
    let env: Vec<_> = env
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let deployment: Deployment = typed(json!({"spec": {
        "selector": {},
        "template": {"spec": {"serviceAccountName": "guard", "containers": [
            {"name": "mesh", "image": "m", "args": ["proxy", "--match=chain"]},
            {"name": "manager", "image": "d", "args": args, "env": env},
        ]}},
    }}));
    let wanted = Wanted {
        namespace: "guards".to_owned(),
        name: "g".to_owned(),
        ..Wanted::default()
    };
    Setup::read(&wanted, &parts(), Some(&deployment))
}

#[test]
fn arguments_are_read_as_the_process_reads_them() {
    let plain = read(&["serve"], &[]);
    assert_eq!((plain.account.as_str(), plain.matching), ("guard", Matching::Label));
    assert!(!plain.webhook && !plain.elects && !plain.reviews_tokens);
    assert_eq!(plain.configuration, "g-deployment");
    let full = read(
        &[
            "serve",
            "--enable-webhook",
            "-leader-elect=true",
            "--match",
            "chain",
            "--webhook-config=c",
            "--webhook-mode=advisory",
            "--webhook-mode=enforcing",
            "--metrics-bind-address=:8443",
            "--rules=upstream",
        ],
        &[
            ("DORGU_WEBHOOK_SECRET", "from-env"),
            ("DORGU_WEBHOOK_CONFIG", "hidden"),
            ("DORGU_METRICS_SECURE", "true"),
        ],
    );
    assert!(full.webhook && full.elects && full.reviews_tokens);
    assert_eq!(
        (full.configuration.as_str(), full.secret.as_deref()),
        ("c", Some("from-env"))
    );
    assert_eq!(
        (full.rulebook.mode, full.rulebook.set),
        (Mode::Enforcing, RuleSet::Upstream)
    );
    assert_eq!(full.matching, Matching::Chain);
    assert!(read(&["serve", "--require-label"], &[]).requires_label);
    assert!(read(&["serve"], &[("DORGU_REQUIRE_LABEL", "true")]).requires_label);
    assert!(
        !read(&["serve", "--require-label", "--rules=upstream"], &[]).requires_label,
        "the process ignores it"
    );
    let off = read(&["serve", "--enable-webhook=false", "--metrics-bind-address=0"], &[]);
    assert!(!off.webhook && !off.reviews_tokens);
    assert_eq!(read(&["serve", "--webhook-cert-path=/x"], &[]).secret, None);
}

#[test]
fn what_whoever_asks_says_wins() {
    let clinic = Clinic::with(|clinic| {
        clinic.wanted.secret = Some("mine".to_owned());
        clinic.wanted.matching = Some(Matching::Chain);
        clinic.wanted.requires_label = Some(true);
    });
    let setup = clinic.setup();
    assert_eq!(
        (setup.secret.as_deref(), setup.matching, setup.requires_label),
        (Some("mine"), Matching::Chain, true)
    );
    assert!(
        setup.webhook && setup.elects && setup.reviews_tokens,
        "the rest is the Deployment's: {setup:?}"
    );
}

#[test]
fn the_rights_that_are_asked_about_are_those_of_the_shipped_roles_under_the_names_in_use() {
    let clinic = Clinic::with(|clinic| clinic.wanted.secret = Some("mine".to_owned()));
    let rights = needed(&clinic.setup(), true);
    let listed = Listed(&rights).to_string();
    for part in [
        "create, list, patch, watch secrets/mine in dorgu-system",
        "list, patch, watch validatingwebhookconfigurations.admissionregistration.k8s.io/dorgu-operator-deployment",
        "create leases.coordination.k8s.io in dorgu-system",
        "get, update leases.coordination.k8s.io/48ec518d.dorgu.io in dorgu-system",
        "list, watch nodes",
        "create tokenreviews.authentication.k8s.io",
    ] {
        assert!(listed.contains(part), "no '{part}' in {listed}");
    }
    let theirs = Listed(&needed(&clinic.setup(), false)).to_string();
    assert!(
        theirs.contains("; list, watch secrets/mine in dorgu-system"),
        "{theirs}"
    );
    let quiet = Listed(&needed(&read(&["serve"], &[]), true)).to_string();
    for absent in ["secrets", "leases", "webhook", "tokenreviews"] {
        assert!(!quiet.contains(absent), "{quiet}");
    }
    let question = rights[0].question(&clinic.setup());
    assert_eq!(
        question.user.as_deref(),
        Some("system:serviceaccount:dorgu-system:dorgu-operator")
    );
    let status = rights
        .iter()
        .find(|right| right.resource.ends_with("/status"))
        .expect("a status");
    let attributes = status
        .question(&clinic.setup())
        .resource_attributes
        .expect("a resource");
    assert_eq!(attributes.subresource.as_deref(), Some("status"));
    assert_eq!(attributes.resource.as_deref(), Some("applicationpersonas"));
}
