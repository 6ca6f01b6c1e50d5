//! Joins the personas of one app into a few groups. A group has the strictest of each limit, and remembers from which
//! persona the limit is. Personas are in different groups where their modes or the levels of their rules differ.
//!
//! The groups are built when a persona changes. So a review costs its containers plus its personas and never their product,
//! and another persona can only tighten.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use smallvec::SmallVec;

use super::finding::{Fact, Finding};
use super::image::{Reference, Registries};
use super::level::Level;
use super::mode::{Mode, ModeWish};
use super::persona::Persona;
use super::rule::{Rule, Rules};

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

    /// Whether any of them governs some workloads of the app only.
    pub fn is_narrowed(self) -> bool {
        match self.strictest {
            Some(strictest) => strictest.is_narrowed,
            None => self.list.iter().any(|persona| persona.selector.is_some()),
        }
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
            rules: Rules::ALL,
            whose: Whose::One(persona),
        });
        single.chain(groups.iter().map(move |group| Demands {
            persona: &group.persona,
            rules: group.rules,
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

/// What one pass of rules holds against an object: a persona, or the strictest of several.
#[derive(Clone, Copy)]
pub(super) struct Demands<'a> {
    /// The limits. Of several personas it has no name.
    pub(super) persona: &'a Persona,
    /// The rules that it is judged by. Findings of others are not its own.
    pub(super) rules: Rules,
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

    /// Whose limit this finding is about. Of several lists of registries, the first that does not allow the image.
    pub(super) fn owner_of(&self, finding: &Finding<'_>) -> &'a Persona {
        if let (Whose::Several(_, list), Fact::ImageNotAllowed { image, allowed }) = (self.whose, &finding.fact) {
            let position = allowed.denied_by(Reference::parse(image).as_ref());
            if let Some(persona) = position.and_then(|position| list.get(position as usize)) {
                return persona;
            }
        }
        self.owner(finding.rule)
    }
}

/// The finding as its owner alone would have made it: the probes of two personas may have two ports, and what one requests
/// does not depend on the limits of another.
pub(super) fn as_of<'a>(owner: &'a Persona, mut finding: Finding<'a>) -> Finding<'a> {
    match &mut finding.fact {
        Fact::ProbeMissing { port, .. } => *port = owner.probe_port,
        Fact::RequestsMissing { cpu, memory } => [*cpu, *memory] = owner.offered_requests(),
        Fact::ImageNotAllowed { allowed, .. } => {
            let own = owner.images.as_ref().and_then(|images| images.registries.as_ref());
            *allowed = own.unwrap_or(*allowed);
        }
        _ => {}
    }
    finding
}

/// What several personas of one app demand together.
#[derive(Debug)]
pub struct Strictest {
    groups: Box<[Group]>,
    /// Positions of the personas with a note.
    noted: Box<[u32]>,
    /// Whether any has a selector.
    is_narrowed: bool,
}

/// What keeps demands apart that several personas of an app have: only those that are equal in all of it can be judged as one.
/// Whatever decides how a finding counts belongs here. Each has a few values, so that there are few groups however many
/// personas there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Apart {
    /// The mode by the persona's annotation; none where it is absent or unknown.
    mode: Option<Mode>,
    /// The level that the persona wishes for its rules.
    wish: Option<Level>,
    /// Whether the rules are the second ones about a limit, which are judged alone where levels differ: the strictest limit
    /// for one of two rules may be laxer than that for the other.
    is_second: bool,
}

impl Apart {
    /// The parts of what a persona demands, each with its rules: one part with all rules where no persona of the app wishes any
    /// level.
    fn of(persona: &Persona, are_levels_set: bool) -> SmallVec<[(Apart, Rules); 2]> {
        let mode = match persona.mode {
            ModeWish::Set(mode) => Some(mode),
            ModeWish::Unset | ModeWish::Unknown(_) | ModeWish::Misplaced(_) => None,
        };
        let apart = |wish, is_second| Apart { mode, wish, is_second };
        if !are_levels_set {
            return SmallVec::from_iter([(apart(None, false), Rules::ALL)]);
        }
        let mut parts: SmallVec<[(Apart, Rules); 2]> = SmallVec::new();
        for rule in Rule::ALL {
            let apart = apart(persona.levels.get(rule), is_second_of_a_limit(rule));
            match parts.iter_mut().find(|(known, _)| *known == apart) {
                Some((_, rules)) => *rules = rules.with(rule),
                None => parts.push((apart, Rules::NONE.with(rule))),
            }
        }
        parts
    }
}

/// Whether another rule is about the same value of a persona.
fn is_second_of_a_limit(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::CpuLimitMissing | Rule::MemoryLimitMissing | Rule::LivenessPathDiffers | Rule::PrivilegeEscalationUnset
    )
}

/// Demands that nothing keeps apart, as those of one persona.
#[derive(Debug)]
struct Group {
    /// The rules that it is judged by: those of all its personas.
    rules: Rules,
    persona: Persona,
    /// For each rule, the position of the persona whose limit it is.
    owners: [u32; Rule::ALL.len()],
}

impl Strictest {
    /// Compiles the personas of one app, in the order of their names: of equal limits the first is kept.
    pub fn compile(list: &[Arc<Persona>]) -> Strictest {
        let mut groups: Vec<Group> = Vec::new();
        let mut registries: Vec<Vec<(u32, &Registries)>> = Vec::new();
        let mut places = HashMap::new();
        let mut noted = Vec::new();
        let are_levels_set = list.iter().any(|persona| !persona.levels.is_empty());
        for (persona, position) in list.iter().zip(0..) {
            for (apart, rules) in Apart::of(persona, are_levels_set) {
                let place = *places.entry(apart).or_insert(groups.len());
                if place == groups.len() {
                    groups.push(Group::led_by(position, apart));
                    registries.push(Vec::new());
                }
                if let Some((group, registries)) = groups.get_mut(place).zip(registries.get_mut(place)) {
                    group.tighten(persona, position, apart.wish, rules);
                    let list = persona.images.as_ref().and_then(|images| images.registries.as_ref());
                    let list = list.filter(|_| rules.contains(Rule::ImageRegistryNotAllowed));
                    registries.extend(list.map(|list| (position, list)));
                }
            }
            if persona.has_notes() {
                noted.push(position);
            }
        }
        for (group, lists) in groups.iter_mut().zip(&registries) {
            if !lists.is_empty() {
                let images = group.persona.images.get_or_insert_default();
                images.registries = Some(Registries::joint(lists));
            }
        }
        Strictest {
            groups: groups.into(),
            noted: noted.into(),
            is_narrowed: list.iter().any(|persona| persona.selector.is_some()),
        }
    }
}

impl Group {
    /// A group that demands nothing yet.
    fn led_by(position: u32, apart: Apart) -> Group {
        Group {
            rules: Rules::NONE,
            persona: Persona {
                mode: apart.mode.map_or(ModeWish::Unset, ModeWish::Set),
                ..Persona::default()
            },
            owners: [position; Rule::ALL.len()],
        }
    }

    /// Takes of each limit the stricter, where one of these rules is about it. What has no order, such as a path, stays that of
    /// the first.
    fn tighten(&mut self, other: &Persona, position: u32, wish: Option<Level>, rules: Rules) {
        self.rules = self.rules.union(rules);
        let Group {
            persona: own, owners, ..
        } = self;
        if let Some(level) = wish {
            let wished = Rule::all_settable().filter(|(_, rule)| rules.contains(*rule));
            wished.for_each(|(name, _)| own.levels.set(name, level));
        }
        let judges = |about: &[Rule]| about.iter().any(|rule| rules.contains(*rule));
        let mut takes = |taken: bool, about: &[Rule]| {
            let taken = taken && judges(about);
            if taken {
                about.iter().for_each(|rule| owners[*rule as usize] = position);
            }
            taken
        };
        let cpu = [Rule::CpuLimitAbovePersona, Rule::CpuLimitMissing];
        if takes(is_lower(own.limits.cpu.as_ref(), other.limits.cpu.as_ref()), &cpu) {
            own.limits.cpu.clone_from(&other.limits.cpu);
        }
        let memory = [Rule::MemoryLimitAbovePersona, Rule::MemoryLimitMissing];
        if takes(
            is_lower(own.limits.memory.as_ref(), other.limits.memory.as_ref()),
            &memory,
        ) {
            own.limits.memory.clone_from(&other.limits.memory);
        }
        own.has_resources |= takes(!own.has_resources && other.has_resources, &[Rule::RequestsMissing]);
        let maximum = [Rule::ReplicasAboveMaximum];
        if takes(
            is_lower(own.max_replicas.as_ref(), other.max_replicas.as_ref()),
            &maximum,
        ) {
            own.max_replicas = other.max_replicas;
        }
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
        if let Some(other) = &other.images {
            let images = own.images.get_or_insert_default();
            images.deny_latest |= takes(!images.deny_latest && other.deny_latest, &[Rule::ImageTagLatest]);
            images.require_digest |= takes(
                !images.require_digest && other.require_digest,
                &[Rule::ImageDigestMissing],
            );
        }
    }
}

/// Whether the second bound is lower; no bound is above all.
fn is_lower<T: Ord>(own: Option<&T>, other: Option<&T>) -> bool {
    other.is_some_and(|other| own.is_none_or(|own| other < own))
}

#[cfg(test)]
mod tests;
