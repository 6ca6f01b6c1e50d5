//! Plans the fixes of a file: which findings, what patch of which object, which edits of the text. Pure.

use std::collections::BTreeMap;

use json_patch::Patch;
use serde_json::Value;

use crate::check::{Found, Judge, Judgement, Manifest, Stored};
use crate::edits;
use crate::manifest::Node;
use crate::manifest::edit::{EditError, Operation, TextEdit, apply, edit};
use crate::policy::field::Holder;
use crate::policy::remedy::{patch, patch_all};
use crate::policy::render::Message;
use crate::policy::{AttributedFinding, Field, Finding, Rule, Severity};

/// How often an object is judged again: a fix may show what it hid. What is not settled by then never is.
const ROUNDS: usize = 4;

/// What is fixed, and by what.
#[derive(Clone, Copy)]
pub struct Settings<'s> {
    /// What objects are judged by.
    pub judge: &'s Judge<'s>,
    /// The namespace of an object that names none.
    pub namespace: &'s str,
    /// Warnings, too.
    pub all: bool,
}

/// The fixes of one file.
#[derive(Debug, Default)]
pub struct Planned {
    /// The edits of its text. None where nothing is to be changed.
    pub edits: Vec<TextEdit>,
    /// Its text afterwards.
    pub text: String,
    /// The patch of each object that changes.
    pub patches: Vec<ObjectPatch>,
    /// How many findings are fixed.
    pub fixed: usize,
    /// The errors that are left.
    pub left: Vec<Left>,
    /// Templates that objects of it were rendered from.
    pub templates: Vec<String>,
    /// Workloads that no persona governs.
    pub ungoverned: usize,
}

/// What changes in one object.
#[derive(Debug)]
pub struct ObjectPatch {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// The namespace, where the object names one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The patch of the object as it is written.
    pub patch: Patch,
}

/// An error that is left.
#[derive(Debug, PartialEq, Eq)]
pub struct Left {
    /// Where it stands in the text before.
    pub line: usize,
    /// The same.
    pub column: usize,
    /// The rule.
    pub rule: Rule,
    /// What was found.
    pub message: String,
    /// Why it is left.
    pub why: &'static str,
}

/// Why nothing of a file is changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The line, where one is meant.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub reason: String,
}

/// Plans the fixes of a text.
///
/// # Errors
/// The file must be changed by hand.
pub fn plan(text: &str, settings: Settings<'_>) -> Result<Planned, Rejected> {
    let manifest = Manifest::read(text);
    if let Some(error) = manifest.error {
        return Err(Rejected {
            line: Some(error.line),
            reason: format!("{}; nothing of the file is changed", error.reason),
        });
    }
    let mut planned = Planned::default();
    let mut changes: Vec<(&Found, Vec<Operation>)> = Vec::new();
    for found in &manifest.workloads {
        let Some(node) = manifest.node(found) else { continue };
        let object = node.to_value();
        let fixed = fixed(&object, node, settings).map_err(|reason| Rejected {
            line: Some(node.place.line()),
            reason: format!("{}: {reason}", named(&object)),
        })?;
        planned.ungoverned += usize::from(!fixed.is_governed);
        planned.fixed += fixed.fixed;
        planned.left.extend(fixed.left);
        let Some(operations) = edits::operations(&fixed.patch, &found.pointer).filter(|all| !all.is_empty()) else {
            continue;
        };
        if let Some(template) = &found.source
            && !planned.templates.contains(template)
        {
            planned.templates.push(template.clone());
        }
        planned.patches.push(described(&object, fixed.patch));
        changes.push((found, operations));
    }
    planned.edits = edited(text, &manifest, &changes)?;
    planned.text = apply(text, &planned.edits);
    Ok(planned)
}

/// The edits of a text for all its objects.
fn edited(text: &str, manifest: &Manifest, changes: &[(&Found, Vec<Operation>)]) -> Result<Vec<TextEdit>, Rejected> {
    let mut documents: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
    for (found, operations) in changes {
        documents
            .entry(found.document)
            .or_default()
            .extend(operations.iter().cloned());
    }
    let documents: Vec<(usize, &[Operation])> = documents.iter().map(|(at, all)| (*at, all.as_slice())).collect();
    edit(text, &manifest.documents, &documents).map_err(|error| {
        // The first object that cannot be changed by itself is named.
        let alone = |(found, operations): &&(&Found, Vec<Operation>)| {
            edit(text, &manifest.documents, &[(found.document, operations)]).is_err()
        };
        let name = changes.iter().find(alone).and_then(|(found, _)| {
            let node = manifest.node(found)?;
            Some(format!("{}: ", named(&node.to_value())))
        });
        Rejected {
            line: line(&error),
            reason: format!("{}{error}", name.unwrap_or_default()),
        }
    })
}

