//! The layout's promises, held by reading the source: who may import whom, no file left out, nothing of one machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each top-level module and what it may import from this crate. A module that is not here is a failure too: a new one
/// earns its line, and a sentence in ARCHITECTURE.md.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("install", &["api"]),
    ("metric", &[]),
    ("server", &[]),
    ("telemetry", &["metric"]),
    ("policy", &["api"]),
    ("schema", &["api"]),
    ("manifest", &[]),
    ("k8s", &[]),
    ("certificates", &["k8s", "server"]),
    ("files", &["api", "manifest", "policy", "schema"]),
    ("index", &["api", "policy"]),
    ("webhook", &["metric", "policy", "index", "server"]),
    (
        "config",
        &["certificates", "k8s", "policy", "server", "telemetry", "webhook"],
    ),
    ("controllers", &["api", "metric", "policy", "index", "k8s"]),
    (
        "serve",
        &[
            "api",
            "certificates",
            "config",
            "controllers",
            "files",
            "index",
            "k8s",
            "metric",
            "policy",
            "server",
            "telemetry",
            "webhook",
        ],
    ),
    ("doctor", &["api", "certificates", "install", "k8s", "policy"]),
    (
        "cli",
        &[
            "api",
            "certificates",
            "config",
            "doctor",
            "install",
            "k8s",
            "policy",
            "serve",
            "server",
            "telemetry",
            "webhook",
        ],
    ),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn files_below(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    rust_files(&root().join(folder), &mut files);
    files.sort();
    files
}

/// The top-level module a file belongs to.
fn module_of(file: &Path) -> String {
    let relative = file.strip_prefix(root().join("src")).expect("below src");
    let first = relative.iter().next().expect("a name").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// `crate::x` in code, not in comments or docs.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices("crate::").map(move |(at, word)| {
        let rest = &code[at + word.len()..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn a_module_imports_only_what_the_layout_allows() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in files_below("src") {
        let module = module_of(&file);
        if module == "lib" || module == "main" {
            continue;
        }
        let shown = file.strip_prefix(root()).expect("ours").display().to_string();
        let Some(allowed) = allowed.get(module.as_str()) else {
            wrong.push(format!(
                "{shown}: module {module} is not in the table of tests/it/architecture.rs"
            ));
            continue;
        };
        let text = std::fs::read_to_string(&file).expect("readable");
        // Tests may look around: they are not part of the program.
        if shown.ends_with("tests.rs") || shown.contains("/tests/") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for import in imports(line).filter(|import| *import != module && !allowed.contains(import)) {
                wrong.push(format!("{shown}:{}: {module} may not import {import}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_source_file_is_forgotten_by_its_parent() {
    let mut wrong = Vec::new();
    for file in files_below("src").into_iter().chain(files_below("tests/it")) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        if name == "lib" || name == "main" {
            continue;
        }
        let folder = file.parent().expect("a folder");
        let (module, home) = if name == "mod" {
            (
                folder.file_name().expect("a name").to_string_lossy().into_owned(),
                folder.parent().expect("a folder"),
            )
        } else {
            (name, folder)
        };
        let beside = home.with_extension("rs");
        let parents = ["mod.rs", "lib.rs", "main.rs"].map(|parent| home.join(parent));
        let declared = parents
            .iter()
            .chain([&beside])
            .filter_map(|parent| std::fs::read_to_string(parent).ok())
            .any(|text| {
                text.lines().any(|line| {
                    line.trim_start()
                        .trim_start_matches("pub ")
                        .trim_start_matches("pub(crate) ")
                        .trim_start_matches("pub(super) ")
                        == format!("mod {module};")
                })
            });
        if !declared {
            wrong.push(format!(
                "{} is declared nowhere, so it is never compiled",
                file.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What decides a ClusterPersona's status; beside it in the folder is what observes.
const CLUSTER_DERIVED: &[&str] = &[
    "addons.rs",
    "conditions.rs",
    "derive.rs",
    "node.rs",
    "platform.rs",
    "pod.rs",
    "resources.rs",
    "version.rs",
];

/// Of the doctor, what asks a cluster.
fn asks(file: &Path) -> bool {
    ["src/doctor/observe.rs", "src/doctor/run.rs"]
        .iter()
        .any(|one| file.ends_with(one))
}

fn derived(folder: &str, files: &[&str]) -> Vec<PathBuf> {
    files.iter().map(|file| root().join(folder).join(file)).collect()
}

#[test]
fn the_pure_modules_do_no_io_and_read_no_clock() {
    let banned = [
        "std::fs",
        "std::net",
        "std::env",
        "std::time",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "tokio",
        "tracing::",
    ];
    let mut wrong = Vec::new();
    for file in files_below("src/policy")
        .into_iter()
        .chain(files_below("src/schema"))
        .chain(files_below("src/api"))
        .chain(derived("src/controllers/cluster", CLUSTER_DERIVED))
        .chain(derived("src/controllers/persona", &["assess.rs", "status.rs"]))
        .chain(files_below("src/install"))
        .chain(files_below("src/doctor").into_iter().filter(|file| !asks(file)))
    {
        if file.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("readable");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in banned.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("{}:{}: {word} in a pure module", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
