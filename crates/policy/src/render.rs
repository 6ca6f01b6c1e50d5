//! Words findings: each as one line, with the path of its field and the line of its fix. A status has other words for the
//! rows of contract 3.4 (`issue`).
//!
//! The texts are those of contract 2.4 and, for rules without a row there, our own; docs/rules.md explains each.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use super::exception::Exception;
use super::field;
use super::finding::{Escalation, Fact, Finding, ModeHolder, Place, Rule};
use super::fix::{self, Change, Setting};
use super::image::Reference;
use super::persona::Persona;
use super::privileged::capability;
use super::text::{JsonText, Literal, Quoted, Shown, cut};

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
            (place, Fact::LimitAbove { observed, allowed }) => {
                let who = Who(place);
                write!(f, "{who}{resource} limit {observed} exceeds persona limit {allowed}")
            }
            (
                _,
                Fact::PodLimitAbove {
                    observed,
                    allowed,
                    each,
                    containers,
                },
            ) => {
                write!(
                    f,
                    "pod-level {resource} limit {observed} exceeds persona limit {allowed}"
                )?;
                if *containers > 1 {
                    write!(f, " ({each} for each of {containers} containers)")?;
                }
                Ok(())
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
            (place, Fact::RunsAsRoot { user: None, .. }) => {
                write!(f, "{}runAsNonRoot is false; persona requires it", Who(place))
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
            (place, Fact::ImageNotAllowed { image, allowed }) => {
                let image = Image(image, "is not allowed");
                write!(f, "{}{image}; persona allows {allowed}", Who(place))
            }
            (place, Fact::ImageLatest { image }) => {
                let has = match Reference::parse(image).and_then(|image| image.tag()) {
                    Some(_) => "has the tag latest",
                    None => "has no tag, which means latest",
                };
                write!(f, "{}{}; persona forbids latest", Who(place), Image(image, has))
            }
            (place, Fact::DigestMissing { image }) => {
                let image = Image(image, "has no digest");
                write!(f, "{}{image}; persona requires a digest", Who(place))
            }
            (
                _,
                Fact::Label {
                    observed,
                    persona,
                    defaults,
                    ..
                },
            ) => {
                f.write_str("label app.kubernetes.io/name ")?;
                if observed.is_empty() {
                    f.write_str("removed")?;
                } else {
                    write!(f, "changed to '{}', which ", Shown(observed))?;
                    match *defaults {
                        [] => f.write_str("no ApplicationPersona governs")?,
                        [one] => write!(f, "only the default ApplicationPersona '{}' governs", Shown(&one.name))?,
                        several => write!(f, "only the default ApplicationPersonas {} govern", names(several))?,
                    }
                }
                write!(f, "; ApplicationPersona '{}' governs this Deployment", Shown(persona))
            }
            (
                _,
                Fact::SelectorLabel {
                    key, observed, persona, ..
                },
            ) => {
                write!(f, "label {} ", cut(Shown(key), MAX_KEY))?;
                match observed {
                    None => f.write_str("removed")?,
                    Some(observed) => write!(f, "changed to '{}'", Shown(observed))?,
                }
                let persona = Shown(persona);
                write!(
                    f,
                    "; ApplicationPersona '{persona}' governs this Deployment by its selector"
                )
            }
            (_, Fact::LabelMissing { .. }) => f.write_str("Deployment has no app.kubernetes.io/name label"),
            (_, Fact::Unreadable { persona, problem }) => {
                let (persona, value) = (Shown(persona), Shown(&problem.value));
                write!(f, "ApplicationPersona '{persona}': ")?;
                write!(f, "{} '{value}' {}", problem.field, problem.flaw.as_str())
            }
            (_, Fact::Duplicate { personas, app }) => {
                write!(f, "ApplicationPersonas {}", names(personas))?;
                write!(f, " share spec.name '{}'; all apply", Shown(app))
            }
            (_, Fact::ModeMisplaced { holder, observed }) => {
                let observed = Shown(observed);
                let (kind, name, wrong, right) = match holder {
                    ModeHolder::Namespace(name) => ("Namespace", name, "annotation", "a label"),
                    ModeHolder::Persona(name) => ("ApplicationPersona", name, "label", "an annotation"),
                };
                write!(
                    f,
                    "{kind} '{}': {wrong} dorgu.io/mode '{observed}' has to be {right}; ignored",
                    Shown(name)
                )
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

/// The names of several personas.
fn names(personas: &[Arc<Persona>]) -> Quoted<impl Iterator<Item = &str> + Clone> {
    Quoted(personas.iter().map(|persona| persona.name.as_str()))
}

/// The persona of a finding.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a>(pub &'a str);

impl Display for Owner<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " (ApplicationPersona '{}')", Shown(self.0))
    }
}

/// Longest name of an exception in a line.
const EXCEPTION_NAME: usize = 63;

/// What follows the text of a finding that an exception covers.
pub struct Covered<'a>(pub &'a Exception);

