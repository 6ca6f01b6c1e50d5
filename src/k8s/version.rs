//! Which Kubernetes it is.

use kube::Client;
use serde::Deserialize;

use super::object::{CallError, call};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

/// `gitVersion` of the API server, such as `v1.32.1`; every account may ask for it.
///
/// # Errors
/// See [`CallError`].
pub async fn version(client: &Client) -> Result<String, CallError> {
    let request = http::Request::get("/version").body(Vec::new());
    let request = request.map_err(kube::core::request::Error::BuildRequest);
    let version: Version = call(client, request).await?;
    Ok(version.git_version)
}
