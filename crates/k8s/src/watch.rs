//! Follows one kind: lists it in pages, then watches from there. It lists again only when the API server no longer has the
//! version that the watch had reached.
//!
//! Why not kube's `watcher`: it ends a page at the first object that it cannot read. Its `DeserializeGuard` avoids that, but
//! clones each object, and a relist drops the last good version of an object that cannot be read. `watcher` also holds a
//! whole relist in memory, and does not report when a watch is established again, which readiness needs.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use kube::api::{ListParams, Request, WatchEvent, WatchParams};
use kube::{Client, Error};

use super::backoff::Backoff;
use super::decode::{Decode, Decoded, Page};
use super::error::error_chain;
use super::object::PAGE_SIZE;
use super::resource::{Followed, Name, Resource};
use super::state::WatchState;

/// The requested duration of one watch, in seconds, after which the API server ends it.
const WATCH_SECONDS: u32 = 290;
/// No event for this long, although a bookmark comes about every minute, means a dead connection.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(150);
/// Longest wait for the answer to a list or for the head of a watch.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// A watch that the server ends after this long is started again without a pause.
const MIN_LIFETIME: Duration = Duration::from_secs(1);

/// An event; `L` is the element type of lists.
#[derive(Clone, Debug)]
pub enum Event<T, L = T> {
    /// An object is new or changed.
    Applied(T),
    /// An object was deleted.
    Deleted(Name),
    /// The complete list. An object that is in neither part was deleted.
    Listed {
        /// The objects.
        objects: Vec<L>,
        /// Names of objects that exist and could not be decoded.
        unreadable: Vec<Name>,
    },
}

/// Why a list or a watch ended.
enum Ended {
    /// The connection or the server failed for now. The reached version is still valid.
    Lost(String),
    /// The API server rejected the watch: list again before watching.
    Refused(String),
    /// The same, since it does not know the kind, or lets this account read none of it.
    Absent(String),
}

/// Follows a kind, or a part of it, and never returns. Every failure is recorded in `state` and retried after a growing pause
/// ([`Backoff::for_api_server`]).
pub async fn follow<T: Decode>(
    client: Client,
    followed: impl Into<Followed>,
    state: Arc<WatchState>,
    sink: impl FnMut(Event<T>),
) {
    follow_many(client, followed, state, |object| object, sink).await;
}

/// Like [`follow`], for a kind with possibly very many objects: each object of a list is passed to `keep` as soon as it is
/// decoded, and the list consists of the results. A `keep` that returns an equal object it already has saves the memory of a
/// second copy during a relist.
pub async fn follow_many<T: Decode, L>(
    client: Client,
    followed: impl Into<Followed>,
    state: Arc<WatchState>,
    keep: impl Fn(T) -> L,
    mut sink: impl FnMut(Event<T, L>),
) {
    let followed = followed.into();
    let mut backoff = Backoff::for_api_server();
    let mut version = String::new();
    loop {
        if version.is_empty() {
            match list(&client, &followed, &state, &keep).await {
                Ok((listed, at)) => {
                    state.heard();
                    sink(listed);
                    // The backoff is not reset: where lists succeed and watches fail, lists must become rare, too.
                    version = at;
                }
                Err(ended) => {
                    // An API server that has just started may say so of every kind. What was known stays.
                    let is_new = state.last_event().is_none();
                    if is_new && followed.may_be_absent && matches!(ended, Ended::Absent(_)) {
                        let (objects, unreadable) = (Vec::new(), Vec::new());
                        sink(Event::Listed { objects, unreadable });
                    }
                    state.failed(ended.reason());
                    tokio::time::sleep(backoff.next_pause()).await;
                    continue;
                }
            }
        }
        let (started, from) = (Instant::now(), version.clone());
        let ended = watch(&client, &followed, &state, &mut version, &mut sink).await;
        let lived = started.elapsed() >= MIN_LIFETIME;
        if lived || version != from {
            // The watch was established, however short it was. What ends the next one is another failure.
            backoff.reset();
        }
        match ended {
            // The server ends each watch after a while. The next one continues from there without a pause, unless the server
            // ends every watch at once.
            Ok(()) if lived => continue,
            Ok(()) => {}
            Err(Ended::Lost(reason)) => state.failed(&reason),
            Err(Ended::Refused(reason) | Ended::Absent(reason)) => {
                state.failed(&reason);
                version.clear();
            }
        }
        tokio::time::sleep(backoff.next_pause()).await;
    }
}

