//! Decides by their names which capabilities and which Windows accounts are privileged.
//!
//! Each name is compared as its consumer compares it, beyond ASCII: container runtimes upper-case a capability with Go's
//! `strings.ToUpper`, the kubelet compares an account with `strings.EqualFold`, and Windows ignores the case of accounts,
//! too.

use std::borrow::Cow;

/// Longer names are not compared, since no known name is as long, in whichever letters it is written. So the cost of folding
/// does not grow with a long text.
const MAX_COMPARED: usize = 128;

/// The longest Windows account, domain included, in bytes. An API server stores no longer one; a longer one counts as root.
const MAX_ACCOUNT: usize = 4 * 512;

/// The capability that a runtime reads: without blanks around it, without `CAP_`, in capital letters.
pub(super) fn capability(written: &str) -> Cow<'_, str> {
    const PREFIX: &str = "CAP_";
    let name = written.trim();
    if name.len() > MAX_COMPARED {
        return name.into();
    }
    match upper_case(name) {
        Cow::Borrowed(name) => name.strip_prefix(PREFIX).unwrap_or(name).into(),
        Cow::Owned(name) => match name.strip_prefix(PREFIX) {
            Some(rest) => rest.to_owned().into(),
            None => name.into(),
        },
    }
}

/// Whether adding this capability lets a process gain privileges. A name with a letter that no capability has counts as one
/// that does: its meaning depends on how a runtime folds letters.
pub(super) fn implies_escalation(written: &str) -> bool {
    let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    !is_plain(written.trim()) || matches!(&*capability(written), EVERY_CAPABILITY | "SYS_ADMIN")
}

/// The name for all capabilities, as [`capability`] reads it.
pub(super) const EVERY_CAPABILITY: &str = "ALL";

/// As Go's `strings.ToUpper`: letter by letter. A letter whose capital has two letters stays as it is.
fn upper_case(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte.is_ascii_lowercase() || !byte.is_ascii()) {
        return text.into();
    }
    let upper = |letter: char| single(letter.to_uppercase()).unwrap_or(letter);
    text.chars().map(upper).collect()
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

/// Windows accounts with all rights in a container, in capital letters.
const ROOT_ACCOUNTS: [&str; 4] = ["CONTAINERADMINISTRATOR", "SYSTEM", "ADMINISTRATOR", "ADMINISTRATORS"];

/// Whether a Windows account is root, in whatever domain. Windows drops blanks and periods at the end of a name.
pub(super) fn is_root_account(written: &str) -> bool {
    if written.len() > MAX_ACCOUNT {
        return true;
    }
    let name = written.rsplit('\\').next().unwrap_or_default();
    let name = name.trim_matches(|letter: char| letter.is_whitespace() || letter == '.');
    if name.len() > MAX_COMPARED {
        return false;
    }
    let folded = upper_case(name);
    ROOT_ACCOUNTS.contains(&&*folded)
}

/// Whether the kubelet recognises the account as root, so that a demand for another keeps the container from starting. It knows
/// one spelling, without a domain.
pub(super) fn kubelet_sees_root(written: &str) -> bool {
    // Among letters outside ASCII, `EqualFold` accepts only the long s for one of these.
    let fold = |letter: char| {
        if letter == '\u{17f}' {
            'S'
        } else {
            letter.to_ascii_uppercase()
        }
    };
    written.chars().map(fold).eq("CONTAINERADMINISTRATOR".chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_read_as_a_runtime_reads_it() {
        for (written, read) in [
            ("SYS_ADMIN", "SYS_ADMIN"),
            ("sys_admin", "SYS_ADMIN"),
            ("CAP_SYS_ADMIN", "SYS_ADMIN"),
            ("cap_sys_admin", "SYS_ADMIN"),
            (" Sys_Admin\t", "SYS_ADMIN"),
            ("SYS_ADM\u{131}N", "SYS_ADMIN"),
            ("\u{17f}y\u{17f}_adm\u{131}n", "SYS_ADMIN"),
            ("Cap_\u{17f}YS_ADMIN", "SYS_ADMIN"),
            ("stra\u{df}e", "STRA\u{df}E"),
            ("CAP_CAP_NET_RAW", "CAP_NET_RAW"),
            ("", ""),
        ] {
            assert_eq!(capability(written), read, "{written:?}");
        }
    }

    #[test]
    fn what_no_capability_is_called_counts_as_the_worst() {
        for implied in [
            "SYS_ADMIN",
            "cap_sys_admin",
            "all",
            "CAP_ALL",
            " ALL ",
            "\u{a0}SYS_ADMIN",
            "SYS_ADM\u{131}N",
            "\u{17f}YS_ADMIN",
            "SYS_ADM\u{130}N",
            "\u{ff33}YS_ADMIN",
            "SYS-ADMIN",
            "SYS_ADMIN\0",
            "CAP_ SYS_ADMIN",
            "NET ADMIN",
            "NET_\u{3b1}DMIN",
        ] {
            assert!(implies_escalation(implied), "{implied:?}");
        }
        for harmless in ["NET_ADMIN", "cap_chown", " NET_RAW ", "SYS_ADMIN2", "ALLOW", "CAP_", ""] {
            assert!(!implies_escalation(harmless), "{harmless:?}");
        }
    }

    #[test]
    fn an_account_is_root_in_every_domain_and_spelling() {
        for root in [
            "ContainerAdministrator",
            "containeradministrator",
            "User Manager\\ContainerAdministrator",
            "ContainerAdmini\u{17f}trator",
            "Conta\u{131}nerAdministrator",
            "ContainerAdministrator ",
            "ContainerAdministrator.",
            "SYSTEM",
            "NT AUTHORITY\\SYSTEM",
            "nt authority\\system",
            "NT AUTHORITY\\\u{17f}ystem",
            "Administrator",
            "BUILTIN\\Administrators",
        ] {
            assert!(is_root_account(root), "{root:?}");
        }
        for other in [
            "",
            "ContainerUser",
            "User Manager\\ContainerUser",
            "NT AUTHORITY\\Local service",
            "NT AUTHORITY\\NetworkService",
            "SYSTEM\\orders",
            "ContainerAdministrator\\orders",
            "systems",
            "M\u{fc}ller",
        ] {
            assert!(!is_root_account(other), "{other:?}");
        }
        assert!(kubelet_sees_root("containerADMINI\u{17f}TRATOR"));
        for unseen in [
            "User Manager\\ContainerAdministrator",
            "SYSTEM",
            "Conta\u{131}nerAdministrator",
        ] {
            assert!(!kubelet_sees_root(unseen), "{unseen:?}");
        }
    }

    #[test]
    fn what_is_too_long_to_be_a_name_is_compared_with_none() {
        let long = "a".repeat(MAX_COMPARED + 1);
        assert!(matches!(capability(&long), Cow::Borrowed(_)));
        assert!(!implies_escalation(&long), "a plain word that no runtime knows");
        assert!(
            implies_escalation(&"ɐ".repeat(MAX_COMPARED)),
            "but not with such letters"
        );
        assert!(!is_root_account(&format!("domain\\{long}")));
        assert!(
            is_root_account(&"a".repeat(MAX_ACCOUNT + 1)),
            "no Windows has such an account"
        );
    }
}
