//! Exceptions in the index: found by what they are for, and whom a change of one affects.

use serde_json::json;

use super::*;
use crate::policy::{DEFAULT_APP, Exception, Moment, Persona};

/// An exception for an app or, from the fifth target on, for a Deployment; it ends on this day of the month.
pub(super) fn excepted(place: usize, name: usize, target: usize, day: u8) -> StoredException {
    let mut object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "PersonaException",
        "metadata": {"name": NAMES[name], "namespace": NAMESPACES[place]},
        "spec": {
            "rules": ["run-as-non-root"], "reason": "The vendor's image comes in spring", "owner": "jane",
            "starts": "2026-01-01T00:00:00Z", "expires": format!("2026-02-{:02}T00:00:00Z", 1 + day % 4),
        },
    });
    match NAMES.get(target) {
        Some(app) => object["spec"]["app"] = json!(app),
        None => object["spec"]["workload"] = json!({"kind": "Deployment", "name": NAMES[target % NAMES.len()]}),
    }
    let object = serde_json::from_value(object).expect("an exception");
    StoredException {
        generation: 1,
        status: (day >= 128).then_some(u64::from(day)),
        exception: Arc::new(Exception::parse(&object).expect("it can be used")),
    }
}

/// What a review of that Deployment of that app is judged with.
pub(super) fn found(snapshot: &Snapshot, namespace: &str, app: &str, deployment: &str) -> String {
    format!("{:?}", snapshot.exceptions(namespace, app, deployment, || Moment(7)))
}

fn put(index: &Index, stored: StoredException) -> Vec<AppKey> {
    index.exceptions(Change::Put(stored))
}

fn key(app: &str) -> AppKey {
    AppKey {
        namespace: "shop".into(),
        app: app.into(),
    }
}

#[test]
fn an_exception_is_found_by_app_and_by_deployment_in_its_namespace() {
    let index = Index::default().allowing(MaxLength(60));
    assert_eq!(put(&index, excepted(0, 0, 1, 0)), [key("b")]);
    assert_eq!(put(&index, excepted(0, 1, 6, 0)), [key("")], "no such Deployment yet");
    let snapshot = index.load();
    let names = |namespace: &str, app: &str, deployment: &str| {
        let found = snapshot.exceptions(namespace, app, deployment, || Moment(7));
        let all = found.of_app.iter().chain(found.of_workload);
        let names: Vec<String> = all.map(|exception| exception.name.to_string()).collect();
        (names, found.now, found.max)
    };
    let [a, b] = ["a", "b"].map(str::to_owned);
    let both = vec![a.clone(), b.clone()];
    assert_eq!(names("shop", "b", "c"), (both, Moment(7), MaxLength(60)));
    assert_eq!(names("shop", "b", "").0, [a]);
    assert_eq!(names("shop", "", "c").0, [b]);
    assert_eq!(names("bank", "b", "c").0, [""; 0]);
}

#[test]
fn the_clock_is_read_only_where_an_exception_is() {
    let index = Index::default();
    let unread = || panic!("the clock was read");
    assert!(index.load().exceptions("shop", "b", "c", unread).is_empty());
    put(&index, excepted(0, 0, 1, 0));
    assert!(index.load().exceptions("shop", "c", "b", unread).is_empty());
}

#[test]
fn an_exception_for_an_app_affects_the_default_personas_that_may_govern_it() {
    let index = Index::default();
    let everyone = Persona {
        namespace: "shop".to_owned(),
        name: "everyone".to_owned(),
        app: DEFAULT_APP.to_owned(),
        ..Persona::default()
    };
    index.replace(Snapshot::build([Arc::new(everyone)], []));
    assert_eq!(put(&index, excepted(0, 0, 1, 0)), [key("*"), key("b")]);
}

#[test]
fn a_change_affects_what_an_exception_is_for_before_and_after() {
    let index = Index::default();
    put(&index, excepted(0, 0, 1, 0));
    assert_eq!(put(&index, excepted(0, 0, 1, 0)), [], "nothing has changed");
    assert_eq!(put(&index, excepted(0, 0, 1, 128)), [], "only its status has changed");
    assert_eq!(put(&index, excepted(0, 0, 2, 0)), [key("b"), key("c")]);
    assert!(!index.has(Kind::Exception), "no list yet");
    let list = |objects: Vec<StoredException>, kept: &[(&str, &str)]| {
        index.exceptions(Change::Replace {
            objects: objects.into_iter().map(Arc::new).collect(),
            kept: kept.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        })
    };
    assert_eq!(list(Vec::new(), &[("shop", "a")]), [], "one that cannot be read stays");
    assert!(index.has(Kind::Exception));
    assert_eq!(list(vec![excepted(0, 1, 3, 0)], &[]), [key("c"), key("d")]);
    let (namespace, name) = ("shop".to_owned(), "b".to_owned());
    assert_eq!(index.exceptions(Change::Remove { namespace, name }), [key("d")]);
    assert_eq!(index.load().all_exceptions().count(), 0);
}
