//! All objects of a kind, seen once and not kept: for what is only counted, and changes too often to be followed.

use kube::Client;
use kube::api::{ListParams, Request};

use super::error::{CallError, catch_panic};
use super::object::call;
use super::resource::Resource;
use super::seen::{Decode, Page, Unreadable};

/// Objects a page, as client-go asks.
const PAGE: u32 = 500;

/// What a pass could not show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many objects could not be read.
    pub count: u64,
    /// One of them, and why.
    pub example: Option<String>,
}

/// Lists a kind in all namespaces, page by page, and gives each object to `each`; one page of text is in memory at a time.
/// An object that cannot be read is skipped.
///
/// # Errors
/// See [`CallError`]; what was seen until then is no whole.
pub async fn pass<T: Decode>(
    client: &Client,
    resource: Resource,
    mut each: impl FnMut(T),
) -> Result<Skipped, CallError> {
    let requests = Request::new(resource.collection(""));
    let mut params = ListParams::default().limit(PAGE);
    let mut skipped = Skipped::default();
    loop {
        let page: Page<T> = call(client, requests.list(&params)).await?;
        for seen in page.items.into_iter().flatten() {
            let counted = seen.object.and_then(|object| {
                let counted = catch_panic(|| each(object));
                counted.map_err(Unreadable::from)
            });
            match counted {
                Ok(()) => {}
                Err(reason) => {
                    skipped.count += 1;
                    let name = format!("{}/{}", seen.name.namespace, seen.name.name);
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
