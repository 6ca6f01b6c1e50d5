//! Runs the commands of docs/rules.md against a Deployment with the finding they fix: the API server accepts each, dorgu allows
//! it, the finding is gone and there is no new one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use dorgu::policy::{
    Governed, Mode, ModeWish, Persona, PlatformRules, Question, Rule, RuleSet, Rulebook, Subject, Workload, decide,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, Dorgu, Needs, Output, Registration};

/// An image that no rule objects to.
const IMAGE: &str =
    "registry.example.com/orders:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A row of a table `found | type`.
struct Row {
    rule: Rule,
    found: String,
    command: String,
}

impl Row {
    fn all() -> Vec<Row> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
        let text = fs::read_to_string(file).expect("readable");
        let mut rows = Vec::new();
        for rule in Rule::ALL {
            let heading = format!("\n## {}\n", rule.name());
            let section = text.split(&heading).nth(1).expect("a section");
            let section = section.split("\n## ").next().unwrap_or_default();
            let Some((_, table)) = section.split_once("| found | type |\n|---|---|\n") else {
                continue;
            };
            for line in table.lines().take_while(|line| line.starts_with("| ")) {
                let (found, command) = line.trim_matches(['|', ' ']).split_once(" | ").expect("two columns");
                rows.push(Row {
                    rule,
                    found: found.to_owned(),
                    command: command.trim_matches('`').to_owned(),
                });
            }
        }
        rows
    }

    /// A Deployment with the finding.
    fn deployment(&self, namespace: &str) -> Value {
        let mut object = super::compliant(namespace);
        let pod = &mut object["spec"]["template"]["spec"];
        pod["containers"][0]["image"] = json!(IMAGE);
        pod["containers"][0]["livenessProbe"]["httpGet"]["path"] = json!("/healthz");
        pod["containers"][0]["readinessProbe"] = json!({"httpGet": {"path": "/ready", "port": 8080}});
        let resource = if self.rule.name().starts_with("cpu") {
            "cpu"
        } else {
            "memory"
        };
        let (more, less) = if resource == "cpu" {
            ("700m", "100m")
        } else {
            ("700Mi", "64Mi")
        };
        let request = if self.found.contains("higher request") {
            more
        } else {
            less
        };
        match self.rule {
            Rule::CpuLimitAbovePersona | Rule::MemoryLimitAbovePersona if self.found.contains("pod level") => {
                pod["resources"] = json!({"limits": {"cpu": "500m", "memory": "512Mi"}});
                pod["resources"]["limits"][resource] = json!("4");
                pod["resources"]["requests"][resource] = json!(request);
                if resource == "memory" {
                    pod["resources"]["limits"][resource] = json!("4Gi");
                }
            }
            Rule::CpuLimitAbovePersona | Rule::MemoryLimitAbovePersona => {
                pod["containers"][0]["resources"]["limits"] = json!({"cpu": "4", "memory": "4Gi"});
                pod["containers"][0]["resources"]["requests"][resource] = json!(request);
            }
            Rule::CpuLimitMissing | Rule::MemoryLimitMissing => {
                pod["containers"][0]["resources"]["limits"]
                    .as_object_mut()
                    .expect("limits")
                    .remove(resource);
                pod["containers"][0]["resources"]["requests"][resource] = json!(request);
            }
            Rule::RequestsMissing => {
                let cpu = if self.found.contains("lower limit") {
                    "50m"
                } else {
                    "500m"
                };
                pod["containers"][0]["resources"] = json!({"limits": {"cpu": cpu, "memory": "512Mi"}});
            }
            Rule::ReplicasBelowMinimum => object["spec"]["replicas"] = json!(1),
            Rule::ReplicasAboveMaximum => object["spec"]["replicas"] = json!(9),
            Rule::LivenessProbeMissing => pod["containers"][0]["livenessProbe"] = Value::Null,
            Rule::LivenessPathDiffers => pod["containers"][0]["livenessProbe"]["httpGet"]["path"] = json!("/ping"),
            Rule::ReadinessProbeMissing => pod["containers"][0]["readinessProbe"] = Value::Null,
            Rule::RunAsNonRoot | Rule::PrivilegeEscalation | Rule::PrivilegeEscalationUnset => self.security(pod),
            Rule::WritableRootFilesystem => {
                pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = json!(false);
            }
            Rule::ImageRegistryNotAllowed if self.found.contains("init container") => {
                let mut init = pod["containers"][0].clone();
                init["name"] = json!("migrate");
                init["image"] = json!("docker.io/acme/migrate:1");
                init["livenessProbe"] = Value::Null;
                init["readinessProbe"] = Value::Null;
                pod["initContainers"] = json!([init]);
            }
            Rule::ImageRegistryNotAllowed => pod["containers"][0]["image"] = json!("docker.io/acme/api:1.27"),
            Rule::ImageTagLatest => pod["containers"][0]["image"] = json!("ghcr.io/acme/api"),
            Rule::ImageDigestMissing => pod["containers"][0]["image"] = json!("ghcr.io/acme/api:1.27"),
            Rule::AppLabelRemoved | Rule::AppLabelMissing => {}
            Rule::AppLabelChanged => object["metadata"]["labels"]["app.kubernetes.io/name"] = json!("other"),
            rule => panic!("{}: what has it?", rule.name()),
        }
        object
    }

    fn security(&self, pod: &mut Value) {
        let own = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true});
        let with = |change: Value| {
            let mut own = own.clone();
            for (key, value) in change.as_object().into_iter().flatten() {
                own[key] = value.clone();
            }
            own
        };
        let windows = |pod: &mut Value| {
            pod["os"] = json!({"name": "windows"});
            pod["hostNetwork"] = json!(true);
        };
        let own = match self.found.as_str() {
            "`Deployment does not enforce it`" | "the same, where the fix names a container" => {
                pod["securityContext"] = json!({});
                own
            }
            "`runAsNonRoot is false`" => with(json!({"runAsNonRoot": false, "runAsUser": 1000})),
            "`runs as root`, by its own user" => with(json!({"runAsUser": 0})),
            "`runs as root`, by the pod's user" => {
                pod["securityContext"]["runAsUser"] = json!(0);
                own
            }
            "`runs as root`, by a Windows account" => {
                pod["os"] = json!({"name": "windows"});
                json!({"windowsOptions": {"runAsUserName": "ContainerAdministrator"}})
            }
            "`privilege escalation enabled`" => with(json!({"allowPrivilegeEscalation": true})),
            "`privileged`" => with(json!({"allowPrivilegeEscalation": null, "privileged": true})),
            "`adds capability SYS_ADMIN`, spelled as in the fix" => {
                with(json!({"capabilities": {"add": ["CHOWN", "SYS_ADMIN"]}}))
            }
            "the first and one of the others" => with(json!({
                "allowPrivilegeEscalation": true, "privileged": true, "capabilities": {"add": ["CHOWN", "CAP_SYS_ADMIN"]},
            })),
            "`hostProcess`, of the pod" => {
                windows(pod);
                pod["securityContext"]["windowsOptions"] = json!({"hostProcess": true});
                json!({})
            }
            "`hostProcess`, of the only container" => {
                windows(pod);
                json!({"windowsOptions": {"hostProcess": true}})
            }
            "`procMount Unmasked`" => {
                pod["hostUsers"] = json!(false);
                with(json!({"procMount": "Unmasked"}))
            }
            "a container" => with(json!({"allowPrivilegeEscalation": null})),
            "a container that is privileged or adds `CAP_SYS_ADMIN`" => with(json!({
                "allowPrivilegeEscalation": null, "privileged": true, "capabilities": {"add": ["CAP_SYS_ADMIN"]},
            })),
            found => panic!("{}: what has '{found}'?", self.rule.name()),
        };
        pod["containers"][0]["securityContext"] = own;
    }
}

