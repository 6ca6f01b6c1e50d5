//! Parses the text that a scraper gets: families with their type and unit, and each label of their series with every value
//! seen. Reads OpenMetrics and the older format of API servers.

use std::collections::{BTreeMap, BTreeSet};

/// What was served, by one process or by several.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    /// By name.
    pub(super) families: BTreeMap<String, Family>,
    /// Of each series, by its name: its labels, and the values of each.
    pub(super) series: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// What is said of a family.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) of_type: String,
    pub(super) unit: String,
    pub(super) help: String,
}

impl Exposition {
    /// Adds what another text holds.
    pub(super) fn take(&mut self, text: &str) {
        for line in text.lines() {
            match line.strip_prefix("# ") {
                Some(told) => self.told(told),
                None => self.sample(line),
            }
        }
    }

    fn told(&mut self, told: &str) {
        let mut words = told.splitn(3, ' ');
        let (Some(what), Some(name), text) = (words.next(), words.next(), words.next().unwrap_or_default()) else {
            return;
        };
        let family = self.families.entry(name.to_owned()).or_default();
        let field = match what {
            "TYPE" => &mut family.of_type,
            "UNIT" => &mut family.unit,
            "HELP" => &mut family.help,
            _ => panic!("nothing is known of '{told}'"),
        };
        text.clone_into(field);
    }

    fn sample(&mut self, line: &str) {
        let Some(end) = line.find(['{', ' ']) else { return };
        let (name, mut rest) = line.split_at(end);
        let labels = self.series.entry(name.to_owned()).or_default();
        while let Some((label, value)) = rest.trim_start_matches(['{', ',']).split_once("=\"") {
            let closed = closing(value).unwrap_or_else(|| panic!("no end of a value: {line}"));
            labels
                .entry(label.to_owned())
                .or_default()
                .insert(value[..closed].to_owned());
            rest = &value[closed + 1..];
        }
    }
}

/// Where the quote stands that ends a value.
fn closing(value: &str) -> Option<usize> {
    let mut escaped = false;
    value.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

#[test]
fn a_text_is_taken_apart() {
    let mut exposition = Exposition::default();
    exposition.take(
        "# HELP a_seconds What it is.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\n\
         a_seconds_bucket{le=\"0.1\",of=\"x \\\" y\"} 1\na_seconds_bucket{le=\"+Inf\",of=\"z\"} 2\nb 3\n# EOF\n",
    );
    let family = Family {
        of_type: "histogram".to_owned(),
        unit: "seconds".to_owned(),
        help: "What it is.".to_owned(),
    };
    assert_eq!(exposition.families["a_seconds"], family);
    let values = |label: &str| {
        exposition.series["a_seconds_bucket"][label]
            .iter()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(values("le"), ["+Inf", "0.1"]);
    assert_eq!(values("of"), ["x \\\" y", "z"]);
    assert!(exposition.series["b"].is_empty());
}
