//! Every command in the documentation is run by a test, or the page says what it needs that a test bed lacks.
//!
//! [`FOLLOWED`] names the sections and how each is followed. A block that is in none of them and has no mark fails
//! `no_command_is_typed_in_by_nobody`. Other promises of pages, links and generated parts are checked here, too.

pub(crate) mod blocks;
mod cluster;
mod files;
mod gitops;
mod install;
mod links;
mod reader;
mod references;
mod values;

use std::collections::BTreeSet;

use blocks::{Block, Mark, Step, of_page, pages_in, read, root};
use cluster::Cluster;
use files::Files;
use reader::{Reader, follow};

/// Declares who follows what: a test each, and the list of what is followed.
macro_rules! followed {
    ($($test:ident by $reader:expr => [$($part:literal),+ $(,)?];)+) => {
        /// Parts of pages, each `PAGE` or `PAGE#SECTION`, in the order in which they are followed.
        const FOLLOWED: &[&[&str]] = &[$(&[$($part),+]),+];

        $(
            #[test]
            fn $test() {
                let reader: Option<Box<dyn Reader>> = $reader;
                if let Some(mut reader) = reader {
                    follow(&[$($part),+], reader.as_mut());
                }
            }
        )+
    };
}

followed! {
    without_a_cluster_the_first_refusal_is_seconds_away by Files::start() => ["docs/quick-start.md#Without a cluster"];
    manifests_are_checked_as_the_page_says by Files::start() => ["docs/check.md#Files"];
    manifests_are_fixed_without_a_cluster by Files::start() => ["docs/fix.md"];
    a_new_cluster_warns_refuses_and_goes_on_through_its_life by Cluster::start() => [
        "docs/quick-start.md#In a cluster",
        "docs/personas.md",
        "docs/from-kyverno.md",
        "docs/enforce-safely.md",
        "docs/exceptions.md",
        "docs/high-availability.md",
        "docs/certificates.md#Own certificates",
        "docs/troubleshooting.md",
        "docs/status.md#ApplicationPersona",
        "docs/quick-start.md#Leave nothing behind",
    ];
    the_manifests_end_in_a_warning_with_no_step_in_between by Cluster::start() => [
        "docs/operating.md#Install in a cluster",
        "docs/operating.md#Modes",
    ];
    the_way_with_helm_can_be_followed by install::with_helm() => ["docs/install.md#With Helm"];
    the_way_with_kubectl_can_be_followed by install::with_kubectl() => ["docs/install.md#With kubectl"];
    the_way_from_the_go_operator_can_be_followed_and_back by install::from_the_go_operator() => [
        "docs/from-the-go-operator.md",
    ];
    suites_are_written_and_run_without_a_cluster by Files::start() => ["docs/test.md"];
    the_commands_about_personas_can_be_followed by install::with_nothing() => ["docs/persona.md"];
    what_git_renders_twice_is_no_difference by gitops::reader() => ["docs/gitops.md"];
    the_policies_of_a_persona_can_be_taken_and_removed by install::with_definitions() => ["docs/second-line.md"];
}

/// Parts of pages that another test runs, with its file.
const ELSEWHERE: &[(&str, &str)] = &[
    ("README.md#Try it without a cluster", ".ci/readme"),
    ("docs/runbooks.md", "tests/it/installed/runbooks.rs"),
];

/// The page and, where one is named, the section.
fn split(part: &str) -> (&str, Option<&str>) {
    part.split_once('#')
        .map_or((part, None), |(page, section)| (page, Some(section)))
}

/// The blocks of a part of a page.
fn blocks_of(part: &str) -> Vec<Block> {
    let (page, section) = split(part);
    let mut blocks = of_page(page);
    blocks.retain(|block| section.is_none_or(|section| block.section == section));
    blocks
}

/// Where commands are for users. What contributors type is in `tests/bed/README.md` and `loadtest/README.md`, and needs
/// machines of its own.
fn pages() -> Vec<String> {
    ["", "certs", "docs", "charts/dorgu-operator", "manifests"]
        .into_iter()
        .flat_map(pages_in)
        .collect()
}

