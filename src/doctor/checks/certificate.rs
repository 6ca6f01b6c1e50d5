//! Checks the Secret, the dates and names of its certificate, the caBundle, and whether the caBundle trusts the certificate.
//! What pods serve at this moment is not examined.

use jiff::SignedDuration;

use super::{Entry, View};
use crate::certificates::{Offered, authorities};
use crate::doctor::commands::word;
use crate::doctor::facts::{Fetched, SecretFacts};
use crate::doctor::finding::{Finding, NotOk, Outcome, skip};

/// Renewal is due when a third of the lifetime is left (ours is dated back, so a bit less than a quarter). A fifth means that
/// it did not happen.
const LATE: i32 = 5;
/// For long-lived certificates that are renewed by hand.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(super) fn secret(view: &View<'_>) -> Outcome {
    view.webhook_is_wanted()?;
    let Some(name) = &view.setup.secret else {
        return skip("the certificate lies in files of the pods (--webhook-cert-path)");
    };
    let namespace = &view.setup.namespace;
    view.unless_uninstalled(&view.facts.secret)?;
    let held = view.facts.secret.or_found(|| {
        Finding::fail(
            format!("Secret {namespace}/{name} does not exist"),
            "the holder of the Lease makes it, or cert-manager does; until then pods that start have no certificate",
            view.logs(),
        )
    })?;
    match &held.inspected.offered {
        Ok(offered) => Ok(format!(
            "{name} holds a certificate and its key, serial {}, {}",
            offered.facts.serial,
            kept_by(held)
        )),
        Err(reason) => Err(Finding::fail(
            format!("Secret {namespace}/{name} is unusable: {reason}"),
            format!("{}; the pods go on with what they had", kept_by(held)),
            another(view, held, name),
        )
        .into()),
    }
}

pub(super) fn certificate(view: &View<'_>) -> Outcome {
    let (held, offered, name) = offered(view)?;
    let (now, facts) = (view.facts.now, &offered.facts);
    let cure = || renewed(view, held, name);
    if now > facts.not_after {
        return Err(Finding::fail(
            format!(
                "expired {} ago, at {}",
                ago(now.duration_since(facts.not_after)),
                facts.not_after
            ),
            format!("it was not renewed; {}", kept_by(held)),
            cure(),
        )
        .into());
    }
    if now < facts.not_before {
        return Err(Finding::fail(
            format!("not valid before {}", facts.not_before),
            "the clock of its maker is ahead of the API server's",
            cure(),
        )
        .into());
    }
    if let Ok(entry) = view.entry()
        && let Err(reason) = offered.is_for(&server_name(view, &entry))
    {
        return Err(Finding::fail(
            reason.to_string(),
            format!("API servers call by that name and accept no other; {}", kept_by(held)),
            cure(),
        )
        .into());
    }
    let (left, life) = (
        facts.not_after.duration_since(now),
        facts.not_after.duration_since(facts.not_before),
    );
    if left < (life / LATE).min(SOON) {
        return Err(Finding::warn(
            format!("expires in {}, at {}", ago(left), facts.not_after),
            format!("it should have been renewed by now; {}", kept_by(held)),
            cure(),
        )
        .into());
    }
    Ok(format!("valid for {} more", ago(left)))
}

pub(super) fn ca_bundle(view: &View<'_>) -> Outcome {
    let entry = view.entry()?;
    let bundle = bundle(&entry);
    if bundle.is_empty() && view.setup.secret.is_none() && entry.webhook.client_config.url.is_some() {
        return Ok("empty: API servers trust what their machine trusts".to_owned());
    }
    let trusted = authorities(bundle);
    let cause = "the holder of the Lease, or cert-manager, writes it; where it stays so, the pods' log says why";
    if bundle.is_empty() && view.setup.secret.is_some() && matches!(view.facts.secret, Fetched::Absent) {
        return skip("there is no Secret that its CA could come from");
    }
    if bundle.is_empty() {
        return Err(Finding::fail(
            "caBundle is empty, so API servers trust no certificate there",
            cause,
            copied(view, &entry),
        )
        .into());
    }
    if trusted.is_empty() {
        return Err(Finding::fail("caBundle holds no certificate", cause, copied(view, &entry)).into());
    }
    let now = view.facts.now;
    let valid = trusted
        .iter()
        .filter(|ca| ca.not_before <= now && now <= ca.not_after)
        .count();
    if valid == 0 {
        return Err(Finding::fail("no CA in the caBundle is valid now", cause, copied(view, &entry)).into());
    }
    Ok(format!("{valid} of {} CAs in it are valid", trusted.len()))
}

