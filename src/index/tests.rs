//! An index that was changed step by step equals one that was built from scratch, and a step is cheap.

mod exceptions;
mod platform;

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Value, json};

use self::exceptions::{excepted, found};
use super::granted::Granted;
use super::*;
use crate::api::ApplicationPersona;
use crate::api::application_persona::Tier;
use crate::api::application_persona::status::Phase;
use crate::policy::selector::Selector;
use crate::policy::{DEFAULT_APP, Mode, ModeWish, Names, ObjectLabels, Persona, PlatformRules, RuleSet};

const NAMESPACES: [&str; 2] = ["shop", "bank"];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// What personas are for: any of the names, or every app that has none.
const APPS: [&str; 5] = ["a", "b", "c", "d", DEFAULT_APP];
/// What the selectors of some personas tell apart.
const TIERS: [&str; 2] = [r#"{"tier":"0"}"#, r#"{"tier":"1"}"#];
/// The namespace whose default personas govern the other, too.
const PLATFORM: &str = "bank";

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn stored(namespace: &str, name: &str, app: &str, version: &str) -> StoredPersona {
    StoredPersona {
        version: hash(version),
        generation: 1,
        status: None,
        persona: Arc::new(Persona {
            namespace: namespace.into(),
            name: name.into(),
            app: app.into(),
            liveness_path: Some(version.into()),
            ..Persona::default()
        }),
    }
}

/// Everything that a snapshot can be queried for.
fn told(snapshot: &Snapshot) -> Vec<String> {
    let mut told = Vec::new();
    for namespace in NAMESPACES {
        told.push(format!("{namespace} {:?}", snapshot.namespace_mode(namespace)));
        for name in NAMES {
            told.push(format!("{namespace} {name} {:?}", snapshot.find(namespace, name)));
            told.push(format!("{namespace} {name} {:?}", snapshot.deployment(namespace, name)));
            told.push(of_app(snapshot, namespace, name));
            told.push(format!("{:?}", snapshot.exception(namespace, name)));
            let names = Names {
                label: name,
                ..Names::default()
            };
            for labels in TIERS.map(ObjectLabels::Json) {
                let mut place = None;
                let governed = snapshot.governed(namespace, names, labels, &mut place);
                told.push(format!("{namespace} {name} {governed:?}"));
            }
        }
        told.push(of_app(snapshot, namespace, DEFAULT_APP));
    }
    told.extend(Kind::ALL.map(|kind| format!("{kind:?} {}", snapshot.count(kind))));
    told.push(format!("{:?}", snapshot.tally().iter().collect::<Vec<_>>()));
    told
}

/// Its demands, with its tier, and its status each change without the other.
fn personified(place: usize, name: usize, app: usize, version: u8) -> StoredPersona {
    let (demands, phase) = (version / 5 % 4, version % 5);
    let mut new = stored(NAMESPACES[place], NAMES[name], APPS[app], &format!("{app}-{demands}"));
    let persona = Arc::get_mut(&mut new.persona).expect("ours alone");
    persona.tier = Tier::ALL[usize::from(demands) % Tier::ALL.len()];
    persona.is_binding = demands % 2 == 1;
    persona.selector = match demands {
        3 if app < NAMES.len() => selector(json!({"matchLabels": {"tier": "1"}})),
        _ => None,
    };
    new.status = phase.checked_sub(1).map(|phase| StatusFingerprint {
        verdict: u64::from(phase),
        deployments: 0,
        phase: Some(Phase::ALL[usize::from(phase)]),
        clean_since: 0,
    });
    new
}

/// A selector of a persona, as the API has it.
fn selector(selector: Value) -> Option<Box<Selector>> {
    let spec = json!({"name": "a", "type": "api", "selector": selector});
    let spec = serde_json::from_value(spec).expect("a spec");
    Persona::parse(&ApplicationPersona::new("a", spec)).selector
}

/// What a status of that app is derived from.
fn of_app(snapshot: &Snapshot, namespace: &str, app: &str) -> String {
    let personas = snapshot.find(namespace, app);
    let of = |persona: &Arc<Persona>| match app {
        DEFAULT_APP => snapshot.governed_by(persona),
        _ => snapshot.workloads(persona, RuleSet::Complete),
    };
    let workloads: Vec<&Arc<Deployment>> = personas.iter().flat_map(of).collect();
    let names = workloads.iter().filter(|_| app != DEFAULT_APP);
    let excepted = names.map(|workload| found(snapshot, namespace, app, &workload.name));
    let excepted: Vec<String> = excepted.collect();
    format!("{namespace} {app} {personas:?} {workloads:?} {excepted:?}")
}

#[derive(Clone, Debug)]
enum Step {
    Persona(usize, usize, usize, u8),
    Namespace(usize, Option<bool>),
    /// Where, its name, its label, the label of its selector, how many are ready.
    Deployment(usize, usize, usize, usize, i32),
    /// Where, its name, what it is for, when it ends.
    Exception(usize, usize, usize, u8),
    Gone(Kind, usize, usize),
    /// A relist: everything, or one object missing, or one object unreadable.
    Relist(Kind, Option<usize>, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let (places, names) = (0..NAMESPACES.len(), 0..NAMES.len());
    let kind = || proptest::sample::select(Kind::ALL.to_vec());
    prop_oneof![
        4 => (places.clone(), names.clone(), 0..APPS.len(), any::<u8>()).prop_map(|(p, n, a, v)| Step::Persona(p, n, a, v)),
        1 => (places.clone(), any::<Option<bool>>()).prop_map(|(p, mode)| Step::Namespace(p, mode)),
        3 => (places.clone(), names.clone(), 0..=NAMES.len(), names.clone(), 0..2)
            .prop_map(|(p, n, a, s, ready)| Step::Deployment(p, n, a, s, ready)),
        2 => (places.clone(), names.clone(), 0..2 * NAMES.len(), any::<u8>())
            .prop_map(|(p, n, target, day)| Step::Exception(p, n, target, day)),
        3 => (kind(), places, names).prop_map(|(kind, p, n)| Step::Gone(kind, p, n)),
        1 => (kind(), proptest::option::of(0..8usize), any::<bool>()).prop_map(|(kind, hole, kept)| Step::Relist(kind, hole, kept)),
    ]
}

/// A simple model to compare the index with.
#[derive(Default)]
struct Model {
    matching: Matching,
    personas: BTreeMap<(String, String), StoredPersona>,
    namespaces: BTreeMap<(String, String), Namespace>,
    deployments: BTreeMap<(String, String), Deployment>,
    exceptions: BTreeMap<(String, String), StoredException>,
}

/// A relist without the `hole`th object. When `kept`, that object exists but is unreadable.
fn relist<T: Clone>(map: &mut BTreeMap<(String, String), T>, hole: Option<usize>, kept: bool) -> Change<T> {
    let missing = hole.and_then(|hole| map.keys().nth(hole).cloned());
    let objects = map
        .iter()
        .filter(|(key, _)| Some(*key) != missing.as_ref())
        .map(|(_, value)| Arc::new(value.clone()))
        .collect();
    let kept: Vec<_> = missing.iter().filter(|_| kept).cloned().collect();
    if let Some(missing) = missing.filter(|_| kept.is_empty()) {
        map.remove(&missing);
    }
    Change::Replace { objects, kept }
}

impl Model {
    fn step(&mut self, index: &Index, step: &Step) -> Vec<AppKey> {
        let key = |p: usize, n: usize| (NAMESPACES[p].to_owned(), NAMES[n].to_owned());
        match *step {
            Step::Persona(p, n, app, version) => {
                let new = personified(p, n, app, version);
                self.personas.insert(key(p, n), new.clone());
                index.personas(Change::Put(new))
            }
            Step::Namespace(p, enforcing) => {
                let mode = match enforcing {
                    Some(true) => ModeWish::Set(Mode::Enforcing),
                    Some(false) => ModeWish::Set(Mode::Advisory),
                    None => ModeWish::Unset,
                };
                let new = Namespace {
                    name: NAMESPACES[p].into(),
                    mode,
                    is_opted_in: enforcing.is_some(),
                    terminating: false,
                    uid: Box::default(),
                };
                self.namespaces
                    .insert((String::new(), NAMESPACES[p].to_owned()), new.clone());
                index.namespaces(Change::Put(new))
            }
            Step::Deployment(p, n, app, selected, ready) => {
                let named = |app: usize| AppLabels {
                    name: NAMES.get(app).copied().unwrap_or_default().into(),
                    ..AppLabels::default()
                };
                let running = Running {
                    ready,
                    ..Running::default()
                };
                let new = Deployment {
                    namespace: NAMESPACES[p].into(),
                    name: NAMES[n].into(),
                    labels: named(app),
                    all_labels: TIERS[usize::from(ready > 0)].into(),
                    selected: named(selected),
                    running: Some(Box::new(running)),
                };
                self.deployments.insert(key(p, n), new.clone().slim(self.matching));
                index.deployments(Change::Put(new))
            }
            Step::Exception(p, n, target, day) => {
                let new = excepted(p, n, target, day);
                self.exceptions.insert(key(p, n), new.clone());
                index.exceptions(Change::Put(new))
            }
            Step::Gone(kind, p, n) => {
                let (namespace, name) = key(p, n);
                match kind {
                    Kind::Persona => {
                        self.personas.remove(&key(p, n));
                        index.personas(Change::Remove { namespace, name })
                    }
                    Kind::Namespace => {
                        let name = namespace;
                        self.namespaces.remove(&(String::new(), name.clone()));
                        let namespace = String::new();
                        index.namespaces(Change::Remove { namespace, name })
                    }
                    Kind::Deployment => {
                        self.deployments.remove(&key(p, n));
                        index.deployments(Change::Remove { namespace, name })
                    }
                    Kind::ClusterPersona => {
                        let (name, namespace) = (namespace, String::new());
                        index.cluster_rules(Change::Remove { namespace, name })
                    }
                    Kind::Exception => {
                        self.exceptions.remove(&key(p, n));
                        index.exceptions(Change::Remove { namespace, name })
                    }
                }
            }
            Step::Relist(kind, hole, kept) => match kind {
                Kind::Persona => index.personas(relist(&mut self.personas, hole, kept)),
                Kind::Namespace => index.namespaces(relist(&mut self.namespaces, hole, kept)),
                Kind::Deployment => index.deployments(relist(&mut self.deployments, hole, kept)),
                Kind::Exception => index.exceptions(relist(&mut self.exceptions, hole, kept)),
                Kind::ClusterPersona => index.cluster_rules(Change::Replace {
                    objects: Vec::new(),
                    kept: Vec::new(),
                }),
            },
        }
    }

    fn afresh(&self) -> Snapshot {
        let namespaces = self.namespaces.values();
        let fresh = Snapshot::build(
            self.personas.values().map(|stored| Arc::clone(&stored.persona)),
            namespaces.map(|namespace| (namespace.name.to_string(), namespace.mode.clone())),
        );
        let personas = self.personas.values().map(|stored| &stored.persona);
        let defaults = Defaults::of_platform(Some(PLATFORM)).with_all(personas);
        let deployments = Table::build(self.deployments.values().cloned().map(Arc::new));
        let exceptions = Table::build(self.exceptions.values().cloned().map(Arc::new));
        Snapshot {
            tally: Tally::of(self.personas.values()),
            matching: self.matching,
            app_deployments: app_deployments(self.matching, &deployments, &Table::default()),
            deployments,
            granted: Arc::new(Granted::relisted(exceptions, MaxLength::DEFAULT)),
            namespaces: Table::build(self.namespaces.values().cloned().map(Arc::new)),
            defaults: Arc::new(defaults),
            ..fresh
        }
    }
}

fn matching() -> impl Strategy<Value = Matching> {
    prop_oneof![Just(Matching::Label), Just(Matching::Chain)]
}

fn model(matching: Matching) -> (Index, Model) {
    let model = Model {
        matching,
        ..Model::default()
    };
    let index = Index::new(matching, PlatformRules::default());
    (index.with_platform_defaults(Some(PLATFORM)), model)
}

proptest! {
    #[test]
    fn any_order_of_changes_ends_where_building_afresh_would(
        matching in matching(),
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let (index, mut model) = model(matching);
        for step in &steps {
            model.step(&index, step);
            prop_assert_eq!(told(&index.load()), told(&model.afresh()));
        }
    }

    #[test]
    fn whoever_keeps_a_status_is_woken_by_every_change_of_what_it_is_derived_from(
        matching in matching(),
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let (index, mut model) = model(matching);
        for step in &steps {
            let before = Snapshot::clone(&index.load());
            let affected = model.step(&index, step);
            let after = index.load();
            for namespace in NAMESPACES {
                for app in APPS {
                    let changed = of_app(&before, namespace, app) != of_app(&after, namespace, app);
                    let key = AppKey { namespace: namespace.into(), app: app.into() };
                    prop_assert!(!changed || affected.contains(&key), "{step:?} changed {key:?} and affected {affected:?}");
                }
            }
        }
    }
}

fn all<T>(objects: Vec<T>) -> Change<T> {
    Change::Replace {
        objects: objects.into_iter().map(Arc::new).collect(),
        kept: Vec::new(),
    }
}

/// A Deployment with a label.
fn deployment(name: &str, app: &str, ready: i32) -> Deployment {
    Deployment {
        namespace: "shop".into(),
        name: name.into(),
        labels: AppLabels {
            name: app.into(),
            ..AppLabels::default()
        },
        running: Some(Box::new(Running {
            ready,
            ..Running::default()
        })),
        ..Deployment::default()
    }
}

fn names(affected: &[AppKey]) -> Vec<&str> {
    affected.iter().map(|key| &*key.app).collect()
}

#[test]
fn a_relist_wakes_those_who_changed_meanwhile_and_nobody_else() {
    let index = Index::default();
    let list = |ready: i32| (0..10_000).map(move |n| deployment(&format!("d{n}"), &format!("a{n}"), ready));
    assert_eq!(index.deployments(all(list(1).collect())).len(), 10_000);
    let started = Instant::now();
    assert_eq!(index.deployments(all(list(1).collect())), [], "10,000 unchanged");
    println!("10,000 unchanged Deployments listed again: {:?}", started.elapsed());
    let mut changed: Vec<Deployment> = list(1).collect();
    changed[7] = deployment("d7", "a7", 2);
    changed[8] = deployment("d8", "moved", 1);
    changed.remove(9);
    assert_eq!(names(&index.deployments(all(changed))), ["a7", "a8", "a9", "moved"]);
}

#[test]
fn a_status_that_was_written_wakes_nobody_and_keeps_the_persona() {
    let index = Index::default();
    let with = |status: u64, generation: i64| StoredPersona {
        generation,
        status: Some(StatusFingerprint {
            verdict: status,
            deployments: 0,
            phase: None,
            clean_since: 0,
        }),
        ..stored("shop", "a", "orders", "1")
    };
    assert_eq!(names(&index.personas(Change::Put(with(1, 1)))), ["orders"]);
    let before = Arc::clone(&index.load().find("shop", "orders")[0]);
    for change in [Change::Put(with(2, 1)), all(vec![with(3, 1)])] {
        assert_eq!(index.personas(change), []);
        assert!(Arc::ptr_eq(&before, &index.load().find("shop", "orders")[0]));
    }
    let status = |index: &Index| index.load().persona("shop", "a").and_then(|stored| stored.status);
    assert_eq!(status(&index).map(|status| status.verdict), Some(3));
    assert_eq!(
        names(&index.personas(Change::Put(with(3, 2)))),
        ["orders"],
        "another generation"
    );
}

#[test]
fn a_deployment_belongs_to_the_strongest_claim_that_is_governed() {
    let index = Index::new(Matching::Chain, PlatformRules::default());
    let chained = |name: &str, label: &str, app: &str| {
        let mut deployment = deployment(name, label, 1);
        deployment.labels.app = app.into();
        deployment
    };
    let whose = |app: &str| -> Vec<String> {
        let snapshot = index.load();
        let personas = snapshot.find("shop", app);
        let workloads = snapshot.workloads(&personas[0], RuleSet::Complete);
        workloads.iter().map(|deployment| deployment.name.to_string()).collect()
    };
    index.deployments(all(vec![
        chained("orders", "", ""),
        chained("web", "payments", "orders"),
    ]));
    index.personas(Change::Put(stored("shop", "o", "orders", "1")));
    assert_eq!(whose("orders"), ["web"], "a label is a stronger claim than a name");
    // Its label now leads elsewhere, so both apps are reported.
    let affected = index.personas(Change::Put(stored("shop", "p", "payments", "1")));
    assert_eq!(names(&affected), ["orders", "payments", "web"]);
    assert_eq!(
        (whose("orders"), whose("payments")),
        (vec!["orders".to_owned()], vec!["web".to_owned()])
    );
}

#[test]
fn an_index_is_synced_once_every_kind_was_filled() {
    let index = Index::default();
    index.personas(Change::Put(stored("shop", "a", "a", "1")));
    assert!(!index.has(Kind::Persona), "one object is not all of them");
    index.personas(Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    });
    assert!(index.has(Kind::Persona) && !index.is_synced());
    index.namespaces(Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    });
    assert!(!index.is_synced());
    index.deployments(all(Vec::new()));
    assert!(!index.is_synced());
    index.cluster_rules(Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    });
    assert!(!index.is_synced());
    index.exceptions(Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    });
    assert!(index.is_synced());
}

