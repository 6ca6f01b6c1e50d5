//! An index that was changed step by step holds what one built afresh would, and a step costs little.

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::policy::Mode;

const NAMESPACES: [&str; 2] = ["shop", "bank"];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn stored(namespace: &str, name: &str, app: &str, version: &str) -> StoredPersona {
    StoredPersona {
        version: version.into(),
        persona: Arc::new(Persona {
            namespace: namespace.into(),
            name: name.into(),
            app: app.into(),
            liveness_path: Some(version.into()),
            ..Persona::default()
        }),
    }
}

/// Everything that can be asked of a snapshot.
fn told(snapshot: &Snapshot) -> Vec<String> {
    let mut told = Vec::new();
    for namespace in NAMESPACES {
        told.push(format!("{namespace} {:?}", snapshot.namespace_mode(namespace)));
        for name in NAMES {
            told.push(format!("{namespace} {name} {:?}", snapshot.find(namespace, name)));
            told.push(format!("{namespace} {name} {:?}", snapshot.deployment(namespace, name)));
        }
    }
    told.extend(Kind::ALL.map(|kind| format!("{kind:?} {}", snapshot.count(kind))));
    told
}

#[derive(Clone, Debug)]
enum Step {
    Persona(usize, usize, usize, u8),
    Namespace(usize, Option<bool>),
    Deployment(usize, usize, usize),
    Gone(Kind, usize, usize),
    /// A list is read again: everything, or with one object missing, or with one that cannot be read.
    Relist(Kind, Option<usize>, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let (places, names) = (0..NAMESPACES.len(), 0..NAMES.len());
    let kind = || proptest::sample::select(Kind::ALL.to_vec());
    prop_oneof![
        4 => (places.clone(), names.clone(), names.clone(), any::<u8>()).prop_map(|(p, n, a, v)| Step::Persona(p, n, a, v)),
        1 => (places.clone(), any::<Option<bool>>()).prop_map(|(p, mode)| Step::Namespace(p, mode)),
        2 => (places.clone(), names.clone(), names.clone()).prop_map(|(p, n, a)| Step::Deployment(p, n, a)),
        3 => (kind(), places, names).prop_map(|(kind, p, n)| Step::Gone(kind, p, n)),
        1 => (kind(), proptest::option::of(0..8usize), any::<bool>()).prop_map(|(kind, hole, kept)| Step::Relist(kind, hole, kept)),
    ]
}

/// The plain truth beside the index.
#[derive(Default)]
struct Model {
    personas: BTreeMap<(String, String), StoredPersona>,
    namespaces: BTreeMap<(String, String), Namespace>,
    deployments: BTreeMap<(String, String), Deployment>,
}

/// A relist without the `hole`th object; when `kept`, that one is there but unreadable.
fn relist<T: Clone>(map: &mut BTreeMap<(String, String), T>, hole: Option<usize>, kept: bool) -> Change<T> {
    let missing = hole.and_then(|hole| map.keys().nth(hole).cloned());
    let objects = map
        .iter()
        .filter(|(key, _)| Some(*key) != missing.as_ref())
        .map(|(_, value)| value.clone())
        .collect();
    let kept: Vec<_> = missing.iter().filter(|_| kept).cloned().collect();
    if let Some(missing) = missing.filter(|_| kept.is_empty()) {
        map.remove(&missing);
    }
    Change::Replace { objects, kept }
}

impl Model {
    fn step(&mut self, index: &Index, step: &Step) {
        let key = |p: usize, n: usize| (NAMESPACES[p].to_owned(), NAMES[n].to_owned());
        match *step {
            Step::Persona(p, n, app, version) => {
                let new = stored(NAMESPACES[p], NAMES[n], NAMES[app], &format!("{app}-{version}"));
                self.personas.insert(key(p, n), new.clone());
                index.personas(Change::Put(new));
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
                    terminating: false,
                    uid: Box::default(),
                };
                self.namespaces
                    .insert((String::new(), NAMESPACES[p].to_owned()), new.clone());
                index.namespaces(Change::Put(new));
            }
            Step::Deployment(p, n, app) => {
                let labels = AppLabels {
                    name: NAMES[app].into(),
                    ..AppLabels::default()
                };
                let new = Deployment {
                    namespace: NAMESPACES[p].into(),
                    name: NAMES[n].into(),
                    labels,
                    ..Deployment::default()
                };
                self.deployments.insert(key(p, n), new.clone());
                index.deployments(Change::Put(new));
            }
            Step::Gone(kind, p, n) => {
                let (namespace, name) = key(p, n);
                match kind {
                    Kind::Persona => {
                        self.personas.remove(&key(p, n));
                        index.personas(Change::Remove { namespace, name });
                    }
                    Kind::Namespace => {
                        let name = namespace;
                        self.namespaces.remove(&(String::new(), name.clone()));
                        let namespace = String::new();
                        index.namespaces(Change::Remove { namespace, name });
                    }
                    Kind::Deployment => {
                        self.deployments.remove(&key(p, n));
                        index.deployments(Change::Remove { namespace, name });
                    }
                }
            }
            Step::Relist(kind, hole, kept) => match kind {
                Kind::Persona => index.personas(relist(&mut self.personas, hole, kept)),
                Kind::Namespace => index.namespaces(relist(&mut self.namespaces, hole, kept)),
                Kind::Deployment => index.deployments(relist(&mut self.deployments, hole, kept)),
            },
        }
    }

    fn afresh(&self) -> Snapshot {
        let namespaces = self.namespaces.values();
        let fresh = Snapshot::build(
            self.personas.values().map(|stored| Arc::clone(&stored.persona)),
            namespaces.map(|namespace| (namespace.name.to_string(), namespace.mode.clone())),
        );
        Snapshot {
            deployments: Table::build(self.deployments.values().cloned().map(Arc::new)),
            ..fresh
        }
    }
}

proptest! {
    #[test]
    fn any_order_of_changes_ends_where_building_afresh_would(steps in proptest::collection::vec(step(), 0..60)) {
        let (index, mut model) = (Index::default(), Model::default());
        for step in &steps {
            model.step(&index, step);
            prop_assert_eq!(told(&index.load()), told(&model.afresh()));
        }
    }
}

#[test]
fn an_index_is_synced_once_every_kind_was_filled() {
    let index = Index::default();
    let all = || Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    };
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
    index.deployments(all());
    assert!(index.is_synced());
}

#[test]
fn a_relist_keeps_what_did_not_change() {
    let index = Index::default();
    let list = |versions: [&str; 2]| Change::Replace {
        objects: vec![
            stored("shop", "a", "orders", versions[0]),
            stored("shop", "b", "payments", versions[1]),
        ],
        kept: Vec::new(),
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
fn one_write_among_ten_thousand_personas_is_no_rebuild() {
    const PERSONAS: usize = 10_000;
    const WRITES: u32 = 1_000;
    let index = Index::default();
    let objects = (0..PERSONAS).map(|n| stored("shop", &format!("p{n}"), &format!("app{n}"), "1"));
    let (objects, kept) = (objects.collect(), Vec::new());
    let started = Instant::now();
    index.personas(Change::Replace { objects, kept });
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
