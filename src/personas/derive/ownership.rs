//! Finds who is responsible for a workload in the labels and annotations that teams use.

use super::workload::Workload;
use crate::api::application_persona::Ownership;

const TEAM: &[&str] = &["dorgu.io/team", "app.kubernetes.io/part-of", "team", "owner-team"];
const OWNER: &[&str] = &[
    "dorgu.io/owner",
    "owner",
    "app.kubernetes.io/owner",
    "kubernetes.io/created-by",
];
const REPOSITORY: &[&str] = &[
    "dorgu.io/repository",
    "app.kubernetes.io/repository",
    "argocd.argoproj.io/instance-repo-url",
    "repository",
];

/// `spec.ownership`; `None` where nothing is known.
pub(super) fn of(workload: &Workload) -> Option<Ownership> {
    // An annotation may say more than a label can.
    let find = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| {
            let value = workload.annotations.get(*key).or_else(|| workload.labels.get(*key))?;
            Some(value).filter(|value| !value.is_empty())
        });
        found.cloned()
    };
    let ownership = Ownership {
        team: find(TEAM),
        owner: find(OWNER),
        repository: find(REPOSITORY),
        ..Ownership::default()
    };
    (ownership != Ownership::default()).then_some(ownership)
}
