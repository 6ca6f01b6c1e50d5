//! Reports findings as issues of a persona's status (contract 3.4): decides which are listed and in which order, and words
//! them.
//!
//! The contract words the rows R1 to R11 otherwise than an answer does, so their texts are here. A finding without such a
//! row has the words of `render`.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use super::attributed::AttributedFinding;
use super::exception::{Exception, Exceptions};
use super::finding::{ContainerKind, Escalation, Fact, Finding, ModeHolder, Place, Rule, Severity};
use super::first::First;
use super::level::PlatformRules;
use super::notes;
use super::persona::Persona;
use super::render::{Covered, FieldPath, Message, Uncovered};
use super::rules::{self, Context, RuleSet, Subject, Surface};
use super::text::{Shown, cut};
use super::workload::Workload;

/// Above this many, issues are counted and not listed: a status is one object, and the size of an object is limited.
pub const MOST_ISSUES: usize = 100;

/// Longest text of one issue's field.
const LONGEST: usize = 1_024;

/// One deviation of a Deployment from its persona.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its severity.
    pub severity: Severity,
    /// The field; empty when it concerns none.
    pub field: String,
    /// What differs.
    pub message: String,
    /// What to do.
    pub suggestion: String,
}

/// The deviations, the worst rows of the contract first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issues {
    /// At most [`MOST_ISSUES`] and one that counts the rest.
    pub list: Vec<Issue>,
    /// Those of severity error, listed or not.
    pub errors: usize,
    /// Those that an exception covers, listed or not. None of them is an error.
    pub excepted: usize,
    /// Those that are not listed, which the last line of the list counts.
    pub unlisted: usize,
}

impl Issue {
    /// The last line of a list, which counts those that have no place in it.
    pub fn rest(severity: Severity, unlisted: usize) -> Issue {
        Issue {
            severity,
            field: String::new(),
            message: format!("and {unlisted} more"),
            suggestion: "Fix the issues above; the rest is listed then".to_owned(),
        }
    }
}

/// Compares one workload with one persona, for a status. R1 to R11 in the order of contract 3.4; then, with `complete` rules,
/// findings without a row there. `sharing` are all personas of the app, in the order of their names. What an exception covers is
/// a warning at most.
pub fn issues<'f>(
    set: RuleSet,
    workload: &'f Workload<'f>,
    persona: &'f Persona,
    sharing: &'f [Arc<Persona>],
    platform: &'f PlatformRules,
    exceptions: Exceptions<'f>,
) -> Issues {
    collect(set, workload, persona, Some(sharing), platform, exceptions)
}

/// The same without what concerns the persona and not the workload, for one of the workloads of a default persona.
pub fn issues_of_workload<'f>(
    set: RuleSet,
    workload: &'f Workload<'f>,
    persona: &'f Persona,
    platform: &'f PlatformRules,
    exceptions: Exceptions<'f>,
) -> Issues {
    collect(set, workload, persona, None, platform, exceptions)
}