impl Display for Covered<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Exception { name, until, .. } = self.0;
        let name = cut(Shown(name), EXCEPTION_NAME);
        write!(f, "; PersonaException '{name}' covers it until {until}")
    }
}

/// What follows the text of a finding that an exception covered.
pub struct Uncovered<'a>(pub &'a Exception);

impl Display for Uncovered<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Exception { name, until, .. } = self.0;
        let name = cut(Shown(name), EXCEPTION_NAME);
        write!(f, "; PersonaException '{name}' covered it until {until}")
    }
}

/// An image, and what is wrong with it. A line has 256 bytes, of which an image takes at most [`MAX_IMAGE`].
struct Image<'a>(&'a str, &'static str);

/// Longest key of a label in a line, in which others follow.
const MAX_KEY: usize = 80;

/// Longest image in a line.
const MAX_IMAGE: usize = 100;

impl Display for Image<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Image(image, wrong) = self;
        let is_readable = Reference::parse(image).is_some();
        let image = cut(Shown(image), MAX_IMAGE);
        match is_readable {
            true => write!(f, "image {image} {wrong}"),
            false => write!(f, "image '{image}' cannot be read"),
        }
    }
}

/// `[C] ` for a container, empty otherwise.
struct Who<'a>(&'a Place<'a>);

impl Display for Who<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Container(container, _) => write!(f, "[{}] ", Shown(container.name)),
            Place::Object(_) | Place::Pod(_) => Ok(()),
        }
    }
}

/// The text after `[C] ` for a gain of privileges.
struct Gain<'a>(Escalation<'a>);

impl Display for Gain<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Escalation::Allowed => return f.write_str("privilege escalation enabled but persona forbids it"),
            Escalation::Privileged => f.write_str("privileged")?,
            Escalation::Capability(name, _) => {
                write!(f, "adds capability {}", Shown(&capability(name)))?;
            }
            Escalation::HostProcess { .. } => f.write_str("hostProcess")?,
            Escalation::ProcMount => f.write_str("procMount Unmasked")?,
        }
        f.write_str("; persona forbids privilege escalation")
    }
}

/// The field of a finding, in full and with containers by name:
/// `spec.template.spec.containers[api].securityContext.allowPrivilegeEscalation`. Empty when it is about no field.
pub struct FieldPath<'a>(pub &'a Finding<'a>);

impl Display for FieldPath<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match field::observed(self.0) {
            Some((level, path)) => write!(f, "{}{path}", Prefix(&level)),
            // Findings about the persona or the namespace name no field of the object under review.
            None => Ok(()),
        }
    }
}

/// The path of a level, up to its fields.
struct Prefix<'a>(&'a fix::Level<'a>);

impl Display for Prefix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            fix::Level::Object => Ok(()),
            fix::Level::Label(key) => write!(f, "metadata.labels[{}]", Shown(key)),
            fix::Level::Pod => f.write_str("spec.template.spec."),
            fix::Level::Container(c) => write!(f, "spec.template.spec.{}[{}].", c.kind.list(), Shown(c.name)),
        }
    }
}

/// A change in one line: `<field>: <observed> -> <wanted>`.
pub struct FixLine<'a>(pub &'a Change<'a>);

impl Display for FixLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Change { level, field, from, to } = self.0;
        // A quantity is a text that looks like a number.
        let is_quantity = field.starts_with("resources.");
        let prefix = Prefix(level);
        write!(
            f,
            "{prefix}{field}: {} -> {}",
            Value(from, is_quantity),
            Value(to, is_quantity)
        )
    }
}

impl FixLine<'_> {
    /// The most bytes that the line may have, without formatting it.
    pub fn most_bytes(&self) -> usize {
        /// All that is the same in every line, a number included.
        const FRAME: usize = 96;
        /// An escape of a byte, such as `\u0007`.
        const ESCAPE: usize = 6;
        let Change { level, field, from, to } = self.0;
        let name = match level {
            fix::Level::Container(container) => container.name.len(),
            fix::Level::Label(key) => key.len(),
            fix::Level::Object | fix::Level::Pod => 0,
        };
        let texts = [from, to].map(|setting| match setting {
            Setting::Text(text) => text.len(),
            Setting::Probe { path, .. } => path.len(),
            _ => 0,
        });
        FRAME + field.len() + ESCAPE * (name + texts.iter().sum::<usize>())
    }
}

/// A value, and whether it is a quantity.
struct Value<'a>(&'a Setting<'a>, bool);

impl Display for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Setting::Unset => f.write_str("unset"),
            Setting::Removed => f.write_str("removed"),
            Setting::Flag(flag) => write!(f, "{flag}"),
            Setting::Number(number) => write!(f, "{number}"),
            Setting::Text(text) if self.1 => write!(f, "{}", Shown(text)),
            Setting::Text(text) => write!(f, "{}", Literal(text)),
            Setting::Probe { path, port } => {
                write!(f, r#"{{"httpGet":{{"path":{},"port":{port}}}}}"#, JsonText(path))
            }
        }
    }
}