fn persona(namespace: &str) -> Value {
    let mut persona = super::persona(namespace);
    persona["spec"]["resources"]["requests"] = json!({"cpu": "100m", "memory": "128Mi"});
    persona["spec"]["health"] = json!({"livenessPath": "/healthz", "readinessPath": "/ready", "port": 8080});
    persona["spec"]["policies"]["security"] =
        json!({"runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false});
    persona["spec"]["policies"]["images"] =
        json!({"registries": ["registry.example.com", "ghcr.io/acme"], "denyLatest": true, "requireDigest": true});
    persona
}

/// What is found of a Deployment that is made as it is stored. A path that differs is an issue of the status alone.
fn found(deployment: &Value, persona: &Persona) -> BTreeSet<&'static str> {
    let text = deployment.to_string();
    let new: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
    let personas = [Arc::new(persona.clone())];
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed: Governed {
            app: "orders",
            personas: personas[..].into(),
            ..Governed::default()
        },
        old: None,
        namespace: "",
        namespace_mode: &ModeWish::Unset,
        platform: &PlatformRules::NONE,
    };
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: Mode::Enforcing,
    };
    let mut found: BTreeSet<&str> = decide(rulebook, &question)
        .findings()
        .map(|charge| charge.finding().rule.name())
        .collect();
    let label = deployment["metadata"]["labels"]["app.kubernetes.io/name"].as_str();
    let probe = &deployment["spec"]["template"]["spec"]["containers"][0]["livenessProbe"];
    let others = [
        (label.is_none(), Rule::AppLabelRemoved),
        (label.is_none(), Rule::AppLabelMissing),
        (label.is_some_and(|label| label != "orders"), Rule::AppLabelChanged),
        (
            probe["httpGet"]["path"].as_str().is_some_and(|path| path != "/healthz"),
            Rule::LivenessPathDiffers,
        ),
    ];
    found.extend(others.into_iter().filter(|(is, _)| *is).map(|(_, rule)| rule.name()));
    found
}

