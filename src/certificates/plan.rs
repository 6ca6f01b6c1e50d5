//! Decides what is written next, and when: the Secret, the caBundle, or nothing yet. The decision depends on the observed
//! state alone, so there is no IO and no clock here; only keys are generated. `reconciler` writes.
//!
//! Three invariants hold wherever the process is interrupted between two writes:
//!
//! 1. A leaf is published only when the CA that signs it was seen in the caBundle, and [`GRACE`] has passed since, so that
//!    every API server has it too. Only where no certificate is trusted anyway, there is no wait.
//! 2. A CA leaves the bundle only when the last leaf that it signed has expired (and [`SKEW`] has passed), and the Secret
//!    already says so. At most [`MAX_PREVIOUS`] are kept.
//! 3. What is in memory and not in the Secret is not lost when another writer changes the Secret.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::pem;
use super::secret::{Found, KeyedCa, Old, Signing, Stored};
use crate::server::tls::{Authority, CertificateFacts, TlsError, trusts};

const CA_LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);
/// A successor is staged when less than a third of a CA's life is left.
const CA_RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(365 * 24 / 3);
const LEAF_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Leaves more than two days to notice that renewal fails.
const LEAF_RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(56);
/// A holder whose clock is two days ahead still makes leaves that are valid everywhere.
const LEAF_BACKDATED: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How wrong a clock may be without a CA being dropped too early.
const SKEW: SignedDuration = SignedDuration::from_hours(2 * 24);
/// The time from our observation of a caBundle until every API server uses it.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// The longest sleep. A timer set for a day of expiry would miss a clock that was set.
const MAX_SLEEP: Duration = Duration::from_secs(60);
/// How many old CAs are kept. The whole caBundle is sent to every API server.
const MAX_PREVIOUS: usize = 10;
/// How long a CA of a foreign Secret is trusted after its successor appeared. Its leaves live longer, but every replica uses
/// the successor within seconds.
const FOREIGN_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

/// The observed state.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The Secret; `None` when there is none.
    pub(super) secret: Option<&'a Found>,
    /// Our last complete Secret, as this process remembers it.
    pub(super) memory: Option<&'a Stored>,
    /// The webhook configuration; `None` when there is none.
    pub(super) configuration: Option<&'a Registered>,
    /// For how long a foreign Secret has had its present `ca.crt`.
    pub(super) foreign_for: Duration,
    /// The certificate that this process serves, in PEM.
    pub(super) served: Option<&'a str>,
    /// The wall clock.
    pub(super) now: Timestamp,
    /// The names in a leaf.
    pub(super) names: &'a [String],
}

/// The parts of the webhook configuration that matter here.
#[derive(Clone, Debug, Default)]
pub(super) struct Registered {
    /// The name that API servers call and therefore verify.
    pub(super) server_name: String,
    /// The current caBundle.
    pub(super) bundle: Vec<u8>,
    /// The certificates in it, and for how long each has been seen there without interruption.
    pub(super) trusted: Vec<(String, Duration)>,
    /// cert-manager or OpenShift manages the caBundle.
    pub(super) injected: bool,
}

/// What to write.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Write this into the Secret.
    pub(super) secret: Option<Write>,
    /// Write this into the caBundle.
    pub(super) bundle: Option<String>,
    /// Plan again after this long, if nothing happens before.
    pub(super) again: Duration,
}

/// The content to write into the Secret, and why.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) stored: Stored,
    /// Whether it fulfils a user's request.
    pub(super) taken_up: bool,
    /// For the log and for counting, in the order of the decisions.
    pub(super) why: Vec<Reason>,
}

