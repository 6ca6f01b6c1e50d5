//! Checks that the process runs, that a replica holds the Lease, and that the account has its rights.

use jiff::SignedDuration;

use super::View;
use crate::doctor::commands::word;
use crate::doctor::finding::{Finding, Outcome, skip};
use crate::doctor::rights::Listed;

/// `leaseDurationSeconds`, where the Lease has none.
const LEASE: i32 = 15;

pub(super) fn deployment(view: &View<'_>) -> Outcome {
    let (namespace, name) = (&view.setup.namespace, &view.setup.name);
    let deployment = view.facts.deployment.or_found(|| {
        Finding::fail(
            format!("Deployment {namespace}/{name} does not exist"),
            "dorgu is not installed, or under another name or in another namespace (--name, --namespace)",
            view.commands
                .kubectl("get deployments --all-namespaces --selector app.kubernetes.io/name=dorgu-operator"),
        )
    })?;
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let available = status.available_replicas.unwrap_or(0);
    let pods = || {
        let selector = deployment.spec.as_ref().map(|spec| &spec.selector);
        let labels = selector
            .and_then(|selector| selector.match_labels.clone())
            .unwrap_or_default();
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        view.commands.kubectl_in(
            namespace,
            format_args!("describe pods --selector {}", word(&labels.join(","))),
        )
    };
    if wanted == 0 {
        return Err(Finding::fail(
            format!("Deployment {namespace}/{name} is scaled to 0"),
            "somebody or something has switched it off, and no Deployment is checked",
            view.commands.kubectl_in(
                namespace,
                format_args!(
                    "scale deployment {} --replicas={}",
                    word(name),
                    view.setup.installation().replicas
                ),
            ),
        )
        .into());
    }
    if available == 0 {
        return Err(Finding::fail(
            format!("Deployment {namespace}/{name} has no available pod of {wanted}"),
            "its pods do not start or do not become ready; their events and their log say why",
            pods(),
        )
        .into());
    }
    let updated = status.updated_replicas.unwrap_or(0);
    if available < wanted || updated < wanted {
        return Err(Finding::warn(
            format!(
                "Deployment {namespace}/{name}: of {wanted} pods {available} are available and {updated} up to date"
            ),
            "a roll-out is under way, or is stuck",
            pods(),
        )
        .into());
    }
    Ok(format!("{available} of {wanted} pods are available"))
}

pub(super) fn lease(view: &View<'_>) -> Outcome {
    if !view.setup.elects {
        return skip("the Deployment runs without --leader-elect, so every pod of it writes");
    }
    view.facts.deployment.needed("there is no Deployment")?;
    let cause = "no pod writes: statuses stand still, and certificates are not renewed; the pods' log says why";
    let sample = view
        .facts
        .lease
        .or_found(|| Finding::fail("there is no Lease", cause, view.logs()))?;
    let holder = sample.spec.holder_identity.as_deref().unwrap_or_default();
    if holder.is_empty() {
        return Err(Finding::fail("no process holds the Lease", cause, view.logs()).into());
    }
    let lasts = SignedDuration::from_secs(sample.spec.lease_duration_seconds.unwrap_or(LEASE).into());
    let age = sample
        .spec
        .renew_time
        .as_ref()
        .map(|renewed| sample.at.duration_since(renewed.0));
    let alive = sample.renewed_meanwhile || age.is_some_and(|age| age.abs() <= lasts);
    if !alive {
        let age = age.map_or_else(|| "ever".to_owned(), |age| format!("for {} s", age.as_secs()));
        return Err(Finding::fail(
            format!("{holder} holds the Lease and has not renewed it {age}"),
            cause,
            view.logs(),
        )
        .into());
    }
    Ok(format!("held by {holder}"))
}

pub(super) fn rights(view: &View<'_>) -> Outcome {
    view.facts
        .deployment
        .needed("there is no Deployment, so its account is unknown")?;
    let (namespace, account) = (&view.setup.namespace, &view.setup.account);
    let missing = view.facts.missing_rights.needed("the API server was not asked")?;
    if missing.is_empty() {
        return Ok(format!(
            "ServiceAccount {namespace}/{account} may do all that the process does"
        ));
    }
    Err(Finding::fail(
        format!("ServiceAccount {namespace}/{account} may not {}", Listed(missing)),
        "a role or a binding is missing or was changed",
        view.install_again(),
    )
    .into())
}
