//! Checks of the cluster, the process, the path to it, and namespaces.

use serde_json::{Value, json};

use super::{Check, Clinic, Fetched, Status, edit, namespace, persona, sample};
use crate::doctor::facts::Namespace;
use crate::doctor::rights::Right;
use crate::k8s::Decode;

#[test]
fn a_kubernetes_that_is_too_old_is_told() {
    for (version, status) in [
        ("v1.31.9", Status::Fail),
        ("v0.99.0", Status::Fail),
        ("1.33", Status::Warn),
    ] {
        let clinic = Clinic::with(|clinic| clinic.facts.version = version.to_owned());
        clinic.tells(Check::ApiServer, status, &[version]);
    }
    for version in ["v1.32.0", "v1.33.1-gke.100", "v1.40.0+k3s1", "v2.0.0"] {
        let clinic = Clinic::with(|clinic| clinic.facts.version = version.to_owned());
        assert!(clinic.report().is_clean(), "{version}");
    }
}

#[test]
fn clocks_that_disagree_are_told() {
    for (seconds, words) in [(45, "45 s ahead of"), (-7200, "7200 s behind")] {
        let clinic = Clinic::with(|clinic| clinic.facts.ahead = Some(jiff::SignedDuration::from_secs(seconds)));
        clinic.tells(Check::Clock, Status::Warn, &[words, "timedatectl"]);
    }
    Clinic::with(|clinic| clinic.facts.ahead = None).skips(Check::Clock, "does not tell the time");
}

#[test]
fn a_holder_that_lives_with_another_clock_has_a_clock_problem_and_a_dead_one_does_not_hold() {
    let behind = Clinic::with(|clinic| {
        clinic.facts.lease = Fetched::Here(sample("pod-a_1", "2026-03-01T11:00:00Z", true));
    });
    behind.tells(
        Check::Clock,
        Status::Warn,
        &["pod-a_1", "3600 s behind", "get pod pod-a"],
    );
    let dead = Clinic::with(|clinic| {
        clinic.facts.lease = Fetched::Here(sample("pod-a_1", "2026-03-01T11:59:00Z", false));
    });
    dead.tells(
        Check::Lease,
        Status::Fail,
        &["has not renewed it for 60 s", "logs deployment/dorgu-operator"],
    );
}

#[test]
fn a_lease_that_nobody_holds_is_told_where_there_is_an_election() {
    let given_back =
        Clinic::with(|clinic| clinic.facts.lease = Fetched::Here(sample("", "2026-03-01T11:59:58Z", false)));
    given_back.tells(Check::Lease, Status::Fail, &["no process holds the Lease"]);
    Clinic::with(|clinic| clinic.facts.lease = Fetched::Absent).tells(Check::Lease, Status::Fail, &["no Lease"]);
    let alone = Clinic::with(|clinic| {
        clinic.facts.lease = Fetched::Absent;
        argument(clinic, "--leader-elect=false");
    });
    alone.skips(Check::Lease, "without --leader-elect");
    assert!(alone.report().is_clean());
}

/// One more argument of the process.
pub(super) fn argument(clinic: &mut Clinic, argument: &str) {
    edit(&mut clinic.facts.deployment, |object| {
        let args = &mut object["spec"]["template"]["spec"]["containers"][0]["args"];
        args.as_array_mut().expect("arguments").push(json!(argument));
    });
}

#[test]
fn a_definition_that_is_missing_older_newer_or_edited_is_told_by_its_fields() {
    let change = |change: fn(&mut Value)| {
        Clinic::with(|clinic| {
            let (_, seen) = &mut clinic.facts.definitions[0];
            edit(seen, change);
        })
    };
    let older = change(|crd| {
        let spec = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
        spec.and_then(Value::as_object_mut).expect("fields").remove("scaling");
    });
    older.tells(
        Check::Definitions,
        Status::Fail,
        &[
            "applicationpersonas.dorgu.io lacks spec.scaling",
            "older",
            "dorgu crd | kubectl apply -f -",
        ],
    );
    let newer = change(|crd| {
        let spec = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
        spec.expect("fields")["dreams"] = json!({"type": "string"});
    });
    newer.tells(Check::Definitions, Status::Warn, &["knows more: spec.dreams", "newer"]);
    let edited = change(|crd| {
        let spec = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
        spec.expect("fields")["name"]["type"] = json!("integer");
    });
    edited.tells(Check::Definitions, Status::Fail, &["differs in spec.name.type"]);
    let described = change(|crd| {
        let spec = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
        spec.expect("the spec")["description"] = json!("in other words");
    });
    assert!(described.report().is_clean(), "words decide nothing");
    change(|crd| crd["spec"]["versions"][0]["served"] = json!(false)).tells(
        Check::Definitions,
        Status::Fail,
        &["is not served as v1"],
    );
    Clinic::with(|clinic| clinic.facts.definitions[1].1 = Fetched::Absent).tells(
        Check::Definitions,
        Status::Fail,
        &["clusterpersonas.dorgu.io does not exist"],
    );
}

