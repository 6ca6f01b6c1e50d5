//! What an election reports to the rest of the process.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The state of an election.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Present while the Lease is ours; by then it has to have been renewed.
    pub(super) held_until: Option<Instant>,
    /// Who holds it, as far as is known.
    pub(super) holder: String,
    /// Why it can neither be held nor followed at the moment.
    pub(super) trouble: Option<String>,
}

impl Standing {
    /// Asked of the clock each time: a process that was stopped for a while must not believe what it last knew.
    fn held(&self) -> bool {
        self.held_until.is_some_and(|until| Instant::now() < until)
    }
}

/// The election's end. Once it is dropped, nothing is held.
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
/// To be asked before each write, and again after each wait: a holder that cannot renew its Lease stops by its own
/// clock, before anyone else can hold it.
#[derive(Clone, Debug)]
pub struct Leadership(Option<watch::Receiver<Standing>>);

impl Leadership {
    /// Without an election (`--leader-elect=false`): held, for ever.
    pub fn always() -> Leadership {
        Leadership(None)
    }

    /// Whether this process may write now.
    pub fn held(&self) -> bool {
        self.0.as_ref().is_none_or(|standing| standing.borrow().held())
    }

    /// Waits until this process may write. Never ends once the election has.
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
