//! The rules, one file for each family. A rule compares one workload with one persona and reports findings. It does not know
//! the mode (advisory or enforcing), so it does not decide whether a finding denies.
//!
//! The object is judged in parts: first the object without its containers, then each container. The caller (`decision`) merges
//! the findings of several personas after each part and keeps the first ones and the counts. So it never holds a list of all
//! findings, which would be long for a pod with thousands of containers and ten findings each.

mod images;
mod labels;
mod probes;
mod replicas;
mod resources;
mod security;

pub(super) use labels::{escaped, unselected};

use super::finding::{ContainerRef, Finding, Rule, Severity};
use super::level::PlatformRules;
use super::persona::Persona;
use super::workload::{Container, PodSpec, Workload};

/// The rule set (flag `--rules`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RuleSet {
    /// The drop-in: contract 2.3 to 2.6 and nothing more, without its crashes.
    Upstream,
    /// Everything that a persona means.
    #[default]
    Complete,
}

impl RuleSet {
    /// The word used in the flag.
    pub fn as_str(self) -> &'static str {
        match self {
            RuleSet::Upstream => "upstream",
            RuleSet::Complete => "complete",
        }
    }
}

/// Whether a request is about a Deployment or about its Scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The whole object.
    Deployment,
    /// `deployments/scale`: only replicas can be judged.
    Scale,
}

impl Subject {
    /// The requested replicas. Absent means 1 in a Deployment; the encoder of a Scale omits a zero.
    pub(super) fn replicas(self, workload: &Workload<'_>) -> i32 {
        let absent = match self {
            Subject::Deployment => 1,
            Subject::Scale => 0,
        };
        workload.spec.replicas.unwrap_or(absent)
    }
}

/// Where findings are shown. Contract 2.4 and 3.4 show some rules in one of the two places only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    /// The answer to a request.
    Answer,
    /// The status of a persona.
    Status,
}

/// The input of a rule family.
pub(super) struct Context<'a> {
    pub(super) set: RuleSet,
    pub(super) surface: Surface,
    pub(super) subject: Subject,
    pub(super) workload: &'a Workload<'a>,
    pub(super) persona: &'a Persona,
    /// The levels that the platform requires.
    pub(super) platform: &'a PlatformRules,
}

impl<'a> Context<'a> {
    fn pod(&self) -> &'a PodSpec<'a> {
        &self.workload.spec.template.spec
    }

    fn complete(&self) -> bool {
        self.set == RuleSet::Complete
    }

    /// The severity of a rule's findings; `None` where the rule is off. Upstream knows no levels.
    pub(super) fn severity(&self, rule: Rule) -> Option<Severity> {
        match self.set {
            RuleSet::Complete => Severity::of(self.platform.level(rule, &self.persona.levels)),
            RuleSet::Upstream => Some(rule.severity()),
        }
    }

    fn in_status(&self) -> bool {
        self.surface == Surface::Status
    }

    /// The containers in the order of the report: app containers, then init containers, which upstream never reads.
    pub(super) fn containers(&self) -> impl Iterator<Item = (ContainerRef<'a>, &'a Container<'a>)> + Clone + use<'a> {
        let count = match (self.subject, self.set) {
            (Subject::Scale, _) => 0,
            (Subject::Deployment, RuleSet::Complete) => usize::MAX,
            (Subject::Deployment, RuleSet::Upstream) => self.pod().containers.len(),
        };
        self.pod().all_containers().take(count)
    }
}

/// Receives the findings, one by one.
pub(super) type Found<'f, 'a> = &'f mut dyn FnMut(Finding<'a>);

/// All deviations of one workload from one persona, unsorted.
pub(super) fn judge<'a>(context: &Context<'a>, found: Found<'_, 'a>) {
    judge_object(context, found);
    for (container, spec) in context.containers() {
        judge_container(context, container, spec, found);
    }
}

/// Judges the object as a whole: replicas, and the pod level. A Scale has replicas only.
pub(super) fn judge_object<'a>(context: &Context<'a>, found: Found<'_, 'a>) {
    replicas::judge(context, found);
    if context.subject == Subject::Deployment {
        resources::judge_pod(context, found);
        security::judge_pod(context, found);
    }
}

/// Judges one of [`Context::containers`].
pub(super) fn judge_container<'a>(
    context: &Context<'a>,
    container: ContainerRef<'a>,
    spec: &'a Container<'a>,
    found: Found<'_, 'a>,
) {
    resources::judge_container(context, container, spec, found);
    probes::judge_container(context, container, spec, found);
    security::judge_container(context, container, spec, found);
    images::judge_container(context, container, spec, found);
}
