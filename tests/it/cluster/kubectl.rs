//! Warnings, denials with the fix, admitted requests, and no interference.

use serde_json::{Value, json};

use super::{Stage, container};
use crate::bed::{Bed, Needs};

#[test]
fn advisory_mode_prints_a_breach_as_warnings() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "advisory", &[]);
    let breach = stage.deployment(|object| {
        object["spec"]["replicas"] = json!(1);
        container(object)["resources"]["limits"]["cpu"] = json!("2");
        container(object)["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    });
    let output = bed.apply(&breach);
    assert!(output.succeeded(), "{output}");
    let warnings: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(
        warnings,
        [
            "Warning: [api] CPU limit 2 exceeds persona limit 500m",
            "Warning: replicas (1) below persona minimum (2)",
            "Warning: [api] privilege escalation enabled but persona forbids it",
        ]
    );
    let again = bed.apply(&stage.deployment(|_| {}));
    assert!(
        again.succeeded() && again.stderr.is_empty(),
        "a compliant object says nothing: {again}"
    );
}

#[test]
fn enforcing_mode_refuses_a_breach_with_the_fix() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "enforcing", &["--webhook-mode=enforcing"]);
    let breach = stage.deployment(|object| {
        object["spec"]["replicas"] = json!(1);
        container(object)["resources"]["limits"]["cpu"] = json!("2");
        container(object)["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    });
    let output = bed.apply(&breach);
    assert!(!output.succeeded(), "{output}");
    assert!(
        output
            .stderr
            .contains("Warning: [api] CPU limit 2 exceeds persona limit 500m"),
        "{output}"
    );
    let refusal = "admission webhook \"validate-deployment.dorgu.io\" denied the request: \
                   Deployment violates ApplicationPersona 'orders': replicas (1) below persona minimum (2); \
                   [api] privilege escalation enabled but persona forbids it\n  \
                   spec.replicas: 1 -> 2\n  \
                   spec.template.spec.containers[api].securityContext.allowPrivilegeEscalation: true -> false";
    assert!(output.stderr.contains(refusal), "{output}");
    bed.apply(&stage.deployment(|_| {})).expect_success();
}

#[test]
fn a_deployment_already_in_breach_can_be_touched_and_improved_but_not_worsened() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::unregistered(bed, "ratchet", &["--webhook-mode=enforcing"]);
    let replicas = |count: i32| stage.deployment(move |object| object["spec"]["replicas"] = json!(count));
    bed.apply(&replicas(1)).expect_success();
    bed.register(&stage.registration);

    let annotated = stage.kubectl(&["annotate", "deployment", "orders", "note=x"]);
    assert!(
        annotated.succeeded(),
        "what changes nothing is never refused: {annotated}"
    );
    assert_eq!(annotated.warnings(), ["replicas (1) below persona minimum (2)"]);
    let image = stage.kubectl(&["set", "image", "deployment/orders", "api=registry.example.com/orders:2"]);
    assert!(image.succeeded(), "an old breach does not refuse: {image}");
    assert!(
        image.stderr.contains("Warning: replicas (1) below persona minimum (2)"),
        "{image}"
    );
    let worse = bed.apply(&replicas(0));
    assert!(
        !worse.succeeded() && worse.stderr.contains("replicas (0) below persona minimum (2)"),
        "{worse}"
    );
    let new = stage.kubectl(&[
        "patch", "deployment", "orders", "--type=json",
        "--patch=[{\"op\":\"add\",\"path\":\"/spec/template/spec/containers/0/securityContext/privileged\",\"value\":true},\
         {\"op\":\"remove\",\"path\":\"/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation\"}]",
    ]);
    assert!(
        !new.succeeded() && new.stderr.contains("[api] privileged; persona forbids"),
        "{new}"
    );
    bed.apply(&replicas(3)).expect_success();
}

#[test]
fn scaling_below_the_minimum_is_refused_with_the_command_that_would_pass() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::unregistered(bed, "scale", &["--webhook-mode=enforcing"]);
    bed.apply(&stage.deployment(|_| {})).expect_success();
    bed.register(&stage.registration);
    let refused = stage.kubectl(&["scale", "deployment", "orders", "--replicas=1"]);
    assert!(!refused.succeeded(), "{refused}");
    let command = format!(
        "  kubectl scale deployment orders --namespace {} --replicas=2",
        stage.namespace
    );
    assert!(refused.stderr.contains(&command), "{refused}");
    bed.kubectl(&command.trim().split(' ').skip(1).collect::<Vec<_>>())
        .expect_success();
    let to_zero = stage.kubectl(&["scale", "deployment", "orders", "--replicas=0"]);
    assert!(!to_zero.succeeded(), "zero is a number like any other: {to_zero}");
}

#[test]
fn the_app_label_cannot_be_taken_off_while_a_persona_governs() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::unregistered(bed, "label", &["--webhook-mode=enforcing"]);
    bed.apply(&stage.deployment(|_| {})).expect_success();
    bed.register(&stage.registration);
    let removed = stage.kubectl(&["label", "deployment", "orders", "app.kubernetes.io/name-"]);
    assert!(!removed.succeeded(), "{removed}");
    assert!(
        removed
            .stderr
            .contains("label app.kubernetes.io/name removed; ApplicationPersona 'orders' governs"),
        "{removed}"
    );
    let changed = stage.kubectl(&[
        "label",
        "--overwrite",
        "deployment",
        "orders",
        "app.kubernetes.io/name=free",
    ]);
    assert!(
        !changed.succeeded() && changed.stderr.contains("changed to 'free'"),
        "{changed}"
    );
}

