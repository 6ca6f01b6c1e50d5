//! Expands the merge keys (`<<`) of a map.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Content, Entry, Link, Node, Place, ReadError};

/// What stands behind a merge key.
pub(super) struct Merged {
    pub(super) key: Place,
    pub(super) source: Node,
}

/// Adds the entries of other maps that `<<` brings in. The map's own entries win; `lines` has their
/// keys.
pub(super) fn merge(
    mut entries: Vec<Entry>,
    mut lines: HashMap<String, usize>,
    merged: Vec<Merged>,
) -> Result<Vec<Entry>, ReadError> {
    lines.remove("<<");
    let sources = merged.into_iter().flat_map(|Merged { key, source }| {
        let sources = match source.content {
            Content::List(nodes) => nodes,
            _ => vec![source],
        };
        sources.into_iter().map(move |source| (key, source))
    });
    for (key, source) in sources {
        let Content::Map(others) = source.content else {
            return Err(ReadError {
                line: source.place.line(),
                reason: "'<<' takes a map or a list of maps".to_owned(),
            });
        };
        let anchor = match source.link.as_deref() {
            Some(Link::Alias { anchor, .. }) => Some(*anchor),
            _ => None,
        };
        let link = Arc::new(Link::Merge { key, anchor });
        for mut entry in others {
            if lines.insert(entry.key.clone(), entry.place.line()).is_none() {
                entry.value.link = Some(Arc::clone(&link));
                entries.push(entry);
            }
        }
    }
    Ok(entries)
}
