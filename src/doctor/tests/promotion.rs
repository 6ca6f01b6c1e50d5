//! Which namespaces could enforce today.

use super::installation::argument;
use super::*;
use crate::doctor::facts::Readiness;

/// A healthy installation in which these personas of these namespaces say this of themselves.
fn clinic(personas: &[(&str, &str, Option<Readiness>)]) -> Clinic {
    Clinic::with(|clinic| {
        let mut names: Vec<&str> = personas.iter().map(|(namespace, ..)| *namespace).collect();
        names.dedup();
        let opted_in = |name: &&str| namespace(name, &[("dorgu.io/validate", "true")]);
        clinic.facts.namespaces = Fetched::Here(names.iter().map(opted_in).collect());
        let mut list = Vec::new();
        for (namespace, name, readiness) in personas {
            let demands = json!({"name": name, "type": "api", "scaling": {"minReplicas": 2}});
            let mut persona = persona(namespace, demands);
            persona.name = (*name).to_owned();
            let key = (persona.namespace.clone(), persona.name.clone());
            clinic
                .facts
                .readiness
                .extend(readiness.map(|readiness| (key, readiness)));
            list.push(persona);
        }
        clinic.facts.personas = Fetched::Here(list);
    })
}

#[track_caller]
fn says(clinic: &Clinic, words: &str) {
    let report = clinic.report();
    let line = report.checks.iter().find(|line| line.check == "enforceable");
    let line = line.expect("the check");
    assert_eq!((line.status, line.seen.as_str()), (Status::Ok, words));
}

const WHY: &str = "kubectl get persona --all-namespaces --output wide says which personas are not ready";

#[test]
fn a_namespace_could_enforce_when_each_of_its_personas_could() {
    use Readiness::{Idle, Ready, Waiting};
    let one = "shop could enforce today: kubectl label namespace shop dorgu.io/mode=enforcing --overwrite";
    let none = format!("no namespace could enforce yet; {WHY}");
    for (personas, words) in [
        (&[("shop", "a", Some(Ready))][..], one),
        (&[("shop", "a", Some(Ready)), ("shop", "b", Some(Ready))], one),
        (&[("shop", "a", Some(Ready)), ("shop", "b", Some(Idle))], one),
        (&[("shop", "a", Some(Ready)), ("shop", "b", Some(Waiting))], &none),
        (&[("shop", "a", Some(Ready)), ("shop", "b", None)], &none),
        (&[("shop", "a", Some(Idle))], &none),
        (
            &[
                ("cart", "a", Some(Ready)),
                ("shop", "b", Some(Ready)),
                ("till", "c", Some(Waiting)),
            ],
            &format!(
                "2 namespaces could enforce today: kubectl label namespace cart shop dorgu.io/mode=enforcing --overwrite   # 1 more could \
                 not yet; {WHY}"
            ),
        ),
    ] {
        says(&clinic(personas), words);
    }
}

#[test]
fn what_enforces_already_is_not_counted() {
    let mut clinic = clinic(&[("shop", "a", None)]);
    let Fetched::Here(namespaces) = &mut clinic.facts.namespaces else {
        panic!("namespaces");
    };
    let labels = &mut namespaces[0].labels;
    labels.insert("dorgu.io/mode".to_owned(), "enforcing".to_owned());
    says(&clinic, "every namespace that opted in enforces");

    let mut clinic = self::clinic(&[("shop", "a", Some(Readiness::Ready)), ("shop", "b", None)]);
    let Fetched::Here(personas) = &mut clinic.facts.personas else {
        panic!("personas");
    };
    personas[1].mode = crate::policy::ModeWish::read(Some("enforcing"));
    says(
        &clinic,
        "shop could enforce today: kubectl label namespace shop dorgu.io/mode=enforcing --overwrite",
    );
    let everywhere = Clinic::with(|clinic| argument(clinic, "--webhook-mode=enforcing"));
    says(&everywhere, "every namespace that opted in enforces");
}

#[test]
fn with_upstream_rules_it_is_not_checked() {
    Clinic::with(|clinic| argument(clinic, "--rules=upstream")).skips(Check::Enforceable, "--rules upstream");
}

#[test]
fn its_command_is_for_the_cluster_that_was_examined() {
    let mut clinic = clinic(&[("shop", "a", Some(Readiness::Ready))]);
    clinic.commands.context = Some("prod eu".to_owned());
    says(
        &clinic,
        "shop could enforce today: kubectl --context 'prod eu' label namespace shop dorgu.io/mode=enforcing --overwrite",
    );
}
