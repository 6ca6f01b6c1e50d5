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
    resource_version: String,
    #[serde(default)]
    managed_fields: Vec<Value>,
}

/// Reads the object, asks `derive` for the whole status that it should have, and applies that as `manager`, unless the
/// two differ in nothing but the keys named in `clocks`, at whatever depth. What `derive` leaves out goes, whoever wrote
/// it: entries of other managers for the status are made ours first.
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
    if let Some(fields) = taken_over(&metadata.managed_fields, manager) {
        let patch = json!({"metadata": {"resourceVersion": metadata.resource_version, "managedFields": fields}});
        let request = Request::new(resource.collection(&name.namespace));
        let params = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        let request = request.patch_subresource("status", &name.name, &params, &Patch::Merge(&patch));
        let _: Value = call(client, request).await?;
    }
    let mut identity = Map::from_iter([("name".to_owned(), Value::from(name.name.as_str()))]);
    if !name.namespace.is_empty() {
        identity.insert("namespace".to_owned(), Value::from(name.namespace.as_str()));
    }
    // The uid makes it fail, instead of creating, when the object was deleted meanwhile; also when it came back.
    identity.insert("uid".to_owned(), Value::from(current.uid.as_str()));
    let object = json!({"apiVersion": api_version, "kind": kind, "metadata": identity, "status": wanted});
    match apply(client, resource, name, Some("status"), manager, &object).await {
        Ok(_) => Ok(Outcome::Written),
        Err(error) if error.is_not_found() => Ok(Outcome::Gone),
        Err(error) => Err(error),
    }
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

/// `metadata.managedFields` with every entry for the status made one that `manager` has applied; none when they are so
/// already. Only so does a field go that another writer (the Go operator, by PUT) has left and that we do not restate:
/// an apply removes nothing but what its own manager once applied.
fn taken_over(entries: &[Value], manager: &str) -> Option<Vec<Value>> {
    let of_status = |entry: &&Value| entry["subresource"] == "status";
    let ours = |entry: &Value| entry["manager"] == manager && entry["operation"] == "Apply";
    let newest = entries
        .iter()
        .filter(of_status)
        .max_by_key(|entry| entry["time"].as_str())?;
    if entries.iter().filter(of_status).all(ours) {
        return None;
    }
    let mut fields = Value::Object(Map::new());
    for entry in entries.iter().filter(of_status) {
        merge(&mut fields, &entry["fieldsV1"]);
    }
    let mut entry = newest.clone();
    entry["manager"] = manager.into();
    entry["operation"] = "Apply".into();
    entry["fieldsV1"] = fields;
    let others = entries.iter().filter(|entry| !of_status(entry)).cloned();
    Some(others.chain([entry]).collect())
}

/// The union of two sets of fields: objects all the way down.
fn merge(into: &mut Value, from: &Value) {
    let (Value::Object(into), Value::Object(from)) = (into, from) else {
        return;
    };
    for (key, value) in from {
        merge(
            into.entry(key.clone()).or_insert_with(|| Value::Object(Map::new())),
            value,
        );
    }
}

#[cfg(test)]
mod tests;
