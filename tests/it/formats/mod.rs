//! The formats of `dorgu check`: each is read back, and all hold the same findings; limits, exit codes, files.

mod ci;
mod exit_codes;
mod generated;
mod limits;
mod outside;
mod read;
mod sample;
mod sarif;
mod written;

use dorgu::report::{Format, Report, View, render};

use read::Told;

/// The report in a format.
fn text(report: &Report, format: Format, view: View) -> String {
    let rendered = render(report, format, view).expect("text");
    assert_eq!(rendered.left_out, 0, "{}", format.as_str());
    rendered.text
}

/// What a report says, as every format must.
fn told(report: &Report) -> Vec<Told> {
    let findings = report.findings.iter().map(|finding| Told {
        rule: finding.rule.name().to_owned(),
        file: read::cleaned(&finding.location.file),
        line: finding.location.start.line,
        fix: read::cleaned(&finding.fix.join("; ")),
        help: report
            .link(finding.rule)
            .unwrap_or_else(|| format!("dorgu explain {}", finding.rule.name())),
        note: read::note(finding).to_owned(),
    });
    let problems = report.problems.iter().map(|problem| Told {
        rule: "unreadable".to_owned(),
        file: read::cleaned(&problem.file),
        line: problem.line.unwrap_or(1),
        ..Told::default()
    });
    let mut told: Vec<Told> = findings.chain(problems).collect();
    told.sort();
    told
}

#[test]
fn every_format_carries_the_same_findings() {
    for docs_url in ["", "https://example.com/docs/rules.md"] {
        for (report, quiet) in [sample::all_kinds(), sample::many(137), Report::default()]
            .iter()
            .flat_map(|report| [(report, false), (report, true)])
        {
            let report = Report {
                docs_url: docs_url.to_owned(),
                ..report.clone()
            };
            let view = View {
                quiet,
                ..View::default()
            };
            let shown = report.shown(view);
            let all = told(&shown);
            let counting = report.failing(view.fail_on);
            assert_eq!(
                shown.findings.len(),
                if quiet { counting } else { report.findings.len() }
            );
            for format in Format::ALL {
                let text = text(&shown, format, view);
                let read = read::read(format, &text);
                // What could not be read is no row of a table: it is on standard error.
                let is_table = matches!(format, Format::Table | Format::Wide);
                let wanted: Vec<&Told> = all
                    .iter()
                    .filter(|told| !is_table || told.rule != "unreadable")
                    .collect();
                assert_eq!(read.len(), wanted.len(), "{}:\n{text}", format.as_str());
                for (read, wanted) in read.iter().zip(wanted) {
                    assert_eq!(read, wanted, "{}", format.as_str());
                }
            }
        }
    }
}

#[test]
fn yaml_is_the_document_of_json() {
    let report = sample::all_kinds();
    let json: serde_json::Value = serde_json::from_str(&text(&report, Format::Json, View::default())).expect("JSON");
    let yaml: serde_json::Value = serde_saphyr::from_str(&text(&report, Format::Yaml, View::default())).expect("YAML");
    assert_eq!(yaml, json);
}

#[test]
fn no_format_lets_a_manifest_write_to_the_terminal() {
    let report = sample::all_kinds();
    assert!(report.findings.iter().any(|finding| finding.message.contains('\u{1b}')));
    for format in Format::ALL {
        let text = text(&report, format, View::default());
        let bad = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(bad, None, "{}", format.as_str());
    }
}

#[test]
fn the_summary_counts_each_finding_once() {
    let report = sample::all_kinds();
    let summary = report.summary(View::default().fail_on);
    let all = summary.errors + summary.warnings + summary.infos + summary.before;
    assert_eq!(all, report.findings.len());
    let line =
        "16 errors, 32 warnings, 8 infos, 16 there before; 7 files, 9 workloads, 2 ungoverned, 3 skipped, 2 problems";
    assert_eq!(summary.line(), line);
    assert!(text(&report, Format::Table, View::default()).ends_with(&format!("\n{line}\n")));
}
