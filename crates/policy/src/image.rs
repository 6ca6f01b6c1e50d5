//! Reads references to container images as a kubelet and a container runtime read them, and the registries that a persona allows.
//!
//! The grammar and the defaults are those of `github.com/distribution/reference`, with which kubelets and container runtimes read
//! them; `tests/it/images.rs` compares the two. ARCHITECTURE.md says why no public crate is used.

mod registries;

pub use registries::Registries;

/// The registry of images that name none.
const DOCKER_HUB: &str = "docker.io";
/// Its former name, by which images still name it.
const DOCKER_HUB_BEFORE: &str = "index.docker.io";
/// The namespace of its images that have none.
const OFFICIAL: &str = "library";
/// The tag that a runtime pulls where there is neither a tag nor a digest.
const LATEST: &str = "latest";

/// Longest reference that is read. The parts that a runtime limits have 255, 128 and 135 bytes, and a host has 253.
const MAX_REFERENCE: usize = 1_024;
/// Longest repository.
const MAX_REPOSITORY: usize = 255;
/// Longest tag.
const MAX_TAG: usize = 128;

/// A reference to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    name: Name<'a>,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

/// A registry, and a repository or a namespace in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name<'a> {
    /// With its port, if any.
    host: &'a str,
    /// Whether the namespace of official images precedes the path.
    is_official: bool,
    /// Empty for the whole registry.
    path: &'a str,
}

impl<'a> Reference<'a> {
    /// Reads a reference; `None` for one that no kubelet reads.
    pub fn parse(text: &'a str) -> Option<Reference<'a>> {
        if text.len() > MAX_REFERENCE || is_identifier(text) {
            return None;
        }
        let (host, rest) = match text.split_once('/') {
            Some((first, rest)) if is_host(first) => (first, rest),
            _ => (DOCKER_HUB, text),
        };
        let host = if host == DOCKER_HUB_BEFORE { DOCKER_HUB } else { host };
        let (named, digest) = match rest.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (rest, None),
        };
        let (path, tag) = match named.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (named, None),
        };
        let name = Name {
            host,
            is_official: host == DOCKER_HUB && !rest.contains('/'),
            path,
        };
        // A first part that no domain name has, such as `a_b.c`, is asked for as a host all the same, and measured as a path.
        let host_in_path = match is_valid_host(host) {
            true => Some(0),
            false => is_valid_path(host).then_some(host.len() + 1),
        };
        let is_valid = host_in_path.is_some_and(|length| length + name.repository_length() <= MAX_REPOSITORY)
            && is_valid_path(path)
            && tag.is_none_or(is_valid_tag)
            && digest.is_none_or(is_valid_digest);
        is_valid.then_some(Reference { name, tag, digest })
    }

    /// Whether a runtime pulls the tag `latest`. A digest has precedence over a tag.
    pub fn is_latest(&self) -> bool {
        self.digest.is_none() && self.tag.is_none_or(|tag| tag == LATEST)
    }

    /// The tag, where there is one.
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }

    /// The digest, where there is one.
    pub fn digest(&self) -> Option<&'a str> {
        self.digest
    }

    /// Registry and repository in full, such as `docker.io/library/nginx`.
    pub fn name(&self) -> String {
        self.name.bytes().map(char::from).collect()
    }

    /// Whether both name the same repository of the same registry.
    pub fn is_same_repository(&self, other: &Reference<'_>) -> bool {
        self.name.bytes().eq(other.name.bytes())
    }
}

impl<'a> Name<'a> {
    /// The name in full. The case of a host does not matter.
    fn bytes(self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let official = if self.is_official { OFFICIAL } else { "" };
        let parts = [official, self.path].into_iter().filter(|part| !part.is_empty());
        let host = self.host.bytes().map(|byte| byte.to_ascii_lowercase());
        host.chain(parts.flat_map(|part| std::iter::once(b'/').chain(part.bytes())))
    }

    fn repository_length(self) -> usize {
        let official = if self.is_official { OFFICIAL.len() + 1 } else { 0 };
        official + self.path.len()
    }
}

/// Whether the first part of a name is a registry and no namespace of the default one. A namespace has no capital letters.
fn is_host(first: &str) -> bool {
    first == "localhost"
        || first
            .bytes()
            .any(|byte| matches!(byte, b'.' | b':') || byte.is_ascii_uppercase())
}

/// Whether the text has the form of an image ID. Such a text is rejected as a reference.
fn is_identifier(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(is_lower_hex)
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// A domain name, or an IPv6 address in brackets; then a port, if any.
fn is_valid_host(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (name, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, rest)) => {
            let is_address = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
            if address.is_empty() || !address.bytes().all(is_address) {
                return false;
            }
            (None, rest)
        }
        None => {
            let end = host.find(':').unwrap_or(host.len());
            let (name, port) = host.split_at(end);
            (Some(name), port)
        }
    };
    name.is_none_or(|name| name.split('.').all(is_label))
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// Parts in small letters and digits, with a period, one or two underscores or dashes between these.
fn is_valid_path(path: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        let is_separator = |run: &str| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
        let is_plain = part
            .bytes()
            .all(|byte| is_letter(byte) || matches!(byte, b'.' | b'_' | b'-'));
        let ends_well = |byte: Option<u8>| byte.is_some_and(is_letter);
        is_plain
            && ends_well(part.bytes().next())
            && ends_well(part.bytes().next_back())
            && part
                .split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
                .all(is_separator)
    };
    path.split('/').all(is_part)
}

fn is_valid_tag(tag: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !tag.is_empty() && tag.len() <= MAX_TAG && tag.bytes().all(is_inner) && !tag.starts_with(['.', '-'])
}

/// One of the digests that runtimes know, each of one length.
fn is_valid_digest(digest: &str) -> bool {
    let digits = match digest.split_once(':') {
        Some(("sha256", hex)) => (hex, 64),
        Some(("sha384", hex)) => (hex, 96),
        Some(("sha512", hex)) => (hex, 128),
        _ => return false,
    };
    let (hex, length) = digits;
    hex.len() == length && hex.bytes().all(is_lower_hex)
}

/// Whether an update keeps where an image is from: the same repository, or the same text where that cannot be read.
pub(super) fn is_from_the_same(before: &str, now: &str) -> bool {
    before == now
        || match (Reference::parse(before), Reference::parse(now)) {
            (Some(before), Some(now)) => before.is_same_repository(&now),
            _ => false,
        }
}

#[cfg(test)]
mod tests;