/// Why a Secret is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// There was no certificate to continue from.
    Made,
    /// It was deleted or became unusable; memory has it.
    Restored,
    /// A CA was staged.
    CaStaged,
    /// The staged CA signs from now on.
    CaRotated,
    /// A new leaf by the same CA.
    LeafRenewed,
    /// CAs that are no longer needed were dropped.
    PreviousDropped,
    /// CAs that another writer's change had left out were added again.
    PreviousKept,
    /// The annotation requests something other than `leaf` or `ca`.
    NotUnderstood,
    /// The text differs from what we would write, or a request was fulfilled that needed no change.
    Tidied,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Reason::Made => "made",
            Reason::Restored => "restored from memory",
            Reason::CaStaged => "CA staged",
            Reason::CaRotated => "CA rotated",
            Reason::LeafRenewed => "leaf renewed",
            Reason::PreviousDropped => "expired CAs dropped",
            Reason::PreviousKept => "CAs still in use kept",
            Reason::NotUnderstood => "request taken away: dorgu.io/rotate is leaf or ca",
            Reason::Tidied => "tidied",
        }
    }
}

/// The next step.
///
/// # Errors
/// A name cannot stand in a certificate. Nothing is written then.
pub(super) fn plan(view: &View<'_>) -> Result<Plan, TlsError> {
    let (found, rotate, tidy) = match view.secret {
        Some(Found::Foreign { ca, .. }) => {
            return Ok(Plan {
                bundle: view.foreign_bundle(ca.as_deref()),
                again: MAX_SLEEP,
                ..Plan::default()
            });
        }
        Some(Found::ForeignUnusable(_)) => {
            return Ok(Plan {
                again: MAX_SLEEP,
                ..Plan::default()
            });
        }
        Some(Found::Ours { stored, rotate, tidy }) => (Some(stored), rotate.as_deref(), *tidy),
        Some(Found::Unusable(_)) | None => (None, None, true),
    };
    let (stored, why) = match (found, view.memory) {
        (Some(stored), Some(memory)) => {
            let merged = merge(stored, memory, view.now);
            let kept = (merged != *stored).then_some(Reason::PreviousKept);
            (merged, kept)
        }
        (Some(stored), None) => (stored.clone(), None),
        (None, Some(memory)) => (memory.clone(), Some(Reason::Restored)),
        (None, None) => (view.begin()?, Some(Reason::Made)),
    };
    let mut draft = Draft {
        stored,
        why: why.into_iter().collect(),
        again: MAX_SLEEP,
    };
    // The caBundle may hold only what is stored already. What this plan changes must be stored first.
    let base = (found.is_some() || view.memory.is_some()).then(|| draft.stored.bundle());
    let deleted = view.secret.is_none() && view.memory.is_some();
    view.stage(&mut draft, rotate == Some("ca") || deleted)?;
    view.publish(&mut draft, rotate == Some("leaf"))?;
    draft.prune(view.now);
    let taken_up = match rotate {
        // A request that has to wait keeps its annotation until it can be fulfilled.
        Some("leaf") => draft.why.contains(&Reason::LeafRenewed) || draft.why.contains(&Reason::CaRotated),
        Some("ca") => true,
        Some(_) => {
            draft.why.push(Reason::NotUnderstood);
            true
        }
        None => false,
    };
    if (!tidy || taken_up) && draft.why.is_empty() {
        draft.why.push(Reason::Tidied);
    }
    let secret = (!draft.why.is_empty()).then_some(Write {
        stored: draft.stored,
        taken_up,
        why: draft.why,
    });
    let seen = view.configuration.filter(|seen| !seen.injected);
    let differs = |base: &String| seen.is_some_and(|seen| seen.bundle != base.as_bytes());
    Ok(Plan {
        secret,
        bundle: base.filter(differs),
        again: draft.again,
    })
}

