//! The API and the cache of one chart have personas of their own.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Stage, TIMEOUT};
use crate::bed::{Bed, Needs, wait_until};

const TIER: &str = "app.kubernetes.io/component";

#[test]
fn the_workloads_of_a_chart_have_personas_of_their_own() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "selected", &["--webhook-mode=enforcing"]);
    let persona = |name: &str, selector: Value, minimum: u32| {
        let mut persona = stage.persona(name, minimum);
        persona["spec"]["name"] = json!("orders");
        persona["spec"]["selector"] = selector;
        persona
    };
    let deployment = |tier: &str, replicas: u32| {
        let mut object = stage.deployment(&format!("orders-{tier}"), Some("orders"), replicas);
        object["metadata"]["labels"][TIER] = json!(tier);
        object.to_string()
    };
    // What no API server could select by is denied by the schema.
    let selector = |operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": TIER, "operator": operator, "values": values}]});
    let refused = |object: &Value| {
        bed.kubectl_in(&["apply", "-f", "-"], &object.to_string())
            .expect_failure()
    };
    let said = refused(&persona("orders-api", selector("Near", &["api"]), 3));
    assert!(said.contains("Unsupported value: \"Near\""), "{said}");
    for (operator, values) in [("In", &[][..]), ("NotIn", &[]), ("Exists", &["api"])] {
        let said = refused(&persona("orders-api", selector(operator, values), 3));
        assert!(said.contains("operators In and NotIn need values"), "{said}");
    }
    let mut default = persona("orders-api", selector("Exists", &[]), 3);
    default["spec"]["name"] = json!("*");
    let said = refused(&default);
    assert!(said.contains("a default persona (name '*') governs"), "{said}");

    let api = persona("orders-api", json!({"matchLabels": {TIER: "api"}}), 3);
    bed.apply(&api.to_string()).expect_success();
    let cache = persona("orders-cache", selector("In", &["cache"]), 2);
    bed.apply(&cache.to_string()).expect_success();

    // Until the watch has brought both.
    let one_each = |tier: &str, words: &str| {
        let told = wait_until(TIMEOUT, "the persona is known", || {
            let args = ["apply", "--dry-run=server", "-f", "-"];
            let output = bed.kubectl_in(&args, &deployment(tier, 1));
            ensure!(!output.succeeded(), "allowed");
            ensure!(output.stderr.contains(words), "{output}");
            ensure!(!output.stderr.contains("share spec.name"), "{output}");
            Ok(())
        });
        told.unwrap_or_else(|error| panic!("{error:#}"));
    };
    one_each("api", "'orders-api': replicas (1) below persona minimum (3)");
    one_each("cache", "'orders-cache': replicas (1) below persona minimum (2)");
    bed.apply(&deployment("web", 1)).expect_success();
    bed.apply(&deployment("api", 3)).expect_success();
    bed.apply(&deployment("cache", 2)).expect_success();

    // A Scale has no labels, and neither name nor pods say which workload it is of.
    let scale = |name: &str, replicas: &str| stage.kubectl(&["scale", "deployment", name, replicas]);
    let denied = wait_until(TIMEOUT, "the Deployments are known", || {
        let answer = scale("orders-api", "--replicas=2");
        if answer.succeeded() {
            scale("orders-api", "--replicas=3").expect_success();
            anyhow::bail!("allowed");
        }
        Ok(answer.stderr)
    });
    let denied = denied.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(denied.contains("replicas (2) below persona minimum (3)"), "{denied}");
    scale("orders-cache", "--replicas=2").expect_success();

    // The label is no way out, and what the denial says brings it back.
    let label = |value: &str| stage.kubectl(&["label", "deployment", "orders-api", "--overwrite", value]);
    let denied = label(&format!("{TIER}=web")).expect_failure();
    let words = format!(
        "label {TIER} changed to 'web'; ApplicationPersona 'orders-api' governs this Deployment by its selector\n  \
         metadata.labels[{TIER}]: web -> api"
    );
    assert!(denied.contains(&words), "{denied}");
    let denied = label(&format!("{TIER}-")).expect_failure();
    assert!(
        denied.contains(&format!("metadata.labels[{TIER}]: removed -> api")),
        "{denied}"
    );
    label("team=y").expect_success();
    // Another persona governs it then; both judge the move.
    label(&format!("{TIER}=cache")).expect_success();
    let moved = wait_until(TIMEOUT, "the new label is known", || {
        let answer = scale("orders-api", "--replicas=2");
        ensure!(answer.succeeded(), "{answer}");
        Ok(())
    });
    moved.unwrap_or_else(|error| panic!("{error:#}"));
}
