//! Rotations, accidents and a dead holder, under requests that must be denied.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::load::Load;
use super::{SECRET, Stage, ready, serial, text, url};
use crate::bed::{Bed, Dorgu, Needs};

/// Rounds of rotations by request: each takes a grace of 10 s.
fn rounds() -> usize {
    if std::env::var_os("DORGU_LONG").is_some() {
        30
    } else {
        1
    }
}

struct Scene<'b> {
    stage: Stage<'b>,
    replicas: Vec<Dorgu>,
    load: Load,
}

impl<'b> Scene<'b> {
    /// Two replicas that contend for the Lease, the first of which holds it.
    fn new(bed: &'b Bed) -> Scene<'b> {
        let stage = Stage::new(bed, "rotation");
        let first = stage.start(&["--leader-elect"]);
        stage.until("a certificate", &[&first], || ready(&first));
        let second = stage.start(&["--leader-elect"]);
        // API servers ask the one that will survive.
        bed.apply(&stage.registration(&second).to_string()).expect_success();
        let replicas = vec![first, second];
        let both: Vec<&Dorgu> = replicas.iter().collect();
        for replica in &both {
            stage.until("both are ready, the registration known", &both, || {
                let said = ready(replica)?;
                ensure!(said.contains("trusts the certificate served"), "{said}");
                Ok(())
            });
        }
        stage.until("a breach is refused", &both, || stage.is_refused());
        let load = Load::start(&stage, replicas.iter().map(url).collect());
        Scene { stage, replicas, load }
    }

    fn until<T>(&self, what: &str, look: impl FnMut() -> anyhow::Result<T>) -> T {
        let all: Vec<&Dorgu> = self.replicas.iter().collect();
        let found = self.stage.until(what, &all, look);
        self.load.expect_clean();
        found
    }

    fn data(&self, key: &str) -> String {
        let secret = self.stage.secret().expect("the Secret");
        text(&secret["data"][key]).expect("text")
    }

    /// Until every replica serves something else than before; and how long after the Secret had it.
    fn until_served(&self, before: &str) -> Duration {
        self.until("the Secret has a new leaf", || {
            let secret = self.stage.secret()?;
            let leaf = text(&secret["data"]["tls.crt"])?;
            ensure!(!leaf.is_empty() && leaf != before);
            Ok(())
        });
        let written = Instant::now();
        let serials = || self.replicas.iter().map(serial).collect::<Result<Vec<_>, _>>();
        self.until("every replica serves the same", || {
            let serials = serials()?;
            ensure!(serials.iter().all(|serial| *serial == serials[0]), "{serials:?}");
            Ok(())
        });
        written.elapsed()
    }

    /// Until a CA rotation that was begun is over.
    fn until_rotated(&self, ca: &str) {
        self.until("another CA signs", || {
            let secret = self.stage.secret()?;
            let bundle = text(&secret["data"]["ca.crt"])?;
            ensure!(
                !bundle.starts_with(ca) && bundle.contains(ca),
                "the old CA signs, or was dropped"
            );
            ensure!(text(&secret["data"]["next.crt"])?.is_empty(), "one is staged");
            ensure!(self.stage.ca_bundle()? == bundle, "the caBundle differs");
            Ok(())
        });
        self.until("a breach is refused", || self.stage.is_refused());
    }

    fn corrupt(&self, junk: &Value) {
        let patch = ["patch", "secret", SECRET, "-p", &junk.to_string()];
        self.stage.kubectl(&patch).expect_success();
    }

    /// The Secret is not written while API servers answer for a while, and the holder logs nothing.
    fn rests(&self, version: &Value) {
        let wrote = || {
            let lines = self.replicas.iter().flat_map(Dorgu::lines);
            lines.filter(|line| line.contains("Wrote the certificates")).count()
        };
        let before = wrote();
        for _ in 0..10 {
            self.stage.is_refused().expect("a breach is refused");
        }
        let secret = self.stage.secret().expect("the Secret");
        assert_eq!(secret["metadata"]["resourceVersion"], *version, "it was written again");
        assert_eq!(wrote(), before, "a write that changes nothing is a loop");
    }

    /// The first certificate of `ca.crt`: the CA that signs.
    fn ca(&self) -> String {
        let bundle = self.data("ca.crt");
        let end = "-----END CERTIFICATE-----\n";
        let at = bundle.find(end).expect("a certificate") + end.len();
        bundle[..at].to_owned()
    }
}

#[test]
fn nothing_is_admitted_and_no_handshake_fails_whatever_happens_to_certificates() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let mut scene = Scene::new(bed);
    let mut slowest = Duration::ZERO;
    for _ in 0..rounds() {
        let leaf = scene.data("tls.crt");
        scene.stage.annotate("leaf");
        slowest = slowest.max(scene.until_served(&leaf));
        if rounds() > 1 {
            let ca = scene.ca();
            scene.stage.annotate("ca");
            scene.until_rotated(&ca);
        }
    }
    scene.until("the request is taken away", || {
        let annotations = &scene.stage.secret()?["metadata"]["annotations"];
        ensure!(annotations["dorgu.io/rotate"].is_null(), "{annotations}");
        Ok(())
    });

    // Unusable: the remembered content is written again, and was served throughout.
    let leaf = scene.data("tls.crt");
    let junk = json!({"data": {"tls.crt": "anVuaw==", "ca.key": "anVuaw=="}});
    scene.corrupt(&junk);
    scene.until("it is mended", || {
        ensure!(text(&scene.stage.secret()?["data"]["tls.crt"])? == leaf);
        Ok(())
    });

    // Where there was nothing of ours: kubectl is the owner of these, and stays it unless they are taken over.
    let stray = json!({
        "data": {"next.key": "anVuaw==", "previous.crt": "anVuaw=="},
        "metadata": {"annotations": {"dorgu.io/previous-until": "some day"}},
    });
    scene.corrupt(&stray);
    let mended = scene.until("what does not belong there is taken out", || {
        let secret = scene.stage.secret()?;
        let left = ["next.crt", "next.key", "previous.crt"].map(|key| text(&secret["data"][key]));
        ensure!(left.iter().flatten().all(String::is_empty), "{left:?}");
        ensure!(secret["metadata"]["annotations"]["dorgu.io/previous-until"] == "");
        ensure!(text(&secret["data"]["tls.crt"])? == leaf, "another leaf");
        Ok(secret["metadata"]["resourceVersion"].clone())
    });
    scene.rests(&mended);

    // Deleted: what people do elsewhere to have everything new.
    let ca = scene.ca();
    scene.stage.kubectl(&["delete", "secret", SECRET]).expect_success();
    scene.until_rotated(&ca);

    // The holder dies while a CA is staged.
    let ca = scene.ca();
    scene.stage.annotate("ca");
    scene.until("one is staged", || {
        let secret: Value = scene.stage.secret()?;
        ensure!(!text(&secret["data"]["next.crt"])?.is_empty());
        Ok(())
    });
    scene.load.only(vec![url(&scene.replicas[1])]);
    scene.replicas.remove(0).kill();
    scene.until_rotated(&ca);
    let said = scene.replicas[0].lines().join("\n");
    assert!(said.contains("CA rotated"), "the survivor did it: {said}");

    let (refused, rate) = scene.load.stop();
    println!("rotations: {refused} refused at {rate:.0}/s, a new leaf served everywhere after {slowest:?} at most");
    assert!(rate >= 200.0, "{rate} a second");
    assert!(
        slowest < Duration::from_secs(3),
        "{slowest:?}, a busy machine allowed for"
    );
}