fn collect<'f>(
    set: RuleSet,
    workload: &'f Workload<'f>,
    persona: &'f Persona,
    sharing: Option<&'f [Arc<Persona>]>,
    platform: &'f PlatformRules,
    exceptions: Exceptions<'f>,
) -> Issues {
    let context = Context {
        set,
        surface: Surface::Status,
        subject: Subject::Deployment,
        workload,
        persona,
        platform,
    };
    let mut first = First::new(MOST_ISSUES, |found: &Found<'f>| order(&found.finding));
    let mut counts = [0; Severity::ALL.len()];
    let mut excepted = 0;
    let exceptions = match set {
        RuleSet::Complete => exceptions,
        RuleSet::Upstream => Exceptions::default(),
    };
    let mut add = |mut finding: Finding<'f>| {
        if let Some(severity) = context.severity(finding.rule) {
            let cover = match exceptions.covering(platform, &mut finding) {
                Some(exception) => Cover::By(exception),
                None => exceptions.ended(platform, &finding).map_or(Cover::None, Cover::Ended),
            };
            let is_excepted = matches!(cover, Cover::By(_));
            let severity = if is_excepted {
                severity.min(Severity::Warning)
            } else {
                severity
            };
            counts[severity as usize] += 1;
            excepted += usize::from(is_excepted);
            first.add(Found {
                severity,
                finding,
                cover,
            });
        }
    };
    rules::judge(&context, &mut add);
    if set == RuleSet::Complete
        && let Some(sharing) = sharing
    {
        let notes = notes::of_persona(persona, set, Subject::Deployment);
        notes.for_each(|note: AttributedFinding<'f>| add(note.finding().clone()));
        if sharing.len() > 1 {
            add(Finding {
                rule: Rule::PersonaDuplicate,
                place: Place::Object(""),
                fact: Fact::Duplicate {
                    personas: sharing,
                    app: &persona.app,
                },
            });
        }
    }
    let errors = counts[Severity::Error as usize];
    let listed = first.into_list();
    let mut list = Vec::with_capacity(listed.len() + 1);
    for found in &listed {
        list.push(issue(found, persona));
        counts[found.severity as usize] -= 1;
    }
    let worst = Severity::ALL
        .into_iter()
        .rfind(|severity| counts[*severity as usize] > 0);
    let unlisted = counts.iter().sum::<usize>();
    if let Some(severity) = worst {
        list.push(Issue::rest(severity, unlisted));
    }
    Issues {
        list,
        errors,
        excepted,
        unlisted,
    }
}

/// A finding as a status has it.
struct Found<'f> {
    severity: Severity,
    finding: Finding<'f>,
    cover: Cover<'f>,
}

/// Whether an exception covers a finding.
enum Cover<'f> {
    None,
    By(&'f Exception),
    /// One did until it ended.
    Ended(&'f Exception),
}

/// The order of contract 3.4: resources, replicas, health, security, and within each the order of containers. Findings without
/// a row there follow.
fn order(finding: &Finding<'_>) -> (u8, usize, Rule, (u8, usize)) {
    let container = match finding.place {
        Place::Container(container, _) => container.index,
        Place::Object(_) | Place::Pod(_) => 0,
    };
    let paragraph = match finding.rule {
        _ if !has_row(finding) => return (9, 0, finding.rule, finding.place.ordinal(finding.rule)),
        Rule::CpuLimitAbovePersona | Rule::MemoryLimitAbovePersona | Rule::RequestsMissing => 0,
        Rule::ReplicasBelowMinimum | Rule::ReplicasAboveMaximum => 1,
        Rule::LivenessProbeMissing | Rule::LivenessPathDiffers | Rule::ReadinessProbeMissing => 2,
        Rule::RunAsNonRoot => 3,
        _ => 4,
    };
    // R10 comes before R11.
    let rule = match finding.rule {
        Rule::WritableRootFilesystem => Rule::CpuLimitAbovePersona,
        rule => rule,
    };
    (paragraph, container, rule, (0, 0))
}

/// The words of a row of contract 3.4.
struct Row<'a> {
    /// The field below the container, or the whole path.
    field: &'a str,
    message: String,
    suggestion: String,
}

/// Whether the contract has a row for this finding. Upstream reads app containers only.
fn has_row(finding: &Finding<'_>) -> bool {
    let is_of_app = match finding.place {
        Place::Container(container, _) => Some(container.kind == ContainerKind::App),
        Place::Object(_) | Place::Pod(_) => None,
    };
    match finding.fact {
        _ if is_of_app == Some(false) => false,
        Fact::LimitAbove { .. } => is_of_app.is_some(),
        Fact::RequestsMissing { .. }
        | Fact::Replicas { .. }
        | Fact::ProbeMissing { .. }
        | Fact::PathDiffers { .. }
        | Fact::NonRootNotDemanded { .. }
        | Fact::WritableRoot { .. }
        | Fact::Escalation(Escalation::Allowed) => true,
        _ => false,
    }
}

