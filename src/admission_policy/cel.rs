//! Builds CEL expressions: what a rule demands of an object, and what the ratchet excuses.
//!
//! An expression reads the object as an API server gives it to a policy: with defaults, without nulls, and without fields that
//! are not set. Functions are those that Kubernetes 1.32 has and that an API server of the version before it understands.

/// What one kind of violation is, as CEL.
pub(super) enum Violation {
    /// Of the object as a whole.
    Object {
        /// Whether there is one.
        found: String,
        /// Of an update: whether the stored object had it, at least as severe. `None` where that excuses nothing.
        kept: Option<String>,
    },
    /// Of each container by itself.
    Each(Each),
}

/// A violation of single containers.
pub(super) struct Each {
    /// Which containers are judged.
    pub(super) among: Among,
    /// Whether the container `c` has it.
    pub(super) found: String,
    /// Where a container may have several: a list, and which of its items `x` are violations.
    pub(super) items: Option<(String, String)>,
    /// Whether the stored container `o` of the same name had it, at least as severe.
    pub(super) kept: String,
    /// Whether an update is excused whatever was stored.
    pub(super) excused: Option<String>,
}

/// The containers that a rule judges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// Every container. What runs once is less than what runs as long as the pod.
    All,
    /// Containers and sidecars.
    Lasting,
    /// Containers alone.
    Apps,
    /// The images of every container, however long it runs.
    Images,
}

impl Among {
    /// Variables: containers of the new object, and those of the stored one that excuse them.
    fn lists(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Among::All => &[("lasting", "oldLasting"), ("once", "oldAll")],
            Among::Lasting => &[("lasting", "oldLasting")],
            Among::Apps => &[("apps", "oldApps")],
            Among::Images => &[("images", "oldImages")],
        }
    }
}

/// Which violations an expression forbids.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Forbids {
    /// All of them.
    Any,
    /// Those that the stored object did not have.
    New,
    /// Those that it had.
    Kept,
}

/// Whether the request is an update.
const IS_UPDATE: &str = "request.operation == 'UPDATE'";

impl Violation {
    /// Expressions that all hold where there is no violation of this kind.
    pub(super) fn forbidden(&self, forbids: Forbids) -> Vec<String> {
        match self {
            Violation::Object { found, kept } => {
                let kept = kept.as_ref().map(|kept| format!("{IS_UPDATE} && ({kept})"));
                match (forbids, kept) {
                    (Forbids::Any, _) | (Forbids::New, None) => vec![format!("!({found})")],
                    (Forbids::New, Some(kept)) => vec![format!("(!({found}) || ({kept}))")],
                    (Forbids::Kept, Some(kept)) => vec![format!("!({kept} && ({found}))")],
                    (Forbids::Kept, None) => Vec::new(),
                }
            }
            Violation::Each(each) => {
                let lists = each.among.lists().iter();
                lists
                    .map(|(list, stored)| each.forbidden(list, stored, forbids))
                    .collect()
            }
        }
    }
}

impl Each {
    fn forbidden(&self, list: &str, stored: &str, forbids: Forbids) -> String {
        let kept = &self.kept;
        let mut excused = format!("variables.{stored}.exists(o, o.name == c.name && ({kept}))");
        if let Some(always) = &self.excused {
            excused = format!("({IS_UPDATE} && ({always}) || {excused})");
        }
        let excuse = match forbids {
            Forbids::Any => None,
            Forbids::New => Some(excused),
            Forbids::Kept => Some(format!("!{excused}")),
        };
        let mut passes = vec![format!("!({})", self.found)];
        match &self.items {
            None => passes.extend(excuse),
            Some((items, found)) => {
                let of_item = [Some(format!("!({found})")), excuse];
                let of_item: Vec<String> = of_item.into_iter().flatten().collect();
                passes.push(format!("{items}.all(x, {})", of_item.join(" || ")));
            }
        }
        format!("variables.{list}.all(c, {})", passes.join(" || "))
    }
}

/// The variables that expressions may read, each after those that it reads itself.
pub(super) fn variables(own: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let lists = |containers: &str, inits: &str| {
        let kind =
            |operator: &str| format!("variables.{inits}.filter(c, c.?restartPolicy.orValue('') {operator} 'Always')");
        (format!("variables.{containers} + {}", kind("==")), kind("!="))
    };
    let (lasting, once) = lists("apps", "inits");
    let (old_lasting, _) = lists("oldApps", "oldInits");
    let system = |pod: &str, name: &str| format!("variables.{pod}.?os.?name.orValue('') == '{name}'");
    let of_all = [
        ("pod", "dyn(object.spec.template.spec)".to_owned()),
        ("apps", "variables.pod.?containers.orValue([])".to_owned()),
        ("inits", "variables.pod.?initContainers.orValue([])".to_owned()),
        ("lasting", lasting),
        ("once", once),
        ("isWindows", system("pod", "windows")),
        ("isLinux", system("pod", "linux")),
        (
            "oldPod",
            format!("{IS_UPDATE} ? dyn(oldObject.spec.template.spec) : dyn({{}})"),
        ),
        ("oldApps", "variables.oldPod.?containers.orValue([])".to_owned()),
        ("oldInits", "variables.oldPod.?initContainers.orValue([])".to_owned()),
        ("oldLasting", old_lasting),
        ("oldAll", "variables.oldApps + variables.oldInits".to_owned()),
        ("wasWindows", system("oldPod", "windows")),
        ("wasLinux", system("oldPod", "linux")),
    ];
    of_all.into_iter().chain(own).collect()
}

/// Keeps the variables that the expressions read, by themselves or through others.
pub(super) fn read_by(all: &[(&'static str, String)], expressions: &[&str]) -> Vec<(&'static str, String)> {
    let mut texts: Vec<&str> = expressions.to_vec();
    let mut kept = Vec::new();
    for (name, expression) in all.iter().rev() {
        if texts.iter().any(|text| reads(text, name)) {
            texts.push(expression);
            kept.push((*name, expression.clone()));
        }
    }
    kept.reverse();
    kept
}

/// Whether an expression reads a variable.
fn reads(expression: &str, name: &str) -> bool {
    let mut rest = expression.split("variables.").skip(1);
    rest.any(|rest| {
        rest.strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
    })
}

/// A text as a CEL literal.
pub(super) fn text(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for character in text.chars() {
        match character {
            '\\' | '\'' => literal.extend(['\\', character]),
            ' '..='~' => literal.push(character),
            _ => literal.push_str(&format!("\\U{:08x}", u32::from(character))),
        }
    }
    literal.push('\'');
    literal
}

/// Texts as a CEL list.
pub(super) fn texts<'t>(all: impl IntoIterator<Item = &'t str>) -> String {
    let all: Vec<String> = all.into_iter().map(text).collect();
    format!("[{}]", all.join(", "))
}
