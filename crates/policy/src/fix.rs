//! Plans the changes that resolve findings: changes of the fields that the findings name, and of the fields that an API
//! server checks together with these. The fix lines of a denial (`render`) and the JSON patches (`remedy`) are both built
//! from this plan, so the two never differ.
//!
//! A plan covers a set of findings on one object. A setting that a container inherits is changed on the pod only where every
//! container that inherits it is among the findings. Elsewhere the container gets its own setting, since the pod's would
//! affect containers without findings.

mod plan;

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

pub use plan::Plan;
pub(super) use plan::probe;

use super::finding::ContainerRef;

/// A user for a container that must not inherit root, where the persona names none: `nobody` in most images.
pub const NOBODY: i64 = 65_534;

/// One field to change.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The object that the path is relative to.
    pub level: Level<'a>,
    /// The path below the level, with dots.
    pub field: &'static str,
    /// The present value.
    pub from: Setting<'a>,
    /// The new value.
    pub to: Setting<'a>,
}

/// The object that a path is relative to.
#[derive(Clone, Copy, Debug)]
pub enum Level<'a> {
    /// The object.
    Object,
    /// A label of the object, which is the field itself.
    Label(&'a str),
    /// `spec.template.spec`.
    Pod,
    /// A container.
    Container(ContainerRef<'a>),
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting<'a> {
    /// The field is absent.
    Unset,
    /// Removes the value in `from` from the list.
    Removed,
    /// A truth value.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text, quantities included.
    Text(Cow<'a, str>),
    /// A probe by HTTP.
    Probe {
        /// Its path.
        path: &'a str,
        /// Its port.
        port: i32,
    },
}

impl Setting<'_> {
    fn flag(value: Option<bool>) -> Self {
        value.map_or(Setting::Unset, Setting::Flag)
    }

    fn number(value: Option<i64>) -> Self {
        value.map_or(Setting::Unset, Setting::Number)
    }
}

impl PartialEq for Level<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Level::Object, Level::Object) | (Level::Pod, Level::Pod) => true,
            (Level::Label(a), Level::Label(b)) => a == b,
            (Level::Container(a), Level::Container(b)) => a.index == b.index && a.kind.is_app() == b.kind.is_app(),
            _ => false,
        }
    }
}

impl Eq for Level<'_> {}

/// Consistent with equality.
impl Hash for Level<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Level::Container(container) => (container.kind.list(), container.index).hash(state),
            Level::Label(key) => key.hash(state),
            Level::Object | Level::Pod => {}
        }
    }
}
