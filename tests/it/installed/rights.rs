//! The account has exactly the rights that the process uses, according to the API server's audit log.

use std::collections::BTreeSet;

use anyhow::ensure;
use serde_json::Value;

use super::{ACCOUNT, Installed, NAMESPACE, TIMEOUT, manifests};
use crate::bed::{Addresses, Audit, Bed, Grant, Needs, Options, Request, differences, wait_until};

/// What makes the process use its rights, beside starting and becoming ready, which uses most. A new right comes with its
/// step.
const STEPS: &[fn(&mut Installed)] = &[
    persona_and_breach,
    the_same_breach_again,
    cluster_persona,
    exception,
    Installed::scrape_metrics,
];

#[test]
fn every_verb_that_is_granted_is_used_and_none_is_missing() {
    let audit = Audit::of_user(ACCOUNT);
    let options = Options {
        api_server_flags: audit.flags(),
        ..Options::default()
    };
    let Some(mut installed) = Installed::new(&options) else {
        return;
    };
    installed.run_pod(Addresses::OfItsOwn);
    for step in STEPS {
        step(&mut installed);
    }
    let grants = shipped(&installed.bed);
    let settled = wait_until(TIMEOUT, "the process has used all it may", || {
        let differences = differences(&grants, &audit.requests());
        ensure!(differences.is_empty(), "{}", differences.join("\n"));
        Ok(())
    });
    settled.unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
}

fn persona_and_breach(installed: &mut Installed) {
    for example in [
        "shop-namespace.yaml",
        "orders-persona.yaml",
        "deployment-violating.yaml",
    ] {
        installed.apply_example(example).expect_success();
    }
}

/// The second time is a series of the first, which takes another verb.
fn the_same_breach_again(installed: &mut Installed) {
    for (example, phase) in [
        ("deployment-violating.yaml", "PersonaViolated"),
        ("deployment-compliant.yaml", "PersonaCompliant"),
        ("deployment-violating.yaml", "PersonaViolated"),
    ] {
        installed.apply_example(example).expect_success();
        let told = wait_until(TIMEOUT, "the event", || {
            let jsonpath = "-o=jsonpath={.items[*].reason}";
            let reasons = installed
                .bed
                .kubectl(&["get", "events.events.k8s.io", "-n", "shop", jsonpath]);
            let reasons = reasons.checked()?;
            ensure!(reasons.contains(phase), "{reasons}");
            Ok(())
        });
        told.unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
    }
}

fn cluster_persona(installed: &mut Installed) {
    installed.apply_example("cluster-persona.yaml").expect_success();
}

fn exception(installed: &mut Installed) {
    let exception = serde_json::json!({
        "apiVersion": "dorgu.io/v1", "kind": "PersonaException",
        "metadata": {"name": "until-spring", "namespace": "shop"},
        "spec": {
            "app": "orders", "rules": ["replicas-below-minimum"], "reason": "The second zone comes in spring",
            "owner": "jane", "starts": "2026-01-01T00:00:00Z", "expires": "2026-03-01T00:00:00Z",
        },
    });
    installed.bed.apply(&exception.to_string()).expect_success();
}

/// What the shipped roles grant, read back from the API server.
fn shipped(bed: &Bed) -> BTreeSet<Grant> {
    let folder = manifests().display().to_string();
    let roles = bed.kubectl(&["get", "-k", &folder, "-o", "json"]);
    let mut roles: Value = serde_json::from_str(&roles.expect_success()).expect("JSON");
    // Those for people are not the process's.
    let is_ours = |role: &Value| !role["metadata"]["name"].to_string().contains("-exception-");
    roles["items"].as_array_mut().expect("items").retain(is_ours);
    let grants = Grant::of_roles(&roles).expect("roles");
    assert!(grants.len() >= 6, "{grants:?}");
    grants
}

fn grant(verb: &str, resource: &str, name: Option<&str>) -> Grant {
    Grant {
        namespace: Some(NAMESPACE.to_owned()),
        verb: verb.to_owned(),
        group: String::new(),
        resource: resource.to_owned(),
        name: name.map(str::to_owned),
    }
}

fn request(verb: &str, resource: &str, name: Option<&str>, code: u64) -> Request {
    let Grant {
        namespace,
        verb,
        group,
        resource,
        name,
    } = grant(verb, resource, name);
    Request {
        namespace,
        verb,
        group,
        resource,
        name,
        code,
    }
}

#[test]
fn the_comparison_names_an_unused_a_missing_and_a_borrowed_right() {
    let grants: BTreeSet<_> = [grant("list", "secrets", Some("mine")), grant("create", "leases", None)].into();
    let used = [
        request("list", "secrets", Some("mine"), 200),
        request("create", "leases", Some("any"), 201),
    ];
    let with = |more: Request| used.iter().cloned().chain([more]).collect::<BTreeSet<_>>();
    assert_eq!(differences(&grants, &used.iter().cloned().collect()), [""; 0]);

    let unused = differences(&grants, &used[..1].iter().cloned().collect());
    assert_eq!(
        unused,
        ["granted and never used: create leases of core in dorgu-system"]
    );
    let missing = differences(&grants, &with(request("get", "secrets", Some("mine"), 403)));
    assert_eq!(
        missing,
        ["refused, so the role lacks it: get secrets of core named mine in dorgu-system (answered 403)"]
    );
    let borrowed = differences(&grants, &with(request("list", "secrets", None, 200)));
    assert_eq!(
        borrowed,
        ["allowed by somebody else's role: list secrets of core in dorgu-system (answered 200)"]
    );
    // A right that was only ever refused was not used.
    let refused = differences(
        &grants,
        &[request("list", "secrets", Some("mine"), 403), used[1].clone()].into(),
    );
    assert_eq!(refused.len(), 2, "{refused:?}");
}

#[test]
fn readers_of_a_namespace_see_exceptions_and_its_admins_grant_none() {
    let options = Options {
        // The controller that adds roles to `view`.
        needs: Needs::Rollouts,
        ..Options::default()
    };
    let Some(installed) = Installed::new(&options) else {
        return;
    };
    let bed = &installed.bed;
    let namespace = bed.namespace("granting", &[]);
    for role in ["view", "edit", "admin", "dorgu-operator-exception-editor"] {
        let (role_flag, user) = (format!("--clusterrole={role}"), format!("--user={role}"));
        bed.kubectl(&["create", "rolebinding", role, &role_flag, &user, "-n", &namespace])
            .expect_success();
    }
    let may = |user: &str, verb: &str| {
        let question = [
            "auth",
            "can-i",
            verb,
            "personaexceptions.dorgu.io",
            "-n",
            &namespace,
            "--as",
            user,
        ];
        bed.kubectl(&question).stdout.trim() == "yes"
    };
    let seen = wait_until(TIMEOUT, "the viewer's role is part of view", || {
        ensure!(may("view", "list") && may("admin", "watch"), "it is not yet");
        Ok(())
    });
    seen.unwrap_or_else(|error| panic!("{error:#}"));
    for verb in ["create", "update", "patch", "delete"] {
        for user in ["view", "edit", "admin"] {
            assert!(!may(user, verb), "{user} may {verb}");
        }
        assert!(may("dorgu-operator-exception-editor", verb), "{verb}");
    }
}
