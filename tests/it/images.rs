//! Compares how we read references to images with how kubelets and container runtimes read them: the same texts accepted, the
//! same registry and repository, tag and digest.
//!
//! Generated texts go to both; a small Go program answers for `github.com/distribution/reference`. `DORGU_IMAGE_CASES` and
//! `DORGU_IMAGE_SEED` choose how many and which.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use dorgu::policy::image::Reference;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::oracle::{self, number_from};

/// Enough to see every shape of text many times, in a few seconds.
const CASES: u64 = 50_000;
const SEED: u64 = 20_260_101;
/// Differences that are printed.
const SHOWN: usize = 20;

/// Parts of references, and what nearly is one.
const HOSTS: &[&str] = &[
    "docker.io",
    "index.docker.io",
    "Docker.io",
    "INDEX.docker.io",
    "ghcr.io",
    "GHCR.io",
    "localhost",
    "LOCALHOST",
    "localhost:5000",
    "registry:5000",
    "registry",
    "ACME",
    "acme",
    "a.b-c.d",
    "127.0.0.1:80",
    "[::1]",
    "[::1]:5000",
    "[fe80::1%eth0]",
    "[1.2.3.4]",
    "[]",
    "a_b.c",
    "a_b:1",
    "-a.b",
    "a-.b",
    "a..b",
    ".a",
    "a.",
    "a:",
    "a:b",
    "a:1:2",
    "xn--n3h.com",
    "é.com",
    "",
];
const PATHS: &[&str] = &[
    "nginx",
    "library",
    "acme",
    "api",
    "a.b",
    "a_b",
    "a__b",
    "a___b",
    "a-b",
    "a---b",
    "a-_b",
    "a._b",
    "a..b",
    "-a",
    "a-",
    "_a",
    "a.",
    "A",
    "aB",
    "0",
    "",
    " ",
    "é",
    "docker.io",
    "localhost",
    "a:b",
];
const TAGS: &[&str] = &[
    "",
    "",
    ":1",
    ":latest",
    ":Latest",
    ":1.2.3-rc_1",
    ":",
    ":.1",
    ":-1",
    ":_1",
    ":a/b",
    ":é",
    ":1:2",
    ": ",
    ":1 ",
];
const DIGESTS: &[&str] = &[
    "sha256:",
    "sha384:",
    "sha512:",
    "SHA256:",
    "md5:",
    "sha256+b64:",
    "sha256",
    "",
];

fn texts() -> impl Strategy<Value = String> {
    let host = prop_oneof![2 => Just(String::new()), 3 => select(HOSTS).prop_map(|host| format!("{host}/"))];
    let path = prop_oneof![
        20 => proptest::collection::vec(select(PATHS), 1..4).prop_map(|parts| parts.join("/")),
        20 => proptest::collection::vec(select(&PATHS[..10]), 1..4).prop_map(|parts| parts.join("/")),
        1 => (245..260_usize).prop_map(|length| "a".repeat(length)),
    ];
    let tag = prop_oneof![
        20 => select(TAGS).prop_map(str::to_owned),
        1 => (126..131_usize).prop_map(|length| format!(":{}", "a".repeat(length))),
    ];
    let length = prop_oneof![4 => Just(64_usize), 1 => Just(96), 1 => Just(128), 1 => 30..66_usize];
    let digit = select(&["a", "0", "f", "A", "g"][..]);
    let digit = prop_oneof![6 => Just("c"), 1 => digit];
    let digest = prop_oneof![
        3 => Just(String::new()),
        1 => (prop_oneof![3 => Just("sha256:"), 1 => select(DIGESTS)], length, digit)
            .prop_map(|(kind, length, digit)| format!("@{kind}{}{digit}", "0".repeat(length - 1))),
    ];
    let odd = select(&[" ", "\n", "\0", "/", ":", "@", "A", ".", "é", "\u{131}"][..]);
    let inserted = proptest::option::weighted(0.1, (odd, any::<proptest::sample::Index>()));
    let whole = (host, path, tag, digest, inserted).prop_map(|(host, path, tag, digest, inserted)| {
        let mut text = format!("{host}{path}{tag}{digest}");
        if let Some((odd, place)) = inserted {
            let places: Vec<usize> = text
                .char_indices()
                .map(|(place, _)| place)
                .chain([text.len()])
                .collect();
            text.insert_str(*place.get(&places), odd);
        }
        text
    });
    let identifier = (62..67_usize).prop_map(|length| "a".repeat(length));
    prop_oneof![200 => whole, 1 => identifier]
}

/// Our answer in the form that `tests/bed/image/main.go` describes.
fn ours(text: &str) -> String {
    match Reference::parse(text) {
        None => "!".to_owned(),
        Some(read) => {
            let [tag, digest] = [read.tag(), read.digest()].map(|part| part.unwrap_or("-"));
            format!("{} {tag} {digest}", read.name())
        }
    }
}

/// Theirs, with the case of the registry, which does not matter, as ours.
fn normalized(answer: &str) -> String {
    match answer.split_once('/') {
        Some((host, rest)) => format!("{}/{rest}", host.to_ascii_lowercase()),
        None => answer.to_owned(),
    }
}

fn answers(program: &Path, texts: &[String]) -> Vec<String> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the helper runs");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    let answers = thread::scope(|scope| {
        // Both pipes are short, so writing everything before reading would deadlock.
        scope.spawn(move || {
            for text in texts {
                let line = serde_json::to_string(text).expect("a string is JSON");
                writeln!(stdin, "{line}").expect("the helper reads");
            }
        });
        let lines = stdout.lines().map(|line| line.expect("the helper answers in UTF-8"));
        lines.collect()
    });
    assert!(child.wait().expect("the helper ends").success());
    answers
}

#[test]
fn references_are_those_of_container_runtimes() {
    let Some(program) = oracle::program("image") else {
        return;
    };
    let (cases, seed) = (
        number_from("DORGU_IMAGE_CASES", CASES),
        number_from("DORGU_IMAGE_SEED", SEED),
    );
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let strategy = texts();
    let mut text = || strategy.new_tree(&mut runner).expect("a text").current();
    let texts: Vec<String> = (0..cases).map(|_| text()).collect();
    let theirs = answers(&program, &texts);
    assert_eq!(theirs.len(), texts.len(), "an answer a text");
    let pairs = texts.iter().zip(&theirs);
    let differences: Vec<String> = pairs
        .map(|(text, theirs)| (text, ours(text), normalized(theirs)))
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(text, ours, theirs)| format!("{text:?}: ours {ours:?}, theirs {theirs:?}"))
        .collect();
    assert!(
        differences.is_empty(),
        "{} of {cases} texts of seed {seed} differ; the first are\n{}",
        differences.len(),
        differences[..differences.len().min(SHOWN)].join("\n")
    );
    // The generator is held to its promise, or this test would pass on noise.
    let accepted = theirs.iter().filter(|answer| *answer != "!").count() as u64;
    println!("{accepted} of {cases} texts are references");
    assert!(
        (cases / 10..cases * 9 / 10).contains(&accepted),
        "{accepted} of {cases}"
    );
}
