//! Keeps the status of every ApplicationPersona what it should be (contract 3): observe, from the index; derive, pure;
//! write, only when something other than a timestamp differs, and only where the Lease is held.
//!
//! Start reading at [`Controller::run`]; one look at one persona is `Term::look`. A look at a persona whose status is
//! right already makes no call at all: the index holds a number for what each status says.

mod assess;
mod events;
mod queue;
mod seen;
mod status;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::Client;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::assess::{Assessment, Observed, assess};
use self::events::{Chronicle, News};
use self::queue::{Key, Looked, PersonaKey, Queue};
use self::seen::Seen;
use self::status::CLOCKS;
pub use self::status::print;
use super::metrics::{self, Metrics, Reconciled};
use crate::index::{AppKey, Index, Kind, Snapshot};
use crate::k8s::{CallError, Leadership, Name, Outcome, Resource, contained, write_if_changed};
use crate::policy::RuleSet;

/// Who writes status (design 2).
const MANAGER: &str = "dorgu-operator";
const PERSONAS: Resource = Resource::new("dorgu.io", "v1", "applicationpersonas");

/// What the process was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which rules (flag `--rules`).
    pub set: RuleSet,
    /// Whether a Deployment is found by more than its label (flag `--match chain`).
    pub chained: bool,
    /// How often every persona is looked at again (flag `--requeue-interval`).
    pub interval: Duration,
    /// `reportingInstance` of events: the pod's name.
    pub instance: String,
}

/// Where whoever fills the index tells what has changed. Costs nothing where no controller listens.
#[derive(Clone, Debug, Default)]
pub struct Wakes(Option<UnboundedSender<Vec<AppKey>>>);

impl Wakes {
    /// These apps have changed; empty means that something was listed and nothing changed.
    pub fn wake(&self, apps: Vec<AppKey>) {
        if let Some(sender) = &self.0 {
            // A controller that has ended ends the process; that is told there.
            drop(sender.send(apps));
        }
    }
}

/// The controller, before it runs.
#[derive(Debug)]
pub struct Controller {
    index: Arc<Index>,
    settings: Settings,
    metrics: Metrics,
    wakes: UnboundedReceiver<Vec<AppKey>>,
}

/// A controller over an index, and where it is woken.
pub fn controller(index: Arc<Index>, settings: Settings, metrics: Metrics) -> (Wakes, Controller) {
    let (sender, wakes) = unbounded_channel();
    let controller = Controller {
        index,
        settings,
        metrics,
        wakes,
    };
    (Wakes(Some(sender)), controller)
}

impl Controller {
    /// Keeps status, term by term: whoever comes to hold the Lease looks at everything once. Never returns.
    pub async fn run(mut self, client: Client, mut leadership: Leadership) {
        let chronicle = Chronicle::new(client.clone(), self.settings.instance.clone());
        loop {
            {
                let mut held = std::pin::pin!(leadership.until_held());
                loop {
                    tokio::select! {
                        () = held.as_mut() => break,
                        // Whoever holds the Lease is woken by the same; the next holder looks at everything.
                        Some(_) = self.wakes.recv() => {}
                    }
                }
            }
            let term = Term {
                index: &self.index,
                settings: &self.settings,
                metrics: &self.metrics,
                client: &client,
                leadership: leadership.clone(),
                chronicle: &chronicle,
                seen: Seen::default(),
                trouble: Mutex::default(),
            };
            tokio::select! {
                () = term.run(&mut self.wakes) => {}
                () = leadership.until_lost() => {
                    tracing::info!("No longer the one who keeps the status of personas");
                }
            }
        }
    }
}

/// What happens between winning the Lease and losing it.
struct Term<'c> {
    index: &'c Index,
    settings: &'c Settings,
    metrics: &'c Metrics,
    client: &'c Client,
    leadership: Leadership,
    chronicle: &'c Chronicle,
    seen: Seen,
    /// The last failure that was told, and whose it was.
    trouble: Mutex<Option<(String, Name)>>,
}

