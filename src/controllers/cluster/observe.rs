//! Reads the cluster once. Apart from the watches, this is the only file that reads what the status reports.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::known::Known;
use super::observed::{Fact, Missing, Observed, Tally};
use super::resources::number;
use crate::api::cluster_persona::status::Namespaces;
use crate::index::{Index, Kind};
use crate::k8s::{Client, Resource, WatchState, list_each, version};

/// For how long nodes count as known although their watch fails, so that a restart of the API server changes nothing.
const STALE_AFTER: Duration = Duration::from_secs(120);

/// Reads everything. What fails is part of the result.
pub(super) async fn observe(client: &Client, known: &Known, watch: &WatchState, index: &Index) -> Observed {
    let (pods, version) = tokio::join!(pods(client), version(client));
    Observed {
        nodes: match (known.nodes(), stale(watch)) {
            (_, Some(trouble)) => Err(Missing::Watch(trouble)),
            (None, None) => Err(Missing::FirstList),
            (Some(nodes), None) => Ok(nodes),
        },
        pods,
        version: version.map_err(Missing::from),
        namespaces: namespaces(index),
        applications: applications(index),
    }
}

/// Why the known nodes may be outdated.
fn stale(watch: &WatchState) -> Option<String> {
    let trouble = watch.trouble()?;
    let heard = watch.last_event();
    let age = heard.map(|heard| Timestamp::now().duration_since(heard).unsigned_abs());
    age.is_none_or(|age| age > STALE_AFTER).then_some(trouble)
}

/// One pass over all pods. Only the tally is kept.
async fn pods(client: &Client) -> Fact<Tally> {
    let mut tally = Tally::default();
    let passed = list_each(client, &Resource::of::<k8s_openapi::api::core::v1::Pod>(), |pod| {
        tally.count(&pod)
    })
    .await;
    let skipped = passed?;
    if let Some(example) = skipped.example {
        tracing::warn!(
            pods = skipped.count,
            ?example,
            "Cannot read some pods; they are counted nowhere"
        );
    }
    Ok(tally)
}

fn namespaces(index: &Index) -> Fact<Namespaces> {
    filled(index, Kind::Namespace)?;
    filled(index, Kind::Persona)?;
    let snapshot = index.load();
    let with_personas: BTreeSet<&str> = snapshot.personas().map(|stored| &*stored.persona.namespace).collect();
    let active = snapshot.namespaces().filter(|namespace| !namespace.terminating);
    Ok(Namespaces {
        total: number(snapshot.count(Kind::Namespace)),
        active: Some(number(active.count())),
        with_personas: Some(number(with_personas.len())),
    })
}

fn applications(index: &Index) -> Fact<usize> {
    filled(index, Kind::Persona)?;
    Ok(index.load().count(Kind::Persona))
}

fn filled(index: &Index, kind: Kind) -> Fact<()> {
    if index.has(kind) {
        Ok(())
    } else {
        Err(Missing::Unlisted(kind.as_str()))
    }
}
