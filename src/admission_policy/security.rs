//! Translates the rules about users, privileges and root filesystems. What a container can do, and which of that includes
//! which, is that of `policy::power` and `policy::security_context`.

use super::cel::{Among, Each, Violation};
use super::demands::Demand;
use crate::policy::{Persona, Rule};

/// A container with the pod and the operating system that it has, as CEL.
struct Side {
    container: &'static str,
    pod: &'static str,
    is_windows: &'static str,
    is_linux: &'static str,
}

const NEW: Side = Side {
    container: "c",
    pod: "variables.pod",
    is_windows: "variables.isWindows",
    is_linux: "variables.isLinux",
};

const OLD: Side = Side {
    container: "o",
    pod: "variables.oldPod",
    is_windows: "variables.wasWindows",
    is_linux: "variables.wasLinux",
};

/// White space, as in Unicode, and the periods that Windows drops around a name.
const AROUND: &str = r"[\t-\r .\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]*";

/// Capabilities that imply every other, or escalation, in capital letters.
const POWERFUL: &str = "['ALL', 'SYS_ADMIN', 'CAP_ALL', 'CAP_SYS_ADMIN']";

impl Side {
    /// A security setting of the container, else of its pod.
    fn effective(&self, field: &str, otherwise: &str) -> String {
        let Side { container, pod, .. } = self;
        format!("{container}.?securityContext.?{field}.or({pod}.?securityContext.?{field}).orValue({otherwise})")
    }

    /// A security setting of the container alone.
    fn own(&self, field: &str, otherwise: &str) -> String {
        format!("{}.?securityContext.?{field}.orValue({otherwise})", self.container)
    }

    /// Whether a user other than root is demanded.
    fn demands_non_root(&self) -> String {
        self.effective("runAsNonRoot", "false")
    }

    fn user(&self) -> String {
        self.effective("runAsUser", "-1")
    }

    fn account(&self) -> String {
        self.effective("windowsOptions.?runAsUserName", "''")
    }

    /// Whether the configured user is root, on a system that reads it.
    fn is_root(&self) -> String {
        let (linux, windows) = (self.is_root_on_linux(), self.has_root_account());
        format!("({linux} || {windows})")
    }

    fn is_root_on_linux(&self) -> String {
        format!("(!{} && {} == 0)", self.is_windows, self.user())
    }

    fn has_root_account(&self) -> String {
        format!("(!{} && {}.matches({}))", self.is_linux, self.account(), root_account())
    }

    /// Whether it starts as root on Linux.
    fn root_on_linux(&self) -> String {
        format!("({} && !{})", self.is_root_on_linux(), self.demands_non_root())
    }

    /// Whether it starts as the user of its image on Linux.
    fn image_user_on_linux(&self) -> String {
        format!(
            "(!{} && {} == -1 && !{})",
            self.is_windows,
            self.user(),
            self.demands_non_root()
        )
    }

    /// Whether it starts as root on Windows: the kubelet knows one account alone.
    fn root_on_windows(&self) -> String {
        format!(
            "({} && !({} && {}.matches({})))",
            self.has_root_account(),
            self.demands_non_root(),
            self.account(),
            known_account()
        )
    }

    /// Whether it starts as the user of its image on Windows, where it `may_run` there.
    fn image_user_on_windows(&self, may_run: &str) -> String {
        format!(
            "({may_run} && {} == '' && !{})",
            self.account(),
            self.demands_non_root()
        )
    }

    fn capabilities(&self) -> String {
        self.own("capabilities.?add", "[]")
    }

    /// Whether it has all that the host can do, on Linux.
    fn is_privileged(&self) -> String {
        format!("(!{} && {})", self.is_windows, self.own("privileged", "false"))
    }

    /// The same on Windows.
    fn is_host_process(&self) -> String {
        let set = self.effective("windowsOptions.?hostProcess", "false");
        format!("(!{} && {set})", self.is_linux)
    }

    /// Whether it reads the whole of `/proc`.
    fn unmasks_proc(&self) -> String {
        format!(
            "(!{} && {} == 'Unmasked')",
            self.is_windows,
            self.own("procMount", "''")
        )
    }

    /// Whether a process in it can gain privileges.
    fn escalates(&self) -> String {
        format!(
            "(!{} && ({} || {} || {}.exists(y, {})) || {})",
            self.is_windows,
            self.own("allowPrivilegeEscalation", "true"),
            self.own("privileged", "false"),
            self.capabilities(),
            implies_escalation("y"),
            self.is_host_process(),
        )
    }
}

/// A word in which each letter may be one that a runtime or Windows takes for it.
fn folded(word: &str, dotless: bool) -> String {
    let letter = |letter: char| match letter {
        'I' if dotless => "[iI\u{131}]".to_owned(),
        'S' => "[sS\u{17f}]".to_owned(),
        _ => format!("[{}{letter}]", letter.to_ascii_lowercase()),
    };
    word.chars().map(letter).collect()
}

/// Matches a Windows account that is root, in whatever domain.
fn root_account() -> String {
    let names = ["CONTAINERADMINISTRATOR", "SYSTEM", "ADMINISTRATOR", "ADMINISTRATORS"];
    let names: Vec<String> = names.iter().map(|name| folded(name, true)).collect();
    format!(r"r'^(?s:.*\\)?{AROUND}(?:{}){AROUND}$'", names.join("|"))
}