fn line(error: &EditError) -> Option<usize> {
    Some(match error {
        EditError::Shared { alias, .. } => *alias,
        EditError::Merged { key, .. } => *key,
        EditError::Tabs { line } | EditError::Missing { line, .. } | EditError::Unsupported { line } => *line,
    })
}

/// The fixes of one object.
struct Fixed {
    patch: Patch,
    fixed: usize,
    left: Vec<Left>,
    is_governed: bool,
}

/// One judgement of an object.
struct Round {
    patch: Patch,
    /// Findings that are to be fixed.
    wanted: usize,
    left: Vec<Left>,
    /// The personas whose demands have a fix.
    personas: Vec<String>,
    is_governed: bool,
}

fn fixed(object: &Value, node: &Node, settings: Settings<'_>) -> Result<Fixed, String> {
    let mut current = object.clone();
    let mut patch = Patch(Vec::new());
    let mut before = None;
    for _ in 0..ROUNDS {
        let round = judged(&current, node, settings)?;
        let wanted = *before.get_or_insert(round.wanted);
        if round.patch.0.is_empty() {
            return Ok(Fixed {
                patch,
                fixed: wanted.saturating_sub(round.wanted),
                left: round.left,
                is_governed: round.is_governed,
            });
        }
        json_patch::patch(&mut current, &round.patch).map_err(|error| error.to_string())?;
        patch.0.extend(round.patch.0);
    }
    let personas = judged(&current, node, settings)?.personas;
    Err(format!(
        "what its personas demand excludes each other ({}); change one of them",
        personas.join(", ")
    ))
}

fn judged(object: &Value, node: &Node, settings: Settings<'_>) -> Result<Round, String> {
    let stored = Stored::of(object.clone(), settings.namespace);
    settings.judge.judge(&stored, None, |judgement, _| {
        let mut round = Round {
            patch: Patch(Vec::new()),
            wanted: 0,
            left: Vec::new(),
            personas: Vec::new(),
            is_governed: false,
        };
        let Judgement::Decided(decision) = judgement else {
            return round;
        };
        round.is_governed = decision.personas().next().is_some();
        let is_wanted = |found: &&AttributedFinding<'_>| match found.severity() {
            Severity::Error => true,
            Severity::Warning => settings.all,
            Severity::Info => false,
        };
        let wanted: Vec<&AttributedFinding<'_>> = decision.findings().filter(is_wanted).collect();
        let findings: Vec<&Finding<'_>> = wanted.iter().map(|found| found.finding()).collect();
        round.wanted = wanted.len();
        let has_patch = |found: &&AttributedFinding<'_>| patch(found.finding(), object).is_some();
        let (able, unable) = wanted.into_iter().partition::<Vec<_>, _>(has_patch);
        if !able.is_empty() {
            round.patch = patch_all(findings, object);
        }
        for found in able {
            let persona = found.persona().to_owned();
            if !round.personas.contains(&persona) {
                round.personas.push(persona);
            }
        }
        let errors = unable.iter().filter(|found| found.severity() == Severity::Error);
        round.left = errors.map(|found| left(found.finding(), node)).collect();
        round
    })
}

fn left(finding: &Finding<'_>, node: &Node) -> Left {
    let field = Field::of(finding);
    let (pointer, why) = match field.holder {
        Holder::Workload => (field.pointer.to_string(), "no right value is known"),
        Holder::Persona(_) => (NAME_LABEL.to_owned(), "the persona has to be changed"),
        Holder::Namespace(_) => (NAME_LABEL.to_owned(), "the namespace has to be changed"),
    };
    let place = node.nearest(&pointer).node.place;
    Left {
        line: place.line(),
        column: place.column(),
        rule: finding.rule,
        message: Message(finding).to_string(),
        why,
    }
}

/// Where an object names its app.
const NAME_LABEL: &str = "/metadata/labels/app.kubernetes.io~1name";

fn text<'o>(object: &'o Value, pointer: &str) -> &'o str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn named(object: &Value) -> String {
    format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"))
}

fn described(object: &Value, patch: Patch) -> ObjectPatch {
    let namespace = text(object, "/metadata/namespace");
    ObjectPatch {
        api_version: text(object, "/apiVersion").to_owned(),
        kind: text(object, "/kind").to_owned(),
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        name: text(object, "/metadata/name").to_owned(),
        patch,
    }
}
