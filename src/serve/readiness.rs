//! Decides whether a replica is ready (`/readyz`). It is ready when every kind was listed, or the folders were read, when no
//! check of a part fails, and when no drain has begun. The reasons come from the owners: `cluster` for kinds,
//! `certificates::checks` for certificates, which `certificate::part` passes here as `of_parts`.

use std::sync::Arc;

use super::Feed;
use crate::index::{Index, Kind};
use crate::server::admin::Checks;
use crate::server::drain::Drain;

/// The checks of `/readyz`, those of the parts included.
pub(super) fn checks(index: &Arc<Index>, feed: &Feed, of_parts: Vec<Checks>, draining: Drain) -> Checks {
    let checks = Checks::new();
    let filled = match feed {
        Feed::Files { .. } => {
            let index = Arc::clone(index);
            checks.with("personas", move || {
                if index.is_synced() {
                    Ok(())
                } else {
                    Err("the persona folders were not read yet".to_owned())
                }
            })
        }
        Feed::Cluster {
            watches, leadership, ..
        } => {
            let names = [
                ("personas", Kind::Persona),
                ("namespaces", Kind::Namespace),
                ("deployments", Kind::Deployment),
                ("cluster-personas", Kind::ClusterPersona),
            ];
            let synced = names.into_iter().fold(checks, |checks, (name, kind)| {
                let (index, watches) = (Arc::clone(index), watches.clone());
                checks.with_note(name, move || watches.readiness(kind, &index))
            });
            // None of these is ever a failure: a replica that does not lead answers as well.
            let holder = leadership.clone();
            let led = synced.with_note("lease", move || Ok(holder.note()));
            let notes = watches.notes(leadership);
            notes.fold(led, |checks, (name, note)| checks.with_note(name, move || Ok(note())))
        }
    };
    let all = of_parts.into_iter().fold(filled, Checks::and);
    all.with("not-draining", move || {
        if draining.is_draining() {
            Err("shutting down".to_owned())
        } else {
            Ok(())
        }
    })
}
