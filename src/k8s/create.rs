//! An object that was not there before.

use kube::Client;
use kube::api::{PostParams, Request};
use serde_json::Value;

use super::object::{CallError, call};
use super::resource::Resource;

/// Creates an object of a kind that has no namespaces, as `manager`.
///
/// # Errors
/// See [`CallError`]; a conflict when there is one of that name.
pub async fn create(client: &Client, resource: Resource, manager: &str, object: &Value) -> Result<(), CallError> {
    let params = PostParams {
        field_manager: Some(manager.to_owned()),
        ..PostParams::default()
    };
    // A Value is always written.
    let body = object.to_string().into_bytes();
    let _: Value = call(client, Request::new(resource.collection("")).create(&params, body)).await?;
    Ok(())
}
