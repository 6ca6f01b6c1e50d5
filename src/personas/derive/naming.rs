//! Chooses `spec.name` and `spec.selector` of personas, so that each leads back to the workloads that it is derived from and to
//! no other. Workloads of one app are told apart by their labels.

use std::collections::BTreeMap;

use super::workload::Workload;
use crate::api::selector::{LabelSelector, LabelSelectorRequirement};
use crate::policy::Matching;

/// Keys of labels that say which part of an app a workload is; they are taken first.
const TELLING: [&str; 2] = ["app.kubernetes.io/component", "app.kubernetes.io/instance"];
/// Keys of labels that change with every release; they are taken last.
const PASSING: [&str; 4] = ["app.kubernetes.io/version", "chart", "helm.sh/chart", "version"];

/// Workloads that one persona is derived from.
#[derive(Clone, Debug)]
pub struct Group<'w> {
    /// `spec.name`.
    pub app: String,
    /// `spec.selector`.
    pub selector: Option<LabelSelector>,
    /// They, by name; more than one only where their labels are the same.
    pub workloads: Vec<&'w Workload>,
    /// Whether the workloads find the persona. Otherwise they lack the label by which they would.
    pub leads_back: bool,
}

/// A group for each persona that is needed, among `all` workloads of one namespace: one for each that `is_wanted` and that no
/// persona governs yet.
pub fn groups<'w>(
    all: &'w [Workload],
    is_wanted: impl Fn(&Workload) -> bool,
    is_governed: impl Fn(&Workload) -> bool,
    matching: Matching,
) -> Vec<Group<'w>> {
    let mut apps: BTreeMap<String, Vec<&Workload>> = BTreeMap::new();
    for workload in all.iter().filter(|workload| !is_governed(workload)) {
        apps.entry(app(workload, matching).0).or_default().push(workload);
    }
    let mut groups = Vec::new();
    for (app, members) in &apps {
        // Those that would get no persona of their own, and would find this one.
        let strays = all.iter().filter(|workload| {
            let gets_none = is_governed(workload) || !is_wanted(workload);
            gets_none && workload.names().in_order(matching).any(|(_, name)| name == app)
        });
        let mut classes: Vec<Vec<&Workload>> = Vec::new();
        for workload in members.iter().copied() {
            match classes
                .iter_mut()
                .find(|class| class.first().is_some_and(|first| first.labels == workload.labels))
            {
                Some(class) => class.push(workload),
                None => classes.push(vec![workload]),
            }
        }
        let strays: Vec<&Workload> = strays.collect();
        for mut class in classes
            .iter()
            .filter(|class| class.iter().any(|workload| is_wanted(workload)))
            .cloned()
        {
            class.sort_by(|a, b| a.name.cmp(&b.name));
            let Some(first) = class.first() else { continue };
            let others: Vec<&Workload> = members.iter().chain(&strays).copied().collect();
            let others: Vec<&Workload> = others
                .into_iter()
                .filter(|other| other.labels != first.labels)
                .collect();
            groups.push(Group {
                app: app.clone(),
                selector: selector(first, &others),
                leads_back: self::app(first, matching).1,
                workloads: class,
            });
        }
    }
    groups.sort_by(|a, b| a.first_name().cmp(b.first_name()));
    groups
}

impl Group<'_> {
    fn first_name(&self) -> &str {
        self.workloads.first().map_or("", |workload| &workload.name)
    }
}

/// The strongest name of a workload, and whether it finds a persona by it.
fn app(workload: &Workload, matching: Matching) -> (String, bool) {
    let strongest = |matching| {
        workload
            .names()
            .in_order(matching)
            .next()
            .map(|(_, name)| name.to_owned())
    };
    match strongest(matching) {
        Some(name) => (name, true),
        None => (
            strongest(Matching::Chain).unwrap_or_else(|| workload.name.clone()),
            false,
        ),
    }
}

/// The requirements that `workload` meets and each of the others does not. The labels of all others differ from its own.
fn selector(workload: &Workload, others: &[&Workload]) -> Option<LabelSelector> {
    let mut left: Vec<&Workload> = others.to_vec();
    let mut equal = BTreeMap::new();
    let mut absent = Vec::new();
    while !left.is_empty() {
        let excluded = |key: &str, value: &str| {
            left.iter()
                .filter(|other| other.labels.get(key).map(String::as_str) != Some(value))
                .count()
        };
        let best = workload
            .labels
            .iter()
            .map(|(key, value)| (excluded(key, value), key, value))
            .filter(|(count, ..)| *count > 0)
            .max_by_key(|(count, key, _)| {
                (
                    !PASSING.contains(&key.as_str()),
                    TELLING.contains(&key.as_str()),
                    *count,
                )
            });
        if let Some((_, key, value)) = best {
            left.retain(|other| other.labels.get(key) == Some(value));
            equal.insert(key.clone(), value.clone());
            continue;
        }
        // The others that are left have all its labels, and more.
        let Some(key) = left
            .iter()
            .flat_map(|other| other.labels.keys())
            .find(|key| !workload.labels.contains_key(*key))
        else {
            break;
        };
        let key = key.clone();
        left.retain(|other| !other.labels.contains_key(&key));
        absent.push(LabelSelectorRequirement {
            key,
            operator: "DoesNotExist".to_owned(),
            values: None,
        });
    }
    let selector = LabelSelector {
        match_labels: (!equal.is_empty()).then_some(equal),
        match_expressions: (!absent.is_empty()).then_some(absent),
    };
    (selector != LabelSelector::default()).then_some(selector)
}
