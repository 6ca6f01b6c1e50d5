//! Fixes in forms for other programs: a diff, JSON patches, a component for kustomize. Pure.

use serde_json::{Value, json};
use similar::TextDiff;

use super::plan::ObjectPatch;

/// The form in which fixes are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A unified diff, for `patch -p1` and `git apply`.
    Diff,
    /// The operations for each object.
    JsonPatch,
    /// A component for kustomize.
    Kustomize,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 3] = [Form::Diff, Form::JsonPatch, Form::Kustomize];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Diff => "diff",
            Form::JsonPatch => "json-patch",
            Form::Kustomize => "kustomize",
        }
    }
}

/// The difference of two texts of a file; empty where there is none.
pub fn diff(file: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let (old, new) = (format!("a/{file}"), format!("b/{file}"));
    TextDiff::from_lines(before, after)
        .unified_diff()
        .header(&old, &new)
        .to_string()
}

/// A list with one entry for each object that changes: its file, the object as a kustomize target, and the patch (RFC 6902).
pub fn json_patches(patches: &[(&str, &ObjectPatch)]) -> String {
    let entry = |(file, it): &(&str, &ObjectPatch)| json!({"file": file, "target": target(it), "patch": it.patch});
    let entries: Value = patches.iter().map(entry).collect();
    format!("{entries:#}\n")
}

/// A component with one patch for each object that changes.
pub fn kustomize(patches: &[(&str, &ObjectPatch)]) -> String {
    let mut text = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n".to_owned();
    if patches.is_empty() {
        return text + "patches: []\n";
    }
    text.push_str("patches:\n");
    for (_, it) in patches {
        text.push_str("- target:\n");
        for (key, value) in target(it).as_object().into_iter().flatten() {
            text.push_str(&format!("    {key}: {value}\n"));
        }
        text.push_str("  patch: |-\n");
        // JSON is YAML, and one operation a line is easy to read.
        text.push_str("    [\n");
        let operations: Vec<String> = it.patch.0.iter().map(|it| format!("      {}", json!(it))).collect();
        text.push_str(&operations.join(",\n"));
        text.push_str("\n    ]\n");
    }
    text
}

fn target(it: &ObjectPatch) -> Value {
    let (group, version) = it.api_version.split_once('/').unwrap_or(("", &it.api_version));
    let mut target = json!({"group": group, "version": version, "kind": it.kind, "name": it.name});
    if let (Some(namespace), Some(target)) = (&it.namespace, target.as_object_mut()) {
        target.insert("namespace".to_owned(), json!(namespace));
    }
    target
}
