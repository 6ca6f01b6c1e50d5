//! Fills an index from a cluster, by one list of each kind. What an account may not read is named and taken as absent; only
//! personas are required.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::all;
use crate::api::{ApplicationPersona, ClusterPersona, PersonaException};
use crate::index::{ClusterRules, Index, Namespace, StoredException, StoredPersona};
use crate::k8s::{CallError, Client, Decode, Resource, Skipped, list_each, list_each_in};

/// Lists personas, exceptions, namespaces and ClusterPersonas. An account that may not list personas in all namespaces reads
/// those of `namespace`. Returns a line for everything that could not be read.
///
/// # Errors
/// The personas cannot be read, or the API server does not answer.
pub async fn list(client: &Client, index: &Index, namespace: &str) -> Result<Vec<String>, CallError> {
    let mut notes = Vec::new();
    // Modes and levels first, so that nothing is judged less strictly than the platform requires.
    let namespaces: Vec<Arc<Namespace>> = optional(
        client,
        (&Resource::of::<core::Namespace>(), ""),
        "their modes count as unset",
        &mut notes,
    )
    .await?;
    let rules: Vec<Arc<ClusterRules>> = optional(
        client,
        (&Resource::of::<ClusterPersona>(), ""),
        "levels that the platform sets there are not applied",
        &mut notes,
    )
    .await?;
    let personas = Resource::of::<ApplicationPersona>();
    let (found, exceptions_in): (Vec<Arc<StoredPersona>>, _) = match listed(client, &personas, "", &mut notes).await {
        Err(error) if error.is_forbidden() => {
            notes.push(format!(
                "{}; only those of namespace {namespace} are read",
                missing(&personas, "")
            ));
            (listed(client, &personas, namespace, &mut notes).await?, namespace)
        }
        listed => (listed?, ""),
    };
    let exceptions: Vec<Arc<StoredException>> = optional(
        client,
        (&Resource::of::<PersonaException>(), exceptions_in),
        "none is applied",
        &mut notes,
    )
    .await?;
    index.namespaces(all(namespaces));
    index.cluster_rules(all(rules));
    index.deployments(all([]));
    index.personas(all(found));
    index.exceptions(all(exceptions));
    Ok(notes)
}

/// A kind that may be absent, or that the account may not read.
async fn optional<T: Decode>(
    client: &Client,
    (resource, namespace): (&Resource, &str),
    without: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<Arc<T>>, CallError> {
    match listed(client, resource, namespace, notes).await {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) if error.is_forbidden() => {
            notes.push(format!("{}; {without}", missing(resource, namespace)));
            Ok(Vec::new())
        }
        listed => listed,
    }
}

async fn listed<T: Decode>(
    client: &Client,
    resource: &Resource,
    namespace: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<Arc<T>>, CallError> {
    let mut objects = Vec::new();
    let add = |object: T| objects.push(Arc::new(object));
    let Skipped { count, example } = match namespace {
        "" => list_each(client, resource, add).await?,
        namespace => list_each_in(client, resource, namespace, add).await?,
    };
    if let Some(example) = example {
        notes.push(format!("{count} {} cannot be read, such as {example}", resource.plural));
    }
    Ok(objects)
}

/// The right that is missing.
fn missing(resource: &Resource, namespace: &str) -> String {
    let within = match namespace {
        "" => "in all namespaces".to_owned(),
        namespace => format!("in namespace {namespace}"),
    };
    let within = if resource.namespaced {
        format!(" {within}")
    } else {
        String::new()
    };
    let dot = if resource.group.is_empty() { "" } else { "." };
    format!("you may not list {}{dot}{}{within}", resource.plural, resource.group)
}
