//! Sends requests about objects: get, list, create, apply, merge and dry run. Each request has a deadline. This module
//! retries no request.

use http_body_util::BodyExt;
use kube::Client;
use kube::api::{GetParams, ListParams, Patch, PatchParams, PostParams, Request};
use kube::client::Body;
use kube::core::Status;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::decode::{Decode, Page, Unreadable};
use super::error::{ANSWER_TIMEOUT, CallError, catch_panic};
use super::resource::{Name, Resource};

/// Sends a request and reads the answer, within a deadline.
///
/// # Errors
/// No answer, an error status, or an answer of another shape.
pub(super) async fn call<T: DeserializeOwned>(
    client: &Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<T, CallError> {
    Ok(call_for_status(client, request).await??)
}

/// The same with an error status as the API server sent it.
pub(super) async fn call_for_status<T: DeserializeOwned>(
    client: &Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Result<T, kube::Error>, CallError> {
    let request = request.map_err(|error| CallError::malformed(&error))?;
    match tokio::time::timeout(ANSWER_TIMEOUT, client.request(request)).await {
        Ok(answer) => Ok(answer),
        Err(_) => Err(CallError::no_answer()),
    }
}

#[derive(Deserialize)]
struct List<T> {
    /// Absent or null when empty.
    items: Option<Vec<T>>,
}

/// Reads one object; `None` when the object or the kind does not exist.
///
/// # Errors
/// See [`CallError`].
pub async fn get<T: DeserializeOwned>(
    client: &Client,
    resource: &Resource,
    name: &Name,
) -> Result<Option<T>, CallError> {
    let requests = Request::new(resource.collection(&name.namespace));
    match call(client, requests.get(&name.name, &GetParams::default())).await {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads one object of a kind that has to exist; `None` when the object does not exist.
///
/// # Errors
/// See [`CallError`]; 404 when the API server does not know the kind.
pub async fn find<T: DeserializeOwned>(
    client: &Client,
    resource: &Resource,
    name: &Name,
) -> Result<Option<T>, CallError> {
    let requests = Request::new(resource.collection(&name.namespace));
    match call_for_status(client, requests.get(&name.name, &GetParams::default())).await? {
        Ok(object) => Ok(Some(object)),
        // Of an unknown kind the answer is no status object, and so names nothing.
        Err(kube::Error::Api(status)) if status.code == 404 && names(&status, &name.name) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether an error status is about the object of that name.
fn names(status: &Status, name: &str) -> bool {
    status.details.as_ref().is_some_and(|details| details.name == name)
}

/// Reads the objects of one namespace (empty: of all) with these labels (`key=value`; empty: all).
///
/// # Errors
/// See [`CallError`].
pub async fn list<T: DeserializeOwned>(
    client: &Client,
    resource: &Resource,
    namespace: &str,
    labels: &str,
) -> Result<Vec<T>, CallError> {
    let params = ListParams::default().labels(labels);
    let list: List<T> = call(client, Request::new(resource.collection(namespace)).list(&params)).await?;
    Ok(list.items.unwrap_or_default())
}

/// Reads one object from storage, not from a cache; `None` when it does not exist. It is requested as a list of one, so that it
/// needs no verb that a watch does not need.
///
/// # Errors
/// See [`CallError`].
pub async fn read<T: DeserializeOwned>(
    client: &Client,
    resource: &Resource,
    name: &Name,
) -> Result<Option<T>, CallError> {
    let params = ListParams::default().fields(&format!("metadata.name={}", name.name));
    let list: List<T> = call(client, Request::new(resource.collection(&name.namespace)).list(&params)).await?;
    Ok(list.items.into_iter().flatten().next())
}

/// Objects in a page of a list, as in client-go.
pub(super) const PAGE_SIZE: u32 = 500;

/// The objects that a listing had to skip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many objects could not be read.
    pub count: u64,
    /// One of them, and why.
    pub example: Option<String>,
}

/// Lists a kind in all namespaces, page by page, and passes each object to `each`. Only one page of text is in memory at a
/// time. An object that cannot be decoded is skipped.
///
/// # Errors
/// See [`CallError`]; the objects passed until then are incomplete.
pub async fn list_each<T: Decode>(
    client: &Client,
    resource: &Resource,
    each: impl FnMut(T),
) -> Result<Skipped, CallError> {
    list_each_in(client, resource, "", each).await
}

/// The same in one namespace.
///
/// # Errors
/// See [`CallError`]; the objects passed until then are incomplete.
pub async fn list_each_in<T: Decode>(
    client: &Client,
    resource: &Resource,
    namespace: &str,
    mut each: impl FnMut(T),
) -> Result<Skipped, CallError> {
    let requests = Request::new(resource.collection(namespace));
    let mut params = ListParams::default().limit(PAGE_SIZE);
    let mut skipped = Skipped::default();
    loop {
        let page: Page<T> = call(client, requests.list(&params)).await?;
        for decoded in page.items.into_iter().flatten() {
            let counted = decoded.object.and_then(|object| {
                let counted = catch_panic(|| each(object));
                counted.map_err(Unreadable::from)
            });
            match counted {
                Ok(()) => {}
                Err(reason) => {
                    skipped.count += 1;
                    let name = format!("{}/{}", decoded.name.namespace, decoded.name.name);
                    skipped.example.get_or_insert_with(|| format!("{name}: {reason}"));
                }
            }
        }
        match page.metadata.more.filter(|more| !more.is_empty()) {
            Some(more) => params.continue_token = Some(more),
            None => return Ok(skipped),
        }
    }
}

/// Creates an object as `manager`. The namespace is empty for cluster-scoped kinds.
///
/// # Errors
/// See [`CallError`]; a conflict when the name exists.
pub async fn create(
    client: &Client,
    resource: &Resource,
    namespace: &str,
    manager: &str,
    object: &Value,
) -> Result<(), CallError> {
    let params = PostParams {
        field_manager: Some(manager.to_owned()),
        ..PostParams::default()
    };
    // A `Value` can always be written.
    let body = object.to_string().into_bytes();
    let requests = Request::new(resource.collection(namespace));
    let _: Value = call(client, requests.create(&params, body)).await?;
    Ok(())
}

/// Applies `object` server-side as `manager`, to the object itself or to a subresource, and returns the outcome. `force` takes
/// fields over from other managers. With `metadata.resourceVersion` in it, it fails with a conflict when another writer was
/// faster.
///
/// # Errors
/// See [`CallError`].
pub async fn apply(
    client: &Client,
    resource: &Resource,
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

/// Merges `patch` into an object, or into a subresource of it, as `manager`. With `metadata.resourceVersion` in it, it fails
/// with a conflict when another writer was faster.
///
/// # Errors
/// See [`CallError`].
pub async fn merge(
    client: &Client,
    resource: &Resource,
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

/// The answer to a dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The HTTP status: 201 where the object would have been stored.
    pub code: u16,
    /// The texts of the `Warning` headers, in order.
    pub warnings: Vec<String>,
    /// Why it was denied; empty where it was not.
    pub message: String,
}

/// Creates an object as a dry run: all admission runs as for a real request, and nothing is stored.
///
/// # Errors
/// There was no answer. A denial is a [`Verdict`].
pub async fn dry_run_create(
    client: &Client,
    resource: &Resource,
    namespace: &str,
    object: &Value,
) -> Result<Verdict, CallError> {
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let request = Request::new(resource.collection(namespace)).create(&params, object.to_string().into_bytes());
    let request = request.map_err(|error| CallError::malformed(&error))?;
    let asked = async {
        let response = client.send(request.map(Body::from)).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok::<_, CallError>((head, body))
    };
    let (head, body) = tokio::time::timeout(ANSWER_TIMEOUT, asked)
        .await
        .map_err(|_| CallError::no_answer())??;
    let warnings = head.headers.get_all(http::header::WARNING).iter();
    let warnings = warnings.filter_map(|value| warning(value.to_str().ok()?));
    Ok(Verdict {
        code: head.status.as_u16(),
        warnings: warnings.collect(),
        message: if head.status.is_success() {
            String::new()
        } else {
            refusal(&body)
        },
    })
}

/// The text in `299 - "text"`, without the escapes of a quoted string.
fn warning(header: &str) -> Option<String> {
    let (_, quoted) = header.split_once('"')?;
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some(text),
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    None
}

/// The message of the status object in a denial; the body itself where there is none.
fn refusal(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    match serde_json::from_slice::<Status>(body) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{refusal, warning};

    #[test]
    fn a_warning_is_the_text_between_the_quotes() {
        let read = |header| warning(header).unwrap_or_else(|| "nothing".to_owned());
        assert_eq!(read(r#"299 - "[api] no CPU limit""#), "[api] no CPU limit");
        assert_eq!(read(r#"299 - "a \"b\" \\c" "Thu, 01 Jan 2026""#), r#"a "b" \c"#);
        assert_eq!(read("299 - unquoted"), "nothing");
        assert_eq!(read(r#"299 - "never ends"#), "nothing");
    }

    #[test]
    fn a_refusal_is_the_message_or_the_body() {
        assert_eq!(refusal(br#"{"kind":"Status","message":"no"}"#), "no");
        assert_eq!(refusal(b"bad gateway"), "bad gateway");
    }
}
