//! An object padded beyond a smaller body limit, which would admit it unchecked (bypass class 15).

use serde_json::json;

use super::{Stage, container};
use crate::bed::{Bed, Needs};

/// The API server writes each of these as six bytes, and sends the object twice on an update.
const PADDING: usize = 1_400 * 1024;
/// In KiB, up to the 3 MiB that an API server reads of one request. What it stores is half of that, and it asks before it
/// stores.
const SIZES: [usize; 6] = [1, 10, 100, 1_000, 2_000, 3_000];

/// A stage whose API server waits as long as it can: a build without optimisation takes seconds for a megabyte, and longer beside
/// other tests.
fn stage(bed: &'static Bed, prefix: &str) -> Stage {
    let mut stage = Stage::unregistered(bed, prefix, &["--webhook-mode=enforcing"]);
    stage.registration.timeout_seconds = 30;
    bed.register(&stage.registration);
    stage
}

#[test]
fn a_deployment_full_of_less_than_signs_gets_its_verdict_on_create_and_update() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = stage(bed, "padded");
    let padded = |replicas: i32, image: &str| {
        stage.deployment(|object| {
            object["spec"]["replicas"] = json!(replicas);
            container(object)["image"] = json!(image);
            container(object)["env"] = json!([{"name": "PAD", "value": "<".repeat(PADDING)}]);
        })
    };
    // `--raw` sends the bytes as they are: kubectl's own encoder would make six of each and meet the API server's limit
    // on requests before ours.
    let path = format!("--raw=/apis/apps/v1/namespaces/{}/deployments", stage.namespace);
    let create = |object: &str| bed.kubectl_in(&["create", &path, "-f", "-"], object);
    let replace = |object: &str| bed.kubectl_in(&["replace", &format!("{path}/orders"), "-f", "-"], object);
    let refused = create(&padded(1, "registry.example.com/orders:1"));
    assert!(
        !refused.succeeded() && refused.stderr.contains("below persona minimum (2)"),
        "{}",
        first_lines(&refused.stderr)
    );
    create(&padded(2, "registry.example.com/orders:1")).expect_success();
    let refused = replace(&padded(1, "registry.example.com/orders:2"));
    assert!(
        !refused.succeeded() && refused.stderr.contains("below persona minimum (2)"),
        "{}",
        first_lines(&refused.stderr)
    );
    replace(&padded(3, "registry.example.com/orders:2")).expect_success();
}

#[test]
fn every_size_that_a_request_may_have_gets_its_verdict() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = stage(bed, "sizes");
    let path = format!(
        "--raw=/apis/apps/v1/namespaces/{}/deployments?dryRun=All",
        stage.namespace
    );
    for characters in ["a", "<>&"] {
        for kilobytes in SIZES {
            // Eighteen megabytes take a build without optimisation as long as an API server waits.
            if cfg!(debug_assertions) && characters == "<>&" && kilobytes > 1_000 {
                continue;
            }
            let breach = stage.deployment(|object| {
                object["spec"]["replicas"] = json!(1);
                let padding = characters.repeat(kilobytes * 1024 / characters.len());
                container(object)["env"] = json!([{"name": "PAD", "value": padding}]);
            });
            let refused = bed.kubectl_in(&["create", &path, "-f", "-"], &breach);
            assert!(
                !refused.succeeded() && refused.stderr.contains("below persona minimum (2)"),
                "{kilobytes} KiB of '{characters}': {}",
                first_lines(&refused.stderr)
            );
        }
    }
}

/// kubectl may quote the whole object.
fn first_lines(text: &str) -> String {
    text.chars().take(2_000).collect()
}
