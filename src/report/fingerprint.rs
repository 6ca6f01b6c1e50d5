//! What recognises a finding in the next run: file, rule, object and field, never a line, which every edit above would change.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA256};

use super::{Report, ReportedFinding};

/// One for each finding, in the report's order, in the form of code scanning: sixteen hex digits, and which of those that have the
/// same it is.
pub(super) fn all(report: &Report) -> Vec<String> {
    let mut seen: HashMap<[u8; 8], usize> = HashMap::new();
    let each = report.findings.iter().map(|finding| {
        let hash = hash(finding);
        let repeat = seen.entry(hash).or_default();
        *repeat += 1;
        let mut text = String::with_capacity(20);
        for byte in hash {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        let _ = write!(text, ":{repeat}");
        text
    });
    each.collect()
}

fn hash(finding: &ReportedFinding) -> [u8; 8] {
    // A container that is added in front changes the pointer and not the path, which has its name.
    let field = if finding.path.is_empty() {
        &finding.field
    } else {
        &finding.path
    };
    let object = &finding.object;
    let parts: [&str; 6] = [
        &finding.location.file,
        finding.rule.name(),
        &object.kind,
        &object.namespace,
        &object.name,
        field,
    ];
    let mut context = Context::new(&SHA256);
    for part in parts {
        // With its length before it, so that no two lists of parts are the same bytes.
        context.update(&part.len().to_le_bytes());
        context.update(part.as_bytes());
    }
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    first
}
