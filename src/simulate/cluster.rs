//! Fills an index from lists of a cluster, each kind and namespace once.

use std::fmt;

use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};

use super::{Reach, all};
use crate::api::{ApplicationPersona, ClusterPersona, PersonaException};
use crate::index::{ClusterRules, Deployment, Index, Namespace, StoredException, StoredPersona};
use crate::k8s::{CallError, Client, Decode, Resource, list_each_in};

/// Why a list is missing.
#[derive(Debug, thiserror::Error)]
#[error("cannot list {plural}{place}: {error}")]
pub struct Missing {
    plural: String,
    place: Place,
    #[source]
    error: CallError,
}

impl Missing {
    /// Whether a right is missing.
    pub fn is_forbidden(&self) -> bool {
        self.error.is_forbidden()
    }
}

#[derive(Debug)]
struct Place(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => Ok(()),
            namespace => write!(f, " in namespace {namespace}"),
        }
    }
}

/// Lists what matters and fills the index. Returns a line for each kind that was taken as absent, and for objects that cannot be
/// read.
///
/// # Errors
/// ApplicationPersonas or Deployments cannot be listed, or the API server does not answer.
pub async fn fill_from_cluster(index: &Index, client: &Client, reach: &Reach) -> Result<Vec<String>, Missing> {
    let mut notes = Vec::new();
    let (namespaces, platform): (Vec<&str>, Option<&str>) = match reach {
        Reach::All => (vec![""], None),
        Reach::In { namespaces, platform } => {
            let namespaces: Vec<&str> = namespaces.iter().map(String::as_str).collect();
            let platform = platform.as_deref().filter(|platform| !namespaces.contains(platform));
            (namespaces, platform)
        }
    };
    let mut lister = Lister {
        client,
        notes: &mut notes,
    };
    let of_cluster = lister
        .optional::<Namespace>(&Resource::of::<core::Namespace>(), &[""])
        .await?;
    index.namespaces(all(of_cluster));
    let rules = lister
        .optional::<ClusterRules>(&Resource::of::<ClusterPersona>(), &[""])
        .await?;
    index.cluster_rules(all(rules));
    let exceptions = Resource::of::<PersonaException>();
    let exceptions = lister.optional::<StoredException>(&exceptions, &namespaces).await?;
    index.exceptions(all(exceptions));
    let deployments = Resource::of::<apps::Deployment>();
    let deployments = lister.needed::<Deployment>(&deployments, &namespaces).await?;
    index.deployments(all(deployments));
    let governing: Vec<&str> = namespaces.iter().copied().chain(platform).collect();
    let personas = Resource::of::<ApplicationPersona>();
    let personas = lister.needed::<StoredPersona>(&personas, &governing).await?;
    index.personas(all(personas));
    Ok(notes)
}

struct Lister<'l> {
    client: &'l Client,
    notes: &'l mut Vec<String>,
}

impl Lister<'_> {
    /// The objects of these namespaces.
    async fn needed<T: Decode>(&mut self, resource: &Resource, namespaces: &[&str]) -> Result<Vec<T>, Missing> {
        let mut objects = Vec::new();
        for namespace in namespaces {
            let listed = list_each_in(self.client, resource, namespace, |object| objects.push(object)).await;
            let skipped = listed.map_err(|error| Missing {
                plural: resource.plural.to_string(),
                place: Place((*namespace).to_owned()),
                error,
            })?;
            if let Some(example) = skipped.example {
                let (count, plural) = (skipped.count, &resource.plural);
                self.notes.push(format!(
                    "{count} {plural} cannot be read and were left out, such as {example}"
                ));
            }
        }
        Ok(objects)
    }

    /// The same for a kind that may be absent or unreadable to this account.
    async fn optional<T: Decode>(&mut self, resource: &Resource, namespaces: &[&str]) -> Result<Vec<T>, Missing> {
        match self.needed(resource, namespaces).await {
            Err(missing) if missing.error.is_forbidden() || missing.error.is_not_found() => {
                self.notes.push(format!("{missing}; taken as absent"));
                Ok(Vec::new())
            }
            listed => listed,
        }
    }
}
