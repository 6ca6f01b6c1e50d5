//! Nothing is written without need, nothing foreign is left in the status, and an outage loses nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Companion, QUICK_TO_STOP, hurried, install_crd, persona, rules, stored, until, worker};
use crate::bed::{Bed, Options};

/// Times are the only thing that may differ; the API server's own bookkeeping with them.
fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"]
        .as_str()
        .expect("a version")
        .to_owned()
}

#[test]
fn late_crds_outages_and_other_writers_cost_no_write_too_many() {
    let options = Options {
        api_server_flags: vec![QUICK_TO_STOP.to_owned()],
        ..Options::default()
    };
    let Some(mut bed) = Bed::start(&options) else { return };
    worker(&bed, "worker-0");
    let companion = Companion::start(&bed, &rules(&[]), hurried());

    // The kind comes later than the controller.
    install_crd(&bed);
    persona(&bed, "main", "one");
    let (first, took) = until(&bed, "main", "a kind that came late is found", |status| {
        status["phase"] == "Ready"
    });
    println!("a CRD that came late: status after {took:?}");
    assert!((companion.writes() - 1.0).abs() < 0.5, "{} writes", companion.writes());

    // Quiet: it looks, and writes nothing.
    companion.until_looked(5.0);
    let quiet = stored(&bed, "main").expect("there");
    assert_eq!(version(&quiet), version(&first), "five looks and a write");
    assert!((companion.writes() - 1.0).abs() < 0.5, "{} writes", companion.writes());

    // The Go operator's status, by PUT, with what we never write.
    let mut foreign = quiet.clone();
    foreign["metadata"]["managedFields"] = Value::Null;
    foreign["status"]["phase"] = json!("Unknown");
    foreign["status"]["resourceSummary"]["usedCPU"] = json!("stale");
    let condition = |of: &str| json!({"type": of, "status": "True", "reason": "R", "message": "stale", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    foreign["status"]["conditions"] = json!([condition("Healthy"), condition("Available"), condition("Discovered")]);
    let replace = ["replace", "--subresource=status", "--field-manager=manager", "-f", "-"];
    bed.kubectl_in(&replace, &foreign.to_string()).expect_success();
    // What is ours is applied first, what is not is taken out after it.
    let (ours, _) = until(&bed, "main", "the status is ours again", |status| {
        let conditions = status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
        let types: Vec<&Value> = conditions.iter().map(|condition| &condition["type"]).collect();
        status["phase"] == "Ready" && types == ["Discovered", "Healthy"]
    });
    assert_eq!(ours["status"]["resourceSummary"]["usedCPU"], "0");
    let healthy = &ours["status"]["conditions"][1];
    assert_eq!(healthy["message"], "1/1 nodes ready");
    assert_eq!(
        healthy["lastTransitionTime"], "2026-01-01T00:00:00Z",
        "True it was and is"
    );
    let of_status = |entry: &&Value| entry["subresource"] == "status" && entry["operation"] == "Update";
    let managers = ours["metadata"]["managedFields"].as_array().expect("managers");
    let others: Vec<&Value> = managers.iter().filter(of_status).collect();
    assert!(
        !json!(others).to_string().contains("Available"),
        "whoever put it there no longer has a part in it: {others:?}"
    );

    // An outage is no reason to write. A node that joins after it is reported.
    companion.until_looked(2.0);
    let before = stored(&bed, "main").expect("there");
    bed.stop_api_server();
    bed.start_api_server();
    companion.until_looked(3.0);
    let after = stored(&bed, "main").expect("there");
    assert_eq!(version(&after), version(&before), "{:#}", after["status"]);
    worker(&bed, "worker-1");
    let (_, took) = until(&bed, "main", "a node that joined is told", |status| {
        status["nodes"][1]["ready"] == true
    });
    println!("after an outage a node that joined was told after {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}