impl Term<'_> {
    /// Ends only when the wakes do.
    async fn run(&self, wakes: &mut UnboundedReceiver<Vec<AppKey>>) {
        // What was never listed would look as if it were not there.
        while !(self.index.has(Kind::Persona) && self.index.has(Kind::Deployment)) {
            if wakes.recv().await.is_none() {
                return;
            }
        }
        let depth = self.metrics.depth(metrics::Controller::Persona);
        let mut queue = Queue::new(self.settings.interval, depth);
        {
            let snapshot = self.index.load();
            let keys: Vec<Key> = snapshot
                .personas()
                .map(|stored| key(&stored.persona.namespace, &stored.persona.name))
                .collect();
            tracing::info!(personas = keys.len(), "Keeping the status of personas");
            queue.fill(keys.into_iter());
        }
        let woken = async || match wakes.recv().await {
            Some(apps) => affected(&self.index.load(), &apps),
            None => std::future::pending().await,
        };
        queue.run(woken, |key| self.timed(key)).await;
    }

    async fn timed(&self, key: Key) -> Looked {
        let (started, name) = (Instant::now(), name(&key));
        let looked = self.look(&name).await;
        let result = if looked.is_ok() {
            Reconciled::Success
        } else {
            Reconciled::Error
        };
        self.metrics
            .reconciled(metrics::Controller::Persona, result, started.elapsed());
        match looked {
            Ok(looked) => looked,
            Err(error) => {
                self.failed(&name, &error);
                Looked::Failed
            }
        }
    }

    /// One look at one persona: observe, derive, write.
    async fn look(&self, name: &Name) -> Result<Looked, CallError> {
        let Some(assessment) = contained(|| self.assess(name))? else {
            return Ok(Looked::Gone);
        };
        let Some(assessment) = assessment else {
            return Ok(Looked::Settled);
        };
        if !self.leadership.held() {
            // To be looked at again, by whoever may write then.
            return Ok(Looked::Failed);
        }
        let now = Timestamp::now();
        let mut news = None;
        let written = write_if_changed(self.client, PERSONAS, name, MANAGER, CLOCKS, |current| {
            // It was read meanwhile, which takes time.
            if !self.leadership.held() {
                return current.status.clone();
            }
            let status = assessment.status(&current.status, now);
            news = News::between(&current.status, &status, &assessment).map(|news| (current.uid.clone(), news));
            status
        })
        .await;
        self.metrics.status(&written);
        let written = written?;
        self.well(name);
        match written {
            Outcome::Gone => return Ok(Looked::Gone),
            Outcome::Unchanged => return Ok(Looked::Settled),
            Outcome::Written => {}
        }
        tracing::debug!(
            namespace = name.namespace,
            persona = name.name,
            phase = ?assessment.phase(),
            health = ?assessment.health(),
            "Wrote a status"
        );
        if let Some((uid, news)) = news
            && let Err(error) = self.chronicle.tell(name, &uid, news, now).await
        {
            // The same stands in the status.
            tracing::debug!(namespace = name.namespace, persona = name.name, %error, "Could not send an event");
        }
        Ok(Looked::Settled)
    }

    /// None when there is no such persona; nothing in it when its status says the same already.
    #[expect(
        clippy::option_option,
        reason = "two different absences, told apart by the one caller"
    )]
    fn assess(&self, name: &Name) -> Option<Option<Assessment>> {
        let snapshot = self.index.load();
        let (namespace, name) = (&name.namespace, &name.name);
        let stored = snapshot.persona(namespace, name)?;
        let workloads = self.seen.workloads(&snapshot, &stored.persona);
        let observed = Observed::of(&snapshot, stored, &workloads, self.settings.chained);
        let assessment = assess(self.settings.set, &observed);
        Some((!assessment.says(stored.status)).then_some(assessment))
    }

    /// Told once for each new reason, however many personas meet it and however often it is tried.
    fn failed(&self, name: &Name, error: &CallError) {
        let reason = error.text.replace(&name.name, "NAME");
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (namespace, persona) = (&name.namespace, &name.name);
        if error.is_conflict() || trouble.as_ref().is_some_and(|(told, _)| *told == reason) {
            // Somebody else was faster: that is no trouble, and the next look sees what they wrote.
            tracing::debug!(namespace, persona, %error, "Could not write a status");
        } else {
            tracing::warn!(namespace, persona, %error, "Cannot write the status of a persona; it is tried again");
            *trouble = Some((reason, name.clone()));
        }
    }

    /// Others that can be written say nothing of the one that could not.
    fn well(&self, name: &Name) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.take_if(|(_, whose)| whose == name).is_some() {
            tracing::info!("The status of personas can be written again");
        }
    }
}

/// The personas of these apps.
fn affected(snapshot: &Snapshot, apps: &[AppKey]) -> Vec<Key> {
    let personas = apps
        .iter()
        .flat_map(|app| snapshot.find(&app.namespace, &app.app).list());
    personas.map(|persona| key(&persona.namespace, &persona.name)).collect()
}

fn key(namespace: &str, name: &str) -> Key {
    Arc::new(PersonaKey {
        namespace: namespace.into(),
        name: name.into(),
    })
}

fn name(key: &PersonaKey) -> Name {
    Name {
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
    }
}

#[cfg(test)]
mod tests;
