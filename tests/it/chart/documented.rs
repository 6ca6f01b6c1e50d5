//! docs/install.md, typed in as it stands: every command that is not marked as needing what a test bed lacks.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::accepted::install_neighbours;
use super::{chart, coming_over, persona};
use crate::bed::{Bed, Helm, Needs, Options};

/// A block of commands.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// The `##` it stands under.
    section: String,
    /// What it needs that is not here.
    needs: Option<String>,
    script: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut section, mut before, mut found) = ("", "", Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        if line.trim() == "```sh" {
            let indentation = line.len() - line.trim_start().len();
            let script: Vec<&str> = lines
                .by_ref()
                .take_while(|line| line.trim() != "```")
                .map(|line| line.get(indentation..).unwrap_or_default())
                .collect();
            let needs = before
                .trim()
                .strip_prefix("<!-- needs: ")
                .and_then(|rest| rest.strip_suffix(" -->"));
            found.push(Block {
                section: section.to_owned(),
                needs: needs.map(str::to_owned),
                script: script.join("\n"),
            });
        }
        before = line;
    }
    found
}

/// Runs what can be run of a section, in a folder like a fresh clone.
fn follow(bed: &Bed, section: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let clone = TempDir::new().unwrap();
    for folder in ["charts", "manifests"] {
        symlink(root.join(folder), clone.path().join(folder)).unwrap();
    }
    // What a reader has who brings a certificate.
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        fs::write(clone.path().join(name), name).unwrap();
    }
    let text = fs::read_to_string(root.join("docs/install.md")).unwrap();
    let blocks = blocks(&text);
    let of_section: Vec<&Block> = blocks.iter().filter(|block| block.section == section).collect();
    assert!(of_section.len() >= 3, "{section}: {blocks:?}");
    for block in of_section.iter().filter(|block| block.needs.is_none()) {
        bed.shell_in(clone.path(), &block.script).expect_success();
    }
}

/// With controllers, which let a Deployment become ready and a namespace go.
fn bed() -> Option<Bed> {
    Bed::start(&Options {
        needs: Needs::Rollouts,
        ..Options::default()
    })
}

#[test]
fn the_way_with_helm_can_be_followed() {
    let (Some(_), Some(bed)) = (Helm::find(), bed()) else {
        return;
    };
    install_neighbours(&bed);
    follow(&bed, "With Helm");
    let personas = bed.kubectl(&["get", "personas"]);
    assert!(!personas.succeeded(), "the last command takes them away: {personas}");
}

#[test]
fn the_way_with_kubectl_can_be_followed() {
    let Some(bed) = bed() else { return };
    follow(&bed, "With kubectl");
}

#[test]
fn the_way_from_the_go_operators_chart_can_be_followed_and_back() {
    let Some((bed, _, _theirs)) = coming_over::before("--server-side=false") else {
        return;
    };
    let kept = persona(&bed);
    follow(&bed, "From the Go operator's chart");
    assert_eq!(persona(&bed), kept);
    let image = "-o=jsonpath={.spec.template.spec.containers[0].image}";
    let image = bed.kubectl(&["get", "deployment", "dorgu-operator", "-n", "dorgu-system", image]);
    assert_eq!(
        image.expect_success(),
        "example.com/theirs:0.2.1",
        "the last command goes back"
    );
}

#[test]
fn there_is_no_section_that_nobody_follows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/install.md")).unwrap();
    let mut sections: Vec<String> = blocks(&text).into_iter().map(|block| block.section).collect();
    sections.dedup();
    let not_run: Vec<_> = blocks(&text).into_iter().filter_map(|block| block.needs).collect();
    assert_eq!(not_run, ["cert-manager"], "what the text says of itself");
    assert_eq!(sections, ["With Helm", "With kubectl", "From the Go operator's chart"]);
    // The chart's README shows the first command of all.
    let readme = blocks(&fs::read_to_string(chart().join("README.md")).unwrap());
    assert_eq!(readme.len(), 1);
    assert!(blocks(&text)[0].script.starts_with(&readme[0].script), "{readme:?}");
}

#[test]
fn a_block_knows_its_section_and_what_it_needs() {
    let text = "## A\n\n```sh\nfirst\n```\n\n1. In a list\n\n   ```sh\n   second \\\n     third\n   ```\n<!-- needs: it -->\n```sh\nx\n```\n";
    let block = |needs: Option<&str>, script: &str| Block {
        section: "A".to_owned(),
        needs: needs.map(str::to_owned),
        script: script.to_owned(),
    };
    let wanted = [
        block(None, "first"),
        block(None, "second \\\n  third"),
        block(Some("it"), "x"),
    ];
    assert_eq!(blocks(text), wanted);
}