#[test]
fn a_required_label_that_is_missing_is_denied_by_its_level_with_the_fix() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let args = [
        "--webhook-mode=enforcing",
        "--require-label",
        "--rule-level=app-label-missing=deny",
    ];
    let mut stage = Stage::unregistered(bed, "unlabelled", &args);
    let labelled = |name: &str, labels: Value| {
        stage.deployment(|object| {
            object["metadata"]["name"] = json!(name);
            object["metadata"]["labels"] = labels;
        })
    };
    let (before, new) = (labelled("before", json!({})), labelled("web", json!({"app": "site"})));
    let fixed = labelled("web", json!({"app": "site", "app.kubernetes.io/name": "site"}));
    bed.apply(&before).expect_success();
    stage.registration.match_label = false;
    bed.register(&stage.registration);

    let denied = bed.apply(&new);
    assert!(!denied.succeeded(), "{denied}");
    let text = "denied the request: Deployment has no app.kubernetes.io/name label\n  \
                metadata.labels[app.kubernetes.io/name]: unset -> site";
    assert!(denied.stderr.contains(text), "{denied}");
    bed.apply(&fixed).expect_success();
    let taken = stage.kubectl(&["label", "deployment", "web", "app.kubernetes.io/name-"]);
    assert!(
        !taken.succeeded() && taken.stderr.contains("has no app.kubernetes.io/name label"),
        "{taken}"
    );

    let old = stage.kubectl(&["set", "image", "deployment/before", "api=registry.example.com/orders:2"]);
    assert!(old.succeeded(), "what was stored without it stays deployable: {old}");
    assert_eq!(old.warnings(), ["Deployment has no app.kubernetes.io/name label"]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (_, metrics) = runtime
        .block_on(crate::https::get(&stage.dorgu.metrics_url()))
        .expect("metrics");
    let series = r#"dorgu_admission_findings_total{rule="app-label-missing",severity="error",mode="enforcing"} "#;
    let count = metrics.lines().find_map(|line| line.strip_prefix(series));
    assert_eq!(count, Some("3"), "{metrics}");
}

#[test]
fn deleting_always_works() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::unregistered(bed, "delete", &["--webhook-mode=enforcing"]);
    let breach = stage.deployment(|object| {
        object["spec"]["replicas"] = json!(0);
        object["metadata"]["finalizers"] = json!(["example.com/wait"]);
    });
    bed.apply(&breach).expect_success();
    bed.register(&stage.registration);
    stage
        .kubectl(&["delete", "deployment", "orders", "--wait=false"])
        .expect_success();
    let freed = [
        "patch",
        "deployment",
        "orders",
        "--type=merge",
        "--patch={\"metadata\":{\"finalizers\":null}}",
    ];
    stage.kubectl(&freed).expect_success();
    let gone = stage.kubectl(&["get", "deployment", "orders"]);
    assert!(gone.stderr.contains("not found"), "{gone}");
}

#[test]
fn with_the_process_stopped_every_apply_succeeds() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let mut stage = Stage::new(bed, "stopped", &["--webhook-mode=enforcing", "--shutdown-delay=0"]);
    let breach = stage.deployment(|object| object["spec"]["replicas"] = json!(1));
    assert!(!bed.apply(&breach).succeeded());
    assert!(stage.dorgu.stop().success());
    bed.apply(&breach).expect_success();
    stage
        .kubectl(&["scale", "deployment", "orders", "--replicas=0"])
        .expect_success();
    stage.kubectl(&["delete", "deployment", "orders"]).expect_success();
}

#[test]
fn a_namespace_label_enforces_while_the_process_is_advisory() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let namespace = bed.namespace("strict", &[("dorgu.io/validate", "true")]);
    let personas = tempfile::TempDir::new().expect("a folder");
    let documents = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n  labels: {{dorgu.io/mode: enforcing}}\n---\n{}\n",
        super::persona(&namespace)
    );
    std::fs::write(personas.path().join("all.yaml"), documents).expect("written");
    let dorgu = crate::bed::Dorgu::with_personas(personas.path(), &[]);
    let registration = crate::bed::Registration::of(&dorgu, &namespace);
    bed.register(&registration);
    let mut breach = super::compliant(&namespace);
    breach["spec"]["replicas"] = json!(1);
    let output = bed.apply(&breach.to_string());
    bed.unregister(&registration);
    assert!(
        !output.succeeded() && output.stderr.contains("replicas (1) below persona minimum (2)"),
        "{output}"
    );
}
