//! An imported persona is found by its Deployment again, and nothing is found in the Deployment then.

use std::collections::BTreeSet;

use dorgu::index::{Change, Deployment, Index, StoredPersona};
use dorgu::k8s::Decode;
use dorgu::policy::workload::Spec;
use dorgu::policy::{
    Exceptions, Governed, Matching, Mode, ModeWish, PlatformRules, Question, RuleSet, Rulebook, Subject, Workload,
    decide, issues,
};
use serde_json::{Value, json};

use super::shapes::Shape;
use super::{Stage, orders};

/// Shapes; the long form has 100.
const CASES: usize = 40;

fn cases() -> usize {
    let cases = std::env::var("DORGU_IMPORT_CASES").ok();
    cases.map_or(CASES, |cases| cases.parse().expect("a number"))
}

/// What the cluster has, as the operator knows it.
struct Known {
    index: Index,
    deployments: Vec<Deployment>,
}

impl Known {
    fn of(stage: &Stage<'_>, matching: Matching) -> Known {
        let items = |kind: &str| {
            let listed = stage.kubectl(&["get", kind, "-o=json"]).expect_success();
            let listed: Value = serde_json::from_str(&listed).expect("JSON");
            listed["items"].as_array().expect("items").clone()
        };
        let index = Index::new(matching, PlatformRules::default());
        for persona in items("applicationpersonas") {
            index.personas(Change::Put(
                StoredPersona::decode(&persona.to_string()).expect("readable"),
            ));
        }
        let decoded = items("deployments");
        let decoded = decoded
            .iter()
            .map(|object| Deployment::decode(&object.to_string()).expect("readable"));
        Known {
            index,
            deployments: decoded.collect(),
        }
    }

    /// The names of the personas that govern a Deployment, and everything that is found in it.
    fn judged(&self, deployment: &Deployment) -> (Vec<String>, Vec<String>) {
        let snapshot = self.index.load();
        let mut place = None;
        let governed = snapshot.governed(
            &deployment.namespace,
            deployment.names(),
            deployment.object_labels(),
            &mut place,
        );
        let running = deployment.running.as_deref().expect("an app");
        let spec: Spec<'_> = serde_json::from_str(running.spec.as_deref().expect("readable")).expect("a spec");
        let workload = Workload {
            spec,
            ..Workload::default()
        };
        let (names, found) = verdict(governed, &workload, &deployment.namespace);
        (names, found)
    }
}

fn verdict(governed: Governed<'_>, workload: &Workload<'_>, namespace: &str) -> (Vec<String>, Vec<String>) {
    let platform = PlatformRules::default();
    let mut found = Vec::new();
    for persona in governed.personas.iter() {
        let listed = issues(
            RuleSet::Complete,
            workload,
            persona,
            governed.personas.list(),
            &platform,
            Exceptions::default(),
        );
        found.extend(
            listed
                .list
                .into_iter()
                .map(|issue| format!("{}: {}", persona.name, issue.message)),
        );
    }
    let rulebook = Rulebook {
        mode: Mode::Enforcing,
        ..Rulebook::default()
    };
    let question = Question {
        subject: Subject::Deployment,
        new: workload,
        governed,
        old: None,
        namespace,
        namespace_mode: &ModeWish::Unset,
        platform: &platform,
    };
    let decision = decide(rulebook, &question);
    found.extend(decision.findings().map(|finding| format!("webhook: {finding:?}")));
    (
        governed.personas.iter().map(|persona| persona.name.clone()).collect(),
        found,
    )
}

#[test]
fn imported_personas_are_found_by_their_deployments_and_find_nothing() {
    let Some(stage) = Stage::new("imported") else { return };
    let shapes: Vec<Shape> = (0..cases()).map(Shape::of).collect();
    let count = |is_one: fn(&Shape) -> bool| shapes.iter().filter(|shape| is_one(shape)).count();
    let autoscaled = count(|shape| shape.autoscaler.is_some());
    let without_limits = count(Shape::lacks_limits);
    assert!(
        autoscaled * 5 >= shapes.len() && without_limits * 5 >= shapes.len(),
        "{autoscaled}, {without_limits}"
    );
    let objects: Vec<&Value> = shapes
        .iter()
        .flat_map(|shape| [Some(&shape.deployment), shape.autoscaler.as_ref()])
        .flatten()
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let create = ["create", "--validate=strict", "-n", &stage.namespace, "-f", "-"];
    stage.bed.kubectl_in(&create, &list.to_string()).expect_success();

    let import = |more: &[&str]| stage.dorgu(&[&["import", "--all", "--match=chain"], more].concat());
    let printed = import(&[]);
    assert_eq!(printed.code, Some(0), "{printed}");
    let dry = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
    stage.bed.kubectl_in(&dry, &printed.stdout).expect_success();
    let applied = import(&["--apply"]);
    assert_eq!(applied.code, Some(0), "{applied}");
    assert!(
        applied.stdout.lines().all(|line| line.ends_with(" created")),
        "{applied}"
    );

    let known = Known::of(&stage, Matching::Chain);
    assert_eq!(known.deployments.len(), shapes.len());
    let (mut personas, mut wrong) = (BTreeSet::new(), Vec::new());
    for deployment in &known.deployments {
        let (names, found) = known.judged(deployment);
        let is_own =
            matches!(names.as_slice(), [only] if *only == *deployment.name || is_shared(&known, deployment, only));
        if !is_own || !found.is_empty() {
            wrong.push(format!("{}: {names:?} {found:?}", deployment.name));
        }
        personas.extend(names);
    }
    assert_eq!(wrong, [""; 0]);
    let stored = known.index.load().personas().count();
    assert_eq!(personas.len(), stored, "a persona governs nothing");
    println!(
        "{} shapes, {autoscaled} with an autoscaler, {without_limits} without a limit, {stored} personas",
        shapes.len()
    );
    // The bounds are those of the autoscaler, where no other Deployment shares the persona.
    let labels = |shape: &Shape| shape.deployment["metadata"]["labels"].clone();
    let is_alone = |shape: &&Shape| shapes.iter().filter(|other| labels(other) == labels(shape)).count() == 1;
    let alone = shapes.iter().filter(is_alone);
    let bounded: Vec<(&Shape, &Value)> = alone
        .filter_map(|shape| Some((shape, shape.autoscaler.as_ref()?)))
        .collect();
    assert!(bounded.len() * 8 >= shapes.len(), "{}", bounded.len());
    for (shape, autoscaler) in bounded {
        let name = shape.deployment["metadata"]["name"].as_str().expect("a name");
        let scaling = &stage.persona(name)["spec"]["scaling"];
        let replicas = shape.deployment["spec"]["replicas"].as_i64().expect("a number");
        let bound = |key: &str| autoscaler["spec"][key].as_i64().expect("a number");
        assert_eq!(scaling["minReplicas"], bound("minReplicas").min(replicas), "{name}");
        assert_eq!(scaling["maxReplicas"], bound("maxReplicas").max(replicas), "{name}");
    }
    // Imported again, nothing changes.
    let again = import(&["--apply"]).expect_success();
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
}