impl View<'_> {
    /// Nothing is stored and nothing remembered. Other replicas may serve a certificate that callers trust, so the content of
    /// the caBundle is kept and the new CA waits. Where the caBundle is empty, there is no wait.
    fn begin(&self) -> Result<Stored, TlsError> {
        let valid = |(certificate, _): &&(String, Duration)| pem::is_valid(certificate, self.now);
        let trusted = self.configuration.iter().flat_map(|seen| &seen.trusted).filter(valid);
        let until = self.now + LEAF_LIFETIME + SKEW;
        let previous = trusted.map(|(certificate, _)| Old {
            certificate: certificate.clone(),
            until,
        });
        Ok(Stored {
            signing: None,
            next: Some(self.make()?),
            previous: previous.collect(),
        })
    }

    fn make(&self) -> Result<KeyedCa, TlsError> {
        // The name distinguishes the CAs in a bundle.
        let name = format!("dorgu CA {}", self.now.strftime("%Y-%m-%d %H:%M:%S"));
        Ok(KeyedCa::of(&Authority::make(&name, self.now, CA_LIFETIME)?))
    }

    /// Stages the next CA, when it is due or requested.
    fn stage(&self, draft: &mut Draft, wanted: bool) -> Result<(), TlsError> {
        // A staged CA that waited until it is itself due is unusable.
        let due = |ca: &KeyedCa| draft_due(&ca.certificate, self.now, CA_RENEW_BEFORE);
        let stale = draft.stored.next.as_ref().is_some_and(|next| due(next).is_zero());
        let signing = draft.stored.signing.as_ref().map(|signing| due(&signing.ca));
        if let Some(left) = signing.filter(|left| !left.is_zero()) {
            draft.again = draft.again.min(left);
        }
        let wanted = wanted || signing.is_none_or(|left| left.is_zero());
        if stale || (wanted && draft.stored.next.is_none()) {
            draft.stored.next = Some(self.make()?);
            draft.why.push(Reason::CaStaged);
        }
        Ok(())
    }

    /// Makes the staged CA the signing one, or renews the leaf, whichever is allowed.
    fn publish(&self, draft: &mut Draft, wanted: bool) -> Result<(), TlsError> {
        if let Some(next) = draft.stored.next.clone() {
            let wait = self.wait_for(&next.certificate);
            if wait.is_zero() {
                draft.promote(self.sign(next, self.now)?);
                return Ok(());
            }
            draft.again = draft.again.min(wait);
        }
        let Some(signing) = &draft.stored.signing else {
            return Ok(());
        };
        let left = draft_due(&signing.leaf.certificate, self.now, LEAF_RENEW_BEFORE);
        let names = CertificateFacts::of_pem(&signing.leaf.certificate).map(|facts| facts.names);
        if !wanted && !left.is_zero() && names.is_ok_and(|names| names == self.names) {
            draft.again = draft.again.min(left);
            return Ok(());
        }
        let wait = self.wait_for(&signing.ca.certificate);
        if wait.is_zero() && pem::is_valid(&signing.ca.certificate, self.now) {
            let renewed = self.sign(signing.ca.clone(), signing.until)?;
            draft.stored.signing = Some(renewed);
            draft.why.push(Reason::LeafRenewed);
        } else {
            draft.again = draft.again.min(wait.max(Duration::from_secs(1)));
        }
        Ok(())
    }

    /// A leaf of this CA; its earlier leaves expire at `until`.
    fn sign(&self, ca: KeyedCa, until: Timestamp) -> Result<Signing, TlsError> {
        let authority = Authority::load(&ca.certificate, &ca.key)?;
        let (from, to) = (self.now - LEAF_BACKDATED, self.now + LEAF_LIFETIME);
        // Dates in certificates have no fractions.
        let second = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
        let leaf = authority.sign(self.names, second(from), second(to))?;
        Ok(Signing {
            ca,
            leaf,
            until: second(to).max(second(until)),
        })
    }

    /// How long a leaf of this CA must wait before it may be published (invariant 1).
    fn wait_for(&self, ca: &str) -> Duration {
        if !self.others_are_trusted(ca) {
            return Duration::ZERO;
        }
        let seen = self.configuration.iter().flat_map(|seen| &seen.trusted);
        let seen = seen.clone().find(|(certificate, _)| certificate == ca);
        // It is not there yet. Its appearance triggers the next plan.
        seen.map_or(MAX_SLEEP, |(_, since)| GRACE.saturating_sub(*since))
    }

    /// Whether a certificate is trusted that a leaf of this CA could replace too early.
    fn others_are_trusted(&self, ca: &str) -> bool {
        let Some(seen) = self.configuration else {
            return false;
        };
        match self.served {
            Some(served) => is_trusted(&seen.bundle, served, &seen.server_name, self.now),
            // This replica serves none yet; another may.
            None => {
                let mut certificates = seen.trusted.iter();
                certificates.any(|(certificate, _)| certificate != ca && pem::is_valid(certificate, self.now))
            }
        }
    }

    /// The caBundle for a foreign CA, with the CAs of the present caBundle that may still be in use.
    fn foreign_bundle(&self, ca: Option<&str>) -> Option<String> {
        let seen = self.configuration.filter(|seen| !seen.injected)?;
        let current = pem::certificates(ca?.as_bytes());
        let old = seen.trusted.iter().filter(|(certificate, _)| {
            !current.contains(certificate) && self.foreign_for < FOREIGN_OVERLAP && pem::is_valid(certificate, self.now)
        });
        let old = old.map(|(certificate, _)| certificate.as_str()).take(MAX_PREVIOUS);
        let wanted: String = current.iter().map(String::as_str).chain(old).collect();
        (seen.bundle != wanted.as_bytes()).then_some(wanted)
    }
}

