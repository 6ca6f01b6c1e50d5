//! 30,000 findings: what code scanning and the page of a step take, what is cut, and what is said about it.

use std::io::Write as _;
use std::time::Instant;

use dorgu::policy::Severity;
use dorgu::report::{Format, Report, Standing, View, render, step_summary};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::{read, sample, told};

const MANY: usize = 30_000;

fn compressed(text: &str) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("in memory");
    encoder.finish().expect("in memory").len()
}

/// The results, and what is said about those that are left out.
fn cut(report: &Report) -> (Value, usize, String) {
    let rendered = render(report, Format::Sarif, View::default()).expect("SARIF");
    assert!(compressed(&rendered.text) <= 10_000_000);
    let log: Value = serde_json::from_str(&rendered.text).expect("JSON");
    let notifications = log["runs"][0]["invocations"][0]["toolExecutionNotifications"].clone();
    let said = notifications[0]["message"]["text"].as_str().expect("a text").to_owned();
    (log, rendered.left_out, said)
}

#[test]
fn code_scanning_gets_the_worst_25_000_and_is_told_of_the_others() {
    let report = sample::many(MANY);
    let (log, left_out, said) = cut(&report);
    assert_eq!(left_out, 5_000);
    assert!(said.starts_with("5000 results left out,"), "{said}");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 25_000);
    // All errors that are new are among them.
    let errors = |finding: &&dorgu::report::ReportedFinding| {
        finding.severity == Severity::Error && finding.standing != Standing::Before
    };
    let wanted = report.findings.iter().filter(errors).count();
    let found = results
        .iter()
        .filter(|result| result["level"] == "error" && result["properties"]["standing"] != "before");
    assert_eq!(found.count(), wanted);
}

/// Letters that no compressor makes much less of.
fn noise(seed: usize) -> String {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let letters = (0..1500).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + u8::try_from(state % 64).expect("small"))
    });
    letters.collect()
}

#[test]
fn what_does_not_compress_is_cut_by_its_size() {
    let mut report = sample::many(20_000);
    for (index, finding) in report.findings.iter_mut().enumerate() {
        finding.message = noise(index);
    }
    let (log, left_out, said) = cut(&report);
    let kept = log["runs"][0]["results"].as_array().expect("results").len();
    assert_eq!(kept + left_out, 20_000);
    assert!(said.starts_with(&format!("{left_out} results left out,")), "{said}");
    // Not much less than fits.
    let text = render(&report, Format::Sarif, View::default()).expect("SARIF").text;
    assert!(compressed(&text) > 7_500_000, "{}", compressed(&text));
}

#[test]
fn the_page_of_a_step_holds_what_fits_and_the_number_of_the_others() {
    let report = sample::many(MANY);
    let page = step_summary(&report, View::default());
    assert!(page.text.len() <= 1024 * 1024, "{}", page.text.len());
    let rows = read::read(Format::Markdown, &page.text).len();
    assert_eq!(rows + page.left_out, MANY);
    assert!(rows > 2_000, "{rows}");
    let last = format!(
        "{} findings and 0 problems are left out, since the page takes no more.\n",
        page.left_out
    );
    assert!(page.text.ends_with(&last));
    let few = step_summary(&sample::all_kinds(), View::default());
    assert_eq!(
        (few.left_out, read::read(Format::Markdown, &few.text)),
        (0, told(&sample::all_kinds()))
    );
}

#[test]
fn formats_without_a_limit_hold_all() {
    let report = sample::many(3_000);
    let wanted = told(&report);
    for format in Format::ALL {
        let rendered = render(&report, format, View::default()).expect("text");
        assert_eq!(rendered.left_out, 0);
        assert!(read::read(format, &rendered.text) == wanted, "{}", format.as_str());
    }
}

#[test]
fn ten_annotations_of_a_level_are_shown_and_the_tenth_counts_the_others() {
    let report = sample::many(MANY);
    let text = render(&report, Format::Github, View::default()).expect("text").text;
    for level in ["error", "warning", "notice"] {
        let shown: Vec<_> = text
            .lines()
            .filter_map(read::command)
            .filter(|(name, ..)| *name == level)
            .collect();
        assert_eq!(shown.len(), 10, "{level}");
        let lines = text
            .lines()
            .filter(|line| line.contains(&format!(": {level}: ")))
            .count();
        let (_, properties, message) = &shown[9];
        assert_eq!(properties["title"], "dorgu check");
        assert!(message.starts_with(&format!("{lines} {level}s more: ")), "{message}");
    }
}

#[test]
fn all_formats_of_thousands_of_findings_take_seconds_even_without_optimization() {
    let report = sample::many(2_000);
    let begun = Instant::now();
    for format in Format::ALL {
        render(&report, format, View::default()).expect("text");
    }
    let took = begun.elapsed();
    println!("{took:?}");
    assert!(took.as_secs() < 20, "{took:?}");
}
