//! A roll-back to a version that violates its persona is denied, and the commands of docs/troubleshooting.md pass.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::{Stage, container};
use crate::bed::{Bed, Needs, Output, wait_until};

const TIMEOUT: Duration = Duration::from_secs(60);

/// The blocks of a section, each as its lines.
fn blocks(section: &str, namespace: &str) -> Vec<Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshooting.md");
    let text = fs::read_to_string(file).expect("readable");
    let heading = format!("\n## {section}\n");
    let body = text
        .split(&heading)
        .nth(1)
        .expect("the section")
        .split("\n## ")
        .next()
        .unwrap_or_default();
    let blocks = body
        .split("\n```sh\n")
        .skip(1)
        .filter_map(|block| block.split("\n```").next());
    let typed = |line: &str| line.replace(" shop", &format!(" {namespace}"));
    blocks.map(|block| block.lines().map(typed).collect()).collect()
}

/// The API server may learn of a namespace's label a moment after it was written.
fn until_it_passes(bed: &Bed, line: &str) {
    let passed = wait_until(TIMEOUT, line, || {
        let output: Output = bed.shell(line);
        ensure!(output.succeeded(), "{output}");
        Ok(())
    });
    passed.unwrap();
}

#[test]
fn a_roll_back_that_is_denied_has_the_two_ways_out_that_the_docs_name() {
    let Some(bed) = Bed::shared(Needs::Rollouts) else {
        return;
    };
    let stage = Stage::unregistered(bed, "undo", &["--webhook-mode=enforcing"]);
    let version = |image: &str, non_root: bool| {
        stage.deployment(|object| {
            container(object)["image"] = json!(format!("registry.example.com/orders:{image}"));
            object["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] = json!(non_root);
        })
    };
    let revision = |number: &str| {
        let path = "--output=jsonpath={.metadata.annotations.deployment\\.kubernetes\\.io/revision}";
        let rolled = wait_until(TIMEOUT, "the controller has seen it", || {
            let revision = stage.kubectl(&["get", "deployment", "orders", path]).expect_success();
            ensure!(revision == number, "{revision}");
            Ok(())
        });
        rolled.unwrap();
    };
    bed.apply(&version("1", false)).expect_success();
    revision("1");
    bed.apply(&version("2", true)).expect_success();
    revision("2");
    bed.register(&stage.registration);

    let undone = stage.kubectl(&["rollout", "undo", "deployment/orders"]);
    let fix = "spec.template.spec.securityContext.runAsNonRoot: false -> true";
    assert!(!undone.succeeded() && undone.stderr.contains(fix), "{undone}");

    let blocks = blocks("A roll-back is denied", &stage.namespace);
    let [image, whole] = blocks.as_slice() else {
        panic!("two ways out: {blocks:?}")
    };
    for line in whole {
        until_it_passes(bed, line);
    }
    let demand = "--output=jsonpath={.spec.template.spec.securityContext.runAsNonRoot}";
    let stored = || stage.kubectl(&["get", "deployment", "orders", demand]).expect_success();
    assert_eq!(stored(), "false", "it is the old version");
    let next = stage.kubectl(&["set", "image", "deployment/orders", "api=registry.example.com/orders:3"]);
    assert!(next.succeeded(), "what is stored is not denied: {next}");

    bed.apply(&version("2", true)).expect_success();
    for line in image {
        until_it_passes(bed, line);
    }
    assert_eq!(stored(), "true", "the old image with today's settings");
}
