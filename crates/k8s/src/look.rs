//! One look at objects, for a command that ends: by name, as a list, or as the text of a page such as `/metrics`.
//!
//! Unlike what is followed, one object is read by `get`: a person often may do that and not list.

use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{GetParams, ListParams, PostParams, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::CallError;
use super::object::{ANSWER, call};
use super::resource::{Name, Resource};

#[derive(Deserialize)]
struct List<T> {
    /// Absent or null when empty.
    items: Option<Vec<T>>,
}

/// Reads one object; none when there is no such object, or no such kind.
///
/// # Errors
/// See [`CallError`].
pub async fn get<T: DeserializeOwned>(
    client: &Client,
    resource: Resource,
    name: &Name,
) -> Result<Option<T>, CallError> {
    let requests = Request::new(resource.collection(&name.namespace));
    match call(client, requests.get(&name.name, &GetParams::default())).await {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the objects of one namespace that carry these labels (`key=value`; empty: all).
///
/// # Errors
/// See [`CallError`].
pub async fn list<T: DeserializeOwned>(
    client: &Client,
    resource: Resource,
    namespace: &str,
    labels: &str,
) -> Result<Vec<T>, CallError> {
    let params = ListParams::default().labels(labels);
    let list: List<T> = call(client, Request::new(resource.collection(namespace)).list(&params)).await?;
    Ok(list.items.unwrap_or_default())
}

/// Whether somebody may do something, by the API server's word.
///
/// # Errors
/// See [`CallError`].
pub async fn may(client: &Client, question: SubjectAccessReviewSpec) -> Result<bool, CallError> {
    const REVIEWS: Resource = Resource::new("authorization.k8s.io", "v1", "subjectaccessreviews");
    let review = SubjectAccessReview {
        spec: question,
        ..SubjectAccessReview::default()
    };
    let body = serde_json::to_vec(&review).map_err(|error| CallError::malformed(&error))?;
    let request = Request::new(REVIEWS.collection("")).create(&PostParams::default(), body);
    let answer: SubjectAccessReview = call(client, request).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// The text of a page of the API server's own, such as `/metrics`.
///
/// # Errors
/// See [`CallError`].
pub async fn page(client: &Client, path: &str) -> Result<String, CallError> {
    let request = http::Request::get(path).body(Vec::new()).map_err(|error| CallError::malformed(&error))?;
    match tokio::time::timeout(ANSWER, client.request_text(request)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(CallError::no_answer()),
    }
}