#[test]
fn a_deployment_that_does_not_run_is_told_and_what_rests_on_it_is_not() {
    let absent = Clinic::with(|clinic| clinic.facts.deployment = Fetched::Absent);
    absent.tells(Check::Deployment, Status::Fail, &["does not exist", "--all-namespaces"]);
    absent.skips(Check::Rights, "there is no Deployment");
    let nothing = Clinic::with(|clinic| {
        clinic.facts.deployment = Fetched::Absent;
        clinic.facts.configuration = Fetched::Absent;
        clinic.facts.service = Fetched::Absent;
        clinic.facts.secret = Fetched::Absent;
        clinic.facts.lease = Fetched::Absent;
    });
    nothing.tells(Check::Deployment, Status::Fail, &["not installed"]);
    let off = Clinic::with(|clinic| {
        edit(&mut clinic.facts.deployment, |object| {
            object["spec"]["replicas"] = json!(0);
            object["status"] = json!({});
        });
        clinic.facts.slices = Fetched::Here(Vec::new());
    });
    off.tells(
        Check::Deployment,
        Status::Fail,
        &["scaled to 0", "scale deployment dorgu-operator --replicas=2"],
    );
    off.skips(Check::Endpoints, "no pod of the Deployment is available");
    Clinic::with(|clinic| {
        edit(&mut clinic.facts.deployment, |object| {
            object["status"] = json!({"replicas": 2})
        })
    })
    .tells(
        Check::Deployment,
        Status::Fail,
        &["no available pod of 2", "describe pods --selector"],
    );
    Clinic::with(|clinic| {
        edit(&mut clinic.facts.deployment, |object| {
            object["status"]["availableReplicas"] = json!(1)
        });
    })
    .tells(Check::Deployment, Status::Warn, &["of 2 pods 1 are available"]);
}

#[test]
fn each_missing_right_is_named() {
    let right = |verb: &str, group: &str, resource: &str| Right {
        namespace: String::new(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        name: String::new(),
        verb: verb.to_owned(),
    };
    let missing = vec![
        right("list", "", "nodes"),
        right("watch", "", "nodes"),
        right("patch", "dorgu.io", "applicationpersonas/status"),
    ];
    Clinic::with(|clinic| clinic.facts.missing_rights = Fetched::Here(missing)).tells(
        Check::Rights,
        Status::Fail,
        &[
            "dorgu-system/dorgu-operator may not patch applicationpersonas/status.dorgu.io; list, watch nodes",
            "dorgu manifests | kubectl apply -f -",
        ],
    );
}

#[test]
fn a_service_that_leads_nowhere_is_told() {
    Clinic::with(|clinic| clinic.facts.service = Fetched::Absent).tells(
        Check::Service,
        Status::Fail,
        &["Service dorgu-system/dorgu-operator-webhook does not exist"],
    );
    let change = |change: fn(&mut Value)| Clinic::with(|clinic| edit(&mut clinic.facts.service, change));
    change(|service| service["spec"]["selector"] = json!({"app": "other"})).tells(
        Check::Service,
        Status::Fail,
        &["does not select the pods of the Deployment (app)"],
    );
    change(|service| service["spec"]["ports"][0]["port"] = json!(8443)).tells(
        Check::Service,
        Status::Fail,
        &["has no port 443"],
    );
    change(|service| service["spec"]["ports"][0]["targetPort"] = json!("web")).tells(
        Check::Service,
        Status::Fail,
        &["leads to port 'web', which no container"],
    );
    let unready = json!({"addressType": "IPv4", "metadata": {}, "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": false}}]});
    Clinic::with(|clinic| clinic.facts.slices = Fetched::Here(vec![super::typed(unready)])).tells(
        Check::Endpoints,
        Status::Fail,
        &["1 endpoints, of which none is ready"],
    );
}

