//! Finds the workloads in the text of a file, and the template of each that helm or kustomize rendered. Pure.

use crate::manifest::{self, Content, Node, ReadError};

/// The documents of a file.
#[derive(Debug)]
pub struct Manifest {
    /// The documents before the first error.
    pub documents: Vec<Node>,
    /// Its workloads, in the order of the text.
    pub workloads: Vec<Found>,
    /// How many objects are of kinds that are not judged.
    pub skipped: usize,
    /// Why reading ended before the end.
    pub error: Option<ReadError>,
}

/// A workload and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which document.
    pub document: usize,
    /// Where in it, as a JSON pointer: empty, or the item of a List.
    pub pointer: String,
    /// The file that it was rendered from: a template, or a resource of a kustomization.
    pub source: Option<String>,
}

impl Manifest {
    /// Reads a text.
    pub fn read(text: &str) -> Manifest {
        let mut found = Manifest {
            documents: Vec::new(),
            workloads: Vec::new(),
            skipped: 0,
            error: None,
        };
        let mut behind = 0;
        found.error = manifest::each(text, |document| {
            let place = document.place.bytes();
            let template = helm_source(text.get(behind..place.start).unwrap_or_default());
            behind = place.end;
            let mut search = Search {
                document: found.documents.len(),
                template,
                pointer: String::new(),
                found: &mut found.workloads,
                skipped: &mut found.skipped,
            };
            search.object(&document);
            found.documents.push(document);
        });
        found
    }

    /// The node of a workload.
    pub fn node(&self, found: &Found) -> Option<&Node> {
        let node = self.documents.get(found.document)?.nearest(&found.pointer);
        (node.missing == 0).then_some(node.node)
    }
}

/// Whether a kind is a list of objects.
fn is_list(api_version: &str, kind: &str) -> bool {
    matches!((api_version, kind), ("v1", "List") | ("apps/v1", "DeploymentList"))
}

/// The template in `# Source: chart/templates/file.yaml`, which `helm template` writes before each document.
fn helm_source(before: &str) -> Option<&str> {
    let mut sources = before.lines().rev().filter_map(|line| line.strip_prefix("# Source: "));
    sources.next().map(str::trim)
}

/// The file in the annotation that `kustomize build` writes with `buildMetadata: [originAnnotations]`. What comes from another
/// repository is in no file here.
fn kustomize_origin(node: &Node) -> Option<String> {
    let annotations = &node.entry("metadata")?.value.entry("annotations")?.value;
    let origin = annotations.text("config.kubernetes.io/origin")?;
    let read = manifest::read(origin);
    let origin = read.documents.first()?;
    match origin.text("repo") {
        Some(_) => None,
        // What a generator made is in no file, and its configuration is.
        None => origin.text("path").or(origin.text("configuredIn")).map(str::to_owned),
    }
}

/// Whether helm runs it as a test only.
fn is_test_hook(node: &Node) -> bool {
    let annotations = node
        .entry("metadata")
        .and_then(|metadata| metadata.value.entry("annotations"));
    let hook = annotations.and_then(|annotations| annotations.value.text("helm.sh/hook"));
    hook.is_some_and(|hooks| hooks.split(',').any(|hook| hook.trim().starts_with("test")))
}

struct Search<'m> {
    document: usize,
    template: Option<&'m str>,
    pointer: String,
    found: &'m mut Vec<Found>,
    skipped: &'m mut usize,
}

impl Search<'_> {
    fn object(&mut self, node: &Node) {
        // The items of a typed list may leave both out.
        let text = |key: &str| node.text(key).unwrap_or_default();
        match (text("apiVersion"), text("kind")) {
            ("apps/v1", "Deployment") if !is_test_hook(node) => self.found.push(Found {
                document: self.document,
                pointer: self.pointer.clone(),
                source: self.template.map(str::to_owned).or_else(|| kustomize_origin(node)),
            }),
            (api_version, kind) if is_list(api_version, kind) => {
                let Some(items) = node.entry("items") else { return };
                let length = self.pointer.len();
                for (index, item) in items.value.items().iter().enumerate() {
                    self.pointer.push_str(&format!("/items/{index}"));
                    self.object(item);
                    self.pointer.truncate(length);
                }
            }
            _ if matches!(node.content, Content::Null) => {}
            _ => *self.skipped += 1,
        }
    }
}
