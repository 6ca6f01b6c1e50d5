//! The rules, one file a family. Each adds its findings for one workload and one persona, and knows no mode.

mod labels;
mod probes;
mod replicas;
mod resources;
mod security;

pub(super) use labels::escaped;

use super::finding::{ContainerKind, ContainerRef, Finding};
use super::persona::Persona;
use super::workload::{Container, PodSpec, Workload};

/// Which set of rules is in force (flag `--rules`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RuleSet {
    /// The drop-in: contract 2.3 to 2.6 and nothing more, minus its crashes.
    Upstream,
    /// What a persona means.
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
    /// `deployments/scale`: replicas are all there is to judge.
    Scale,
}

/// Where findings are shown. Contract 2.4 and 3.4 show some rules in one of the two places only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    /// The answer to a request.
    Answer,
    /// The status of a persona.
    Status,
}

/// What one rule family looks at.
pub(super) struct Context<'a> {
    pub(super) set: RuleSet,
    pub(super) surface: Surface,
    pub(super) subject: Subject,
    pub(super) workload: &'a Workload<'a>,
    pub(super) persona: &'a Persona,
}

impl<'a> Context<'a> {
    fn pod(&self) -> &'a PodSpec<'a> {
        &self.workload.spec.template.spec
    }

    fn complete(&self) -> bool {
        self.set == RuleSet::Complete
    }

    fn in_status(&self) -> bool {
        self.surface == Surface::Status
    }

    /// The containers in the order they are told: app containers, then init containers, which upstream never looks at.
    fn containers(&self) -> impl Iterator<Item = (ContainerRef<'a>, &'a Container<'a>)> + use<'a> {
        let init: &'a [Container<'a>] = if self.complete() {
            &self.pod().init_containers
        } else {
            &[]
        };
        let app = self.app_containers();
        app.chain(init.iter().enumerate().map(|(index, container)| {
            let sidecar = container.restart_policy.as_str() == "Always";
            let kind = if sidecar {
                ContainerKind::Sidecar
            } else {
                ContainerKind::Init
            };
            (
                ContainerRef {
                    kind,
                    index,
                    name: &container.name,
                },
                container,
            )
        }))
    }

    /// `containers` only.
    fn app_containers(&self) -> impl Iterator<Item = (ContainerRef<'a>, &'a Container<'a>)> + use<'a> {
        self.pod().containers.iter().enumerate().map(|(index, container)| {
            (
                ContainerRef {
                    kind: ContainerKind::App,
                    index,
                    name: &container.name,
                },
                container,
            )
        })
    }
}

/// A rule family.
type Family = for<'a> fn(&Context<'a>, &mut Vec<Finding<'a>>);

/// Families that judge a Deployment. A Scale has replicas only.
const DEPLOYMENT: &[Family] = &[resources::judge, replicas::judge, probes::judge, security::judge];

/// Everything in which one workload differs from one persona, unsorted.
pub(super) fn judge<'a>(context: &Context<'a>, findings: &mut Vec<Finding<'a>>) {
    match context.subject {
        Subject::Deployment => DEPLOYMENT.iter().for_each(|family| family(context, findings)),
        Subject::Scale => replicas::judge(context, findings),
    }
}
