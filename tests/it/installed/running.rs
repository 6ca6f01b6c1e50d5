//! The process as the Deployment starts it.

use anyhow::ensure;

use super::{Installed, PATIENCE};
use crate::bed::{Addresses, Options, wait_until};

#[test]
fn the_process_becomes_ready_with_its_arguments_wholly_unchanged() {
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    let pod = installed.run_pod(Addresses::AsRendered);
    assert!(pod.name().starts_with("dorgu-operator-"));
    assert!(installed.pods[0].stop().success(), "{}", installed.said());
}

#[test]
fn a_breach_is_warned_about_through_the_service_with_no_step_in_between() {
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    installed.run_pod(Addresses::OfItsOwn);
    installed.run_pod(Addresses::OfItsOwn);
    installed.apply_example("shop-namespace.yaml").expect_success();
    installed.apply_example("orders-persona.yaml").expect_success();
    // The registration reaches the API server's cache, and the persona both pods, within moments.
    let warned = wait_until(PATIENCE, "a breach is warned about", || {
        let applied = installed.apply_example("deployment-in-breach.yaml");
        ensure!(applied.succeeded(), "{applied}");
        ensure!(
            applied.warnings().iter().any(|warning| warning.contains("persona")),
            "{applied}"
        );
        Ok(())
    });
    warned.unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
}
