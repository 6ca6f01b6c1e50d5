//! The cached result stays correct whatever changes.

use std::sync::Arc;

use super::*;
use crate::index::{AppLabels, Change, Index, Running, StoredPersona};
use crate::policy::{Matching, PlatformRules};

fn persona(name: &str, app: &str) -> StoredPersona {
    StoredPersona {
        version: 1,
        generation: 1,
        status: None,
        persona: Arc::new(Persona {
            namespace: "shop".into(),
            name: name.into(),
            app: app.into(),
            ..Persona::default()
        }),
    }
}

fn deployment(name: &str, labelled: bool) -> Deployment {
    Deployment {
        namespace: "shop".into(),
        name: name.into(),
        labels: AppLabels {
            name: if labelled { "orders".into() } else { "".into() },
            app: "orders".into(),
        },
        running: Some(Box::new(Running::default())),
        ..Deployment::default()
    }
}

#[test]
fn deployments_are_found_once_for_an_app_and_again_when_they_may_differ() {
    let index = Index::new(Matching::Chain, PlatformRules::default());
    let found = FoundDeployments::default();
    let names = || {
        let snapshot = index.load();
        let persona = snapshot.persona("shop", "a").expect("a persona");
        let deployments = found.of_app(&snapshot, &persona.persona);
        let names = deployments.iter().map(|deployment| deployment.name.to_string());
        (names.collect::<Vec<_>>(), Arc::as_ptr(&deployments))
    };
    index.personas(Change::Put(persona("a", "orders")));
    index.personas(Change::Put(persona("b", "orders")));
    index.deployments(Change::Put(deployment("web", true)));
    let first = names();
    assert_eq!(first.0, ["web"]);
    index.deployments(Change::Put(Deployment {
        namespace: "bank".into(),
        ..deployment("web", true)
    }));
    assert_eq!(
        names(),
        first,
        "another namespace changes nothing, so nothing is looked for again"
    );
    index.deployments(Change::Put(deployment("worker", true)));
    assert_eq!(names().0, ["web", "worker"]);
    index.deployments(Change::Remove {
        namespace: "shop".into(),
        name: "web".into(),
    });
    index.deployments(Change::Remove {
        namespace: "shop".into(),
        name: "worker".into(),
    });
    // It also belongs to the app of its label `app`, until a persona exists for the app that its own name names.
    index.deployments(Change::Put(Deployment {
        selected: AppLabels::default(),
        ..deployment("carts", false)
    }));
    assert_eq!(names().0, ["carts"]);
    index.deployments(Change::Put(Deployment {
        labels: AppLabels {
            name: "carts".into(),
            app: "orders".into(),
        },
        ..deployment("carts", false)
    }));
    assert_eq!(names().0, ["carts"]);
    index.personas(Change::Put(persona("c", "carts")));
    assert!(names().0.is_empty(), "its label names an app that has a persona now");
    index.personas(Change::Remove {
        namespace: "shop".into(),
        name: "b".into(),
    });
    assert!(names().0.is_empty());
}
