//! Every value of the chart that a page names exists.

use serde_json::Value;

use super::blocks::read;
use super::pages;

/// A group that a persona's status has, too, of which pages speak more often.
const OF_PERSONAS: &str = "validation";

/// The dotted names of values in a text: behind `--set`, and in backticks where they begin with a group of the chart's.
fn named<'a>(text: &'a str, schema: &Value) -> Vec<&'a str> {
    let set = text.split("--set ").skip(1).map(|rest| {
        let rest = rest.trim_start_matches('\'');
        rest.split(['=', '`', ' ']).next().unwrap_or_default()
    });
    // The flag of `dorgu check` takes a value of any chart.
    let set = set.filter(|name| *name != "SETTING");
    let is_group = |word: &str| {
        let (first, rest) = word.split_once('.').unwrap_or((word, ""));
        !rest.is_empty() && first != OF_PERSONAS && schema["properties"][first]["properties"].is_object()
    };
    let quoted = text.split('`').skip(1).step_by(2);
    let words = quoted.filter_map(|code| code.split(['=', ':', ' ']).next());
    let words = words.filter(|word| is_group(word) && !word.contains(['/', '(', '\n']));
    set.chain(words).collect()
}

/// Whether the schema has a value of this name; `*` is a whole group.
fn is_value(name: &str, schema: &Value) -> bool {
    let mut at = schema;
    for part in name.split('.') {
        let (key, of_list) = part.split_once('[').map_or((part, false), |(key, _)| (key, true));
        if key == "*" {
            return true;
        }
        at = match at["properties"].get(key) {
            Some(below) if of_list => &below["items"],
            Some(below) => below,
            // A map, or a piece of Kubernetes' own, takes what it takes.
            None => return at["properties"].is_null() && at["type"] == "object",
        };
    }
    true
}

fn schema() -> Value {
    serde_json::from_str(&read("charts/dorgu-operator/values.schema.json")).unwrap()
}

#[test]
fn every_value_that_a_page_names_is_one() {
    let (schema, mut seen) = (schema(), 0);
    for page in pages() {
        let text = read(&page);
        for name in named(&text, &schema) {
            seen += 1;
            assert!(is_value(name, &schema), "{page}: the chart has no value {name}");
        }
    }
    assert!(seen > 40, "only {seen} are named");
}

#[test]
fn a_value_that_is_none_is_seen() {
    let schema = schema();
    for name in [
        "webhook.enabled",
        "metrics.readers[0].name",
        "image.*",
        "podLabels.team",
        "replicaCount",
    ] {
        assert!(is_value(name, &schema), "{name}");
    }
    for name in ["webhook.enable", "crds.annotations", "replicas"] {
        assert!(!is_value(name, &schema), "{name}");
    }
    let text = "`webhook.port=1` and `spec.replicas`, `--set x.y=1`";
    assert_eq!(named(text, &schema), ["x.y", "webhook.port"]);
}
