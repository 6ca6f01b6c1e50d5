//! The words: one line per finding for people, its field path, and its fix. Texts are those of contract 2.4 and,
//! for rules without a row there, our own; docs/rules.md explains each.

use std::fmt::{self, Display, Formatter};

use super::finding::{Escalation, Fact, Finding, ModeHolder, Place, Rule, capability};
use super::text::Shown;

/// The finding as one line of printable ASCII.
pub struct Message<'a>(pub &'a Finding<'a>);

impl Display for Message<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let finding = self.0;
        let resource = match finding.rule {
            Rule::CpuLimitAbovePersona | Rule::CpuLimitMissing => "CPU",
            _ => "Memory",
        };
        match (&finding.place, &finding.fact) {
            (Place::Container(c, _), Fact::LimitAbove { observed, allowed }) => {
                write!(
                    f,
                    "[{}] {resource} limit {observed} exceeds persona limit {allowed}",
                    Shown(c.name)
                )
            }
            (_, Fact::LimitAbove { observed, allowed }) => {
                write!(
                    f,
                    "pod-level {resource} limit {observed} exceeds persona limit {allowed}"
                )
            }
            (place, Fact::LimitMissing { allowed }) => {
                write!(f, "{}no {resource} limit; persona limit {allowed}", Who(place))
            }
            (place, Fact::RequestsMissing { .. }) => {
                write!(f, "{}no resource requests; persona sets resources", Who(place))
            }
            (_, Fact::Replicas { observed, allowed }) => {
                let (side, bound) = match finding.rule {
                    Rule::ReplicasBelowMinimum => ("below", "minimum"),
                    _ => ("above", "maximum"),
                };
                write!(f, "replicas ({observed}) {side} persona {bound} ({allowed})")
            }
            (_, Fact::NonRootNotDemanded { .. }) => {
                f.write_str("persona requires runAsNonRoot but Deployment does not enforce it")
            }
            (place, Fact::RunsAsRoot { .. }) => {
                write!(f, "{}runs as root; persona requires runAsNonRoot", Who(place))
            }
            (place, Fact::Escalation(how)) => write!(f, "{}{}", Who(place), Gain(*how)),
            (place, Fact::EscalationUnset) => {
                let who = Who(place);
                write!(
                    f,
                    "{who}allowPrivilegeEscalation not set, which means true; persona forbids it"
                )
            }
            (place, Fact::WritableRoot { .. }) => {
                write!(
                    f,
                    "{}root filesystem writable; persona requires readOnlyRootFilesystem",
                    Who(place)
                )
            }
            (place, Fact::ProbeMissing { path, .. }) => {
                let kind = if finding.rule == Rule::LivenessProbeMissing {
                    "liveness"
                } else {
                    "readiness"
                };
                write!(f, "{}no {kind} probe; persona expects path {}", Who(place), Shown(path))
            }
            (place, Fact::PathDiffers { observed, allowed }) => {
                let (who, observed, allowed) = (Who(place), Shown(observed), Shown(allowed));
                write!(f, "{who}liveness path {observed} differs from persona path {allowed}")
            }
            (_, Fact::Label { observed, persona, .. }) => {
                f.write_str("label app.kubernetes.io/name ")?;
                if observed.is_empty() {
                    f.write_str("removed")?;
                } else {
                    write!(
                        f,
                        "changed to '{}', which no ApplicationPersona governs",
                        Shown(observed)
                    )?;
                }
                write!(f, "; ApplicationPersona '{}' governs this Deployment", Shown(persona))
            }
            (_, Fact::Unreadable { persona, problem }) => {
                let (persona, value) = (Shown(persona), Shown(&problem.value));
                write!(f, "ApplicationPersona '{persona}': ")?;
                write!(f, "{} '{value}' is not a quantity; check skipped", problem.field)
            }
            (_, Fact::Duplicate { personas, app }) => {
                f.write_str("ApplicationPersonas ")?;
                for (position, persona) in personas.iter().take(5).enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(f, "{comma}'{}'", Shown(persona))?;
                }
                if personas.len() > 5 {
                    write!(f, " and {} more", personas.len() - 5)?;
                }
                write!(f, " share spec.name '{}'; all apply", Shown(app))
            }
            (_, Fact::ModeUnknown { holder, observed }) => {
                match holder {
                    ModeHolder::Namespace(name) => write!(f, "Namespace '{}': label", Shown(name))?,
                    ModeHolder::Persona(name) => {
                        write!(f, "ApplicationPersona '{}': annotation", Shown(name))?;
                    }
                }
                let observed = Shown(observed);
                write!(
                    f,
                    " dorgu.io/mode '{observed}' is not one of advisory, enforcing; ignored"
                )
            }
        }
    }
}

/// `[C] ` for a container, nothing for the rest.
struct Who<'a>(&'a Place<'a>);

impl Display for Who<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Container(container, _) => write!(f, "[{}] ", Shown(container.name)),
            Place::Object(_) | Place::Pod(_) => Ok(()),
        }
    }
}

/// What follows `[C] ` for a gain of privileges.
struct Gain<'a>(Escalation<'a>);