/// Whether a Deployment shares the persona of another, whose labels are the same.
fn is_shared(known: &Known, deployment: &Deployment, persona: &str) -> bool {
    let labels = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
    let other = known.deployments.iter().find(|other| &*other.name == persona);
    other.is_some_and(|other| labels(&other.all_labels) == labels(&deployment.all_labels))
}

#[test]
fn by_the_label_alone_a_deployment_without_it_is_named() {
    let Some(stage) = Stage::new("labelled") else { return };
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [Shape::of(0).deployment, Shape::of(8).deployment]});
    stage
        .bed
        .kubectl_in(&["create", "-n", &stage.namespace, "-f", "-"], &list.to_string())
        .expect_success();
    let output = stage.dorgu(&["import", "--all", "--apply"]);
    assert_eq!(output.code, Some(0), "{output}");
    let line = "deployment/app-8: no persona governs it without the label app.kubernetes.io/name=app-8";
    assert!(
        output.stderr.contains(line) && !output.stderr.contains("deployment/app-0: no persona"),
        "{output}"
    );
    let known = Known::of(&stage, Matching::Label);
    for deployment in known
        .deployments
        .iter()
        .filter(|deployment| &*deployment.name == "app-0")
    {
        assert_eq!(known.judged(deployment), (vec!["app-0".to_owned()], Vec::new()));
    }
}

#[test]
fn a_deployment_that_a_persona_governs_is_left_out() {
    let Some(stage) = Stage::new("governed") else { return };
    let mut persona = orders(0);
    persona["metadata"]["name"] = json!("by-hand");
    persona["spec"]["name"] = json!("own-0");
    stage.dorgu_in(&["apply", "-"], &persona.to_string()).expect_success();
    let deployment = Shape::of(0).deployment.to_string();
    stage
        .bed
        .kubectl_in(&["create", "-n", &stage.namespace, "-f", "-"], &deployment)
        .expect_success();
    let output = stage.dorgu(&["import", "--all"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{output}");
    assert!(
        output
            .stderr
            .contains("deployment/app-0 is left out: applicationpersona/by-hand governs it already"),
        "{output}"
    );
    // Another persona of the name that it would get.
    stage
        .kubectl(&["delete", "applicationpersona", "by-hand"])
        .expect_success();
    persona["metadata"]["name"] = json!("app-0");
    persona["spec"]["name"] = json!("other");
    stage.dorgu_in(&["apply", "-"], &persona.to_string()).expect_success();
    let output = stage.dorgu(&["import", "--name=app-0"]);
    assert!(
        output
            .stderr
            .contains("applicationpersona/app-0 exists and governs something else"),
        "{output}"
    );
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{output}");
}

#[test]
fn a_file_gets_the_personas_and_a_live_one_can_be_generated() {
    let Some(stage) = Stage::new("written") else { return };
    let empty = stage.dorgu(&["import", "--all"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(0), ""), "{empty}");
    assert!(
        empty.stderr.contains("there are no Deployments in namespace"),
        "{empty}"
    );
    let deployment = Shape::of(0).deployment.to_string();
    stage
        .bed
        .kubectl_in(&["create", "-n", &stage.namespace, "-f", "-"], &deployment)
        .expect_success();
    let file = stage.folder.path().join("personas.yaml");
    let written = stage.dorgu(&["import", "--all", "-o", file.to_str().expect("text")]);
    assert_eq!((written.code, written.stdout.as_str()), (Some(0), ""), "{written}");
    let printed = stage.dorgu(&["import", "--name=app-0"]).expect_success();
    assert_eq!(std::fs::read_to_string(&file).expect("written"), printed);
    let generated = stage
        .dorgu(&["generate", "--from=deploy/app-0", "--dry-run"])
        .expect_success();
    assert_eq!(generated, printed);
    let missing = stage.dorgu(&["import", "--name=app-9"]);
    super::assert_fails(&missing, 4, &["deployment/app-9 does not exist", "it has app-0"]);
}