/// The contract's row for this finding.
fn row<'a>(finding: &'a Finding<'_>) -> Option<Row<'a>> {
    if !has_row(finding) {
        return None;
    }
    let field = match finding.place {
        Place::Container(_, field) | Place::Object(field) | Place::Pod(field) => field,
    };
    let (message, suggestion) = match (&finding.fact, finding.rule) {
        (Fact::LimitAbove { observed, allowed }, rule) => {
            let resource = resource(rule);
            (
                format!("Container {resource} limit ({observed}) exceeds persona limit ({allowed})"), // R1, R2
                format!("Set {resource} limit to at most {allowed}"),
            )
        }
        // R3
        (Fact::RequestsMissing { .. }, _) => (
            "No resource requests set on container".to_owned(),
            "Set resource requests for predictable scheduling".to_owned(),
        ),
        // R4
        (Fact::Replicas { observed, allowed }, Rule::ReplicasBelowMinimum) => (
            format!("Deployment replicas ({observed}) below persona minimum ({allowed})"),
            format!("Set replicas to at least {allowed}"),
        ),
        // R5
        (Fact::Replicas { observed, allowed }, _) => (
            format!("Deployment replicas ({observed}) above persona maximum ({allowed})"),
            format!("Set replicas to at most {allowed}"),
        ),
        // R6
        (Fact::ProbeMissing { path, .. }, Rule::LivenessProbeMissing) => (
            "Persona specifies livenessPath but container has no HTTP liveness probe".to_owned(),
            format!("Add a liveness probe at {}", Shown(path)),
        ),
        // R7
        (Fact::PathDiffers { observed, allowed }, _) => (
            format!(
                "Liveness path ({}) differs from persona ({})",
                Shown(observed),
                Shown(allowed)
            ),
            format!("Consider aligning to persona path: {}", Shown(allowed)),
        ),
        // R8
        (Fact::ProbeMissing { path, .. }, _) => (
            "Persona specifies readinessPath but container has no readiness probe".to_owned(),
            format!("Add a readiness probe at {}", Shown(path)),
        ),
        // R9
        (Fact::NonRootNotDemanded { .. }, _) => (
            "Persona requires runAsNonRoot but Deployment does not enforce it".to_owned(),
            "Set spec.template.spec.securityContext.runAsNonRoot: true".to_owned(),
        ),
        // R10
        (Fact::WritableRoot { .. }, _) => (
            "Persona requires readOnlyRootFilesystem but container does not set it".to_owned(),
            "Set readOnlyRootFilesystem: true on the container security context".to_owned(),
        ),
        // R11
        (Fact::Escalation(Escalation::Allowed), _) => (
            "Persona forbids privilege escalation but container allows it".to_owned(),
            "Set allowPrivilegeEscalation: false".to_owned(),
        ),
        _ => return None,
    };
    Some(Row {
        field,
        message,
        suggestion,
    })
}

fn resource(rule: Rule) -> &'static str {
    match rule {
        Rule::CpuLimitAbovePersona | Rule::CpuLimitMissing => "CPU",
        _ => "memory",
    }
}

fn issue(found: &Found<'_>, persona: &Persona) -> Issue {
    let (severity, finding) = (found.severity, &found.finding);
    let cover = match found.cover {
        Cover::None => String::new(),
        Cover::By(exception) => Covered(exception).to_string(),
        Cover::Ended(exception) => Uncovered(exception).to_string(),
    };
    let message = |text: &dyn Display| cut(text, LONGEST.saturating_sub(cover.len())) + &cover;
    let short = |text: &dyn Display| cut(text, LONGEST);
    let Some(row) = row(finding) else {
        return Issue {
            severity,
            field: short(&FieldPath(finding)),
            message: message(&Message(finding)),
            suggestion: short(&Suggestion(finding)),
        };
    };
    let field = match finding.place {
        Place::Container(container, _) => format!("containers[{}].{}", Shown(container.name), row.field),
        Place::Pod(_) => format!("spec.template.spec.{}", row.field),
        Place::Object(_) => row.field.to_owned(),
    };
    // The suggestion repeats the persona in its own words; the message has the compared values.
    let written = persona.limits_as_written.as_deref();
    let suggestion = match (written, finding.rule) {
        (Some(written), Rule::CpuLimitAbovePersona) => {
            format!("Set CPU limit to at most {}", Shown(&written.cpu))
        }
        (Some(written), Rule::MemoryLimitAbovePersona) => {
            format!("Set memory limit to at most {}", Shown(&written.memory))
        }
        _ => row.suggestion,
    };
    Issue {
        severity,
        field: short(&field),
        message: message(&row.message),
        suggestion: short(&suggestion),
    }
}