pub(super) fn ca_trust(view: &View<'_>) -> Outcome {
    let (held, offered, _) = offered(view)?;
    let entry = view.entry()?;
    let bundle = bundle(&entry);
    if authorities(bundle).is_empty() {
        return skip("the caBundle is empty");
    }
    let name = server_name(view, &entry);
    if offered.is_for(&name).is_err() {
        return skip("the certificate is for another name");
    }
    // Another check covers its dates.
    let facts = &offered.facts;
    let at = view.facts.now.clamp(facts.not_before, facts.not_after);
    match offered.is_trusted(bundle, &name, at) {
        Ok(()) => Ok(format!("API servers accept the certificate for {name}")),
        Err(reason) => Err(Finding::fail(
            format!("API servers refuse the certificate: {reason}"),
            format!("caBundle and Secret are not of one CA; {}", kept_by(held)),
            copied(view, &entry),
        )
        .into()),
    }
}

/// The certificate to check.
fn offered<'a>(view: &'a View<'_>) -> Result<(&'a SecretFacts, &'a Offered, &'a str), NotOk> {
    view.webhook_is_wanted()?;
    let Some(name) = &view.setup.secret else {
        return skip("the certificate lies in files of the pods (--webhook-cert-path)");
    };
    let held = view.facts.secret.needed("there is no Secret")?;
    match &held.inspected.offered {
        Ok(offered) => Ok((held, offered, name)),
        Err(_) => skip("the Secret holds no certificate that can be used"),
    }
}

fn bundle<'a>(entry: &'a Entry<'_>) -> &'a [u8] {
    let bundle = entry.webhook.client_config.ca_bundle.as_ref();
    bundle.map(|bundle| bundle.0.as_slice()).unwrap_or_default()
}

/// The name that a certificate must be valid for, as kube-apiserver builds it. Another check covers a call to a wrong Service.
fn server_name(view: &View<'_>, entry: &Entry<'_>) -> String {
    let called = &entry.webhook.client_config;
    if called.service.is_some() {
        return format!("{}.{}.svc", view.setup.service, view.setup.namespace);
    }
    let url = called.url.as_deref().and_then(|url| url.parse::<http::Uri>().ok());
    let host = url.as_ref().and_then(http::Uri::host).unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

fn kept_by(held: &SecretFacts) -> &'static str {
    match (held.inspected.ours, held.by_cert_manager) {
        (true, _) => "kept by the holder of the Lease",
        (false, true) => "kept by cert-manager",
        (false, false) => "kept by the maker of the Secret",
    }
}

/// Commands that renew a certificate.
fn renewed(view: &View<'_>, held: &SecretFacts, name: &str) -> String {
    if held.inspected.ours {
        let rest = format!("annotate secret {} dorgu.io/rotate=leaf --overwrite", word(name));
        return view.commands.kubectl_in(&view.setup.namespace, rest);
    }
    another(view, held, name)
}

/// Commands that write the Secret again.
fn another(view: &View<'_>, held: &SecretFacts, name: &str) -> String {
    let namespace = &view.setup.namespace;
    let made_here = held.inspected.ours || *name == view.setup.installation().webhook_secret();
    if made_here || held.by_cert_manager {
        // Its writer creates it again.
        return view
            .commands
            .kubectl_in(namespace, format_args!("delete secret {}", word(name)));
    }
    let create = view.commands.kubectl_in(
        namespace,
        format_args!(
            "create secret generic {} --type=kubernetes.io/tls --from-file=tls.crt --from-file=tls.key \
             --from-file=ca.crt --dry-run=client --output=yaml",
            word(name)
        ),
    );
    format!("{create} | {}", view.commands.kubectl("apply -f -"))
}

/// Commands that copy the Secret's CA into the caBundle.
fn copied(view: &View<'_>, entry: &Entry<'_>) -> String {
    let Some(secret) = &view.setup.secret else {
        return view.commands.kubectl(format_args!(
            "edit validatingwebhookconfiguration {}   # caBundle: your CA in base64",
            word(&view.setup.configuration)
        ));
    };
    let ca = view.commands.kubectl_in(
        &view.setup.namespace,
        format_args!(r"get secret {} --output=jsonpath='{{.data.ca\.crt}}'", word(secret)),
    );
    let at = entry.at;
    view.commands.kubectl(format_args!(
        r#"patch validatingwebhookconfiguration {} --type=json --patch='[{{"op":"add","path":"/webhooks/{at}/clientConfig/caBundle","value":"'"$({ca})"'"}}]'"#,
        word(&view.setup.configuration)
    ))
}

/// In the largest unit that is precise enough.
fn ago(span: SignedDuration) -> String {
    let seconds = span.unsigned_abs().as_secs();
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const THREE_DAYS: u64 = 3 * DAY;
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..THREE_DAYS => format!("{} h", seconds / HOUR),
        _ => format!("{} days", seconds / DAY),
    }
}
