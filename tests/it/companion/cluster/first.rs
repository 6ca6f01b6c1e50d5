//! The first ClusterPersona is created only where that is enabled, and once.

use anyhow::ensure;
use dorgu::controllers::cluster::Options as ControllerOptions;
use serde_json::json;

use super::{Companion, TIMEOUT, hurried, install_crd, rules, stored, until};
use crate::bed::{Bed, Options, wait_until};

#[test]
fn it_is_made_once_and_not_again_when_somebody_deletes_it() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crd(bed);
    let options = ControllerOptions {
        auto_create: true,
        ..hurried()
    };
    let companion = Companion::start(bed, &rules(&["create"]), options);
    let (made, _) = until(bed, "dorgu-cluster", "it is made and has a status", |status| {
        !status.is_null()
    });
    let annotations = json!({"dorgu.io/bootstrap": "true", "dorgu.io/cluster-uid": "the-uid"});
    assert_eq!(made["metadata"]["annotations"], annotations);
    assert_eq!(
        made["spec"],
        json!({"name": "dorgu-cluster", "environment": "development"})
    );
    bed.kubectl(&["delete", "clusterpersona", "dorgu-cluster"])
        .expect_success();
    // Another one shows that it continues to reconcile. The deleted one is not created again.
    super::persona(bed, "by-hand", "");
    companion.until_looked(2.0);
    stored(bed, "dorgu-cluster").expect_err("deleted");
}

#[test]
fn without_the_switch_none_is_made() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crd(bed);
    let before = creations(bed);
    // It might: it has the verb.
    let companion = Companion::start(bed, &rules(&["create"]), hurried());
    wait_until(TIMEOUT, "ClusterPersonas are watched", || {
        let watches = watches(bed);
        ensure!(watches > 0.5, "{watches} watches");
        Ok(())
    })
    .expect("watched");
    super::persona(bed, "by-hand", "");
    companion.until_looked(2.0);
    assert!((creations(bed) - before - 1.0).abs() < 0.5, "only the one by hand");
}

/// Samples of the API server, of one resource and verb.
fn requests(bed: &Bed, family: &str, verb: &str) -> f64 {
    let metrics = bed.kubectl(&["get", "--raw=/metrics"]).expect_success();
    let of =
        |line: &&str| line.starts_with(family) && line.contains(r#"resource="clusterpersonas""#) && line.contains(verb);
    let values = metrics.lines().filter(of).filter_map(|line| line.rsplit(' ').next());
    values.map(|value| value.parse::<f64>().expect("a number")).sum()
}

fn creations(bed: &Bed) -> f64 {
    requests(bed, "apiserver_request_total", r#"verb="POST""#)
}

/// How many watches of ClusterPersonas there are.
pub(super) fn watches(bed: &Bed) -> f64 {
    requests(bed, "apiserver_longrunning_requests", r#"verb="WATCH""#)
}
