//! Generates the serving certificate without anything from outside. The process makes a CA at start and signs short-lived leaf
//! certificates with it. The CA's key never leaves memory, so a restarted process has another CA. Clients that trust the CA
//! need not do anything when a leaf is replaced.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;
use tokio::time::sleep;

use super::authority::Authority;
use super::certificate::{CertificateFacts, TlsError};
use super::resolver::Resolver;

/// The CA lives as long as the process, so it must not expire before.
const CA_LIFETIME: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// Short, because renewing costs nothing.
const LEAF_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A leaf is renewed when less than this is left. That leaves more than two days to notice that renewal fails.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(56);

/// For clients whose clocks are behind.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// How often the leaf is compared with the wall clock. A timer set for the day of expiry would miss a suspended machine and a
/// corrected clock.
const CHECK_EVERY: Duration = Duration::from_secs(60);

type WallClock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Our own CA and the leaf that it signed last.
pub struct SelfSigned {
    authority: Authority,
    names: Vec<String>,
    clock: WallClock,
    resolver: Arc<Resolver>,
    facts: watch::Sender<CertificateFacts>,
}

impl SelfSigned {
    /// Generates a CA and a leaf for these DNS names and IP addresses.
    ///
    /// # Errors
    /// A name cannot stand in a certificate.
    pub fn generate(names: &[String]) -> Result<SelfSigned, TlsError> {
        SelfSigned::with_clock(names, Box::new(Timestamp::now))
    }

    pub(super) fn with_clock(names: &[String], clock: WallClock) -> Result<SelfSigned, TlsError> {
        let now = clock();
        let authority = Authority::make("dorgu serving CA", now, CA_LIFETIME)?;
        let (leaf, facts) = leaf(&authority, names, now)?;
        let (facts, _) = watch::channel(facts);
        Ok(SelfSigned {
            authority,
            names: names.to_owned(),
            clock,
            resolver: Resolver::new(leaf),
            facts,
        })
    }

    /// The CA that a caller should trust, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.authority.pem().to_owned()
    }

    /// Writes [`SelfSigned::ca_pem`] to a file atomically: it is written beside the file and renamed. A path that is no regular
    /// file (a terminal, a pipe) is written to directly.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_ca(&self, path: &Path) -> io::Result<()> {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return std::fs::write(path, self.ca_pem());
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let beside = path.with_file_name(name);
        let written = std::fs::File::create(&beside)
            .and_then(|mut file| {
                file.write_all(self.ca_pem().as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&beside, path));
        if written.is_err() {
            // The error that counts is the one being returned.
            let _ = std::fs::remove_file(&beside);
        }
        written
    }

    /// What handshakes read.
    #[must_use]
    pub fn resolver(&self) -> Arc<Resolver> {
        Arc::clone(&self.resolver)
    }

    /// What is served now, and how renewal succeeded or failed.
    #[must_use]
    pub fn facts(&self) -> watch::Receiver<CertificateFacts> {
        self.facts.subscribe()
    }

    /// Renews the leaf in time, and never returns.
    pub async fn run(self: Arc<Self>) {
        loop {
            sleep(CHECK_EVERY).await;
            self.renew_if_due();
        }
    }

    fn renew_if_due(&self) {
        let now = (self.clock)();
        let (not_before, not_after) = {
            let facts = self.facts.borrow();
            (facts.not_before, facts.not_after)
        };
        // After a clock was set back, the leaf may start in the future.
        if now >= not_before && now < not_after - RENEW_BEFORE {
            return;
        }
        match leaf(&self.authority, &self.names, now) {
            Ok((leaf, mut fresh)) => {
                self.resolver.replace(leaf);
                tracing::info!(serial = fresh.serial, not_after = %fresh.not_after, "renewed the serving certificate");
                self.facts.send_modify(|facts| {
                    fresh.reloads = std::mem::take(&mut facts.reloads);
                    fresh.reloads.note(Ok(()));
                    *facts = fresh;
                });
            }
            Err(error) => {
                tracing::error!(%error, "the serving certificate was not renewed, the old one stays");
                self.facts
                    .send_modify(|facts| facts.reloads.note(Err(error.to_string())));
            }
        }
    }
}

fn leaf(authority: &Authority, names: &[String], now: Timestamp) -> Result<(CertifiedKey, CertificateFacts), TlsError> {
    authority.sign(names, now - BACKDATED, now + LEAF_LIFETIME)?.certified()
}
