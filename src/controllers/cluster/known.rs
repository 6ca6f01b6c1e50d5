//! What the watches of nodes and ClusterPersonas have brought, and a word for whoever waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokio::sync::Notify;

use super::node::SeenNode;
use crate::k8s::{Decode, Event, Name, Unreadable, from_json};

/// A ClusterPersona, of which only its spec's edition is looked at: our own writes of its status are no news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Persona {
    name: String,
    uid: String,
    generation: i64,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    uid: String,
    #[serde(default)]
    generation: i64,
}

impl Decode for Persona {
    fn decode(json: &str) -> Result<Persona, Unreadable> {
        let Object { metadata } = from_json(json)?;
        Ok(Persona {
            name: metadata.name,
            uid: metadata.uid,
            generation: metadata.generation,
        })
    }
}

/// An entry by the name of its object.
trait Named {
    fn name(&self) -> &str;
}

impl Named for Persona {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for SeenNode {
    fn name(&self) -> &str {
        &self.node.name
    }
}

/// All objects of a kind by name; none before the first list.
type Objects<T> = Option<BTreeMap<String, Arc<T>>>;

/// Filled by the watches, read by the reconciler.
#[derive(Debug, Default)]
pub(super) struct Known {
    nodes: Mutex<Objects<SeenNode>>,
    personas: Mutex<Objects<Persona>>,
    news: Notify,
    asked: Notify,
}

impl Known {
    pub(super) fn node(&self, event: Event<SeenNode>) {
        if take(&mut locked(&self.nodes), event) {
            self.news.notify_one();
        }
    }

    pub(super) fn persona(&self, event: Event<Persona>) {
        if take(&mut locked(&self.personas), event) {
            self.asked.notify_one();
        }
    }

    /// Waits until some node is different from before; what came while nobody waited counts.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Waits until some ClusterPersona is new or has another spec: somebody waits to see it told.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// All nodes by name; none before the first list.
    pub(super) fn nodes(&self) -> Option<Vec<Arc<SeenNode>>> {
        let nodes = locked(&self.nodes);
        nodes.as_ref().map(|nodes| nodes.values().cloned().collect())
    }

    /// The names of all ClusterPersonas; none before the first list, which does not come before there is such a kind.
    pub(super) fn personas(&self) -> Option<Vec<String>> {
        let personas = locked(&self.personas);
        personas.as_ref().map(|personas| personas.keys().cloned().collect())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes up an event; whether anything that is kept is different now.
fn take<T: Named + PartialEq>(all: &mut Objects<T>, event: Event<T>) -> bool {
    match event {
        Event::Applied(object) => {
            let before = all.get_or_insert_default().get(object.name());
            if before.is_some_and(|before| **before == object) {
                return false;
            }
            let name = object.name().to_owned();
            all.get_or_insert_default().insert(name, Arc::new(object));
            true
        }
        Event::Deleted(Name { name, .. }) => all.get_or_insert_default().remove(&name).is_some(),
        Event::Listed { objects, unreadable } => {
            // Even an empty first list is news: now it is known that there is nothing.
            let mut news = all.is_none();
            let mut before = all.take().unwrap_or_default();
            // One that cannot be read now stays as it was when it could be.
            let kept = unreadable
                .into_iter()
                .filter_map(|Name { name, .. }| Some((name.clone(), before.get(&name).cloned()?)));
            let mut next: BTreeMap<_, _> = kept.collect();
            for object in objects {
                let (name, there) = (object.name().to_owned(), before.remove(object.name()));
                let same = there.filter(|there| **there == object);
                news |= same.is_none();
                next.insert(name, same.unwrap_or_else(|| Arc::new(object)));
            }
            news |= before.keys().any(|name| !next.contains_key(name));
            *all = Some(next);
            news
        }
    }
}

#[cfg(test)]
mod tests;
