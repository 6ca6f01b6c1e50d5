//! The personas of one app, compiled into one: the strictest of each limit, and the persona it comes from. Compiled when a
//! persona changes, so that a review costs its containers plus its personas and never their product, and another persona only
//! tightens.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::finding::{Fact, Finding, Rule};
use super::mode::{Mode, ModeWish};
use super::persona::Persona;

/// All personas of one app in one namespace, in the order of their `metadata.name`; empty where there are none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Personas<'a> {
    list: &'a [Arc<Persona>],
    strictest: Option<&'a Strictest>,
}

impl<'a> From<&'a [Arc<Persona>]> for Personas<'a> {
    /// Judged one by one: the same answers, each at the price of a review for every persona.
    fn from(list: &'a [Arc<Persona>]) -> Self {
        Personas { list, strictest: None }
    }
}

impl Deref for Personas<'_> {
    type Target = [Arc<Persona>];

    fn deref(&self) -> &[Arc<Persona>] {
        self.list
    }
}

impl<'a> Personas<'a> {
    /// These personas and what [`Strictest::compile`] made of them; of one persona nothing has to be made.
    pub fn compiled(list: &'a [Arc<Persona>], strictest: Option<&'a Strictest>) -> Personas<'a> {
        Personas { list, strictest }
    }

    /// The slice itself, which outlives this value.
    pub fn list(self) -> &'a [Arc<Persona>] {
        self.list
    }

    /// Of several, the one with the lowest name alone.
    pub(super) fn first(self) -> Personas<'a> {
        self.list.get(..1).unwrap_or_default().into()
    }

    /// What an object is judged by, one after the other.
    pub(super) fn demands(self) -> impl Iterator<Item = Demands<'a>> {
        let list = self.list;
        let (single, groups) = match self.strictest {
            Some(strictest) => (&[][..], &*strictest.groups),
            None => (list, &[][..]),
        };
        let single = single.iter().map(|persona| Demands {
            persona,
            whose: Whose::One(persona),
        });
        single.chain(groups.iter().map(move |group| Demands {
            persona: &group.persona,
            whose: Whose::Several(group, list),
        }))
    }

    /// Those with a note, which every answer carries whatever the object is.
    pub(super) fn noted(self) -> impl Iterator<Item = &'a Persona> {
        let list = self.list;
        let (all, noted) = match self.strictest {
            Some(strictest) => (&[][..], &*strictest.noted),
            None => (list, &[][..]),
        };
        let noted = noted.iter().filter_map(|position| list.get(*position as usize));
        all.iter().chain(noted).map(Arc::as_ref)
    }
}

/// What one judging holds against an object: a persona, or the strictest of several.
#[derive(Clone, Copy)]
pub(super) struct Demands<'a> {
    /// The limits. Of several personas it has no name.
    pub(super) persona: &'a Persona,
    whose: Whose<'a>,
}

#[derive(Clone, Copy)]
enum Whose<'a> {
    One(&'a Persona),
    Several(&'a Group, &'a [Arc<Persona>]),
}

impl<'a> Demands<'a> {
    /// Whose limit a finding of this rule is about; where the rule has no limit, the persona with the lowest name.
    pub(super) fn owner(&self, rule: Rule) -> &'a Persona {
        match self.whose {
            Whose::One(persona) => persona,
            Whose::Several(group, list) => {
                let position = group.owners[rule as usize];
                // The group was compiled from this list.
                list.get(position as usize).map_or(&group.persona, Arc::as_ref)
            }
        }
    }
}

/// The finding as its owner alone would have made it: the probes of two personas may have two ports.
pub(super) fn as_of<'a>(owner: &'a Persona, mut finding: Finding<'a>) -> Finding<'a> {
    if let Fact::ProbeMissing { port, .. } = &mut finding.fact {
        *port = owner.probe_port;
    }
    finding
}

/// What several personas of one app demand together.
#[derive(Debug)]
pub struct Strictest {
    groups: Box<[Group]>,
    /// Positions of the personas with a note.
    noted: Box<[u32]>,
}

/// What keeps personas apart that share an app: only those that are equal in all of it can be judged as one. Whatever
/// decides how a finding counts, or whether a persona is asked at all, belongs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Apart {
    /// The mode by the persona's annotation; none where it is absent or unknown.
    mode: Option<Mode>,
}