#[test]
fn no_command_is_typed_in_by_nobody() {
    let followed = FOLLOWED.iter().copied().flatten().copied();
    let parts: Vec<&str> = followed.chain(ELSEWHERE.iter().map(|(part, _)| *part)).collect();
    let covers = |page: &str, block: &Block| {
        let is_part = |part: &&str| {
            let (of, section) = split(part);
            of == page && section.is_none_or(|section| section == block.section)
        };
        parts.iter().any(is_part)
    };
    // What the two show at the top of a page is held by the tests below.
    let elsewhere = |page: &str, block: &Block| {
        block.section.is_empty() && ["README.md", "charts/dorgu-operator/README.md"].contains(&page)
    };
    let mut wrong = Vec::new();
    for page in pages() {
        for block in of_page(&page) {
            match &block.mark {
                Some(Mark::Needs(what)) if what.is_empty() => wrong.push(format!("{}: needs what?", block.place)),
                Some(Mark::Needs(_)) => {}
                Some(Mark::RunBy(who)) => wrong.extend(nobody(who).map(|why| format!("{}: {why}", block.place))),
                None if covers(&page, &block) || elsewhere(&page, &block) => {}
                None => wrong.push(format!(
                    "{}: no test types this in. Name its section in FOLLOWED of tests/it/documented/mod.rs, or put \
                     `<!-- run by: FILE::TEST -->` or `<!-- needs: WHAT -->` right above it",
                    block.place
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Why who is said to run a block does not: there is no such file, or no such test in it.
fn nobody(who: &str) -> Option<String> {
    let (file, test) = who.split_once("::").unwrap_or((who, ""));
    let Ok(source) = std::fs::read_to_string(root().join(file)) else {
        return Some(format!("there is no {file}"));
    };
    let is_there = test.is_empty() || source.contains(&format!("#[test]\nfn {test}("));
    (!is_there).then(|| format!("{file} has no test {test}"))
}

#[test]
fn every_part_that_is_followed_has_commands() {
    let mut seen = BTreeSet::new();
    for part in FOLLOWED.iter().copied().flatten() {
        assert!(seen.insert(part), "{part} is followed twice");
        let typed = blocks_of(part).into_iter().filter(|block| block.mark.is_none());
        assert!(typed.count() > 0, "{part} has no block to type in");
    }
    for (part, file) in ELSEWHERE {
        let blocks = blocks_of(part);
        assert!(!blocks.is_empty(), "{part}");
        assert_eq!(nobody(file), None);
    }
}

#[test]
fn a_mark_that_names_nobody_is_seen() {
    let gone = |who: &str| nobody(who).unwrap_or_default();
    assert_eq!(gone("tests/it/nowhere.rs::x"), "there is no tests/it/nowhere.rs");
    assert_eq!(gone("tests/it/main.rs::x"), "tests/it/main.rs has no test x");
    let here = "tests/it/documented/mod.rs::a_mark_that_names_nobody_is_seen";
    assert_eq!(nobody(here), None);
}

/// Whether a page that is followed says of this command that it shows this.
fn is_shown(wanted: &Step) -> bool {
    let parts = FOLLOWED.iter().copied().flatten();
    let mut blocks = parts.flat_map(|part| blocks_of(part));
    blocks.any(|block| block.mark.is_none() && block.steps.contains(wanted))
}

#[test]
fn what_the_readme_shows_first_is_shown_by_a_page_that_is_followed() {
    let blocks: Vec<Block> = of_page("README.md")
        .into_iter()
        .filter(|block| block.section.is_empty())
        .collect();
    assert!(blocks.len() >= 2, "{blocks:?}");
    for (block, step) in blocks
        .iter()
        .flat_map(|block| block.steps.iter().map(move |step| (block, step)))
    {
        assert!(is_shown(step), "{}: no page shows {step:?}", block.place);
    }
}

#[test]
fn the_charts_readme_begins_like_the_page_on_installing() {
    let first = &of_page("charts/dorgu-operator/README.md")[0];
    let typed = &blocks_of("docs/install.md#With Helm")[0];
    assert!(typed.steps[0].command.starts_with(&first.steps[0].command), "{first:?}");
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let contents = read("docs/README.md");
    for page in pages_in("docs") {
        let name = page.trim_start_matches("docs/");
        let is_linked = contents.contains(&format!("]({name})")) || contents.contains(&format!("]({name}#"));
        assert!(is_linked || name == "README.md", "docs/README.md links no {name}");
    }
}
