//! The process as the Deployment starts it, and the effect of deleting its registration.

use std::net::TcpStream;
use std::path::Path;

use anyhow::{Result, ensure};

use super::{Installed, NAMESPACE, TIMEOUT};
use crate::alerts::runbooks::emergency_stop;
use crate::bed::{Addresses, Options, Output, wait_until};

const BREACH: &str = "deployment-violating.yaml";

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

#[test]
fn a_registration_that_is_deleted_by_hand_stays_deleted_until_it_is_applied_again() {
    let Some(mut installed) = Installed::guarding() else {
        return;
    };

    let [stop, back, _, seen] = emergency_stop();
    installed.typed(&stop).expect_success();
    let unguarded = wait_until(TIMEOUT, "nobody is asked any more", || {
        ensure!(!installed.is_guarded()?, "still warned");
        Ok(())
    });
    unguarded.unwrap_or_else(|error| panic!("{error:#}"));

    // Whatever makes the process write must not make it write that: a lost Secret, a new holder of the Lease, a new pod.
    let secret = ["secret", "dorgu-operator-webhook-ca", "-n", NAMESPACE];
    installed
        .bed
        .kubectl(&[&["delete"], &secret[..]].concat())
        .expect_success();
    let made_again = wait_until(TIMEOUT, "the Secret is made again", || {
        installed.bed.kubectl(&[&["get"], &secret[..]].concat()).checked()
    });
    made_again.unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
    installed.pods[0].kill();
    installed.run_pod(Addresses::OfItsOwn);
    let holder = installed.until_another_holds_the_lease(installed.pods[0].name());
    assert!(!holder.is_empty());
    let configurations = ["get", "validatingwebhookconfigurations", "-o", "name"];
    assert_eq!(
        installed.bed.kubectl(&configurations).expect_success(),
        "",
        "{}",
        installed.said()
    );
    assert!(!installed.is_guarded().expect("an answer"));

    installed.typed(&back).expect_success();
    installed.until_guarded();
    let seen = installed.typed(&seen);
    assert!(!seen.warnings().is_empty(), "{seen}");
}

impl Installed {
    /// A command of docs/runbooks.md, in a clone of this repository.
    fn typed(&self, command: &str) -> Output {
        self.bed.shell_in(Path::new(env!("CARGO_MANIFEST_DIR")), command)
    }

    /// Whether a violating Deployment is warned about. Nothing is stored.
    fn is_guarded(&self) -> Result<bool> {
        let asked = self.example(&["create", "--dry-run=server"], BREACH);
        let guarded = !asked.warnings().is_empty();
        asked.checked()?;
        Ok(guarded)
    }

    /// Waits until it is: the registration is in the API server's cache, the caBundle in the registration, the persona in
    /// the pods.
    pub(super) fn until_guarded(&self) {
        let guarded = wait_until(TIMEOUT, "a breach is warned about", || {
            ensure!(self.is_guarded()?, "it goes by unseen");
            Ok(())
        });
        guarded.unwrap_or_else(|error| panic!("{error:#}\n{}", self.said()));
    }

    /// Waits until another pod holds the Lease, and returns its name.
    fn until_another_holds_the_lease(&self, pod: &str) -> String {
        let holder = "-o=jsonpath={.spec.holderIdentity}";
        let changed = wait_until(TIMEOUT, "another pod holds the Lease", || {
            let lease = self
                .bed
                .kubectl(&["get", "lease", "48ec518d.dorgu.io", "-n", NAMESPACE, holder]);
            let holder = lease.checked()?;
            ensure!(!holder.is_empty() && !holder.contains(pod), "{holder} holds it");
            Ok(holder)
        });
        changed.unwrap_or_else(|error| panic!("{error:#}\n{}", self.said()))
    }
}