impl Display for Gain<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Escalation::Allowed => return f.write_str("privilege escalation enabled but persona forbids it"),
            Escalation::Privileged => f.write_str("privileged")?,
            Escalation::Capability(name, _) => {
                let name = capability(name).to_ascii_uppercase();
                write!(f, "adds capability {}", Shown(&name))?;
            }
            Escalation::HostProcess { .. } => f.write_str("hostProcess")?,
            Escalation::ProcMount => f.write_str("procMount Unmasked")?,
        }
        f.write_str("; persona forbids privilege escalation")
    }
}

/// The field a finding is about, in full and with containers by name:
/// `spec.template.spec.containers[api].securityContext.allowPrivilegeEscalation`. Empty when it is about no field.
pub struct FieldPath<'a>(pub &'a Finding<'a>);

impl Display for FieldPath<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.0.place, &self.0.fact) {
            // Findings about the persona or the namespace name no field of the object under review.
            (_, Fact::Unreadable { .. } | Fact::Duplicate { .. } | Fact::ModeUnknown { .. }) => Ok(()),
            // The user was found in another field than the one that would demand non-root, perhaps at another level.
            (place, Fact::RunsAsRoot { user: Some(user), .. }) => {
                let field = if user.account.is_some() {
                    "windowsOptions.runAsUserName"
                } else {
                    "runAsUser"
                };
                write!(f, "{}.securityContext.{field}", Level(place, user.from_pod))
            }
            (place, Fact::Escalation(Escalation::HostProcess { from_pod })) => {
                write!(
                    f,
                    "{}.securityContext.windowsOptions.hostProcess",
                    Level(place, *from_pod)
                )
            }
            (Place::Object(path), _) => f.write_str(path),
            (Place::Pod(path), _) => write!(f, "spec.template.spec.{path}"),
            (Place::Container(c, path), _) => {
                write!(f, "spec.template.spec.{}[{}].{path}", c.kind.list(), Shown(c.name))
            }
        }
    }
}

/// The container of a place, or its pod where a setting is inherited from there.
struct Level<'a>(&'a Place<'a>, bool);

impl Display for Level<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("spec.template.spec")?;
        match self {
            Level(Place::Container(c, _), false) => write!(f, ".{}[{}]", c.kind.list(), Shown(c.name)),
            _ => Ok(()),
        }
    }
}

/// The fix in one line: `<field>: <observed> -> <wanted>`.
pub struct FixLine<'a>(pub &'a Finding<'a>);

impl Display for FixLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let finding = self.0;
        write!(f, "{}: ", FieldPath(finding))?;
        match &finding.fact {
            Fact::LimitAbove { observed, allowed } => write!(f, "{observed} -> {allowed}"),
            Fact::LimitMissing { allowed } => write!(f, "unset -> {allowed}"),
            Fact::RequestsMissing { cpu, memory } => {
                f.write_str("unset ->")?;
                cpu.iter().try_for_each(|cpu| write!(f, " cpu {cpu}"))?;
                memory.iter().try_for_each(|memory| write!(f, " memory {memory}"))?;
                if cpu.is_none() && memory.is_none() {
                    f.write_str(" set")
                } else {
                    Ok(())
                }
            }
            Fact::Replicas { observed, allowed } => write!(f, "{observed} -> {allowed}"),
            Fact::NonRootNotDemanded { observed, .. } => write!(f, "{} -> true", Flag(*observed)),
            Fact::RunsAsRoot { user: None, .. } => f.write_str("false -> true"),
            Fact::RunsAsRoot {
                user: Some(user),
                wanted,
                switched_off,
                ..
            } => {
                match (user.account, wanted) {
                    (Some(account), _) => write!(f, "{} -> ContainerUser", Shown(account))?,
                    (None, Some(wanted)) => write!(f, "0 -> {wanted}")?,
                    (None, None) => f.write_str("0 -> a user other than 0")?,
                }
                // Both stand in the way: naming one would have the next attempt refused again.
                if *switched_off {
                    f.write_str("; runAsNonRoot: false -> true")
                } else {
                    Ok(())
                }
            }
            Fact::Escalation(Escalation::Capability(name, _)) => write!(f, "{} -> removed", Shown(name)),
            Fact::Escalation(Escalation::ProcMount) => f.write_str("Unmasked -> Default"),
            Fact::Escalation(_) => f.write_str("true -> false"),
            Fact::EscalationUnset => f.write_str("unset -> false"),
            Fact::WritableRoot { observed } => write!(f, "{} -> true", Flag(*observed)),
            Fact::ProbeMissing { path, .. } => write!(f, "unset -> httpGet {}", Shown(path)),
            Fact::PathDiffers { observed, allowed } => {
                write!(f, "{} -> {}", Shown(observed), Shown(allowed))
            }
            Fact::Label {
                observed: "", allowed, ..
            } => {
                write!(f, "removed -> {}", Shown(allowed))
            }
            Fact::Label { observed, allowed, .. } => {
                write!(f, "{} -> {}", Shown(observed), Shown(allowed))
            }
            Fact::Unreadable { problem, .. } => write!(f, "{} -> a quantity", Shown(&problem.value)),
            Fact::Duplicate { .. } => f.write_str("shared -> one persona each"),
            Fact::ModeUnknown { observed, .. } => {
                write!(f, "{} -> advisory or enforcing", Shown(observed))
            }
        }
    }
}

struct Flag(Option<bool>);

impl Display for Flag {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "unset",
            Some(true) => "true",
            Some(false) => "false",
        })
    }
}