#[test]
fn a_relist_keeps_what_did_not_change() {
    let index = Index::default();
    let list = |versions: [&str; 2]| {
        all(vec![
            stored("shop", "a", "orders", versions[0]),
            stored("shop", "b", "payments", versions[1]),
        ])
    };
    index.personas(list(["1", "1"]));
    let before = index.load().find("shop", "orders").to_vec();
    let stale = index.load().find("shop", "payments").to_vec();
    index.personas(list(["1", "2"]));
    let snapshot = index.load();
    assert!(Arc::ptr_eq(&before[0], &snapshot.find("shop", "orders")[0]));
    assert!(!Arc::ptr_eq(&stale[0], &snapshot.find("shop", "payments")[0]));
    assert_eq!(snapshot.find("shop", "payments")[0].liveness_path.as_deref(), Some("2"));
}

#[test]
fn an_object_that_is_known_is_listed_as_what_is_there() {
    let index = Index::default();
    let known = stored("shop", "a", "orders", "1");
    index.personas(Change::Put(known.clone()));
    index.deployments(Change::Put(deployment("web", "orders", 1)));
    let snapshot = index.load();
    let there = snapshot.persona("shop", "a").expect("it is there");
    // A new read of an equal object, as in a list.
    let again = || stored("shop", "a", "orders", "1");
    assert!(Arc::ptr_eq(&index.reuse_persona(again()), there));
    let status = Some(StatusFingerprint {
        verdict: 1,
        deployments: 1,
        phase: None,
        clean_since: 0,
    });
    let told = index.reuse_persona(StoredPersona { status, ..again() });
    assert_eq!(told.status, status);
    assert!(Arc::ptr_eq(&told.persona, &there.persona), "only its status is another");
    let other = index.reuse_persona(stored("shop", "a", "orders", "2"));
    assert_eq!(other.persona.liveness_path.as_deref(), Some("2"));
    // An entry without a version is never equal to another.
    let unversioned = StoredPersona { version: 0, ..again() };
    index.personas(Change::Put(unversioned.clone()));
    assert!(Arc::ptr_eq(
        &index.reuse_persona(unversioned.clone()).persona,
        &unversioned.persona
    ));

    let there = index
        .load()
        .deployments
        .get("shop", "web")
        .cloned()
        .expect("it is there");
    assert!(Arc::ptr_eq(
        &index.reuse_deployment(deployment("web", "orders", 1)),
        &there
    ));
    assert_eq!(
        index
            .reuse_deployment(deployment("web", "orders", 2))
            .running
            .as_ref()
            .map(|r| r.ready),
        Some(2)
    );
}

