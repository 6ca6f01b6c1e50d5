//! From manifests to the table.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::policy::{Mode, RuleSet, Rulebook};

const LIVE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {dorgu.io/validate: 'true', dorgu.io/mode: enforcing}}
---
apiVersion: v1
kind: Namespace
metadata: {name: dev}
---
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: a, namespace: shop, labels: {app.kubernetes.io/name: orders}}
  spec: {replicas: 1, template: {spec: {containers: [{name: api, image: 'x:1'}]}}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: b, namespace: shop, labels: {app.kubernetes.io/name: orders}}
  spec: {replicas: 3, template: {spec: {containers: [{name: api, image: 'x:1'}]}}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: c, namespace: dev, labels: {app.kubernetes.io/name: orders}}
  spec: {replicas: 1, template: {spec: {containers: [{name: api, image: 'x:1'}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
";

const PERSONAS: &str = "
apiVersion: dorgu.io/v1
kind: ApplicationPersona
metadata: {name: orders, namespace: shop}
spec:
  name: orders
  type: api
  scaling: {minReplicas: 2}
  policies: {security: {allowPrivilegeEscalation: true, runAsNonRoot: false}}
---
apiVersion: dorgu.io/v1
kind: ApplicationPersona
metadata: {name: orders, namespace: dev}
spec:
  name: orders
  type: api
  scaling: {minReplicas: 2}
  policies: {security: {allowPrivilegeEscalation: true, runAsNonRoot: false}}
";

fn simulated(deciding: &Deciding) -> Impact {
    let folder = TempDir::new().expect("a folder");
    let (live, personas) = (folder.path().join("live"), folder.path().join("personas.yaml"));
    fs::create_dir_all(live.join("below")).expect("a folder");
    fs::write(live.join("below/all.yaml"), LIVE).expect("written");
    fs::write(live.join("notes.txt"), "no: [manifest").expect("written");
    fs::write(&personas, PERSONAS).expect("written");
    let index = deciding.index(None);
    fill_from_files(&index, &[live], "default").expect("manifests");
    let proposed = Objects::read(&[personas], "default").expect("personas").personas;
    let proposed: Vec<Arc<Persona>> = proposed.into_iter().map(|stored| stored.persona).collect();
    simulate(&index, &proposed, deciding)
}

#[test]
fn files_alone_say_what_personas_would_do() {
    let found = simulated(&Deciding::default());
    let denied = found.changes.iter().filter(|one| one.is_newly_denied());
    let denied: Vec<&str> = denied.map(|one| one.name.as_str()).collect();
    assert_eq!(denied, ["a"], "the namespace dev does not enforce");
    assert_eq!(found.governed, 3);
    assert_eq!(found.not_opted_in, [("dev".to_owned(), 1)]);
    let table = found.table();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "NAMESPACE   DEPLOYMENT   BEFORE   AFTER    WHY");
    assert!(
        lines.contains(&"shop        a            passed   denied   replicas (1) below persona minimum (2)"),
        "{table}"
    );
    assert_eq!(lines.last(), Some(&"1 of 3 would be denied: 'shop/a'"));
    let report = found.to_json();
    assert_eq!(report["newlyDenied"], 1);
    let change = report["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .find(|one| one["deployment"] == "a");
    let change = change.expect("a change");
    assert_eq!(change["before"], json!({"verdict": "passed", "denying": []}));
    assert_eq!(change["after"]["denying"][0]["rule"], "replicas-below-minimum");
    assert_eq!(change["after"]["denying"][0]["field"], "spec.replicas");
}

#[test]
fn the_settings_of_the_process_count() {
    let enforcing = Deciding {
        rulebook: Rulebook {
            set: RuleSet::Complete,
            mode: Mode::Enforcing,
        },
        ..Deciding::default()
    };
    assert_eq!(simulated(&enforcing).newly_denied, 2);
    let upstream = Deciding {
        rulebook: Rulebook {
            set: RuleSet::Upstream,
            mode: Mode::Advisory,
        },
        ..Deciding::default()
    };
    assert_eq!(
        simulated(&upstream).newly_denied,
        0,
        "upstream knows no modes of namespaces"
    );
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("x.yaml");
    let read = |text: &str| {
        fs::write(&file, text).expect("written");
        Objects::read(std::slice::from_ref(&file), "default")
            .expect_err("an error")
            .to_string()
    };
    let shown = file.display().to_string();
    let odd =
        read("a: 1\n---\napiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: x}\nspec: {type: api}\n");
    assert!(
        odd.starts_with(&format!("{shown}:3: ApplicationPersona: spec.name: Required value")),
        "{odd}"
    );
    let broken = read("a: [1\n");
    assert!(broken.starts_with(&format!("{shown}:")), "{broken}");
    let absent = Objects::read(&[folder.path().join("none")], "default").expect_err("an error");
    assert!(absent.to_string().contains("none: "), "{absent}");
}

#[test]
fn a_default_persona_of_the_platform_needs_every_namespace() {
    let deciding = Deciding {
        default_personas_namespace: Some("platform".to_owned()),
        ..Deciding::default()
    };
    let of = |namespace: &str| {
        Arc::new(Persona {
            namespace: namespace.to_owned(),
            ..Persona::default()
        })
    };
    assert_eq!(Reach::of(&[of("shop"), of("platform")], &deciding), Reach::All);
    let one = Reach::In {
        namespaces: ["shop".to_owned()].into(),
        platform: Some("platform".to_owned()),
    };
    assert_eq!(Reach::of(&[of("shop"), of("shop")], &deciding), one);
}