#[test]
fn every_command_of_the_rules_takes_its_finding_away() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let namespace = bed.namespace("typed", &[("dorgu.io/validate", "true")]);
    let folder = TempDir::new().expect("a folder");
    let object = persona(&namespace);
    fs::write(folder.path().join("orders.yaml"), object.to_string()).expect("written");
    let persona = Persona::parse(&serde_json::from_value(object).expect("a persona"));
    let dorgu = Dorgu::with_personas(folder.path(), &["--webhook-mode=enforcing"]);
    let registration = Registration::of(&dorgu, &namespace);
    bed.register(&registration);
    let get = || -> Value {
        let got = bed.kubectl(&[
            "get",
            "deployment",
            "orders",
            "--namespace",
            &namespace,
            "--output=json",
        ]);
        serde_json::from_str(&got.expect_success()).expect("JSON")
    };
    let rows = Row::all();
    let rules: BTreeSet<Rule> = rows.iter().map(|row| row.rule).collect();
    // Four have no table: three about a persona or a namespace, which `watched::typed` types, and one about no Deployment.
    assert_eq!(rules.len(), Rule::ALL.len() - 4, "{rules:?}");
    for row in &rows {
        let (rule, what) = (row.rule.name(), &row.found);
        // Made while no persona governs it, then labelled: what is stored is never refused.
        let mut object = row.deployment(&namespace);
        let labels = object["metadata"]["labels"].take();
        bed.apply(&object.to_string()).expect_success();
        if !matches!(row.rule, Rule::AppLabelRemoved | Rule::AppLabelMissing) {
            let label = format!(
                "app.kubernetes.io/name={}",
                labels["app.kubernetes.io/name"].as_str().expect("a label")
            );
            let labelled = ["label", "deployment", "orders", "--namespace", &namespace, &label];
            bed.kubectl(&labelled).expect_success();
        }
        let before = get();
        let found_before = found(&before, &persona);
        assert!(found_before.contains(rule), "{rule}, {what}: {found_before:?}");
        let typed: Output = bed.shell(
            &row.command
                .replace("--namespace shop", &format!("--namespace {namespace}")),
        );
        assert!(typed.succeeded(), "{rule}, {what}: {}\n{typed}", row.command);
        let found_after = found(&get(), &persona);
        assert!(!found_after.contains(rule), "{rule}, {what}: {}", row.command);
        let new: Vec<_> = found_after.difference(&found_before).collect();
        assert!(new.is_empty(), "{rule}, {what}: {new:?} is new");
        bed.kubectl(&["delete", "deployment", "orders", "--namespace", &namespace])
            .expect_success();
    }
    bed.unregister(&registration);
}
