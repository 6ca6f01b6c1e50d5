//! Makes the findings of a report of a decision: each with its place, its words and its fix. Pure.

use std::collections::HashSet;
use std::sync::Arc;

use super::judge::{Judge, Judgement};
use super::manifest::{Found, Manifest};
use super::stored::Stored;
use crate::manifest::{Node, Place};
use crate::policy::field::Holder;
use crate::policy::finding::Place as FoundAt;
use crate::policy::fix::Plan;
use crate::policy::render::{Covered, FieldPath, FixLine, Message};
use crate::policy::workload::Workload;
use crate::policy::{AttributedFinding, Decision, Field};
use crate::report::{Location, ObjectName, Position, ReportedFinding, Standing};

/// A file that is judged.
pub struct File<'t> {
    /// The path, as the report has it.
    pub name: Arc<str>,
    /// Whether it is a template, in which no line is known: the text was rendered from it.
    pub is_template: bool,
    /// Its text.
    pub text: &'t str,
    /// The same, read.
    pub manifest: &'t Manifest,
}

/// What was found about one workload.
#[derive(Debug, Default)]
pub struct Findings {
    /// The findings, those first that deny.
    pub list: Vec<ReportedFinding>,
    /// `metadata.name` of every persona that was applied, sorted.
    pub personas: Vec<String>,
}

/// Judges one workload of a file.
///
/// # Errors
/// The object cannot be read.
pub fn findings(
    file: &File<'_>,
    found: &Found,
    judge: &Judge<'_>,
    new: &Stored,
    old: Option<&Stored>,
) -> Result<Findings, String> {
    let Some(node) = file.manifest.node(found) else {
        return Ok(Findings::default());
    };
    judge.judge(new, old, |judgement, workload| match judgement {
        Judgement::Ungoverned => Findings::default(),
        Judgement::Decided(decision) => Findings {
            list: reported(file, node, new, decision, workload),
            personas: decision.personas().map(str::to_owned).collect(),
        },
    })
}

fn reported(
    file: &File<'_>,
    node: &Node,
    object: &Stored,
    decision: &Decision<'_>,
    workload: &Workload<'_>,
) -> Vec<ReportedFinding> {
    let name = ObjectName {
        kind: "Deployment".to_owned(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    };
    // A finding that several personas have with different effects is one line of a report.
    let mut seen = HashSet::new();
    let all = decision.findings().chain(decision.recorded());
    let list = all.map(|attributed| report(file, node, &name, attributed, workload));
    list.filter(|found| seen.insert((found.rule, found.field.clone(), found.message.clone())))
        .collect()
}

fn report(
    file: &File<'_>,
    node: &Node,
    object: &ObjectName,
    attributed: &AttributedFinding<'_>,
    workload: &Workload<'_>,
) -> ReportedFinding {
    let finding = attributed.finding();
    let field = Field::of(finding);
    // What is wrong with a persona or a namespace is said where the object names its app.
    let pointer = match field.holder {
        Holder::Workload => field.pointer.to_string(),
        Holder::Persona(_) | Holder::Namespace(_) => "/metadata/labels/app.kubernetes.io~1name".to_owned(),
    };
    let plan = Plan::new(&[finding], workload);
    let mut message = Message(finding).to_string();
    if let Some(exception) = attributed.exception() {
        message.push_str(&Covered(exception).to_string());
    }
    ReportedFinding {
        rule: finding.rule,
        severity: attributed.severity(),
        standing: match (attributed.exception(), attributed.is_kept()) {
            (Some(_), _) => Standing::Excepted,
            (None, true) => Standing::Before,
            (None, false) => Standing::New,
        },
        denied: attributed.refuses(),
        object: object.clone(),
        container: match finding.place {
            FoundAt::Container(container, _) => Some(container.name.to_owned()),
            FoundAt::Object(_) | FoundAt::Pod(_) => None,
        },
        persona: attributed.persona().to_owned(),
        location: location(file, node.nearest(&pointer).node.place),
        field: pointer,
        path: FieldPath(finding).to_string(),
        message,
        fix: plan
            .changes
            .iter()
            .map(|(change, _)| FixLine(change).to_string())
            .collect(),
        edits: Vec::new(),
    }
}

fn location(file: &File<'_>, place: Place) -> Location {
    if file.is_template {
        let start = Position { line: 1, column: 1 };
        return Location {
            file: Arc::clone(&file.name),
            start,
            end: start,
        };
    }
    let (line, column) = place.end(file.text);
    Location {
        file: Arc::clone(&file.name),
        start: Position {
            line: place.line(),
            column: place.column(),
        },
        end: Position { line, column },
    }
}