impl Apart {
    fn of(persona: &Persona) -> Apart {
        let mode = match persona.mode {
            ModeWish::Set(mode) => Some(mode),
            ModeWish::Unset | ModeWish::Unknown(_) | ModeWish::Misplaced(_) => None,
        };
        Apart { mode }
    }
}

/// Personas that nothing keeps apart, as one.
#[derive(Debug)]
struct Group {
    persona: Persona,
    /// For each rule, the position of the persona whose limit it is.
    owners: [u32; Rule::ALL.len()],
}

impl Strictest {
    /// Compiles the personas of one app, in the order of their names: of equal limits the first is kept.
    pub fn compile(list: &[Arc<Persona>]) -> Strictest {
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<Apart, usize> = HashMap::new();
        let mut noted = Vec::new();
        for (persona, position) in list.iter().zip(0..) {
            let apart = Apart::of(persona);
            let place = *places.entry(apart).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Group::led_by(position, apart));
            }
            if let Some(group) = groups.get_mut(place) {
                group.tighten(persona, position);
            }
            if persona.has_notes() {
                noted.push(position);
            }
        }
        Strictest {
            groups: groups.into(),
            noted: noted.into(),
        }
    }
}

impl Group {
    /// A group that demands nothing yet.
    fn led_by(position: u32, apart: Apart) -> Group {
        Group {
            persona: Persona {
                mode: apart.mode.map_or(ModeWish::Unset, ModeWish::Set),
                ..Persona::default()
            },
            owners: [position; Rule::ALL.len()],
        }
    }

    /// Takes of each limit the stricter. What has no order, such as a path, stays that of the first.
    fn tighten(&mut self, other: &Persona, position: u32) {
        let Group { persona: own, owners } = self;
        let mut takes = |taken: bool, rules: &[Rule]| {
            if taken {
                rules.iter().for_each(|rule| owners[*rule as usize] = position);
            }
            taken
        };
        takes(
            lower(&mut own.limits.cpu, other.limits.cpu.as_ref()),
            &[Rule::CpuLimitAbovePersona, Rule::CpuLimitMissing],
        );
        takes(
            lower(&mut own.limits.memory, other.limits.memory.as_ref()),
            &[Rule::MemoryLimitAbovePersona, Rule::MemoryLimitMissing],
        );
        if takes(!own.has_resources && other.has_resources, &[Rule::RequestsMissing]) {
            own.has_resources = true;
            own.requests = other.requests.clone();
        }
        takes(
            lower(&mut own.max_replicas, other.max_replicas.as_ref()),
            &[Rule::ReplicasAboveMaximum],
        );
        if takes(other.min_replicas > own.min_replicas, &[Rule::ReplicasBelowMinimum]) {
            own.min_replicas = other.min_replicas;
        }
        let liveness = [Rule::LivenessProbeMissing, Rule::LivenessPathDiffers];
        if takes(own.liveness_path.is_none() && other.liveness_path.is_some(), &liveness) {
            own.liveness_path.clone_from(&other.liveness_path);
        }
        let readiness = [Rule::ReadinessProbeMissing];
        if takes(
            own.readiness_path.is_none() && other.readiness_path.is_some(),
            &readiness,
        ) {
            own.readiness_path.clone_from(&other.readiness_path);
        }
        if takes(!own.run_as_non_root && other.run_as_non_root, &[Rule::RunAsNonRoot]) {
            own.run_as_non_root = true;
            own.run_as_user = other.run_as_user;
        }
        own.read_only_root_filesystem |= takes(
            !own.read_only_root_filesystem && other.read_only_root_filesystem,
            &[Rule::WritableRootFilesystem],
        );
        own.forbids_privilege_escalation |= takes(
            !own.forbids_privilege_escalation && other.forbids_privilege_escalation,
            &[Rule::PrivilegeEscalation, Rule::PrivilegeEscalationUnset],
        );
    }
}

/// Puts the lower of two bounds into `own`, and says whether that was the other's; no bound is above all.
fn lower<T: Ord + Clone>(own: &mut Option<T>, other: Option<&T>) -> bool {
    let taken = other.is_some_and(|other| own.as_ref().is_none_or(|own| other < own));
    if taken {
        *own = other.cloned();
    }
    taken
}

#[cfg(test)]
mod tests;
