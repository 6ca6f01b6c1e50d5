//! The status of one object: written by us alone, and only when something other than a timestamp is different.

use kube::Client;
use kube::api::{Patch, PatchParams, Request};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::object::{CallError, apply, call, read};
use super::resource::Resource;
use super::seen::Name;

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

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is no such object any more.
    Gone,
    /// Nothing but timestamps would have changed; nothing was sent.
    Unchanged,
    /// It was written.
    Written,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    api_version: String,
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    #[serde(default)]
    generation: i64,
}

/// Reads the object, asks `derive` for the whole status that it should have, and applies that as `manager`, unless the
/// two differ in nothing but the keys named in `clocks`, at whatever depth. What `derive` leaves out goes, whoever wrote
/// it.
///
/// # Errors
/// See [`CallError`]; nothing is written then, and it is worth trying again.
pub async fn write_if_changed(
    client: &Client,
    resource: Resource,
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
    let wanted = derive(&current);
    if timeless(&wanted, clocks) == timeless(&current.status, clocks) {
        return Ok(Outcome::Unchanged);
    }
    let mut identity = Map::from_iter([("name".to_owned(), Value::from(name.name.as_str()))]);
    if !name.namespace.is_empty() {
        identity.insert("namespace".to_owned(), Value::from(name.namespace.as_str()));
    }
    // The uid makes it fail, instead of creating, when the object was deleted meanwhile; also when it came back.
    identity.insert("uid".to_owned(), Value::from(current.uid.as_str()));
    let object = json!({"apiVersion": api_version, "kind": kind, "metadata": identity, "status": wanted});
    let applied = match apply(client, resource, name, Some("status"), manager, &object).await {
        Ok(applied) => applied,
        Err(error) if error.is_not_found() => return Ok(Outcome::Gone),
        Err(error) => return Err(error),
    };
    if let Some(leftovers) = leftovers(&applied["status"], &wanted) {
        let metadata = json!({"resourceVersion": applied["metadata"]["resourceVersion"]});
        let patch = Patch::Merge(json!({"metadata": metadata, "status": leftovers}));
        let params = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        let requests = Request::new(resource.collection(&name.namespace));
        let request = requests.patch_subresource("status", &name.name, &params, &patch);
        let _: Value = call(client, request).await?;
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

/// The merge patch that takes away what `there` has beyond `wanted`; none when there is nothing.
///
/// An apply removes nothing but what its own manager once applied, and alone: what another one wrote (the Go operator, by
/// PUT) stays. It cannot be made ours first, since an API server takes no `managedFields` from a request for a subresource,
/// and for the object itself we have no rights. To take fields away makes no one their owner.
fn leftovers(there: &Value, wanted: &Value) -> Option<Value> {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => {
            let mut patch = Map::new();
            for (key, value) in there {
                let leftovers = match wanted.get(key) {
                    None => Some(Value::Null),
                    Some(wanted) => leftovers(value, wanted),
                };
                patch.extend(leftovers.map(|leftovers| (key.clone(), leftovers)));
            }
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        // A merge patch knows lists only as a whole.
        (Value::Array(there), Value::Array(wanted)) => {
            let more = there.len() != wanted.len()
                || there
                    .iter()
                    .zip(wanted)
                    .any(|(there, wanted)| leftovers(there, wanted).is_some());
            more.then(|| Value::Array(wanted.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