/// Matches the account that the kubelet knows as root.
fn known_account() -> String {
    format!("r'^{}$'", folded("CONTAINERADMINISTRATOR", false))
}

/// Whether adding the capability lets a process gain privileges. One with a letter that no capability has counts, too.
fn implies_escalation(name: &str) -> String {
    format!("(!{name}.trim().matches(r'^[A-Za-z0-9_]*$') || {name}.trim().upperAscii() in {POWERFUL})")
}

/// The capability that a runtime reads, with its prefix. Of letters outside ASCII, those are capitalised that become one in it.
fn capability(name: &str) -> String {
    let capital = format!("{name}.trim().replace('\u{131}', 'I').replace('\u{17f}', 'S').upperAscii()");
    format!("({capital}.startsWith('CAP_') ? {capital} : 'CAP_' + {capital})")
}

/// The demands of the rules in this file.
pub(super) fn of(persona: &Persona) -> Vec<Demand> {
    let mut demands = Vec::new();
    if persona.run_as_non_root {
        demands.push(run_as_non_root());
    }
    if persona.forbids_privilege_escalation {
        demands.extend([escalation(), escalation_unset()]);
    }
    if persona.read_only_root_filesystem {
        demands.push(writable_root());
    }
    demands
}

fn each(found: String, kept: String) -> Violation {
    Violation::Each(Each {
        among: Among::All,
        found,
        items: None,
        kept,
        excused: None,
    })
}

/// A container violates the rule where nothing demands a user other than root, or where its user is root. What its user allows
/// is compared, so an update is excused where that is nothing.
fn run_as_non_root() -> Demand {
    let allowed = [
        (NEW.root_on_linux(), OLD.root_on_linux()),
        (
            NEW.image_user_on_linux(),
            format!("({} || {})", OLD.image_user_on_linux(), OLD.root_on_linux()),
        ),
        (NEW.root_on_windows(), OLD.root_on_windows()),
        (
            // That it may run on Windows without an account is no violation. It excuses one, since nearly every pod may.
            NEW.image_user_on_windows(NEW.is_windows),
            format!(
                "({} || {})",
                OLD.image_user_on_windows(&format!("!{}", OLD.is_linux)),
                OLD.root_on_windows()
            ),
        ),
    ];
    let had: Vec<String> = allowed
        .iter()
        .map(|(now, before)| format!("(!{now} || {before})"))
        .collect();
    let nothing: Vec<String> = allowed.iter().map(|(now, _)| format!("!{now}")).collect();
    Demand {
        rule: Rule::RunAsNonRoot,
        text: "persona requires runAsNonRoot, and a container may run as root".to_owned(),
        violations: vec![Violation::Each(Each {
            among: Among::All,
            found: format!("!{} || {}", NEW.demands_non_root(), NEW.is_root()),
            items: None,
            kept: had.join(" && "),
            excused: Some(nothing.join(" && ")),
        })],
    }
}

fn escalation() -> Demand {
    let host = format!("{} || {}", OLD.is_privileged(), OLD.is_host_process());
    let capabilities = Violation::Each(Each {
        among: Among::All,
        found: format!("!{}", NEW.is_windows),
        items: Some((NEW.capabilities(), implies_escalation("x"))),
        kept: format!(
            "{host} || !{} && {}.exists(y, {} && {} in [{}, 'CAP_ALL'])",
            OLD.is_windows,
            OLD.capabilities(),
            implies_escalation("y"),
            capability("y"),
            capability("x"),
        ),
        excused: None,
    });
    Demand {
        rule: Rule::PrivilegeEscalation,
        text: "persona forbids privilege escalation, and a container has it or what implies it".to_owned(),
        violations: vec![
            each(
                format!(
                    "!{} && {}",
                    NEW.is_windows,
                    NEW.own("allowPrivilegeEscalation", "false")
                ),
                OLD.escalates(),
            ),
            each(NEW.is_privileged(), OLD.is_privileged()),
            capabilities,
            each(NEW.is_host_process(), OLD.is_host_process()),
            each(
                NEW.unmasks_proc(),
                format!("{} || {}", OLD.unmasks_proc(), OLD.is_privileged()),
            ),
        ],
    }
}

fn escalation_unset() -> Demand {
    Demand {
        rule: Rule::PrivilegeEscalationUnset,
        text: "allowPrivilegeEscalation not set, which means true; persona forbids it".to_owned(),
        violations: vec![each(
            format!(
                "!{} && !c.?securityContext.?allowPrivilegeEscalation.hasValue()",
                NEW.is_windows
            ),
            OLD.escalates(),
        )],
    }
}

fn writable_root() -> Demand {
    let is_writable = |side: &Side| {
        let read_only = side.own("readOnlyRootFilesystem", "false");
        format!("!{} && !{read_only}", side.is_windows)
    };
    Demand {
        rule: Rule::WritableRootFilesystem,
        text: "root filesystem writable; persona requires readOnlyRootFilesystem".to_owned(),
        violations: vec![each(is_writable(&NEW), is_writable(&OLD))],
    }
}
