//! One object, read and applied.

use kube::api::{ListParams, Patch, PatchParams, Request};
use kube::Client;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

use super::error::CallError;
use super::resource::{Name, Resource};

/// Longest wait for an answer.
pub(super) const ANSWER: Duration = Duration::from_secs(30);

/// Sends a request and reads the answer, within a deadline.
///
/// # Errors
/// No answer, a refusal, or an answer of another shape.
pub(super) async fn call<T: DeserializeOwned>(
    client: &Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<T, CallError> {
    let request = request.map_err(|error| CallError::malformed(&error))?;
    match tokio::time::timeout(ANSWER, client.request(request)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(CallError::no_answer()),
    }
}

/// Reads one object, as it is stored and not as a cache has it; none when it does not exist. Asked for as a list of one,
/// so that it takes no verb that a watch does not take.
///
/// # Errors
/// See [`CallError`].
pub async fn read<T: DeserializeOwned>(
    client: &Client,
    resource: Resource,
    name: &Name,
) -> Result<Option<T>, CallError> {
    #[derive(serde::Deserialize)]
    struct List<T> {
        #[serde(default = "Vec::new")]
        items: Vec<T>,
    }
    let params = ListParams::default().fields(&format!("metadata.name={}", name.name));
    let list: List<T> = call(client, Request::new(resource.collection(&name.namespace)).list(&params)).await?;
    Ok(list.items.into_iter().next())
}

/// Applies `object` server-side as `manager`, to the object itself or to a subresource, and returns the outcome. `force`
/// takes fields over from other managers. With `metadata.resourceVersion` in it, a conflict when somebody was faster.
///
/// # Errors
/// See [`CallError`].
pub async fn apply(
    client: &Client,
    resource: Resource,
    name: &Name,
    subresource: Option<&str>,
    manager: &str,
    object: &Value,
) -> Result<Value, CallError> {
    let params = PatchParams::apply(manager).force();
    let patch = Patch::Apply(object);
    let requests = Request::new(resource.collection(&name.namespace));
    let request = match subresource {
        Some(subresource) => requests.patch_subresource(subresource, &name.name, &params, &patch),
        None => requests.patch(&name.name, &params, &patch),
    };
    call(client, request).await
}

/// Merges `patch` into an object, or into a subresource of it, as `manager`. With `metadata.resourceVersion` in it, a
/// conflict when somebody was faster.
///
/// # Errors
/// See [`CallError`].
pub async fn merge(
    client: &Client,
    resource: Resource,
    name: &Name,
    subresource: Option<&str>,
    manager: &str,
    patch: &Value,
) -> Result<Value, CallError> {
    let params = PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(patch);
    let requests = Request::new(resource.collection(&name.namespace));
    let request = match subresource {
        Some(subresource) => requests.patch_subresource(subresource, &name.name, &params, &patch),
        None => requests.patch(&name.name, &params, &patch),
    };
    call(client, request).await
}