/// The content to store, while it is being decided.
struct Draft {
    stored: Stored,
    why: Vec<Reason>,
    again: Duration,
}

impl Draft {
    fn promote(&mut self, signing: Signing) {
        self.stored.next = None;
        if let Some(old) = self.stored.signing.replace(signing) {
            self.stored.previous.insert(0, old_of(&old));
        } else if !self.why.is_empty() {
            // The very first CA: it is made, not rotated.
            return;
        }
        self.why.push(Reason::CaRotated);
    }

    /// Invariant 2.
    fn prune(&mut self, now: Timestamp) {
        let before = self.stored.previous.len();
        let current: Vec<String> = {
            let signing = self.stored.signing.iter().map(|signing| signing.ca.certificate.clone());
            signing
                .chain(self.stored.next.iter().map(|next| next.certificate.clone()))
                .collect()
        };
        self.stored.previous.retain(|old| {
            let expires = CertificateFacts::of_pem(&old.certificate).map_or(Timestamp::MIN, |facts| facts.not_after);
            now <= old.until && now <= expires && !current.contains(&old.certificate)
        });
        self.stored.previous.truncate(MAX_PREVIOUS);
        if self.stored.previous.len() < before && self.why.is_empty() {
            self.why.push(Reason::PreviousDropped);
        }
    }
}

/// The stored content, with the CAs that were trusted according to memory, as long as they matter (invariant 3).
pub(super) fn merge(found: &Stored, memory: &Stored, now: Timestamp) -> Stored {
    let mut merged = found.clone();
    let remembered = memory.signing.iter().map(old_of).chain(memory.previous.iter().cloned());
    for old in remembered {
        let known = merged.trusted().contains(&old.certificate.as_str());
        let of_use = now <= old.until && pem::is_valid(&old.certificate, now);
        if !known && of_use && merged.previous.len() < MAX_PREVIOUS {
            merged.previous.push(old);
        }
    }
    merged
}

fn old_of(signing: &Signing) -> Old {
    Old {
        certificate: signing.ca.certificate.clone(),
        until: signing.until + SKEW,
    }
}

/// Whether clients that trust this bundle, and call `server_name`, accept a certificate (PEM) at `now`.
pub(super) fn is_trusted(trusted: &[u8], certificate: &str, server_name: &str, now: Timestamp) -> bool {
    trusts(trusted, &pem::chain(certificate), server_name, now).is_ok()
}

/// How long until this certificate must be replaced. Zero when it is due, or when it starts in the future because a clock was
/// set back.
fn draft_due(certificate: &str, now: Timestamp, before: SignedDuration) -> Duration {
    let Ok(facts) = CertificateFacts::of_pem(certificate) else {
        return Duration::ZERO;
    };
    if now < facts.not_before {
        return Duration::ZERO;
    }
    let left = (facts.not_after - before).duration_since(now);
    Duration::try_from(left).unwrap_or_default()
}

#[cfg(test)]
mod tests;
