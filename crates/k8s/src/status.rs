//! Writes the status of one object, and only when the new status differs from the stored one in more than timestamps. Fields
//! that the new status lacks are removed, whichever writer set them.

use kube::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{CallError, catch_panic};
use super::object::{apply, merge, read};
use super::resource::{Name, Resource};

/// An object as it is stored.
#[derive(Clone, Debug)]
pub struct Current {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation`: counts changes of the spec.
    pub generation: i64,
    /// `status`; null when there is none.
    pub status: Value,
}

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The object does not exist any more.
    Gone,
    /// Only timestamps differ, or the caller may not write any more, so nothing was sent.
    Unchanged,
    /// It was written.
    Written,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    api_version: String,
    kind: String,
    metadata: StoredMetadata,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
struct StoredMetadata {
    uid: String,
    #[serde(default)]
    generation: i64,
}

/// Reads the object, calls `derive` for the whole status that it should have, and applies that as `manager`. It sends nothing
/// when the two differ only in the keys named in `clocks`, at whatever depth.
///
/// What `derive` leaves out is removed, whichever writer set it. An apply removes only what its own manager once applied, so
/// what another writer left (the Go operator, by PUT) is removed after it.
///
/// # Errors
/// See [`CallError`]. Nothing is written then, and a retry is useful.
pub async fn write_if_changed(
    client: &Client,
    resource: &Resource,
    name: &Name,
    manager: &str,
    clocks: &[&str],
    derive: impl FnOnce(&Current) -> Value,
) -> Result<Outcome, CallError> {
    let Some(stored) = read::<Stored>(client, resource, name).await? else {
        return Ok(Outcome::Gone);
    };
    let Stored {
        api_version,
        kind,
        metadata,
        status,
    } = stored;
    let current = Current {
        uid: metadata.uid,
        generation: metadata.generation,
        status,
    };
    let wanted = catch_panic(|| derive(&current))?;
    if timeless(&wanted, clocks) == timeless(&current.status, clocks) {
        return Ok(Outcome::Unchanged);
    }
    let mut identity = Map::from_iter([("name".to_owned(), Value::from(name.name.as_str()))]);
    if !name.namespace.is_empty() {
        identity.insert("namespace".to_owned(), Value::from(name.namespace.as_str()));
    }
    // With the uid, the request fails instead of creating the object when it was deleted in the meantime; also when it was
    // created again.
    identity.insert("uid".to_owned(), Value::from(current.uid.as_str()));
    let object = json!({"apiVersion": api_version, "kind": kind, "metadata": identity, "status": wanted});
    let written = match apply(client, resource, name, Some("status"), manager, &object).await {
        Ok(written) => written,
        Err(error) if error.is_not_found() => return Ok(Outcome::Gone),
        Err(error) => return Err(error),
    };
    // managedFields cannot be used for this: an API server accepts those only in a request for the object itself, which we may
    // not write.
    if let Some(rest) = leftovers(&written["status"], &wanted) {
        let version = &written["metadata"]["resourceVersion"];
        let patch = json!({"metadata": {"resourceVersion": version}, "status": rest});
        merge(client, resource, name, Some("status"), manager, &patch).await?;
    }
    Ok(Outcome::Written)
}

/// Without the keys named in `clocks`.
fn timeless(value: &Value, clocks: &[&str]) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !clocks.contains(&key.as_str()));
            Value::Object(
                kept.map(|(key, value)| (key.clone(), timeless(value, clocks)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| timeless(item, clocks)).collect()),
        other => other.clone(),
    }
}

/// The merge patch that removes from `stored` what is not in `wanted`; `None` when there is nothing.
fn leftovers(stored: &Value, wanted: &Value) -> Option<Value> {
    let (Value::Object(stored), Value::Object(wanted)) = (stored, wanted) else {
        return None;
    };
    let mut patch = Map::new();
    for (key, value) in stored {
        let rest = match (value, wanted.get(key)) {
            (_, None | Some(Value::Null)) => Some(Value::Null),
            // A merge patch replaces lists only as a whole.
            (Value::Array(there), Some(Value::Array(items))) => {
                (there.len() > items.len()).then(|| Value::Array(items.clone()))
            }
            (value, Some(wanted)) => leftovers(value, wanted),
        };
        if let Some(rest) = rest {
            patch.insert(key.clone(), rest);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests;
