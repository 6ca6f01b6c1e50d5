//! Holds the state of an election. The election writes it; the rest of the process reads from it whether this process may
//! write.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The state of an election.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Present while the Lease is ours. It must be renewed before this time.
    pub(super) held_until: Option<Instant>,
    /// The holder, as far as known.
    pub(super) holder: String,
    /// Why the Lease can neither be held nor followed at the moment.
    pub(super) trouble: Option<String>,
}

impl Standing {
    /// Compared with the clock at each call, so that a process that was suspended does not rely on an outdated state.
    fn held(&self) -> bool {
        self.held_until.is_some_and(|until| Instant::now() < until)
    }
}

/// The writing side. Once it is dropped, nothing is held.
pub(super) struct Announcer(watch::Sender<Standing>);

impl Announcer {
    pub(super) fn new() -> (Announcer, Leadership) {
        let (sender, receiver) = watch::channel(Standing::default());
        (Announcer(sender), Leadership(Some(receiver)))
    }

    pub(super) fn announce(&self, standing: Standing) {
        self.0.send_if_modified(|current| {
            let news = *current != standing;
            *current = standing;
            news
        });
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.0.send_modify(|standing| standing.held_until = None);
    }
}

/// Whether this process may write; cheap to clone.
///
/// Check it before each write, and again after each wait. A holder that cannot renew its Lease loses it by its own clock,
/// before any other candidate can hold it.
#[derive(Clone, Debug)]
pub struct Leadership(Option<watch::Receiver<Standing>>);

impl Leadership {
    /// Without an election (`--leader-elect=false`): always held.
    pub fn always() -> Leadership {
        Leadership(None)
    }

    /// Whether this process may write now.
    pub fn held(&self) -> bool {
        self.0.as_ref().is_none_or(|standing| standing.borrow().held())
    }

    /// Waits until this process may write. Never resolves once the election has ended.
    pub async fn until_held(&mut self) {
        let Some(standing) = &mut self.0 else { return };
        if standing.wait_for(Standing::held).await.is_err() {
            std::future::pending().await
        }
    }

    /// Waits until this process may no longer write.
    pub async fn until_lost(&mut self) {
        let Some(standing) = &mut self.0 else {
            return std::future::pending().await;
        };
        loop {
            let until = standing.borrow_and_update().held_until;
            let Some(until) = until.filter(|until| Instant::now() < *until) else {
                return;
            };
            tokio::select! {
                () = sleep_until(until) => {}
                changed = standing.changed() => if changed.is_err() { return },
            }
        }
    }

    /// For people, on one line: `leader`, `following POD`, or why neither.
    pub fn note(&self) -> String {
        let Some(standing) = &self.0 else {
            return "leader, without an election".to_owned();
        };
        let standing = standing.borrow();
        let mut note = if standing.held() {
            "leader".to_owned()
        } else if standing.holder.is_empty() {
            "no leader known".to_owned()
        } else {
            format!("following {}", standing.holder)
        };
        if let Some(trouble) = &standing.trouble {
            note.push_str(", trouble: ");
            note.push_str(trouble);
        }
        note
    }
}
