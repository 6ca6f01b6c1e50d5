//! Writes personas all the time, through the API server, some dozens a second.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::canaries::Target;
use crate::https::Connection;

/// An API server that is away is asked again after this.
const AGAIN: Duration = Duration::from_millis(200);

/// At once: a write takes longer than the pause between two.
const WRITERS: u32 = 4;

/// It continues until it is stopped.
pub(super) struct Churn {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Runtime,
}

struct Shared {
    target: Target,
    over: AtomicBool,
    told: Mutex<Told>,
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Writes that the API server has acknowledged.
    pub(super) written: usize,
    /// Those that met no API server, or an error of its own.
    pub(super) unsent: BTreeMap<String, usize>,
}

impl Churn {
    /// Writes each of these personas in turn, at this rate a second.
    pub(super) fn start(target: Target, personas: Vec<String>, rate: u32) -> Churn {
        let runtime = super::thread_of_its_own();
        let shared = Arc::new(Shared {
            target,
            over: AtomicBool::new(false),
            told: Mutex::default(),
        });
        let period = Duration::from_secs(1) * WRITERS / rate;
        for writer in 0..WRITERS as usize {
            let own = personas
                .iter()
                .skip(writer)
                .step_by(WRITERS as usize)
                .cloned()
                .collect();
            runtime.spawn(Arc::clone(&shared).keep_writing(own, period));
        }
        Churn { shared, runtime }
    }

    pub(super) fn stop(self) -> Told {
        self.shared.over.store(true, Ordering::SeqCst);
        self.runtime.shutdown_background();
        self.shared.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    async fn keep_writing(self: Arc<Self>, personas: Vec<String>, period: Duration) {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut connection = None;
        for (number, path) in personas.iter().cycle().enumerate() {
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            ticks.tick().await;
            // Another number each time round, or nothing would be written.
            let maximum = 10 + number / personas.len() % 50;
            let written = self.write(&mut connection, path, maximum).await;
            let away = written.is_err();
            {
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                match written {
                    Ok(()) => told.written += 1,
                    Err(error) => *told.unsent.entry(format!("{error:#}")).or_default() += 1,
                }
            }
            if away {
                connection = None;
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    async fn write(&self, connection: &mut Option<Connection>, path: &str, maximum: usize) -> anyhow::Result<()> {
        let target = &self.target;
        if connection.is_none() {
            *connection = Some(Connection::open_as(&target.url, &target.ca_pem, &target.token).await?);
        }
        let Some(open) = connection else {
            anyhow::bail!("no connection");
        };
        let patch = json!({"spec": {"scaling": {"maxReplicas": maximum}}}).to_string();
        let kind = "application/merge-patch+json";
        let reply = open.ask_with(http::Method::PATCH, path, kind, patch).await?;
        ensure!(reply.status == 200, "HTTP {}", reply.status);
        Ok(())
    }
}
