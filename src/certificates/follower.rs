//! Every replica: sees what the Secret and the webhook configuration say, and serves what is fit to be served.

use std::sync::Arc;
use std::time::Duration;

use super::configuration::{Configuration, configurations};
use super::secret::{Secret, secrets};
use super::state::State;
use crate::k8s::{Client, Decode, Event, Name, follow};

/// How often to look again at a certificate that is held back.
const TICK: Duration = Duration::from_secs(1);

/// Follows both for ever.
pub(super) async fn run(client: Client, state: Arc<State>) {
    let settings = &state.settings;
    let configuration = Name::cluster_wide(&settings.configuration);
    let secret = async {
        let Some(name) = settings.secret.clone() else {
            return std::future::pending().await;
        };
        let watched = Arc::clone(&state.secret_watch);
        follow(client.clone(), secrets().named(name), watched, |event| {
            if let Some(secret) = only::<Secret>(event) {
                state.see_secret(secret);
            }
        })
        .await;
    };
    let watched = Arc::clone(&state.configuration_watch);
    let configuration = follow(
        client.clone(),
        configurations().named(configuration),
        watched,
        |event| {
            if let Some(configuration) = only::<Configuration>(event) {
                state.see_configuration(configuration);
            }
        },
    );
    let ticks = async {
        loop {
            tokio::time::sleep(TICK).await;
            state.look_again();
        }
    };
    tokio::join!(secret, configuration, ticks);
}

/// The one object that is followed, or none when it is gone; nothing when it is there and cannot be read.
fn only<T: Decode>(event: Event<T>) -> Option<Option<T>> {
    match event {
        Event::Applied(object) => Some(Some(object)),
        Event::Deleted(_) => Some(None),
        Event::Listed { objects, unreadable } => match objects.into_iter().next() {
            None if !unreadable.is_empty() => None,
            object => Some(object),
        },
    }
}
