//! File mode against a real API server: the same personas accepted, the same objects stored, the same warnings.
//!
//! Every generated object is created on the server and goes through our engine; nothing may differ. What is compared is
//! listed at [`Outcome`]. `DORGU_PERSONA_CASES` and `DORGU_PERSONA_SEED` choose how many objects and which; the same seed
//! gives the same objects.

mod edges;
mod generate;
mod http;

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dorgu::api;
use dorgu::policy::quantity::Quantity;
use dorgu::schema::Kinds;
use serde_json::{Value, json};

use self::generate::{Case, Generator};
use self::http::{Answer, Client};
use crate::bed::{Bed, Needs};

const CASES: u64 = 1_000;
const STATUSES: u64 = 300;
const SEED: u64 = 20_260_101;
/// Differences that are shown before the test gives up.
const SHOWN: usize = 10;
const TIMEOUT: Duration = Duration::from_secs(30);

/// What became of one object.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    /// Not stored; the reasons are for people and may be worded differently.
    Refused,
    /// Stored: everything but what a server fills in, and the warnings about unknown fields, sorted.
    Stored { object: Value, warnings: Vec<String> },
}

#[test]
fn a_file_is_accepted_defaulted_and_pruned_as_by_the_api_server() {
    let Some(mut server) = Server::connect() else { return };
    let kinds = kinds();
    let (cases, seed) = (
        number_from("DORGU_PERSONA_CASES", CASES),
        number_from("DORGU_PERSONA_SEED", SEED),
    );
    let mut generator = Generator::new(seed, &api::crds());
    let (mut tally, mut differences) = (BTreeMap::new(), Vec::new());
    let start = Instant::now();
    for number in 0..cases {
        let case = generator.object(&format!("case-{}-{number}", server.run));
        *tally
            .entry(compare(&mut server, &kinds, &case, &mut differences))
            .or_insert(0_u64) += 1;
    }
    println!("seed {seed}: {tally:?} in {:.1?}", start.elapsed());
    assert_none(&differences);
    for (word, least) in [
        ("refused", 4),
        ("stored, with warnings", 25),
        ("stored, changed", 10),
        ("stored as sent", 100),
    ] {
        let found = tally.get(word).copied().unwrap_or_default();
        assert!(
            found >= cases / least,
            "too few cases are {word} to prove anything: {tally:?}"
        );
    }
}

#[test]
fn on_either_side_of_every_edge_a_file_is_judged_as_by_the_api_server() {
    let Some(mut server) = Server::connect() else { return };
    let kinds = kinds();
    let cases = Generator::new(SEED, &api::crds()).edges(&format!("edge-{}", server.run));
    let (mut tally, mut differences) = (BTreeMap::new(), Vec::new());
    for case in &cases {
        *tally
            .entry(compare(&mut server, &kinds, case, &mut differences))
            .or_insert(0_u64) += 1;
    }
    println!("{} edges: {tally:?}", cases.len());
    assert_none(&differences);
    assert!(tally.len() == 4, "edges of one sort are missing: {tally:?}");
}

#[test]
fn a_status_is_judged_as_by_the_api_server() {
    let Some(mut server) = Server::connect() else { return };
    let kinds = kinds();
    let (cases, seed) = (
        number_from("DORGU_STATUS_CASES", STATUSES),
        number_from("DORGU_PERSONA_SEED", SEED),
    );
    let mut generator = Generator::new(seed, &api::crds());
    let name = format!("status-{}", server.run);
    let object = json!({
        "apiVersion": api::API_VERSION, "kind": "ApplicationPersona",
        "metadata": { "name": name }, "spec": { "name": "a", "type": "api" }
    });
    let (_, answer) = server.create(&Case {
        kind: "ApplicationPersona",
        object,
        what: "for statuses",
    });
    let mut stored = answer.json();
    let kind = kinds.find(api::API_VERSION, "ApplicationPersona").unwrap();
    let (mut accepted, mut differences) = (0, Vec::new());
    for number in 0..cases {
        // One after the other to the same object: what is refused changes nothing, and each is judged as a whole,
        // since between two of them the status is taken away.
        server.put_status(&mut stored, None);
        let status = generator.status();
        let answer = server.put_status(&mut stored, Some(&status));
        let (theirs, ours) = (answer.status == 200, kind.validate_status(&status));
        accepted += u64::from(theirs);
        if theirs != ours.is_empty() {
            differences.push(format!(
                "case {number}: {status}\n  theirs: {}\n  ours:   {ours:?}",
                answer.message()
            ));
        }
    }
    println!("seed {seed}: {accepted} of {cases} statuses accepted");
    assert!(
        differences.is_empty(),
        "seed {seed}: {} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(
        accepted >= cases / 5 && accepted <= cases * 4 / 5,
        "too one-sided to prove anything"
    );
}

/// Asks both sides and notes a difference; says what became of the object on the server.
fn compare(server: &mut Server, kinds: &Kinds, case: &Case, differences: &mut Vec<String>) -> &'static str {
    let (theirs, answer) = server.create(case);
    let ours = kinds
        .find(api::API_VERSION, case.kind)
        .unwrap()
        .create(case.object.clone(), &server.namespace);
    let (ours, reasons) = match ours {
        Ok(created) => {
            let mut warnings: Vec<String> = created.warnings.iter().map(ToString::to_string).collect();
            warnings.sort();
            (
                Outcome::Stored {
                    object: comparable(created.object),
                    warnings,
                },
                Vec::new(),
            )
        }
        Err(errors) => (Outcome::Refused, errors.iter().map(ToString::to_string).collect()),
    };
    if ours != theirs {
        differences.push(format!(
            "{}: {}\n  theirs: {theirs:?}\n          {}\n  ours:   {ours:?}\n          {reasons:?}\n",
            case.what,
            case.object,
            answer.message()
        ));
    }
    match &theirs {
        Outcome::Refused => "refused",
        Outcome::Stored { warnings, .. } if !warnings.is_empty() => "stored, with warnings",
        Outcome::Stored { object, .. } if object["spec"] != case.object["spec"] => "stored, changed",
        Outcome::Stored { .. } => "stored as sent",
    }
}

