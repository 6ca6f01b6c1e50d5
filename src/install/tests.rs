use super::*;

fn text_of(installation: &Installation) -> String {
    let files = installation.objects().render().unwrap();
    files.iter().map(|(_, text)| text.as_str()).collect()
}

#[test]
fn every_name_follows_the_installation_and_none_is_left_behind() {
    let installation = Installation {
        namespace: "guards".to_owned(),
        fullname: "east".to_owned(),
        image: "registry.example.com/x:1".to_owned(),
        ..Installation::of(crate::serve::parts::declared())
    };
    let text = text_of(&installation);
    assert!(!text.contains("dorgu-system"), "{text}");
    for (line, _) in text.match_indices("dorgu-operator") {
        let start = text[..line].rfind('\n').map_or(0, |at| at + 1);
        let line = text[start..].lines().next().unwrap();
        assert!(line.contains("app.kubernetes.io/name: dorgu-operator"), "{line}");
    }
}

#[test]
fn a_single_replica_has_no_budget_that_would_keep_its_node_from_being_drained() {
    let installation = Installation {
        replicas: 1,
        ..Installation::of(crate::serve::parts::declared())
    };
    assert!(installation.objects().pod_disruption_budget.is_none());
    assert!(!text_of(&installation).contains("PodDisruptionBudget"));
    assert!(
        Installation::of(crate::serve::parts::declared())
            .objects()
            .pod_disruption_budget
            .is_some()
    );
}

#[test]
fn the_chain_and_a_required_label_are_flags_and_are_sent_unlabelled_objects() {
    let chain = Installation {
        matching: Matching::Chain,
        ..Installation::of(crate::serve::parts::declared())
    };
    let (label, chain) = (
        text_of(&Installation::of(crate::serve::parts::declared())),
        text_of(&chain),
    );
    assert!(label.contains("objectSelector:") && !label.contains("--match"));
    assert!(!chain.contains("objectSelector:") && chain.contains("--match=chain"));
    let required = Installation {
        requires_label: true,
        ..Installation::of(crate::serve::parts::declared())
    };
    let required = text_of(&required);
    assert!(!required.contains("objectSelector:") && required.contains("--require-label"));
    for text in [label, chain, required] {
        assert!(
            !text.contains("matchConditions"),
            "API servers would pay for it at every Deployment: {text}"
        );
    }
}

#[test]
fn nothing_but_the_process_writes_the_ca_bundle() {
    assert!(!text_of(&Installation::of(crate::serve::parts::declared())).contains("caBundle"));
}

#[test]
fn a_secret_is_never_granted_without_its_name() {
    let objects = Installation::of(crate::serve::parts::declared()).objects();
    let rules = [objects.cluster_role.rules, objects.role.rules]
        .into_iter()
        .flatten()
        .flatten();
    let mut seen = 0;
    for rule in rules.filter(|rule| rule.resources.iter().flatten().any(|resource| resource == "secrets")) {
        assert_eq!(
            rule.resource_names.as_deref(),
            Some(&["dorgu-operator-webhook-ca".to_owned()][..])
        );
        seen += 1;
    }
    assert_eq!(seen, 1);
}

#[test]
fn the_kustomization_names_every_file_and_no_other() {
    let files = Installation::of(crate::serve::parts::declared())
        .objects()
        .folder()
        .unwrap();
    let (name, kustomization) = files.last().unwrap();
    assert_eq!(name, "kustomization.yaml");
    let named = kustomization
        .lines()
        .filter(|line| line.trim_start().starts_with("- "))
        .count();
    assert_eq!(named, files.len() - 1);
    for (file, _) in &files[..files.len() - 1] {
        assert!(
            kustomization.contains(&format!("- {file}\n")),
            "{file}: {kustomization}"
        );
    }
}

#[test]
fn metrics_bring_their_port_their_service_and_the_right_to_ask_about_tokens() {
    let with = |metrics| {
        text_of(&Installation {
            metrics,
            ..Installation::of(crate::serve::parts::declared())
        })
    };
    for sign in [
        "--metrics-bind-address=:8443",
        "name: dorgu-operator-metrics\n",
        "tokenreviews",
        "- /metrics",
    ] {
        assert!(with(true).contains(sign), "{sign}");
        assert!(!with(false).contains(sign), "{sign}");
    }
}
