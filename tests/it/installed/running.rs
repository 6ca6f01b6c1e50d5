//! The process as the Deployment starts it.

use std::net::TcpStream;

use super::Installed;
use crate::bed::{Addresses, Options};

#[test]
fn the_process_becomes_ready_with_its_arguments_wholly_unchanged() {
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    let pod = installed.run_pod(Addresses::AsRendered);
    assert!(pod.name().starts_with("dorgu-operator-"));
    assert!(installed.pods[0].stop().success(), "{}", installed.said());
    installed.pods[0].until_unready();
}

#[test]
fn a_pod_without_power_is_noticed_and_another_becomes_ready_in_its_place() {
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    installed.run_pod(Addresses::OfItsOwn);
    installed.pods[0].kill();
    installed.pods[0].until_unready();
    installed.webhook.forget(&installed.pods[0]);
    assert!(
        TcpStream::connect(installed.webhook.address()).is_ok(),
        "the Service listens"
    );
    installed.run_pod(Addresses::OfItsOwn);
}
