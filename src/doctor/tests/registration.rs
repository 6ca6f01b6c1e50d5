//! Checks of the webhook configuration.

use serde_json::{Value, json};

use super::installation::argument;
use super::{Check, Clinic, Fetched, Status, edit};

fn changed(change: impl FnOnce(&mut Value)) -> Clinic {
    Clinic::with(|clinic| clinic.entry(change))
}

#[test]
fn a_configuration_that_is_missing_or_not_ours_is_told_and_nothing_in_it_is() {
    let missing = Clinic::with(|clinic| clinic.facts.configuration = Fetched::Absent);
    missing.tells(
        Check::Configuration,
        Status::Fail,
        &[
            "dorgu-operator-deployment does not exist",
            "emergency stop",
            "dorgu manifests | kubectl apply -f -",
        ],
    );
    missing.skips(Check::MatchConditions, "there is no webhook configuration");
    changed(|entry| entry["name"] = json!("other.example.com")).tells(
        Check::Configuration,
        Status::Fail,
        &["has no entry validate-deployment.dorgu.io"],
    );
    let two = Clinic::with(|clinic| {
        edit(&mut clinic.facts.configuration, |object| {
            let mut other = object["webhooks"][0].clone();
            other["name"] = json!("other.example.com");
            object["webhooks"].as_array_mut().expect("entries").push(other);
        });
    });
    two.tells(
        Check::Configuration,
        Status::Warn,
        &["entries beside ours: other.example.com"],
    );
}

#[test]
fn a_webhook_that_is_not_served_must_not_be_called_and_needs_nothing() {
    let off = |clinic: &mut Clinic| argument(clinic, "--enable-webhook=false");
    let called = Clinic::with(off);
    called.tells(
        Check::Configuration,
        Status::Fail,
        &[
            "does not serve",
            "delete validatingwebhookconfiguration dorgu-operator-deployment",
        ],
    );
    let alone = Clinic::with(|clinic| {
        off(clinic);
        clinic.facts.configuration = Fetched::Absent;
        clinic.facts.secret = Fetched::Absent;
        clinic.facts.service = Fetched::Absent;
    });
    assert!(alone.report().is_clean(), "{}", alone.report().text());
    alone.skips(Check::CaBundle, "only status is kept");
}

#[test]
fn every_field_that_matters_is_held_against_what_is_shipped() {
    type Change = fn(&mut Value);
    let table: [(Check, Status, &str, Change); 13] = [
        (
            Check::ClientConfig,
            Status::Fail,
            "calls dorgu-system/other:443/validate-deployment and not",
            |entry| {
                entry["clientConfig"]["service"]["name"] = json!("other");
            },
        ),
        (Check::ClientConfig, Status::Fail, "443/ and not", |entry| {
            entry["clientConfig"]["service"]
                .as_object_mut()
                .expect("a service")
                .remove("path");
        }),
        (Check::FailurePolicy, Status::Warn, r#""value":"Ignore""#, |entry| {
            entry["failurePolicy"] = json!("Fail")
        }),
        (Check::Timeout, Status::Warn, "timeoutSeconds is 30", |entry| {
            entry["timeoutSeconds"] = json!(30)
        }),
        (Check::Timeout, Status::Warn, "again in a second", |entry| {
            entry["timeoutSeconds"] = json!(1)
        }),
        (Check::Rules, Status::Fail, "not sent: CREATE of deployments", |entry| {
            entry["rules"][0]["operations"] = json!(["UPDATE"]);
        }),
        (Check::Rules, Status::Warn, "sent without need: pods, DELETE", |entry| {
            entry["rules"][0]["resources"] = json!(["deployments", "pods"]);
            entry["rules"][0]["operations"] = json!(["CREATE", "UPDATE", "DELETE"]);
        }),
        (Check::ObjectSelector, Status::Warn, "matchLabels", |entry| {
            entry["objectSelector"]["matchLabels"] = json!({"watch": "me"});
        }),
        (
            Check::ObjectSelector,
            Status::Warn,
            "objects without the label app.kubernetes.io/name are sent",
            |entry| entry["objectSelector"] = json!(null),
        ),
        (
            Check::MatchConditions,
            Status::Warn,
            "condition 'mine' is not dorgu's",
            |entry| {
                entry["matchConditions"] = json!([{"name": "mine", "expression": "true"}]);
            },
        ),
        (Check::NamespaceSelector, Status::Warn, "never opted in", |entry| {
            entry["namespaceSelector"]["matchExpressions"]
                .as_array_mut()
                .expect("terms")
                .remove(0);
        }),
        (
            Check::NamespaceSelector,
            Status::Warn,
            "must not wait for dorgu: kube-system, kube-node-lease, dorgu-system",
            |entry| {
                entry["namespaceSelector"]["matchExpressions"]
                    .as_array_mut()
                    .expect("terms")
                    .remove(1);
            },
        ),
        (Check::CaBundle, Status::Fail, "empty", |entry| {
            entry["clientConfig"]
                .as_object_mut()
                .expect("a client")
                .remove("caBundle");
        }),
    ];
    for (check, status, words, change) in table {
        let mut clinic = changed(change);
        if check == Check::NamespaceSelector {
            // Avoids a second finding: otherwise every namespace would be sent.
            clinic.facts.namespaces = Fetched::Here(vec![super::namespace("shop", &[("dorgu.io/validate", "true")])]);
        }
        clinic.tells(check, status, &[words]);
    }
}

