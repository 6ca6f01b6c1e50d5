//! The cached result stays correct whatever changes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::api::ApplicationPersona;
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
        let deployments = found.of(&snapshot, &persona.persona, RuleSet::Complete);
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

/// With each of these labels, under each way of matching.
#[test]
fn a_persona_has_the_deployments_of_which_a_review_is_answered_by_it() {
    let selected = |name: &str, app: &str, selector: Value| {
        let mut stored = persona(name, app);
        let spec = json!({"name": app, "type": "api", "selector": selector});
        let spec = serde_json::from_value(spec).expect("a spec");
        let parsed = Persona::parse(&ApplicationPersona::new(name, spec));
        Arc::get_mut(&mut stored.persona).expect("ours alone").selector = parsed.selector;
        stored
    };
    let labelled = |name: &str, label: &str, app: &str, tier: &str| Deployment {
        labels: AppLabels {
            name: label.into(),
            app: app.into(),
        },
        all_labels: json!({"app.kubernetes.io/name": label, "app": app, "tier": tier})
            .to_string()
            .into(),
        ..deployment(name, true)
    };
    for matching in [Matching::Label, Matching::Chain] {
        let index = Index::new(matching, PlatformRules::default());
        for persona in [
            selected("a", "orders", json!({"matchLabels": {"tier": "api"}})),
            selected(
                "b",
                "orders",
                json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}),
            ),
            selected("c", "carts", json!(null)),
            selected("d", "carts", json!({"matchLabels": {"tier": "api"}})),
            persona("e", "*"),
        ] {
            index.personas(Change::Put(persona));
        }
        // Each alone, since of several that match an app by different names only the strongest count.
        for (label, app, tier) in [
            ("orders", "", "api"),
            ("orders", "", "cache"),
            ("orders", "", "web"),
            ("orders", "carts", "web"),
            ("carts", "orders", "api"),
            ("carts", "orders", "web"),
            ("", "orders", "web"),
            ("", "orders", "api"),
            ("none", "", "api"),
        ] {
            index.deployments(Change::Put(labelled("web", label, app, tier)));
            let snapshot = index.load();
            let deployment = snapshot.deployment("shop", "web").expect("a Deployment");
            let mut place = None;
            let (names, labels) = (deployment.names(), deployment.object_labels());
            let governed = snapshot.governed("shop", names, labels, &mut place);
            let found = FoundDeployments::default();
            for name in ["a", "b", "c", "d", "e"] {
                let stored = snapshot.persona("shop", name).expect("a persona");
                let in_status = !found.of(&snapshot, &stored.persona, RuleSet::Complete).is_empty();
                let in_review = governed.personas.iter().any(|persona| persona.name == name);
                assert_eq!(in_status, in_review, "{name}: {matching:?} {label} {app} {tier}");
                let deployments = found.of(&snapshot, &stored.persona, RuleSet::Complete);
                if in_status && !stored.persona.is_default() {
                    let sharing = snapshot.sharing(&stored.persona, &deployments, RuleSet::Complete);
                    let names =
                        |list: &[Arc<Persona>]| -> Vec<String> { list.iter().map(|p| p.name.clone()).collect() };
                    assert_eq!(names(&sharing), names(&governed.personas), "{name}");
                }
            }
        }
        // Upstream knows no selector.
        index.deployments(Change::Put(labelled("web", "orders", "", "web")));
        let (snapshot, found) = (index.load(), FoundDeployments::default());
        let stored = snapshot.persona("shop", "a").expect("a persona");
        let deployments = found.of(&snapshot, &stored.persona, RuleSet::Upstream);
        assert_eq!(deployments.len(), 1);
        assert_eq!(
            snapshot.sharing(&stored.persona, &deployments, RuleSet::Upstream).len(),
            2
        );
    }
}
