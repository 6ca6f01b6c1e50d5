//! The fuzzer's initial inputs: the load test's reviews, the corpus of `tests/cases`, the manifests of this repository, and
//! earlier findings (`fuzz/found/TARGET`). Each target writes its own into the folder that `fuzz/run` names, before it reads
//! its corpus. Every test run checks all of them, too.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by several programs, none of which uses all of it"
)]

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use serde_json::Value;

#[path = "../loadtest/payloads.rs"]
pub mod payloads;

/// Writes the seeds of a target. Those that are there already are left alone.
pub fn write(target: &str) {
    let Some(folder) = std::env::var_os("DORGU_FUZZ_SEEDS").map(PathBuf::from) else {
        return;
    };
    for seed in of(target) {
        let mut name = DefaultHasher::new();
        seed.hash(&mut name);
        let file = folder.join(format!("seed-{:016x}", name.finish()));
        if !file.exists() {
            fs::write(&file, seed).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
    }
}

/// The seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = made(target);
    let found = root().join("fuzz/found").join(target);
    if found.is_dir() {
        seeds.extend(files(&found, "").into_iter().map(|file| read(&file)));
    }
    seeds
}

fn made(target: &str) -> Vec<Vec<u8>> {
    match target {
        "review" | "reply" | "opening" => reviews(),
        "watched" => {
            let object = |review: &Value| review["request"]["object"].to_string().into_bytes();
            let reviews = reviews();
            let reviews = reviews
                .iter()
                .filter_map(|review| serde_json::from_slice::<Value>(review).ok());
            reviews
                .map(|review| object(&review))
                .chain(personas().into_iter().map(|text| as_json(&text)))
                .collect()
        }
        "ignored" => [
            r#"{"f:spec":{"k:{\"name\":\"api\"}":{".":{},"f:image":{}}}}"#,
            r#"["\\\\\"]}",{"a":[1e400,-0.0,null,true]},"\ud800\u0000"]"#,
            r#""{\"apiVersion\":\"apps/v1\",\"spec\":{}}\n""#,
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "quantity" => [
            "500m",
            "1.5Gi",
            "1e3 1000",
            "-0.1n",
            "12345678901234567890123 4E",
            "1Ki 1024",
            ".5",
            "1E-9",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "persona_file" | "places" => {
            let mut files = personas();
            files.extend(texts(&root().join("manifests")).into_iter().map(String::into_bytes));
            files
        }
        // Choices, and behind them a manifest.
        "edits" => {
            let manifests = texts(&root().join("tests/fixes")).into_iter();
            let numbered = manifests.zip(0_u8..=255);
            numbered
                .map(|(text, number)| [&[number; 16], text.as_bytes()].concat())
                .collect()
        }
        "certificate" => {
            let (now, hour) = (jiff::Timestamp::now(), jiff::SignedDuration::from_hours(1));
            let authority = dorgu::server::tls::Authority::make("fuzz", now, hour).expect("a CA");
            vec![
                format!("{}{}", authority.pem(), authority.key_pem()).into_bytes(),
                authority.pem().into(),
            ]
        }
        // These begin with the ordinary, and every byte is a choice.
        _ => vec![vec![0; 200], (0..=255).collect()],
    }
}

/// Reviews of the load test and of the corpus.
fn reviews() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for shape in &payloads::SHAPES[..3] {
        all.extend(payloads::VARIANTS.map(|variant| payloads::review(*shape, variant, 7).into_bytes()));
    }
    for case in texts(&root().join("tests/cases")).iter().filter_map(|text| first(text)) {
        let object = |new: &str| case.get(new).cloned().unwrap_or_default();
        let (deployment, scale) = (object("deployment"), object("scale"));
        if let Some(review) = case.get("review") {
            all.push(review.to_string().into_bytes());
            continue;
        }
        let (kind, new, old) = match scale {
            Value::Null => ("Deployment", deployment, object("oldDeployment")),
            scale => ("Scale", scale, object("oldScale")),
        };
        let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
        let review = serde_json::json!({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "request": {"uid": "1", "kind": {"kind": kind}, "operation": operation, "object": new, "oldObject": old},
        });
        all.push(review.to_string().into_bytes());
    }
    all
}

fn personas() -> Vec<Vec<u8>> {
    (0..3).map(|number| payloads::persona(number).into_bytes()).collect()
}

fn as_json(text: &[u8]) -> Vec<u8> {
    first(&String::from_utf8_lossy(text))
        .unwrap_or_default()
        .to_string()
        .into_bytes()
}

fn first(text: &str) -> Option<Value> {
    dorgu::manifest::read(text)
        .documents
        .first()
        .map(|document| document.to_value())
}

/// The repository, seen from the package that this is compiled in.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().find(|folder| folder.join("tests/cases").is_dir());
    root.expect("tests/cases is there").to_owned()
}

/// Every YAML file below a folder.
fn texts(folder: &Path) -> Vec<String> {
    let files = files(folder, "yaml");
    files
        .iter()
        .map(|file| String::from_utf8_lossy(&read(file)).into_owned())
        .collect()
}

/// Every file below a folder with that ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut all = Vec::new();
    for path in entries.map(|entry| entry.expect("readable").path()) {
        if path.is_dir() {
            all.extend(files(&path, ending));
        } else if path.extension().unwrap_or_default() == ending {
            all.push(path);
        }
    }
    all
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
