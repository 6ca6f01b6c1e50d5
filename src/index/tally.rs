//! How many personas there are, by what their status says and by how much an outage of their application matters. Kept
//! with every change, so that asking costs the same at any number of them.

use super::entries::StoredPersona;
use crate::api::application_persona::Tier;
use crate::api::application_persona::status::Phase;

/// Personas by phase, none of them first, and tier.
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

    /// Every phase, none first for those without a status, with every tier, and how many there are.
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
