//! docs/runbooks.md has a section for every alert, and every alert links to its section. `installed::runbooks` runs the
//! commands in those sections.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{alerts, read};
use crate::bed::Helm;
use crate::chart;

/// A block of commands.
#[derive(Debug)]
pub(crate) struct Block {
    /// The `##` it stands under.
    pub(crate) section: String,
    /// What it needs that a test bed lacks.
    needs: Option<String>,
    pub(crate) script: String,
}

impl Block {
    /// Whether a test can type it in.
    pub(crate) fn can_be_typed(&self) -> bool {
        self.needs.is_none()
    }
}

/// Every block of docs/runbooks.md, in its order.
pub(crate) fn blocks() -> Vec<Block> {
    let text = read("docs/runbooks.md");
    let mut blocks = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let (title, body) = section.split_once('\n').expect("a section has a body");
        for (before, rest) in body
            .match_indices("\n```sh\n")
            .map(|(at, fence)| (&body[..at], &body[at + fence.len()..]))
        {
            let needs = before.lines().last().and_then(|line| line.strip_prefix("<!-- needs: "));
            let (script, _) = rest.split_once("\n```").expect("a block ends");
            blocks.push(Block {
                section: title.to_owned(),
                needs: needs.map(|needs| needs.trim_end_matches(" -->").to_owned()),
                script: script.to_owned(),
            });
        }
    }
    blocks
}

/// The blocks of the emergency stop: the stop, the way back, the way back with Helm, and how to see that one is back.
pub(crate) fn emergency_stop() -> [String; 4] {
    let blocks = blocks().into_iter().filter(|block| block.section == "Emergency stop");
    let scripts: Vec<String> = blocks.map(|block| block.script).collect();
    scripts.try_into().expect("four blocks")
}

/// The sections that are about an alert, by the alert's name, with what stands in them.
fn sections() -> Vec<(String, String)> {
    let text = read("docs/runbooks.md");
    let sections = text.split("\n## ").skip(1);
    let sections = sections.map(|section| section.split_once('\n').expect("a section has a body"));
    let sections = sections.filter(|(title, _)| title.starts_with("Dorgu"));
    sections
        .map(|(title, body)| (title.to_owned(), body.to_owned()))
        .collect()
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let alerts: Vec<String> = alerts().into_iter().map(|alert| alert.name).collect();
    let sections: Vec<String> = sections().into_iter().map(|(title, _)| title).collect();
    assert_eq!(
        alerts, sections,
        "alerts on the left, sections of docs/runbooks.md on the right"
    );
}

#[test]
fn every_runbook_says_what_it_means_how_to_see_it_what_to_type_and_when_it_is_over() {
    for (alert, body) in sections() {
        for words in ["\n**Means** ", "\n**See** ", "\n**Do** ", "\n**Resolved** "] {
            assert!(body.contains(words), "docs/runbooks.md, {alert}: no {}", words.trim());
        }
    }
    let text = read("docs/runbooks.md");
    let first = text.split("\n## ").nth(1).expect("a section");
    assert!(first.starts_with("Emergency stop\n"), "the emergency stop comes first");
}

#[test]
fn little_is_not_typed_in() {
    let needs: BTreeSet<String> = blocks().into_iter().filter_map(|block| block.needs).collect();
    assert_eq!(
        needs.into_iter().collect::<Vec<_>>(),
        ["a kubelet", "an earlier version"],
        "what the text says of itself"
    );
    assert!(blocks().iter().filter(|block| block.can_be_typed()).count() >= 20);
    let stop = &emergency_stop()[0];
    assert_eq!(stop.lines().count(), 1, "one command");
    for other in ["docs/operating.md", "charts/dorgu-operator/templates/NOTES.txt"] {
        let command = stop.rsplit_once(' ').map_or("", |(command, _)| command);
        assert!(read(other).contains(command), "{other} names another command");
    }
}

#[test]
fn every_alert_says_how_bad_it_is_and_in_words_what_is_wrong() {
    for alert in alerts() {
        let name = &alert.name;
        let severity = alert.labels["severity"].as_str().unwrap();
        assert!(["critical", "warning"].contains(&severity), "{name}: {severity}");
        let words = |key: &str| alert.annotations[key].as_str().unwrap().to_owned();
        assert!(
            words("summary").len() <= 100 && !words("summary").ends_with('.'),
            "{name}: {}",
            words("summary")
        );
        assert!(words("description").ends_with('.'), "{name}: {}", words("description"));
        assert!(
            alert.annotations["runbook_url"].is_null(),
            "{name}: the template adds it"
        );
    }
}

#[test]
fn the_chart_leads_every_alert_to_its_runbook() {
    let Some(helm) = Helm::find() else { return };
    let anchors: BTreeSet<String> = sections().into_iter().map(|(title, _)| title.to_lowercase()).collect();
    for base in ["", "https://example.com/r"] {
        let set = format!("metrics.prometheusRule.enabled=true,metrics.prometheusRule.runbookUrl={base}");
        let rendered = chart::template(&helm, chart::NAMESPACE, &["--set", &set]).expect_success();
        let objects = chart::objects(&rendered);
        let rule = objects
            .iter()
            .find(|object| object["kind"] == "PrometheusRule")
            .expect("a PrometheusRule");
        let groups = rule["spec"]["groups"].as_array().unwrap();
        let names: Vec<&str> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["dorgu", "dorgu-api-server"]);
        let rules: Vec<&Value> = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap())
            .collect();
        assert_eq!(rules.len(), anchors.len());
        for rule in rules {
            let url = rule["annotations"]["runbook_url"].as_str();
            // A link that opens, or none.
            assert_eq!(url.is_some(), !base.is_empty(), "{url:?}");
            let Some(url) = url else { continue };
            let (page, anchor) = url.split_once('#').expect("an anchor");
            assert_eq!(page, base);
            assert!(anchors.contains(anchor), "docs/runbooks.md has no section {anchor}");
            assert_eq!(anchor, rule["alert"].as_str().unwrap().to_lowercase());
        }
    }
}
