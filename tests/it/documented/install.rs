//! Follows the pages about installing, upgrading and removing. The API server must accept the objects; no pod of them runs.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;
use tempfile::TempDir;

use super::blocks::root;
use super::reader::Reader;
use crate::bed::{Bed, Helm, Needs, Options, Output};
use crate::chart::{coming_over, install_neighbours, persona};

/// A folder like a fresh clone.
pub(super) fn clone() -> TempDir {
    let clone = TempDir::new().unwrap();
    for folder in ["charts", "manifests"] {
        symlink(root().join(folder), clone.path().join(folder)).unwrap();
    }
    clone
}

/// A cluster admin in a clone.
struct Admin {
    bed: Bed,
    clone: TempDir,
    /// What has to be true in the end.
    ends: Box<dyn Fn(&Bed)>,
}

impl Admin {
    fn reader(bed: Bed, ends: impl Fn(&Bed) + 'static) -> Option<Box<dyn Reader>> {
        let clone = clone();
        // What a reader has who brings a certificate.
        for name in ["tls.crt", "tls.key", "ca.crt"] {
            fs::write(clone.path().join(name), name).unwrap();
        }
        let ends = Box::new(ends);
        Some(Box::new(Self { bed, clone, ends }))
    }
}

impl Reader for Admin {
    fn types(&mut self, command: &str) -> Output {
        self.bed.shell_in(self.clone.path(), command)
    }

    fn ends(&mut self) {
        (self.ends)(&self.bed);
    }
}

/// With controllers, which let a Deployment become ready and a namespace go.
fn bed() -> Option<Bed> {
    Bed::start(&Options {
        needs: Needs::Rollouts,
        ..Options::default()
    })
}

pub(super) fn with_helm() -> Option<Box<dyn Reader>> {
    let _ = Helm::find()?;
    let bed = bed()?;
    install_neighbours(&bed);
    Admin::reader(bed, |bed| {
        let personas = bed.kubectl(&["get", "applicationpersonas"]);
        assert!(!personas.succeeded(), "the last command takes them away: {personas}");
    })
}

/// Nothing is installed: the page begins with the definitions.
pub(super) fn with_nothing() -> Option<Box<dyn Reader>> {
    Admin::reader(Bed::start(&Options::default())?, |_| {})
}

pub(super) fn with_kubectl() -> Option<Box<dyn Reader>> {
    Admin::reader(bed()?, |bed| {
        let left = bed.kubectl(&["get", "crd,validatingwebhookconfigurations", "-o", "name"]);
        assert_eq!(left.expect_success(), "", "the last commands take it all away");
    })
}

/// Where the definitions are installed, and no process runs.
pub(super) fn with_definitions() -> Option<Box<dyn Reader>> {
    let bed = Bed::start(&Options::default())?;
    let definitions = root().join("manifests/crds").display().to_string();
    bed.kubectl(&["apply", "--server-side", "-f", &definitions])
        .expect_success();
    let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    bed.kubectl(&established).expect_success();
    Admin::reader(bed, |bed| {
        let policies = [
            "get",
            "validatingadmissionpolicies,validatingadmissionpolicybindings",
            "-o",
            "name",
        ];
        let left = bed.kubectl(&policies).expect_success();
        assert!(!left.contains("shop.orders"), "the last command removes them: {left}");
    })
}

pub(super) fn from_the_go_operator() -> Option<Box<dyn Reader>> {
    let (bed, _, theirs) = coming_over::before("--server-side=false")?;
    let kept: Value = persona(&bed);
    Admin::reader(bed, move |bed| {
        // Their chart is read again when the last command goes back.
        assert!(theirs.path().is_dir());
        assert_eq!(persona(bed), kept);
        let image = "-o=jsonpath={.spec.template.spec.containers[0].image}";
        let image = bed.kubectl(&["get", "deployment", "dorgu-operator", "-n", "dorgu-system", image]);
        assert_eq!(
            image.expect_success(),
            "example.com/theirs:0.2.1",
            "the last command goes back"
        );
    })
}