/// What to do about a finding without a row in the contract: the sentence for what `remedy` would patch.
struct Suggestion<'a>(&'a Finding<'a>);

impl Display for Suggestion<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let finding = self.0;
        match &finding.fact {
            Fact::LimitAbove { allowed, .. } | Fact::LimitMissing { allowed } => {
                write!(f, "Set {} limit to at most {allowed}", resource(finding.rule))
            }
            Fact::PodLimitAbove { allowed, .. } => {
                write!(f, "Set {} limit to at most {allowed}", resource(finding.rule))
            }
            Fact::RequestsMissing { .. } => f.write_str("Set resource requests for predictable scheduling"),
            Fact::Replicas { allowed, .. } => write!(f, "Set replicas to {allowed}"),
            Fact::NonRootNotDemanded { .. } => f.write_str("Set runAsNonRoot: true"),
            Fact::RunsAsRoot {
                user: Some(user),
                wanted,
                ..
            } => match (user.account, wanted) {
                (Some(_), _) => f.write_str("Set runAsUserName: ContainerUser"),
                (None, Some(wanted)) => write!(f, "Set runAsUser: {wanted}"),
                (None, None) => f.write_str("Remove runAsUser: 0, or set a user other than 0"),
            },
            Fact::RunsAsRoot { user: None, .. } => f.write_str("Set runAsNonRoot: true"),
            Fact::Escalation(Escalation::Allowed) | Fact::EscalationUnset => {
                f.write_str("Set allowPrivilegeEscalation: false")
            }
            Fact::Escalation(Escalation::Privileged) => f.write_str("Set privileged: false"),
            Fact::Escalation(Escalation::Capability(name, _)) => {
                write!(f, "Remove {} from capabilities.add", Shown(name))
            }
            Fact::Escalation(Escalation::HostProcess { .. }) => f.write_str("Set hostProcess: false"),
            Fact::Escalation(Escalation::ProcMount) => f.write_str("Set procMount: Default"),
            Fact::WritableRoot { .. } => f.write_str("Set readOnlyRootFilesystem: true"),
            Fact::ProbeMissing { path, .. } => write!(f, "Add a probe at {}", Shown(path)),
            Fact::PathDiffers { allowed, .. } => write!(f, "Set the path to {}", Shown(allowed)),
            Fact::ImageNotAllowed { allowed, .. } => write!(f, "Use an image from {allowed}"),
            Fact::ImageLatest { .. } => f.write_str("Set another tag than latest, or a digest"),
            Fact::DigestMissing { .. } => f.write_str("Add the digest of the image: @sha256: and 64 digits"),
            Fact::Label { allowed, .. } => write!(f, "Set label app.kubernetes.io/name: {}", Shown(allowed)),
            Fact::SelectorLabel {
                key,
                allowed: Some(allowed),
                ..
            } => write!(f, "Set label {}: {}", Shown(key), Shown(allowed)),
            Fact::SelectorLabel { key, .. } => write!(f, "Remove label {}", Shown(key)),
            Fact::LabelMissing { .. } => f.write_str("Set label app.kubernetes.io/name"),
            Fact::Unreadable { problem, .. } => write!(f, "Set {} to {}", problem.field, problem.flaw.example()),
            Fact::Duplicate { .. } => f.write_str("Give each ApplicationPersona a spec.name of its own"),
            Fact::ModeUnknown { .. } => f.write_str("Set dorgu.io/mode to advisory or enforcing"),
            Fact::ModeMisplaced { holder, .. } => f.write_str(match holder {
                ModeHolder::Namespace(_) => "Set dorgu.io/mode as a label",
                ModeHolder::Persona(_) => "Set dorgu.io/mode as an annotation",
            }),
        }
    }
}

#[cfg(test)]
mod tests;