/// Lists all objects into a new list, and returns the version from which to watch.
async fn list<T: Decode, L>(
    client: &Client,
    followed: &Followed,
    state: &WatchState,
    keep: impl Fn(T) -> L,
) -> Result<(Event<T, L>, String), Ended> {
    let resource = &followed.resource;
    let requests = Request::new(followed.path());
    let (mut objects, mut unreadable) = (Vec::new(), Vec::new());
    let mut params = ListParams::default().limit(PAGE_SIZE);
    params.field_selector = followed.field_selector();
    params.label_selector = followed.label_selector();
    loop {
        let request = if followed.metadata_only {
            requests.list_metadata(&params)
        } else {
            requests.list(&params)
        };
        let request = request.map_err(|error| Ended::Refused(error_chain(&error)))?;
        let page: Page<T> = answered(resource, client.request_text(request))
            .await
            .and_then(|text| serde_json::from_str(&text).map_err(|error| Ended::Refused(error_chain(&error))))?;
        for decoded in page.items.into_iter().flatten() {
            match read(decoded, resource, state) {
                Ok((object, _)) => objects.push(keep(object)),
                Err((name, _)) => unreadable.push(name),
            }
        }
        match page.metadata.more.filter(|more| !more.is_empty()) {
            Some(more) => params.continue_token = Some(more),
            None if page.metadata.resource_version.is_empty() => {
                return Err(Ended::Refused("the list has no resourceVersion".to_owned()));
            }
            None => return Ok((Event::Listed { objects, unreadable }, page.metadata.resource_version)),
        }
    }
}

/// Watches from `version` on and updates it, until the API server ends the watch.
async fn watch<T: Decode, L>(
    client: &Client,
    followed: &Followed,
    state: &WatchState,
    version: &mut String,
    sink: &mut impl FnMut(Event<T, L>),
) -> Result<(), Ended> {
    let resource = &followed.resource;
    let requests = Request::new(followed.path());
    let mut params = WatchParams::default().timeout(WATCH_SECONDS);
    params.field_selector = followed.field_selector();
    params.label_selector = followed.label_selector();
    let request = if followed.metadata_only {
        requests.watch_metadata(&params, version)
    } else {
        requests.watch(&params, version)
    };
    let request = request.map_err(|error| Ended::Refused(error_chain(&error)))?;
    let events = answered(resource, client.request_events::<Decoded<T>>(request)).await?;
    state.connected();
    let mut events = pin!(events);
    loop {
        let event = match tokio::time::timeout(SILENCE_TIMEOUT, events.try_next()).await {
            Err(_) => return Err(Ended::Lost("the API server has fallen silent".to_owned())),
            Ok(Err(error)) => return Err(Ended::of(&error, resource)),
            Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(event))) => event,
        };
        let at = match event {
            WatchEvent::Added(decoded) | WatchEvent::Modified(decoded) => match read(decoded, resource, state) {
                Ok((object, at)) => {
                    sink(Event::Applied(object));
                    at
                }
                // The last readable version stays in use.
                Err((_, at)) => at,
            },
            WatchEvent::Deleted(decoded) => {
                sink(Event::Deleted(decoded.name));
                decoded.version
            }
            WatchEvent::Bookmark(bookmark) => bookmark.metadata.resource_version,
            WatchEvent::Error(status) => {
                let reason = format!("the API server ended the watch: {}", status.message);
                return Err(Ended::Refused(reason));
            }
        };
        state.heard();
        if !at.is_empty() {
            *version = at;
        }
    }
}

/// The object, or its name and one line in the log; either with its version.
fn read<T>(decoded: Decoded<T>, resource: &Resource, state: &WatchState) -> Result<(T, String), (Name, String)> {
    match decoded.object {
        Ok(object) => Ok((object, decoded.version)),
        Err(reason) => {
            state.skipped();
            tracing::error!(
                resource = &*resource.plural,
                namespace = decoded.name.namespace,
                name = decoded.name.name,
                reason = ?reason.as_str(),
                "Cannot read an object; its last good version, if there was one, is still used"
            );
            Err((decoded.name, decoded.version))
        }
    }
}

async fn answered<T>(resource: &Resource, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Ended> {
    match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
        Ok(answer) => answer.map_err(|error| Ended::of(&error, resource)),
        Err(_) => Err(Ended::Lost("the API server does not answer".to_owned())),
    }
}

/// Whether this answer to a watch requires a list.
#[cfg(test)]
pub(super) fn lists_again(error: &Error) -> bool {
    let any = Resource::of::<k8s_openapi::api::core::v1::Namespace>();
    matches!(Ended::of(error, &any), Ended::Refused(_) | Ended::Absent(_))
}

impl Ended {
    fn reason(&self) -> &str {
        match self {
            Ended::Lost(reason) | Ended::Refused(reason) | Ended::Absent(reason) => reason,
        }
    }

    fn of(error: &Error, resource: &Resource) -> Ended {
        let Resource {
            group, version, plural, ..
        } = resource;
        match error {
            // Decided by the code: for an unknown path the API server answers with plain text.
            Error::Api(status) if status.code == 404 => Ended::Absent(format!(
                "the API server knows no {plural} in {group}/{version}; is its CustomResourceDefinition installed?"
            )),
            Error::Api(status) if status.code == 403 => Ended::Absent(format!("{} (403)", status.message)),
            // The server is overloaded or failing. The reached version is still valid, and a list would add to its load.
            Error::Api(status) if status.code == 429 || status.code >= 500 => {
                Ended::Lost(format!("{} ({})", status.message, status.code))
            }
            Error::Api(status) => Ended::Refused(format!("{} ({})", status.message, status.code)),
            other => Ended::Lost(error_chain(other)),
        }
    }
}