#[test]
fn a_policy_that_keeps_api_servers_out_is_told() {
    let policy = |spec: Value| {
        Clinic::with(|clinic| {
            let policy = json!({"metadata": {"name": "fence"}, "spec": spec});
            clinic.facts.policies = Fetched::Here(vec![super::typed(policy)]);
        })
    };
    let closed = |ingress: Value| policy(json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress}));
    for ingress in [
        json!([]),
        json!([{"from": [{"namespaceSelector": {}}]}]),
        json!([{"ports": [{"port": 8443}]}]),
        json!([{"ports": [{"port": 9443, "protocol": "UDP"}]}]),
    ] {
        closed(ingress).tells(
            Check::NetworkPolicy,
            Status::Warn,
            &["fence admit no traffic from outside", "9443"],
        );
    }
    for ingress in [
        json!([{}]),
        json!([{"ports": [{"port": "webhook"}]}]),
        json!([{"ports": [{"port": 9000, "endPort": 9500}], "from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]),
    ] {
        let report = closed(ingress.clone()).report();
        assert!(report.is_clean(), "{ingress}: {}", report.text());
    }
    let others = policy(json!({"podSelector": {"matchLabels": {"app": "other"}}, "policyTypes": ["Ingress"]}));
    assert!(others.report().is_clean());
    let egress = policy(json!({"podSelector": {}, "policyTypes": ["Egress"]}));
    assert!(egress.report().is_clean());
}

#[test]
fn namespaces_that_have_not_opted_in_or_cannot_are_told() {
    let namespaces = |list: Vec<super::Namespace>| Clinic::with(|clinic| clinic.facts.namespaces = Fetched::Here(list));
    let yes = ("dorgu.io/validate", "true");
    namespaces(vec![namespace("shop", &[])]).tells(
        Check::OptIn,
        Status::Warn,
        &[
            "no namespace has opted in",
            "kubectl label namespace shop dorgu.io/validate=true",
        ],
    );
    namespaces(vec![namespace("shop", &[("dorgu.io/validate", "yes")])]).tells(
        Check::OptIn,
        Status::Warn,
        &["namespace shop has dorgu.io/validate=yes"],
    );
    let shop = || namespace("shop", &[yes]);
    assert!(
        namespaces(vec![shop(), namespace("b", &[("dorgu.io/validate", "false")])])
            .report()
            .is_clean()
    );
    namespaces(vec![shop(), namespace("kube-system", &[yes])]).tells(
        Check::OptInExcluded,
        Status::Warn,
        &[
            "kube-system is labelled",
            "label namespace kube-system dorgu.io/validate-",
        ],
    );
    namespaces(vec![shop(), namespace("dorgu-system", &[yes])]).tells(
        Check::OptInExcluded,
        Status::Warn,
        &["dorgu-system is labelled"],
    );
    namespaces(vec![shop(), namespace("bare", &[yes])]).tells(
        Check::Personas,
        Status::Warn,
        &["namespace bare has opted in and has no ApplicationPersona"],
    );
    namespaces(vec![shop(), namespace("loud", &[("dorgu.io/mode", "Enforcing")])]).tells(
        Check::Modes,
        Status::Warn,
        &["namespace loud has dorgu.io/mode=Enforcing"],
    );
    let object = r#"{"metadata": {"name": "noted", "annotations": {"dorgu.io/mode": "enforcing", "team": "x"}}}"#;
    let noted = Namespace::decode(object).expect("readable");
    namespaces(vec![shop(), noted]).tells(
        Check::Modes,
        Status::Warn,
        &[
            "namespace noted has an annotation dorgu.io/mode=enforcing",
            "label namespace noted dorgu.io/mode=enforcing",
        ],
    );
}

#[test]
fn a_persona_whose_mode_is_no_mode_is_told() {
    let clinic = Clinic::with(|clinic| {
        let mut persona = persona("shop", json!({"name": "orders", "type": "api"}));
        persona.mode = crate::policy::ModeWish::read(Some("strict"));
        clinic.facts.personas = Fetched::Here(vec![persona]);
    });
    clinic.tells(
        Check::Modes,
        Status::Warn,
        &[
            "ApplicationPersona shop/orders has dorgu.io/mode=strict",
            "annotate applicationpersona orders",
        ],
    );
}
