//! docs/metrics.md is generated from the registered families. `DORGU_REWRITE=1 cargo test --test it generated` rewrites it.

use std::fmt::Write as _;
use std::fs;

use dorgu::metric::{Described, Label};
use dorgu::serve::{parts, reference::sections};
use prometheus_client::metrics::MetricType;

use super::root;

const HEAD: &str = "\
<!-- Made from the code: DORGU_REWRITE=1 cargo test --test it generated -->
# Metrics

Every family that `dorgu serve` has at `/metrics`, in the OpenMetrics format. How to get them:
[operating.md](operating.md#metrics); what to do when an alert made of them fires: [runbooks.md](runbooks.md).

A query names a family with the ending of its type, as below. No label ever holds an object's name, so the number of series
of a pod has a bound, whatever the cluster holds. A family without an entry under *with* is there in every process; the
others are there with the webhook (`--enable-webhook` or `--personas`), with a cluster, or with certificates kept in the
cluster (`--webhook-secret`).
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for section in sections(parts::ALL) {
        write!(page, "\n## {}\n\n", section.title).unwrap();
        page.push_str("| metric | type | unit | labels | with | meaning |\n|---|---|---|---|---|---|\n");
        for family in &section.families {
            page.push_str(&row(family));
        }
        let labels = section_labels(&section.families);
        if !labels.is_empty() {
            page.push_str("\n| label | values |\n|---|---|\n");
            page.push_str(&labels);
        }
    }
    page
}

/// What a query names; of a histogram, what its three series have in common.
fn query_name(family: &Described) -> String {
    match family.of_type {
        MetricType::Histogram => family.family(),
        _ => family.series().concat(),
    }
}

fn row(family: &Described) -> String {
    let labels: Vec<String> = family.labels.iter().map(|label| format!("`{}`", label.name)).collect();
    format!(
        "| `{}` | {} | {} | {} | {} | {} |\n",
        query_name(family),
        family.of_type.as_str(),
        family.unit.map_or("", |unit| unit.as_str()),
        labels.join(", "),
        family.with,
        family.help,
    )
}

/// A row for each label and set of values; the family is named where two labels of one name differ.
fn section_labels(families: &[&Described]) -> String {
    let mut rows: Vec<(&Label, Vec<&str>)> = Vec::new();
    let mut text = String::new();
    for label in families.iter().flat_map(|family| family.labels) {
        let values = (label.values)();
        if rows
            .iter()
            .any(|(there, known)| there.name == label.name && *known == values)
        {
            continue;
        }
        let owners: Vec<String> = families
            .iter()
            .filter(|family| {
                family
                    .labels
                    .iter()
                    .any(|other| other.name == label.name && (other.values)() == values)
            })
            .map(|family| query_name(family))
            .collect();
        let shared = families
            .iter()
            .filter(|family| family.labels.iter().any(|other| other.name == label.name))
            .count();
        let of = if owners.len() == shared {
            String::new()
        } else {
            format!(" of `{}`", owners.join("`, `"))
        };
        let listed = if values.is_empty() {
            "one, which the build decides".to_owned()
        } else {
            format!("`{}`", values.join("`, `"))
        };
        writeln!(text, "| `{}`{of} | {listed} |", label.name).unwrap();
        rows.push((label, values));
    }
    text
}

#[test]
fn the_reference_of_metrics_is_current() {
    let (path, wanted) = (root().join("docs/metrics.md"), page());
    if std::env::var_os("DORGU_REWRITE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/metrics.md differs from the code; run: DORGU_REWRITE=1 cargo test --test it generated"
    );
}