#[test]
fn a_selector_that_asks_for_another_label_is_told() {
    let clinic = Clinic::with(|clinic| {
        clinic.entry(|entry| entry["namespaceSelector"] = json!({"matchLabels": {"team": "x"}, "matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "kube-node-lease", "dorgu-system"]},
        ]}));
        let shop = super::namespace("shop", &[("team", "x")]);
        clinic.facts.namespaces = Fetched::Here(vec![shop]);
    });
    clinic.tells(
        Check::NamespaceSelector,
        Status::Warn,
        &["does not opt a namespace in", "team"],
    );
}

#[test]
fn what_is_wrong_with_the_entry_for_scale_names_it() {
    type Change = fn(&mut Value);
    let table: [(Check, Status, &str, Change); 6] = [
        (
            Check::Rules,
            Status::Fail,
            "not sent: UPDATE of deployments/scale",
            |entry| {
                entry["rules"][0]["resources"] = json!(["deployments/status"]);
            },
        ),
        (Check::Rules, Status::Warn, "sent without need: CREATE", |entry| {
            entry["rules"][0]["operations"] = json!(["CREATE", "UPDATE"]);
        }),
        (
            Check::FailurePolicy,
            Status::Warn,
            "/webhooks/1/failurePolicy",
            |entry| {
                entry["failurePolicy"] = json!("Fail");
            },
        ),
        (Check::ObjectSelector, Status::Fail, "no Scale is sent", |entry| {
            let labelled = json!({"key": "app.kubernetes.io/name", "operator": "Exists"});
            entry["objectSelector"] = json!({"matchExpressions": [labelled]});
        }),
        (
            Check::MatchConditions,
            Status::Warn,
            "condition 'changed' is not dorgu's",
            |entry| {
                entry["matchConditions"] = json!([{"name": "changed", "expression": "true"}]);
            },
        ),
        (
            Check::ClientConfig,
            Status::Fail,
            "calls dorgu-system/other:443",
            |entry| {
                entry["clientConfig"]["service"]["name"] = json!("other");
            },
        ),
    ];
    for (check, status, words, change) in table {
        let clinic = Clinic::with(|clinic| clinic.entries(|entries| change(&mut entries[1])));
        clinic.tells(check, status, &["validate-scale.dorgu.io: ", words]);
    }
    let passed = Clinic::with(|clinic| {
        clinic.entries(|entries| {
            let exempt = json!({"key": "exempt", "operator": "DoesNotExist"});
            entries[1]["objectSelector"] = json!({"matchExpressions": [exempt]});
        });
    });
    assert!(passed.report().is_clean(), "{}", passed.report().text());
}

/// The entry for workloads as it was when it was the only one.
fn of_the_form_before(entry: &mut Value) {
    entry["rules"][0]["resources"] = json!(["deployments", "deployments/scale"]);
    entry["objectSelector"] = json!({});
    entry["matchConditions"] = json!([{"name": "labelled", "expression": "true"}]);
}

#[test]
fn the_form_before_is_recognised_with_the_way_to_that_of_today() {
    let one = Clinic::with(|clinic| {
        clinic.entries(|entries| {
            entries.truncate(1);
            of_the_form_before(&mut entries[0]);
        });
    });
    one.tells(
        Check::Configuration,
        Status::Warn,
        &[
            "has one entry for Deployments and their Scale",
            r#"{"from":"/webhooks/0","op":"copy","path":"/webhooks/1"}"#,
            r#"{"op":"remove","path":"/webhooks/1/matchConditions"}"#,
            "]' && dorgu manifests | kubectl apply -f -",
        ],
    );
    one.skips(Check::ObjectSelector, "of the form before");
    let halfway = Clinic::with(|clinic| clinic.entry(of_the_form_before));
    halfway.tells(Check::Configuration, Status::Warn, &["sends every Scale twice"]);
    let missing = Clinic::with(|clinic| clinic.entries(|entries| entries.truncate(1)));
    missing.tells(
        Check::Configuration,
        Status::Fail,
        &["has no entry validate-scale.dorgu.io", "not checked"],
    );
}

