//! Counts personas by status phase and by tier. The counts are updated with every change, so that reading them costs the same
//! for any number of personas.

use super::entries::StoredPersona;
use crate::api::application_persona::Tier;
use crate::api::application_persona::status::Phase;

/// Counts by phase (no phase first) and tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([[usize; Tier::ALL.len()]; 1 + Phase::ALL.len()]);

impl Tally {
    pub(super) fn of<'p>(personas: impl Iterator<Item = &'p StoredPersona>) -> Tally {
        let mut tally = Tally::default();
        personas.for_each(|stored| tally.add(stored));
        tally
    }

    pub(super) fn add(&mut self, stored: &StoredPersona) {
        if let Some(count) = self.place(stored) {
            *count += 1;
        }
    }

    pub(super) fn take(&mut self, stored: &StoredPersona) {
        if let Some(count) = self.place(stored) {
            *count -= 1;
        }
    }

    fn place(&mut self, stored: &StoredPersona) -> Option<&mut usize> {
        let phase = stored.status.and_then(|status| status.phase);
        let row = self.0.get_mut(phase.map_or(0, |phase| 1 + phase as usize))?;
        row.get_mut(stored.persona.tier as usize)
    }

    /// Every phase, `None` first for personas without a status, with every tier and its count.
    pub fn iter(&self) -> impl Iterator<Item = (Option<Phase>, Tier, usize)> {
        let phases = std::iter::once(None).chain(Phase::ALL.map(Some));
        let rows = phases.zip(self.0);
        rows.flat_map(|(phase, row)| {
            Tier::ALL
                .into_iter()
                .zip(row)
                .map(move |(tier, count)| (phase, tier, count))
        })
    }
}
