//! Computes what a container can do by simulating the kubelet and a runtime. It uses neither the types nor the rules under
//! test: a table defines the meaning of names, and one power includes another because it can do all that.

use std::collections::BTreeSet;

use super::updates::{Kind, Pod, Settings};

/// One thing that a container can do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ability {
    container: String,
    what: &'static str,
    while_the_app_runs: bool,
}

impl Ability {
    pub(super) fn is_about_users(&self) -> bool {
        self.what.starts_with("is root")
    }
}

/// Capabilities as written, and what a runtime reads; empty for those that let no process gain privileges.
pub(super) const CAPABILITIES: &[(&str, &str)] = &[
    ("SYS_ADMIN", "SYS_ADMIN"),
    ("cap_sys_admin", "SYS_ADMIN"),
    ("\u{17f}y\u{17f}_adm\u{131}n", "SYS_ADMIN"),
    (" Cap_SYS_ADM\u{131}N", "SYS_ADMIN"),
    ("ALL", "ALL"),
    ("cap_all", "ALL"),
    ("NET_RAW", ""),
    ("cap_net_admin", ""),
    ("SYS-ADMIN", "unknown 1"),
    ("cap_sys-admin ", "unknown 1"),
    ("SYS_ADM\u{130}N", "unknown 2"),
];

/// What a runtime makes of a capability.
pub(super) fn meaning(written: &str) -> &'static str {
    let known = CAPABILITIES.iter().find(|(spelling, _)| *spelling == written);
    known.expect("a capability of the table").1
}

/// A Windows account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    User,
    /// Root, and the kubelet knows it.
    Root,
    /// Root, and the kubelet does not know it.
    UnknownRoot,
}

pub(super) const ACCOUNTS: &[(&str, Account)] = &[
    ("ContainerUser", Account::User),
    ("NT AUTHORITY\\NetworkService", Account::User),
    ("ContainerAdministrator", Account::Root),
    ("containeradmini\u{17f}trator", Account::Root),
    ("User Manager\\ContainerAdministrator", Account::UnknownRoot),
    ("NT AUTHORITY\\SYSTEM", Account::UnknownRoot),
    ("system", Account::UnknownRoot),
];

/// Whether it starts, as root, from an image whose user is root or is not.
fn starts_as_root_on_linux(user: Option<i64>, demand: bool, image_is_root: bool) -> bool {
    let user = user.unwrap_or(if image_is_root { 0 } else { 1000 });
    user == 0 && !demand
}

fn starts_as_root_on_windows(account: Option<&str>, demand: bool, image_is_root: bool) -> bool {
    let of_image = if image_is_root { Account::Root } else { Account::User };
    let account = account.map_or(of_image, |written| {
        let known = ACCOUNTS.iter().find(|(spelling, _)| *spelling == written);
        known.expect("an account of the table").1
    });
    match account {
        Account::User => false,
        Account::Root => !demand,
        Account::UnknownRoot => true,
    }
}

/// Everything that the containers of a pod can do. `silence_counts`: whether saying nothing of escalation allows it, and
/// whether a pod that says nothing of Windows may run there; both are so, but no persona forbids silence.
pub(super) fn abilities(pod: &Pod, silence_counts: bool) -> BTreeSet<Ability> {
    let mut abilities = BTreeSet::new();
    for (name, (kind, own)) in &pod.containers {
        for what in of_container(pod, own, silence_counts) {
            let mut can = |while_the_app_runs| {
                let container = name.clone();
                abilities.insert(Ability {
                    container,
                    what,
                    while_the_app_runs,
                });
            };
            can(false);
            if *kind != Kind::Init {
                can(true);
            }
        }
    }
    abilities
}

fn of_container(pod: &Pod, own: &Settings, silence_counts: bool) -> BTreeSet<&'static str> {
    let mut can = BTreeSet::new();
    let demand = own.demand.or(pod.settings.demand).unwrap_or(false);
    let user = own.user.or(pod.settings.user);
    let account = own.account.or(pod.settings.account);
    let (may_be_linux, may_be_windows) = (pod.os != Some("windows"), pod.os != Some("linux"));
    for (image_is_root, linux, windows) in [
        (
            true,
            "is root on Linux if the image is",
            "is root on Windows if the image is",
        ),
        (false, "is root on Linux", "is root on Windows"),
    ] {
        if may_be_linux && starts_as_root_on_linux(user, demand, image_is_root) {
            can.insert(linux);
        }
        let counts = may_be_windows && (!may_be_linux || account.is_some() || silence_counts);
        if counts && starts_as_root_on_windows(account, demand, image_is_root) {
            can.insert(windows);
        }
    }
    if may_be_windows && own.host_process.or(pod.settings.host_process) == Some(true) {
        can.extend(every_capability().chain(["does what the Windows host does"]));
    }
    if may_be_linux {
        if own.privileged == Some(true) {
            can.extend(every_capability().chain(["reads all of /proc", "does what the Linux host does"]));
        }
        if own.escalation.unwrap_or(silence_counts) {
            can.insert("gains privileges");
        }
        if own.proc_mount == Some("Unmasked") {
            can.insert("reads all of /proc");
        }
        for added in &own.capabilities {
            match meaning(added) {
                "" => {}
                "ALL" => can.extend(every_capability()),
                other => can.extend(["gains privileges", other]),
            }
        }
    }
    can
}

/// All of them, and what each of them lets a process do.
fn every_capability() -> impl Iterator<Item = &'static str> {
    let known = CAPABILITIES
        .iter()
        .map(|(_, meaning)| *meaning)
        .filter(|meaning| !meaning.is_empty());
    known.chain(["gains privileges"])
}
