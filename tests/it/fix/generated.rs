//! Generated Deployments in several styles, fixed.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::fixed::generate::{Generator, personas};

/// How many Deployments; each is written in all styles.
const CASES: u64 = 60;
const SEED: u64 = 20_261_201;

/// A text around lines of block YAML.
type Dress = fn(&str) -> String;

const DRESSES: [(&str, Dress); 8] = [
    ("as it is", str::to_owned),
    ("behind a mark", |text| format!("# head\n---\n{text}...\n")),
    ("behind another document", |text| format!("kind: Other\n---\n\n{text}")),
    ("in a list", |text| {
        let lines = text.lines().map(|line| format!("  {line}\n")).collect::<String>();
        format!("apiVersion: v1\nkind: List\nitems:\n- kind: Other\n-\n{lines}- kind: Other\n")
    }),
    ("with comments", |text| {
        let lines = text.lines().map(|line| {
            match line.ends_with(['|', '>', '-', '+']) || line.starts_with(' ') && !line.contains(": ") {
                true => format!("{line}\n"),
                false => format!("{line} # é: - |\n"),
            }
        });
        lines.collect()
    }),
    ("for Windows", |text| text.replace('\n', "\r\n")),
    ("with a byte order mark", |text| format!("\u{feff}{text}")),
    ("without a final newline", |text| text.trim_end().to_owned()),
];

#[test]
fn generated_deployments_are_fixed_in_every_style() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("personas.yaml");
    let documents: Vec<String> = personas("default").iter().map(Value::to_string).collect();
    fs::write(&file, documents.join("\n---\n")).expect("written");
    let mut generator = Generator::new(SEED, "default");
    let (mut fixed, mut failures) = (0, Vec::new());
    super::judging(&[file], |judge| {
        let questions = (0..).map(|number| generator.question(number));
        for question in questions.filter(|question| !question.is_scale()).take(CASES as usize) {
            for (style, text) in styles(&question.object) {
                match super::planned(&text, judge) {
                    Ok(planned) => {
                        fixed += usize::from(!planned.edits.is_empty());
                        let wrong = super::wrong(&text, &planned, judge);
                        if !wrong.is_empty() {
                            failures.push(format!("{style}: {wrong:#?}\n{text}\n=>\n{}", planned.text));
                        }
                    }
                    Err(error) => failures.push(format!("{style}: {error:?}\n{text}")),
                }
            }
        }
    });
    assert!(
        failures.is_empty(),
        "{}: {}",
        failures.len(),
        failures[..failures.len().min(3)].join("\n")
    );
    assert!(fixed >= 300, "{fixed}");
}

fn styles(object: &Value) -> Vec<(&'static str, String)> {
    let block = serde_saphyr::to_string(object).expect("YAML");
    let mut styles = vec![
        ("JSON", object.to_string()),
        ("JSON with lines", format!("{object:#}\n")),
    ];
    // A text of several lines would be changed by what is put around it.
    let dresses = DRESSES.iter().take(if block.contains(['|', '>']) { 3 } else { 8 });
    styles.extend(dresses.map(|(name, dress)| (*name, dress(&block))));
    styles
}
