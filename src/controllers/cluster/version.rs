//! Derives a version from the labels or the image of a pod (contract 9).

/// Where none can be derived.
const UNKNOWN: &str = "unknown";
/// From this length on, letters and digits that are all hexadecimal are a hash.
const HASH: usize = 12;

/// From the label `app.kubernetes.io/version`, the label `helm.sh/chart` (`NAME-VERSION`) or the tag of the image, in this
/// order.
pub(super) fn of(label: &str, chart: &str, image: &str) -> String {
    let found = Some(label)
        .filter(|label| !label.is_empty())
        .or_else(|| of_chart(chart))
        .or_else(|| of_tag(image));
    found.unwrap_or(UNKNOWN).to_owned()
}

/// The text after the first `-` that begins like a version, with a number and a dot: `v1.14.4` for `cert-manager-v1.14.4`.
fn of_chart(chart: &str) -> Option<&str> {
    let mut rests = chart.match_indices('-').map(|(at, _)| &chart[at + 1..]);
    rests.find(|rest| {
        let number = rest.strip_prefix('v').unwrap_or(rest);
        let after = number.trim_start_matches(|digit: char| digit.is_ascii_digit());
        after.len() < number.len() && after.starts_with('.')
    })
}

/// `1.2` for `registry:5000/team/app:1.2@sha256:…`.
fn of_tag(image: &str) -> Option<&str> {
    let without_digest = image.split('@').next().unwrap_or(image);
    let name = without_digest.rsplit('/').next().unwrap_or(without_digest);
    let (_, tag) = name.rsplit_once(':')?;
    (!tag.is_empty() && tag != "latest" && !is_hash(tag)).then_some(tag)
}

/// Whether it is a commit or a digest. A long decimal number is a date.
fn is_hash(tag: &str) -> bool {
    tag.len() >= HASH
        && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
        && tag.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests;