#[test]
fn wildcards_send_what_is_needed_and_more() {
    let all = changed(|entry| entry["rules"][0]["resources"] = json!(["*/*"]));
    all.tells(Check::Configuration, Status::Warn, &["sends every Scale twice"]);
    let kinds = changed(|entry| {
        entry["rules"][0]["resources"] = json!(["*"]);
        entry["rules"][0]["operations"] = json!(["*"]);
    });
    kinds.tells(Check::Rules, Status::Warn, &["sent without need: *, *"]);
}

#[test]
fn the_selector_is_held_against_how_personas_are_matched() {
    let chain = |clinic: &mut Clinic| argument(clinic, "--match=chain");
    let labelled = Clinic::with(chain);
    labelled.tells(
        Check::ObjectSelector,
        Status::Fail,
        &[
            "the process runs with --match=chain",
            r#"/webhooks/0/objectSelector","value":{}"#,
        ],
    );
    let right = Clinic::with(|clinic| {
        chain(clinic);
        clinic.entry(|entry| entry["objectSelector"] = json!({}));
    });
    assert!(right.report().is_clean(), "{}", right.report().text());
}

#[test]
fn a_required_label_needs_what_has_none_to_be_sent() {
    let required = |clinic: &mut Clinic| argument(clinic, "--require-label");
    let labelled = Clinic::with(required);
    labelled.tells(
        Check::ObjectSelector,
        Status::Fail,
        &[
            "the process runs with --require-label",
            "Deployments without the app label are findings",
            r#"/webhooks/0/objectSelector","value":{}"#,
        ],
    );
    let right = Clinic::with(|clinic| {
        required(clinic);
        clinic.entry(|entry| entry["objectSelector"] = json!({}));
    });
    assert!(right.report().is_clean(), "{}", right.report().text());
}

#[test]
fn a_url_needs_no_service() {
    let clinic = Clinic::with(|clinic| {
        clinic.entries(|entries| {
            for entry in entries {
                let bundle = entry["clientConfig"]["caBundle"].clone();
                let url = format!("https://{}:9443/validate-deployment", super::SERVER_NAME);
                entry["clientConfig"] = json!({"url": url, "caBundle": bundle});
            }
        });
        clinic.facts.service = Fetched::Absent;
        clinic.facts.slices = Fetched::Here(Vec::new());
    });
    assert!(clinic.report().is_clean(), "{}", clinic.report().text());
    clinic.skips(Check::Service, "calls a URL");
}

#[test]
fn the_entry_for_personas_may_be_missing_or_different_and_no_review_depends_on_it() {
    let missing = Clinic::with(|clinic| clinic.entries(|entries| entries.truncate(2)));
    missing.tells(
        Check::Configuration,
        Status::Warn,
        &[
            "has no entry validate-persona.dorgu.io",
            "get no warnings",
            "dorgu manifests | kubectl apply -f -",
        ],
    );
    let off = Clinic::with(|clinic| {
        argument(clinic, "--persona-webhook=false");
        clinic.entries(|entries| entries.truncate(2));
    });
    assert!(off.report().is_clean(), "{}", off.report().text());
    let useless = Clinic::with(|clinic| argument(clinic, "--persona-webhook=false"));
    useless.tells(
        Check::Configuration,
        Status::Warn,
        &["entries beside ours: validate-persona.dorgu.io"],
    );
    type Change = fn(&mut Value);
    let table: [(Check, Status, &str, Change); 6] = [
        (Check::Timeout, Status::Warn, "timeoutSeconds is 3", |entry| {
            entry["timeoutSeconds"] = json!(3);
        }),
        (
            Check::FailurePolicy,
            Status::Warn,
            "no one can write what is sent there",
            |entry| {
                entry["failurePolicy"] = json!("Fail");
            },
        ),
        (
            Check::NamespaceSelector,
            Status::Warn,
            "namespaceSelector is {",
            |entry| {
                entry["namespaceSelector"] = json!({"matchLabels": {"team": "x"}});
            },
        ),
        (Check::ObjectSelector, Status::Warn, "objectSelector is {", |entry| {
            entry["objectSelector"] = json!({"matchLabels": {"team": "x"}});
        }),
        (
            Check::Rules,
            Status::Fail,
            "not sent: CREATE of applicationpersonas",
            |entry| {
                entry["rules"][0]["operations"] = json!(["UPDATE"]);
            },
        ),
        (
            Check::ClientConfig,
            Status::Fail,
            "and not dorgu-system/dorgu-operator-webhook/validate-persona",
            |entry| {
                entry["clientConfig"]["service"]["path"] = json!("/validate-deployment");
            },
        ),
    ];
    for (check, status, words, change) in table {
        let clinic = Clinic::with(|clinic| clinic.entries(|entries| change(&mut entries[2])));
        clinic.tells(check, status, &["validate-persona.dorgu.io: ", words]);
    }
}