#[test]
fn what_was_replaced_is_held_only_while_somebody_reads_it() {
    let index = Index::default();
    let list = |version: &str| index.personas(all(vec![stored("shop", "a", "a", version)]));
    let weak = || Arc::downgrade(&index.load().find("shop", "a")[0]);
    list("1");
    let unread = weak();
    list("2");
    assert!(unread.upgrade().is_none(), "nobody reads it");
    let (read, reader) = (weak(), Arc::clone(&index.load()));
    list("3");
    // The reader does not have to free it: the next writer does.
    drop(reader);
    assert!(read.upgrade().is_some());
    list("4");
    assert!(read.upgrade().is_none());
}

#[test]
fn one_write_among_ten_thousand_personas_is_no_rebuild() {
    const PERSONAS: usize = 10_000;
    const WRITES: u32 = 1_000;
    let index = Index::default();
    let objects = (0..PERSONAS).map(|n| stored("shop", &format!("p{n}"), &format!("app{n}"), "1"));
    let change = all(objects.collect());
    let started = Instant::now();
    index.personas(change);
    let listed = started.elapsed();
    let changes: Vec<_> = (0..WRITES)
        .map(|n| stored("shop", &format!("p{n}"), &format!("app{n}"), "2"))
        .collect();
    let started = Instant::now();
    for change in changes {
        index.personas(Change::Put(change));
    }
    let one = started.elapsed() / WRITES;
    println!("10,000 personas built in {listed:?}; one write {one:?}");
    assert_eq!(
        index.load().find("shop", "app999")[0].liveness_path.as_deref(),
        Some("2")
    );
    // A rebuild takes milliseconds; this is microseconds, with room for a busy machine and a debug build.
    assert!(one.as_micros() < 1_000, "one write took {one:?}");
}
