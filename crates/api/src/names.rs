//! Defines the names by which other processes know this one, and checks names by the grammars of Kubernetes. A check returns
//! what is wrong as one clause.

/// The condition of a persona that is not enforced: whether it could be.
pub const READY_TO_ENFORCE: &str = "ReadyToEnforce";

/// The entry of the webhook configuration for workloads.
pub const WEBHOOK: &str = "validate-deployment.dorgu.io";
/// The entry for their Scale.
pub const SCALE_WEBHOOK: &str = "validate-scale.dorgu.io";
/// The path to which API servers send reviews.
pub const WEBHOOK_PATH: &str = "/validate-deployment";
/// The entry for ApplicationPersonas, whose answers are warnings alone.
pub const PERSONA_WEBHOOK: &str = "validate-persona.dorgu.io";
/// The path to which API servers send reviews of ApplicationPersonas.
pub const PERSONA_WEBHOOK_PATH: &str = "/validate-persona";
/// The Lease of the election. The Go operator uses the same, so that it and we never write at the same time.
pub const LEASE: &str = "48ec518d.dorgu.io";
/// Field manager of the status of our kinds, and of events.
pub const STATUS_MANAGER: &str = "dorgu-operator";
/// `reportingController` of events.
pub const REPORTER: &str = "dorgu.io/operator";
/// The name of a process whose pod has none.
pub const PROGRAM: &str = "dorgu";

/// Longest DNS subdomain, in bytes.
const SUBDOMAIN_LENGTH: usize = 253;
/// Longest DNS label, label value and name part of a qualified name, in bytes.
const LABEL_LENGTH: usize = 63;

/// A DNS-1123 label: names of namespaces.
///
/// # Errors
/// What is wrong, as a clause.
pub fn dns_label(text: &str) -> Result<(), &'static str> {
    if text.len() > LABEL_LENGTH {
        return Err("must be no more than 63 bytes");
    }
    if is_dns_label(text) {
        return Ok(());
    }
    Err(
        "must consist of lower case letters, digits or '-', and must start and end with a letter or digit (such as 'my-name')",
    )
}

/// A DNS-1123 subdomain: names of most objects.
///
/// # Errors
/// What is wrong, as a clause.
pub fn dns_subdomain(text: &str) -> Result<(), &'static str> {
    if text.len() > SUBDOMAIN_LENGTH {
        return Err("must be no more than 253 bytes");
    }
    if text.split('.').all(is_dns_label) {
        return Ok(());
    }
    Err(
        "must consist of lower case letters, digits, '-' or '.', and must start and end with a letter or digit (such as \
         'example.com')",
    )
}

/// A qualified name: keys of labels and annotations, names of finalizers.
///
/// # Errors
/// What is wrong, as a clause.
pub fn qualified_name(text: &str) -> Result<(), &'static str> {
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => return Err("a name has at most one '/', after its prefix"),
        Some(("", _)) => return Err("the prefix before '/' must not be empty"),
        Some((prefix, name)) => {
            if dns_subdomain(prefix).is_err() {
                return Err("the prefix before '/' must be a DNS subdomain (such as 'example.com')");
            }
            name
        }
    };
    match name {
        "" => Err("the name must not be empty"),
        name if name.len() > LABEL_LENGTH => Err("the name must be no more than 63 bytes"),
        name if is_label_value(name) => Ok(()),
        _ => Err(
            "the name must consist of letters, digits, '-', '_' or '.', and must start and end with a letter or digit",
        ),
    }
}

/// A label's value; may be empty.
///
/// # Errors
/// What is wrong, as a clause.
pub fn label_value(text: &str) -> Result<(), &'static str> {
    if text.len() > LABEL_LENGTH {
        return Err("must be no more than 63 bytes");
    }
    if text.is_empty() || is_label_value(text) {
        return Ok(());
    }
    Err("must be empty or consist of letters, digits, '-', '_' or '.', and must start and end with a letter or digit")
}

/// One label of a DNS name, of any length.
pub(super) fn is_dns_label(text: &str) -> bool {
    framed(
        text,
        |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(),
        |byte| byte == b'-',
    )
}

/// Text that is valid as a label's value or as the name part of a qualified name, of any length above zero.
pub(super) fn is_label_value(text: &str) -> bool {
    framed(
        text,
        |byte| byte.is_ascii_alphanumeric(),
        |byte| matches!(byte, b'-' | b'_' | b'.'),
    )
}

/// Not empty, `outer` at both ends, `outer` or `inner` between.
pub(super) fn framed(text: &str, outer: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => outer(*only),
        [first, middle @ .., last] => {
            outer(*first) && outer(*last) && middle.iter().all(|byte| outer(*byte) || inner(*byte))
        }
    }
}
