//! Defines the result of reading the cluster once. A fact that could not be read is replaced by the reason.

use std::sync::Arc;

use super::addons::Finds;
use super::node::SeenNode;
use super::pod::Pod;
use super::resources::Used;
use crate::api::cluster_persona::status::Namespaces;
use crate::k8s::CallError;

/// How many nodes are listed one by one. Sums and readiness count all of them. An object in etcd has room for about twice as
/// many.
pub(super) const MAX_NODES: usize = 1000;

/// Why a fact could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Missing {
    /// The request failed.
    #[error("{0}")]
    Call(#[from] CallError),
    /// Its watch has failed for a while.
    #[error("{0}")]
    Watch(String),
    /// Its first list is not complete.
    #[error("the first list is not over")]
    FirstList,
    /// The index has not listed this kind yet.
    #[error("no list of kind {0} is over yet")]
    Unlisted(&'static str),
}

/// A fact, or why it could not be read.
pub(super) type Fact<T> = Result<T, Missing>;

/// The input of the derived status.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// By name.
    pub(super) nodes: Fact<Vec<Arc<SeenNode>>>,
    pub(super) pods: Fact<Tally>,
    /// `gitVersion` of the API server.
    pub(super) version: Fact<String>,
    pub(super) namespaces: Fact<Namespaces>,
    /// How many ApplicationPersonas there are.
    pub(super) applications: Fact<usize>,
}

impl Observed {
    /// Facts that could not be read, and why.
    pub(super) fn missing(&self) -> Vec<(&'static str, String)> {
        let facts = [
            ("nodes", self.nodes.as_ref().err()),
            ("pods", self.pods.as_ref().err()),
            ("version", self.version.as_ref().err()),
            ("namespaces", self.namespaces.as_ref().err()),
            ("applicationpersonas", self.applications.as_ref().err()),
        ];
        let missing = facts.into_iter();
        missing
            .filter_map(|(fact, reason)| Some((fact, reason?.to_string())))
            .collect()
    }
}

/// The sums over all pods. No single pod is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) used: Used,
    pub(super) addons: Finds,
}

impl Tally {
    pub(super) fn count(&mut self, pod: &Pod) {
        self.used.count(pod);
        self.addons.count(pod);
    }
}
