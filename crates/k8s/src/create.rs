//! An object that was not there before.

use kube::Client;
use kube::api::{PostParams, Request};
use serde_json::Value;

use super::error::CallError;
use super::object::call;
use super::resource::Resource;

/// Creates an object in a namespace, which is empty for kinds that have none, as `manager`.
///
/// # Errors
/// See [`CallError`]; a conflict when there is one of that name.
pub async fn create(
    client: &Client,
    resource: Resource,
    namespace: &str,
    manager: &str,
    object: &Value,
) -> Result<(), CallError> {
    let params = PostParams {
        field_manager: Some(manager.to_owned()),
        ..PostParams::default()
    };
    // A Value is always written.
    let body = object.to_string().into_bytes();
    let requests = Request::new(resource.collection(namespace));
    let _: Value = call(client, requests.create(&params, body)).await?;
    Ok(())
}
