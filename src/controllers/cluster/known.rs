//! Holds the nodes and ClusterPersonas that the watches deliver, and wakes the reconciler when they change.

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::Notify;

use super::node::SeenNode;
use crate::k8s::{Cache, Decode, Event, Name, Named, Unreadable, from_json};

/// A ClusterPersona, of which only its generation counts: our own writes of its status change nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Persona {
    name: String,
    uid: String,
    generation: i64,
}

#[derive(Deserialize)]
struct PersonaObject {
    metadata: PersonaMetadata,
}

#[derive(Deserialize)]
struct PersonaMetadata {
    name: String,
    uid: String,
    #[serde(default)]
    generation: i64,
}

impl Decode for Persona {
    fn decode(json: &str) -> Result<Persona, Unreadable> {
        let PersonaObject { metadata } = from_json(json)?;
        Ok(Persona {
            name: metadata.name,
            uid: metadata.uid,
            generation: metadata.generation,
        })
    }
}

impl Named for Persona {
    fn name(&self) -> Name {
        Name::cluster_wide(&self.name)
    }
}

impl Named for SeenNode {
    fn name(&self) -> Name {
        Name::cluster_wide(&self.node.name)
    }
}

/// Written by the watches, read by the reconciler.
#[derive(Debug, Default)]
pub(super) struct Known {
    nodes: Cache<SeenNode>,
    personas: Cache<Persona>,
    nodes_changed: Notify,
    personas_changed: Notify,
}

impl Known {
    pub(super) fn node(&self, event: Event<SeenNode>) {
        if self.nodes.take(event) {
            self.nodes_changed.notify_one();
        }
    }

    pub(super) fn persona(&self, event: Event<Persona>) {
        if self.personas.take(event) {
            self.personas_changed.notify_one();
        }
    }

    /// Waits until a node has changed. Changes since the last wait count.
    pub(super) async fn nodes_changed(&self) {
        self.nodes_changed.notified().await;
    }

    /// Waits until a ClusterPersona is new or has another spec. A user waits for its
    /// status, so its delay is the shortest.
    pub(super) async fn personas_changed(&self) {
        self.personas_changed.notified().await;
    }

    /// All nodes by name; `None` before the first list.
    pub(super) fn nodes(&self) -> Option<Vec<Arc<SeenNode>>> {
        self.nodes.all()
    }

    /// The names of all ClusterPersonas; `None` before the first list, which fails as long as the kind does not exist.
    pub(super) fn personas(&self) -> Option<Vec<String>> {
        let personas = self.personas.all()?;
        Some(personas.iter().map(|persona| persona.name.clone()).collect())
    }
}

#[cfg(test)]
mod tests;