#[track_caller]
fn assert_none(differences: &[String]) {
    let shown = differences[..differences.len().min(SHOWN)].join("\n");
    assert!(differences.is_empty(), "{} differences:\n{shown}", differences.len());
}

fn kinds() -> Kinds {
    Kinds::read(&api::crds(), |text| Quantity::parse(text).is_ok()).unwrap()
}

/// An object without what only a server fills in.
fn comparable(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
    ] {
        metadata.remove(field);
    }
    if metadata.contains_key("generateName") {
        // The rest of the name is chance, and files have none.
        metadata.remove("name");
    }
    object
}

/// A real API server with our definitions.
struct Server {
    client: Client,
    /// Distinguishes this run's objects from those of earlier ones.
    run: String,
    namespace: String,
}

impl Server {
    /// None, after a line that says why, where there is no API server.
    fn connect() -> Option<Self> {
        let bed = Bed::shared(Needs::ApiServer)?;
        let mut client = Client::new(&bed.proxy_url());
        for crd in api::crds() {
            let name = crd.metadata.name.clone().unwrap();
            let path = format!(
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}?fieldManager=dorgu-tests&force=true"
            );
            let answer = client.send(
                "PATCH",
                &path,
                "application/apply-patch+yaml",
                &serde_json::to_value(&crd).unwrap(),
            );
            assert!(matches!(answer.status, 200 | 201), "{name}: {}", answer.message());
            let list = format!("/apis/{}/{}", api::API_VERSION, crd.spec.names.plural);
            let deadline = Instant::now() + TIMEOUT;
            while client.get(&list).status != 200 {
                assert!(Instant::now() < deadline, "{name} is not served");
            }
        }
        let run = format!("{:x}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos());
        let namespace = format!("personas-{run}");
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        let answer = client.send("POST", "/api/v1/namespaces", "application/json", &object);
        assert_eq!(answer.status, 201, "{}", answer.message());
        Some(Self { client, run, namespace })
    }

    fn create(&mut self, case: &Case) -> (Outcome, Answer) {
        let path = match case.kind {
            "ApplicationPersona" => format!("/apis/dorgu.io/v1/namespaces/{}/applicationpersonas", self.namespace),
            "PersonaException" => format!("/apis/dorgu.io/v1/namespaces/{}/personaexceptions", self.namespace),
            _ => "/apis/dorgu.io/v1/clusterpersonas".to_owned(),
        };
        let query = "fieldManager=dorgu-tests&fieldValidation=Warn";
        let answer = self
            .client
            .send("POST", &format!("{path}?{query}"), "application/json", &case.object);
        let outcome = match answer.status {
            201 => {
                let object = answer.json();
                self.tidy(&path, &object);
                let mut warnings: Vec<String> = answer
                    .warnings()
                    .into_iter()
                    .filter(|warning| warning.starts_with("unknown field"))
                    .collect();
                warnings.sort();
                Outcome::Stored {
                    object: comparable(object),
                    warnings,
                }
            }
            400 | 422 => Outcome::Refused,
            other => panic!("{other} for {}: {}", case.object, answer.message()),
        };
        (outcome, answer)
    }

    /// Leaves nothing behind that others could see or that could not be deleted.
    fn tidy(&mut self, path: &str, object: &Value) {
        let metadata = &object["metadata"];
        let path = format!("{path}/{}", metadata["name"].as_str().unwrap());
        if metadata["finalizers"].is_array() {
            let patch = json!({ "metadata": { "finalizers": null } });
            let answer = self.client.send("PATCH", &path, "application/merge-patch+json", &patch);
            assert_eq!(answer.status, 200, "{}", answer.message());
        }
        if metadata["namespace"].is_null() {
            let answer = self.client.send("DELETE", &path, "application/json", &json!({}));
            assert_eq!(answer.status, 200, "{}", answer.message());
        }
    }

    /// Sends a status, or none, and keeps in `object` what is stored afterwards. A controller of another test may have
    /// written a status of its own in between: then the object is read again, and the same status sent again.
    fn put_status(&mut self, object: &mut Value, status: Option<&Value>) -> Answer {
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = format!(
            "/apis/dorgu.io/v1/namespaces/{}/applicationpersonas/{name}",
            self.namespace
        );
        loop {
            let mut sent = object.clone();
            match status {
                Some(status) => sent["status"] = status.clone(),
                None => drop(sent.as_object_mut().unwrap().remove("status")),
            }
            let answer = self
                .client
                .send("PUT", &format!("{path}/status"), "application/json", &sent);
            match answer.status {
                200 => *object = answer.json(),
                400 | 422 => {}
                409 => {
                    *object = self.client.send("GET", &path, "application/json", &json!({})).json();
                    continue;
                }
                other => panic!("{other}: {}", answer.message()),
            }
            return answer;
        }
    }
}

fn number_from(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}
