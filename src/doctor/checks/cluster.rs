//! Checks that the API server is recent enough, and that its clock and ours agree.

use jiff::SignedDuration;

use super::View;
use crate::doctor::commands::word;
use crate::doctor::finding::{Finding, Outcome, skip, unless};

/// The oldest supported Kubernetes.
const MIN_VERSION: (u32, u32) = (1, 32);
/// Clocks kept by NTP differ by much less. Certificates tolerate much more.
const MAX_CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn api_server(view: &View<'_>) -> Outcome {
    let version = &view.facts.version;
    let Some(read) = minor(version) else {
        return Err(Finding::warn(
            format!("its version is {version:?}"),
            "that is not how Kubernetes writes a version, so it is unknown whether it is 1.32 or newer",
            view.commands.kubectl("version"),
        )
        .into());
    };
    if read < MIN_VERSION {
        return Err(Finding::fail(
            format!("Kubernetes {version}"),
            "before 1.32 the CustomResourceDefinitions lack selectable fields and updates of what was valid before",
            view.commands
                .kubectl("version   # then upgrade the control plane to 1.32 or newer"),
        )
        .into());
    }
    Ok(format!("Kubernetes {version}"))
}

/// `v1.33.1-gke.100` is (1, 33).
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split('.');
    let major = parts.next()?.parse().ok()?;
    let digits: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
    Some((major, digits.parse().ok()?))
}

pub(super) fn clock(view: &View<'_>) -> Outcome {
    let Some(ahead) = view.facts.ahead else {
        return skip("the API server does not tell the time");
    };
    let mut findings = Vec::new();
    if ahead.abs() > MAX_CLOCK_DIFFERENCE {
        findings.push(Finding::warn(
            format!("this machine's clock is {} the API server's", apart(ahead)),
            "one of the two is wrong; the API server's is the one by which certificates are valid or not",
            "timedatectl status   # here, and on the nodes of the control plane",
        ));
    }
    // Only from a holder that is alive: the times of a dead one are old, not wrong.
    let sample = view.facts.lease.here().filter(|sample| sample.renewed_meanwhile);
    let renewed = sample.and_then(|sample| Some((sample, sample.spec.renew_time.as_ref()?.0)));
    if let Some((sample, renewed)) = renewed {
        let ahead = renewed.duration_since(sample.at);
        if ahead.abs() > MAX_CLOCK_DIFFERENCE {
            let holder = sample.spec.holder_identity.as_deref().unwrap_or_default();
            let pod = holder.split('_').next().unwrap_or_default();
            findings.push(Finding::warn(
                format!(
                    "the clock of {holder}, which holds the Lease, is {} the API server's",
                    apart(ahead)
                ),
                "certificates are made by that clock; two days are borne, but its node keeps no time",
                view.commands.kubectl_in(
                    &view.setup.namespace,
                    format_args!(
                        "get pod {} --output wide   # then timedatectl status on its node",
                        word(pod)
                    ),
                ),
            ));
        }
    }
    unless(findings, "clocks agree to within half a minute")
}

fn apart(ahead: SignedDuration) -> String {
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    format!("{} s {direction}", ahead.abs().as_secs())
}
