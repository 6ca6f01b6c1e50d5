//! Checks the layout by reading the source: which module may import which, that no file is left out, and that nothing depends
//! on one machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The crates below `crates/` and which of them each may depend on. A crate that is not here is a failure too: a new one
/// earns its line, and a sentence in ARCHITECTURE.md.
const CRATES: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("k8s", &[]),
    ("manifest", &["api"]),
    ("policy", &["api"]),
    ("runtime", &["k8s", "server"]),
    ("server", &[]),
    ("testbed", &[]),
];

/// The crates that do no IO: all that they may link from outside. What is not here (tokio, hyper, kube's client) the
/// compiler does not find.
const PURE: &[(&str, &[&str])] = &[
    (
        "api",
        &[
            "k8s-openapi",
            "kube",
            "schemars",
            "serde",
            "serde-saphyr",
            "serde_json",
            "thiserror",
        ],
    ),
    ("manifest", &["k8s-openapi", "serde-saphyr", "serde_json", "thiserror"]),
    (
        "policy",
        &["json-patch", "serde", "serde_json", "smallvec", "strsim", "thiserror"],
    ),
];

/// Each module of the root package and what it may import, crates included.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("install", &["api", "policy", "runtime"]),
    ("certificates", &["k8s", "server"]),
    ("files", &["api", "manifest", "policy", "schema"]),
    ("index", &["api", "policy"]),
    ("impact", &["index", "policy"]),
    ("watched", &["api", "index", "k8s", "policy"]),
    (
        "world",
        &["api", "files", "index", "k8s", "policy", "runtime", "watched"],
    ),
    ("edits", &["manifest", "policy", "report"]),
    ("fix", &["check", "edits", "manifest", "policy"]),
    ("check", &["edits", "index", "manifest", "policy", "report", "world"]),
    (
        "suite",
        &[
            "api", "check", "files", "index", "manifest", "policy", "report", "world",
        ],
    ),
    ("webhook", &["api", "metric", "policy", "index", "server"]),
    (
        "persona_webhook",
        &[
            "api", "impact", "index", "metric", "policy", "runtime", "server", "webhook",
        ],
    ),
    ("config", &["certificates", "k8s", "policy", "server", "telemetry"]),
    ("controllers", &["api", "index", "k8s", "metric", "policy", "runtime"]),
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
            "persona_webhook",
            "policy",
            "runtime",
            "server",
            "telemetry",
            "watched",
            "webhook",
            "world",
        ],
    ),
    (
        "doctor",
        &["api", "certificates", "install", "k8s", "policy", "runtime"],
    ),
    ("explain", &["policy"]),
    (
        "simulate",
        &["api", "impact", "index", "k8s", "manifest", "policy", "schema", "world"],
    ),
    ("report", &["explain", "policy"]),
    ("personas", &["api", "index", "policy"]),
    ("admission_policy", &["api", "policy"]),
    (
        "cli",
        &[
            "admission_policy",
            "api",
            "certificates",
            "check",
            "config",
            "doctor",
            "explain",
            "files",
            "impact",
            "fix",
            "index",
            "install",
            "k8s",
            "manifest",
            "personas",
            "policy",
            "report",
            "runtime",
            "schema",
            "serve",
            "server",
            "suite",
            "simulate",
            "telemetry",
            "world",
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

/// What stands below `[dependencies]` in a manifest.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(manifest).expect("a manifest");
    let section = text
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    section
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_crate_depends_only_on_what_the_layout_allows() {
    let folders = std::fs::read_dir(root().join("crates")).expect("a folder of ours");
    let mut found: Vec<String> = folders
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let listed: Vec<&str> = CRATES.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        found, listed,
        "crates/ and the table of tests/it/architecture.rs differ"
    );
    let mut wrong = Vec::new();
    for (name, allowed) in CRATES {
        let pure = PURE.iter().find(|(pure, _)| pure == name);
        for dependency in dependencies(&root().join("crates").join(name).join("Cargo.toml")) {
            let fine = match dependency.strip_prefix("dorgu-") {
                Some(ours) => allowed.contains(&ours),
                None => pure.is_none_or(|(_, outside)| outside.contains(&dependency.as_str())),
            };
            if !fine {
                wrong.push(format!("crates/{name}: may not depend on {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_source_file_is_forgotten_by_its_parent() {
    let mut wrong = Vec::new();
    for file in files_below("src")
        .into_iter()
        .chain(files_below("crates"))
        .chain(files_below("tests/it"))
    {
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

/// How long a file may be.
const MAX_LINES: usize = 450;

#[test]
fn no_file_is_longer_than_a_person_reads_at_once() {
    let files = files_below("src").into_iter().chain(files_below("crates"));
    let program = files.filter(|file| !file.ends_with("tests.rs") && !file.iter().any(|part| part == "tests"));
    let long: Vec<String> = program
        .filter_map(|file| {
            let lines = std::fs::read_to_string(&file).expect("readable").lines().count();
            (lines > MAX_LINES).then(|| format!("{}: {lines} lines, at most {MAX_LINES}", file.display()))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// The files of the controllers that do IO or wait; all others derive and are pure.
const CONTROLLERS_IO: &[&str] = &[
    "cluster/first.rs",
    "cluster/known.rs",
    "cluster/mod.rs",
    "cluster/observe.rs",
    "cluster/pace.rs",
    "metrics.rs",
    "persona/mod.rs",
    "reconciler.rs",
    "trigger.rs",
];

/// Of the doctor, what asks a cluster.
fn asks(file: &Path) -> bool {
    ["src/doctor/observe.rs", "src/doctor/run.rs"]
        .iter()
        .any(|one| file.ends_with(one))
}

/// Of the report, what writes files.
fn writes(file: &Path) -> bool {
    file.ends_with("src/report/write.rs")
}

fn is_controllers_io(file: &Path) -> bool {
    let relative = file.strip_prefix(root().join("src/controllers")).expect("below it");
    CONTROLLERS_IO.iter().any(|one| relative == Path::new(one))
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
    for file in files_below("crates/policy")
        .into_iter()
        .chain(files_below("crates/manifest"))
        .chain(files_below("crates/api"))
        .chain(
            files_below("src/controllers")
                .into_iter()
                .filter(|file| !is_controllers_io(file)),
        )
        .chain(files_below("src/admission_policy"))
        .chain(files_below("src/explain"))
        .chain(files_below("src/personas"))
        .chain(files_below("src/impact"))
        .chain([root().join("src/edits.rs")])
        .chain(["plan.rs", "forms.rs"].map(|file| root().join("src/fix").join(file)))
        .chain(files_below("src/install"))
        .chain(
            files_below("src/suite")
                .into_iter()
                .filter(|file| !file.ends_with("src/suite/load.rs") && !file.ends_with("src/suite/load/one.rs")),
        )
        .chain(files_below("src/doctor").into_iter().filter(|file| !asks(file)))
        .chain(files_below("src/report").into_iter().filter(|file| !writes(file)))
    {
        if file.ends_with("tests.rs") || file.iter().any(|part| part == "tests") {
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
