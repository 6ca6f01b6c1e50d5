//! Fills an index from files.

use std::path::PathBuf;
use std::sync::Arc;

use super::all;
use crate::files::{Folder, FolderError, Loaded};
use crate::index::{ClusterRules, Index, Namespace, StoredException, StoredPersona};
use crate::policy::exception::ExceptionPhase;

/// Reads files and folders of personas as they are now, and fills the index. Returns what was read, for its problems and
/// warnings.
///
/// # Errors
/// A path cannot be read, or holds more than personas do.
pub fn read(paths: &[PathBuf], index: &Index) -> Result<Loaded, FolderError> {
    let loaded = Folder::of_paths(paths)?.reload();
    fill(index, loaded.clone());
    Ok(loaded)
}

/// Makes the index equal to the folders' content. Files hold no Deployments, so an empty list of them is final.
pub fn fill(index: &Index, loaded: Loaded) {
    let namespaces = loaded.namespaces.iter().map(|(name, mode)| {
        Arc::new(Namespace {
            name: name.as_str().into(),
            mode: mode.clone(),
            is_opted_in: true,
            terminating: false,
            uid: Box::default(),
        })
    });
    let personas = loaded.personas.into_iter().map(|served| {
        index.reuse_persona(StoredPersona {
            version: served.version,
            generation: 0,
            status: None,
            persona: served.persona,
        })
    });
    let cluster_rules = loaded.cluster_rules.into_iter().map(|(name, rules)| {
        Arc::new(ClusterRules {
            name: name.into(),
            rules: rules.into(),
        })
    });
    let exceptions = loaded.exceptions.into_iter().map(|exception| {
        Arc::new(StoredException {
            generation: 0,
            status: None,
            exception,
        })
    });
    // Modes and levels first, so that no persona is ever judged less strictly than its namespace and the platform request.
    index.namespaces(all(namespaces));
    index.cluster_rules(all(cluster_rules));
    index.deployments(all([]));
    index.personas(all(personas));
    index.exceptions(all(exceptions));
    warn_of_long_ones(index);
}

/// An exception that is too long covers nothing, and in a file no status says so.
fn warn_of_long_ones(index: &Index) {
    let (snapshot, now) = (index.load(), index.now());
    let max = snapshot.max_exception();
    for exception in snapshot.all_exceptions().map(|stored| &stored.exception) {
        if exception.phase(now, max) == ExceptionPhase::Invalid {
            tracing::warn!(
                namespace = &*exception.namespace,
                exception = &*exception.name,
                seconds = exception.length(),
                most = max.0,
                "A PersonaException is longer than --exception-max; it covers nothing"
            );
        }
    }
}
