//! Sends requests about the API server itself: for its version, its clock, the raw text of an endpoint such as `/metrics`,
//! and whether an account has a right.

use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{PostParams, Request};
use kube::client::Body;
use serde::Deserialize;

use super::error::{ANSWER_TIMEOUT, CallError, Failure};
use super::object::call;
use super::resource::Resource;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

/// `gitVersion` of the API server, such as `v1.32.1`. Every account may read it.
///
/// # Errors
/// See [`CallError`].
pub async fn version(client: &Client) -> Result<String, CallError> {
    let request = http::Request::get("/version").body(Vec::new());
    let request = request.map_err(kube::core::request::Error::BuildRequest);
    let version: Version = call(client, request).await?;
    Ok(version.git_version)
}

/// Facts about an API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// `gitVersion`.
    pub version: String,
    /// Its time when it answered, in whole seconds; absent when the answer had none.
    pub date: Option<Timestamp>,
}

/// Its version and its clock.
///
/// # Errors
/// See [`CallError`].
pub async fn server_info(client: &Client) -> Result<ServerInfo, CallError> {
    let request = http::Request::get("/version").body(Body::empty());
    let request = request.map_err(kube::core::request::Error::BuildRequest);
    let request = request.map_err(|error| CallError::malformed(&error))?;
    let asked = async {
        let (head, body) = client.send(request).await?.into_parts();
        Ok::<_, CallError>((head, body.collect().await?.to_bytes()))
    };
    let (head, body) = tokio::time::timeout(ANSWER_TIMEOUT, asked)
        .await
        .map_err(|_| CallError::no_answer())??;
    let failed = |kind, text: String| CallError { kind, text };
    let refused = |text| failed(Failure::Refused(head.status.as_u16()), text);
    if head.status == http::StatusCode::UNAUTHORIZED {
        return Err(refused("it does not know you (401); log in again".to_owned()));
    }
    if !head.status.is_success() {
        return Err(refused(format!("GET /version is answered with {}", head.status)));
    }
    let version: Version = serde_json::from_slice(&body).map_err(|error| {
        failed(
            Failure::Malformed,
            format!("GET /version is not answered as an API server does: {error}"),
        )
    })?;
    let date = head.headers.get(http::header::DATE);
    Ok(ServerInfo {
        version: version.git_version,
        date: date.and_then(|date| read_date(date.to_str().ok()?)),
    })
}

/// Whether an account has a right, by a SubjectAccessReview.
///
/// # Errors
/// See [`CallError`].
pub async fn can(client: &Client, question: SubjectAccessReviewSpec) -> Result<bool, CallError> {
    let review = SubjectAccessReview {
        spec: question,
        ..SubjectAccessReview::default()
    };
    let body = serde_json::to_vec(&review).map_err(|error| CallError::malformed(&error))?;
    let request =
        Request::new(Resource::of::<SubjectAccessReview>().collection("")).create(&PostParams::default(), body);
    let answer: SubjectAccessReview = call(client, request).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// The text of a page of the API server, such as `/metrics`.
///
/// # Errors
/// See [`CallError`].
pub async fn raw_text(client: &Client, path: &str) -> Result<String, CallError> {
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| CallError::malformed(&error))?;
    match tokio::time::timeout(ANSWER_TIMEOUT, client.request_text(request)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(CallError::no_answer()),
    }
}

/// The one date format of HTTP that is still in use.
fn read_date(text: &str) -> Option<Timestamp> {
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::read_date;

    #[test]
    fn a_date_header_is_read() {
        let read = read_date("Thu, 26 Nov 2026 22:46:24 GMT");
        assert_eq!(read, "2026-11-26T22:46:24Z".parse().ok());
        assert_eq!(read_date("yesterday"), None);
    }
}
