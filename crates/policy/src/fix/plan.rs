//! Builds a plan of changes from findings. A plan is bounded: a finding for which there is no room gets no change and is
//! counted.

mod resources;
mod security;

use std::borrow::Cow;
use std::collections::HashMap;

use smallvec::SmallVec;

use super::{Change, Level, Setting};
use crate::finding::{Fact, Finding, Place, Rule};
use crate::place::APP_LABEL;
use crate::workload::{PodSpec, Workload};
use resources::{CPU, MEMORY, resource};
use security::{About, ESCALATION, NON_ROOT};

/// Average number of changes for one finding.
const CHANGES_EACH: usize = 4;

/// Changes for the first finding, which may be about hundreds of containers: more lines than a denial has room for.
const CHANGES_OF_FIRST: usize = 512;

/// Up to this many changes are searched one by one and need no memory of their own. Most plans have fewer.
const FEW: usize = 8;

/// How much more a plan may hold.
struct Room {
    findings: usize,
    changes: usize,
}

/// Distinguishes two changes. Each item of a list is changed by itself.
type Key<'a> = (Level<'a>, &'static str, Option<Cow<'a, str>>);

/// The changes for a set of findings.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// Each field once, in the order of the findings, with the number of findings that need it changed.
    pub changes: SmallVec<[(Change<'a>, usize); FEW]>,
    /// Findings without a change here, since there was no room for all that they need.
    pub left: usize,
    /// The position of each field in `changes`, once they are more than a few.
    positions: HashMap<Key<'a>, usize>,
}

impl<'a> Plan<'a> {
    /// The changes after which `findings` are gone from `workload`.
    pub fn new(findings: &[&Finding<'a>], workload: &'a Workload<'a>) -> Plan<'a> {
        Plan::within(usize::MAX, findings, workload, |_| true)
    }

    /// As [`Plan::new`], for the first `most` findings that need changes of their own, each with all its changes or with
    /// none: half a fix is denied again. `fits` says whether there is room for the changes that a finding adds. What later
    /// findings need is in the plan already, or they are counted as left.
    pub fn within(
        most: usize,
        findings: &[&Finding<'a>],
        workload: &'a Workload<'a>,
        mut fits: impl FnMut(&mut dyn Iterator<Item = &Change<'a>>) -> bool,
    ) -> Plan<'a> {
        let pod = &workload.spec.template.spec;
        let mut planner = Planner {
            pod,
            about: About::new(findings, pod),
            wanted: SmallVec::new(),
            most_wanted: 0,
            is_left: false,
            plan: Plan::default(),
        };
        let mut room = Room {
            findings: most,
            changes: most.saturating_mul(CHANGES_EACH),
        };
        for finding in findings {
            let own = match planner.plan.changes.is_empty() {
                true => room.changes.max(CHANGES_OF_FIRST),
                false => room.changes,
            };
            // It may also need what is in the plan.
            planner.most_wanted = own.saturating_add(planner.plan.changes.len());
            planner.change(finding);
            planner.take(&mut room, own, &mut fits);
        }
        planner.plan
    }

    /// The position in `changes` of the change of the same field.
    fn position(&self, change: &Change<'a>) -> Option<usize> {
        match self.changes.len() > FEW {
            true => self.positions.get(&key(change)).copied(),
            false => self.changes.iter().position(|(other, _)| is_same(other, change)),
        }
    }

    fn push(&mut self, change: Change<'a>, findings: usize) {
        self.changes.push((change, findings));
        if self.changes.len() > FEW {
            let known = self.positions.len();
            let added = self.changes.iter().enumerate().skip(known);
            self.positions
                .extend(added.map(|(position, (change, _))| (key(change), position)));
        }
    }

    /// The text that a field is changed to, if any.
    fn text(&self, level: Level<'a>, field: &'static str) -> Option<&str> {
        let position = match self.changes.len() > FEW {
            true => self.positions.get(&(level, field, None)).copied(),
            false => {
                let is_it = |change: &Change<'a>| is_field(change, level, field) && item(change).is_none();
                self.changes.iter().position(|(change, _)| is_it(change))
            }
        };
        match &self.changes.get(position?)?.0.to {
            Setting::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The field of the probe that a rule requires.
pub(crate) fn probe(rule: Rule) -> &'static str {
    match rule {
        Rule::LivenessProbeMissing => "livenessProbe",
        _ => "readinessProbe",
    }
}

/// Whether two changes are about the same field, and the same item of it. As [`key`], without building one.
fn is_same(change: &Change<'_>, other: &Change<'_>) -> bool {
    is_field(change, other.level, other.field) && item(change) == item(other)
}

fn is_field(change: &Change<'_>, level: Level<'_>, field: &str) -> bool {
    change.field == field && change.level == level
}

/// The item of a list that is removed, if any.
fn item<'c, 'a>(change: &'c Change<'a>) -> Option<&'c Cow<'a, str>> {
    match (&change.to, &change.from) {
        (Setting::Removed, Setting::Text(item)) => Some(item),
        _ => None,
    }
}

fn key<'a>(change: &Change<'a>) -> Key<'a> {
    (change.level, change.field, item(change).cloned())
}

struct Planner<'a> {
    pod: &'a PodSpec<'a>,
    about: About<'a>,
    /// The changes for the current finding, and which of them are only tied to it.
    wanted: SmallVec<[(Change<'a>, bool); CHANGES_EACH]>,
    most_wanted: usize,
    /// The current finding needs more changes than there is room for.
    is_left: bool,
    plan: Plan<'a>,
}

impl<'a> Planner<'a> {
    /// Moves what is wanted into the plan, if there is room for all of it.
    fn take(
        &mut self,
        room: &mut Room,
        most: usize,
        fits: &mut impl FnMut(&mut dyn Iterator<Item = &Change<'a>>) -> bool,
    ) {
        let known = self.plan.changes.len();
        let positions = self.wanted.iter().map(|(change, _)| self.plan.position(change));
        let positions: SmallVec<[Option<usize>; CHANGES_EACH]> = positions.collect();
        let needed = positions.iter().filter(|position| position.is_none()).count();
        let new = self.wanted.iter().zip(&positions);
        let mut new = new.filter_map(|((change, _), position)| position.is_none().then_some(change));
        // Only what is going to be in the plan may take room for its lines.
        let is_left = std::mem::take(&mut self.is_left);
        let has_room = needed == 0 || (!is_left && room.findings > 0 && needed <= most && fits(&mut new));
        if is_left || !has_room {
            self.plan.left += 1;
            self.wanted.clear();
            self.about.leave();
            return;
        }
        if needed > 0 {
            room.findings -= 1;
            room.changes = room.changes.saturating_sub(needed);
        }
        self.about.settle();
        for ((change, tied), position) in self.wanted.drain(..).zip(positions) {
            let counted = usize::from(!tied);
            // A finding may name a field twice.
            let position = position.or_else(|| match self.plan.changes.len() == known {
                true => None,
                false => self.plan.position(&change),
            });
            match position.and_then(|position| self.plan.changes.get_mut(position)) {
                Some((_, findings)) => *findings += counted,
                None => self.plan.push(change, counted),
            }
        }
    }

    fn set(&mut self, level: Level<'a>, field: &'static str, from: Setting<'a>, to: Setting<'a>) {
        self.want(Change { level, field, from, to }, false);
    }

    /// A change that no finding requires, but an API server does.
    fn tie(&mut self, level: Level<'a>, field: &'static str, from: Setting<'a>, to: Setting<'a>) {
        self.want(Change { level, field, from, to }, true);
    }

    /// Collects a change while there is room. A finding may be about thousands of containers.
    fn want(&mut self, change: Change<'a>, tied: bool) {
        if self.wanted.len() < self.most_wanted {
            self.wanted.push((change, tied));
        } else {
            self.is_left = true;
        }
    }

    fn change(&mut self, finding: &Finding<'a>) {
        let level = match finding.place {
            Place::Object(_) => Level::Object,
            Place::Pod(_) => Level::Pod,
            Place::Container(container, _) => Level::Container(container),
        };
        match &finding.fact {
            Fact::LimitAbove { allowed, .. } | Fact::LimitMissing { allowed } => {
                self.limit(level, resource(finding.rule), allowed, allowed);
            }
            Fact::PodLimitAbove { allowed, each, .. } => self.limit(level, resource(finding.rule), allowed, each),
            Fact::RequestsMissing { cpu, memory } => {
                self.request(level, &CPU, *cpu);
                self.request(level, &MEMORY, *memory);
            }
            Fact::Replicas { observed, allowed } => {
                let (from, to) = (i64::from(*observed), i64::from(*allowed));
                self.set(level, "spec.replicas", Setting::Number(from), Setting::Number(to));
            }
            Fact::NonRootNotDemanded { observed, containers } => self.demand(*observed, containers),
            Fact::RunsAsRoot {
                user,
                wanted,
                switched_off,
                ..
            } => {
                if user.is_some() {
                    self.user(level, *wanted);
                }
                if *switched_off {
                    self.set(level, NON_ROOT, Setting::Flag(false), Setting::Flag(true));
                }
            }
            Fact::Escalation(how) => self.escalation(level, *how),
            Fact::EscalationUnset => {
                self.set(level, ESCALATION, Setting::Unset, Setting::Flag(false));
                self.untie(level);
            }
            Fact::WritableRoot { observed } => self.set(
                level,
                "securityContext.readOnlyRootFilesystem",
                Setting::flag(*observed),
                Setting::Flag(true),
            ),
            Fact::PathDiffers { observed, allowed } => self.set(
                level,
                "livenessProbe.httpGet.path",
                Setting::Text((*observed).into()),
                Setting::Text((*allowed).into()),
            ),
            Fact::Label { observed, allowed, .. } => {
                let from = match *observed {
                    "" => Setting::Removed,
                    observed => Setting::Text(observed.into()),
                };
                let to = Setting::Text((*allowed).into());
                self.set(level, APP_LABEL, from, to);
            }
            Fact::LabelMissing { wanted } => {
                if let Some(wanted) = *wanted {
                    self.set(level, APP_LABEL, Setting::Unset, Setting::Text(wanted.into()));
                }
            }
            Fact::SelectorLabel {
                key, observed, allowed, ..
            } => {
                let from = observed.map_or(Setting::Removed, |observed| Setting::Text(observed.into()));
                let to = allowed.map_or(Setting::Unset, |allowed| Setting::Text(allowed.into()));
                self.set(Level::Label(key), "", from, to);
            }
            // A probe without a port is none.
            Fact::ProbeMissing { path, port } => {
                if let Some(port) = *port {
                    let to = Setting::Probe { path, port };
                    self.set(level, probe(finding.rule), Setting::Unset, to);
                }
            }
            // Which other image does the same is not known.
            Fact::ImageNotAllowed { .. } | Fact::ImageLatest { .. } | Fact::DigestMissing { .. } => {}
            // About the persona or the namespace.
            Fact::Unreadable { .. }
            | Fact::Duplicate { .. }
            | Fact::ModeUnknown { .. }
            | Fact::ModeMisplaced { .. } => {}
        }
    }
}
