//! Generates updates of every shape that matters to the ratchet: settings on both levels, containers of every kind, either
//! operating system or none. Half of each new object equals the old one, since two unrelated objects are nearly always denied.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::oracle::{ACCOUNTS, CAPABILITIES};

/// The purpose of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    App,
    Sidecar,
    Init,
}

/// Security settings; on the pod those from `escalation` on do not exist.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) demand: Option<bool>,
    pub(super) user: Option<i64>,
    pub(super) account: Option<&'static str>,
    pub(super) host_process: Option<bool>,
    pub(super) escalation: Option<bool>,
    pub(super) privileged: Option<bool>,
    pub(super) capabilities: Vec<&'static str>,
    pub(super) proc_mount: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) os: Option<&'static str>,
    pub(super) settings: Settings,
    pub(super) containers: BTreeMap<String, (Kind, Settings)>,
}

#[derive(Clone, Debug)]
pub(super) struct Update {
    pub(super) forbids_root: bool,
    pub(super) forbids_escalation: bool,
    pub(super) old: Pod,
    pub(super) new: Pod,
}

impl Settings {
    fn to_json(&self) -> Value {
        json!({
            "runAsNonRoot": self.demand,
            "runAsUser": self.user,
            "windowsOptions": {"runAsUserName": self.account, "hostProcess": self.host_process},
            "allowPrivilegeEscalation": self.escalation,
            "privileged": self.privileged,
            "capabilities": {"add": self.capabilities},
            "procMount": self.proc_mount,
        })
    }
}

impl Pod {
    /// The Deployment as an API server would send it.
    pub(super) fn to_json(&self) -> String {
        let (mut apps, mut inits) = (Vec::new(), Vec::new());
        for (name, (kind, settings)) in &self.containers {
            let security = settings.to_json();
            match kind {
                Kind::App => apps.push(json!({"name": name, "securityContext": security})),
                Kind::Sidecar => {
                    inits.push(json!({"name": name, "restartPolicy": "Always", "securityContext": security}));
                }
                Kind::Init => inits.push(json!({"name": name, "securityContext": security})),
            }
        }
        let pod = json!({
            "os": {"name": self.os},
            "securityContext": self.settings.to_json(),
            "containers": apps,
            "initContainers": inits,
        });
        json!({"metadata": {"name": "orders"}, "spec": {"template": {"spec": pod}}}).to_string()
    }
}

fn flag() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![3 => Just(None), 1 => Just(Some(true)), 1 => Just(Some(false))]
}

fn mostly_none<T: Clone + std::fmt::Debug>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.3, some)
}

fn settings() -> impl Strategy<Value = Settings> {
    let account = || prop::sample::select(ACCOUNTS).prop_map(|(written, _)| written);
    let capability = || prop::sample::select(CAPABILITIES).prop_map(|(written, _)| written);
    (
        flag(),
        mostly_none(prop::sample::select(&[0, 0, 1000][..])),
        mostly_none(account()),
        prop_oneof![6 => Just(None), 1 => Just(Some(true)), 1 => Just(Some(false))],
        prop_oneof![1 => Just(None), 1 => Just(Some(true)), 2 => Just(Some(false))],
        prop_oneof![6 => Just(None), 1 => Just(Some(true)), 1 => Just(Some(false))],
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(capability(), 1..3)],
        prop_oneof![3 => Just(None), 2 => Just(Some("Unmasked")), 1 => Just(Some("Default"))],
    )
        .prop_map(
            |(demand, user, account, host_process, escalation, privileged, capabilities, proc_mount)| Settings {
                demand,
                user,
                account,
                host_process,
                escalation,
                privileged,
                capabilities,
                proc_mount,
            },
        )
}

/// The settings of a pod, which has fewer.
fn settings_of_pod() -> impl Strategy<Value = Settings> {
    settings().prop_map(|settings| Settings {
        demand: settings.demand,
        user: settings.user,
        account: settings.account,
        host_process: settings.host_process,
        ..Settings::default()
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::App), Just(Kind::Sidecar), Just(Kind::Init)]
}

fn os() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![2 => Just(None), 1 => Just(Some("linux")), 1 => Just(Some("windows"))]
}

/// The new settings: each field is that of the old ones or of the fresh ones.
fn blend(old: &Settings, fresh: &Settings, changed: u8) -> Settings {
    let is_changed = |field: u8| changed & (1 << field) != 0;
    macro_rules! either {
        ($field:ident, $position:literal) => {
            if is_changed($position) {
                fresh.$field.clone()
            } else {
                old.$field.clone()
            }
        };
    }
    Settings {
        demand: either!(demand, 0),
        user: either!(user, 1),
        account: either!(account, 2),
        host_process: either!(host_process, 3),
        escalation: either!(escalation, 4),
        privileged: either!(privileged, 5),
        capabilities: either!(capabilities, 6),
        proc_mount: either!(proc_mount, 7),
    }
}

/// A bit a field: few of them are set.
fn changed() -> impl Strategy<Value = u8> {
    prop_oneof![2 => Just(0), 3 => (any::<u8>(), any::<u8>()).prop_map(|(a, b)| a & b), 1 => any::<u8>()]
}

const NAMES: [&str; 2] = ["api", "proxy"];

pub(super) fn updates() -> impl Strategy<Value = Update> {
    let container = || {
        let fresh = (kind(), settings());
        let change = (
            prop::bool::weighted(0.2),
            changed(),
            prop::bool::weighted(0.9),
            prop::bool::weighted(0.9),
        );
        (kind(), settings(), fresh, change)
    };
    let pod = (
        os(),
        os(),
        prop::bool::weighted(0.2),
        settings_of_pod(),
        settings_of_pod(),
        changed(),
    );
    let persona = prop_oneof![Just((true, true)), Just((true, false)), Just((false, true))];
    (persona, pod, [container(), container()]).prop_map(|((forbids_root, forbids_escalation), pod, containers)| {
        let (old_os, new_os, os_changes, old_pod, fresh_pod, pod_changed) = pod;
        let new_pod = blend(&old_pod, &fresh_pod, pod_changed);
        let mut update = Update {
            forbids_root,
            forbids_escalation,
            old: Pod {
                os: old_os,
                settings: old_pod,
                containers: BTreeMap::new(),
            },
            new: Pod {
                os: if os_changes { new_os } else { old_os },
                settings: new_pod,
                containers: BTreeMap::new(),
            },
        };
        for (name, (kind, settings, (fresh_kind, fresh), change)) in NAMES.into_iter().zip(containers) {
            let (kind_changes, changed, was_there, is_there) = change;
            if is_there {
                let new = blend(&settings, &fresh, changed);
                let kind = if kind_changes { fresh_kind } else { kind };
                update.new.containers.insert(name.to_owned(), (kind, new));
            }
            if was_there {
                update.old.containers.insert(name.to_owned(), (kind, settings));
            }
        }
        update
    })
}
