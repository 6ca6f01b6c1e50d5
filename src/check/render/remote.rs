//! Finds what a kustomization would fetch, before it is built: kustomize has no flag that forbids it.
//!
//! The check is stricter than kustomize: what is no plain path of a file or folder that is there counts as remote.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::manifest::{self, Content, Entry, Node};

/// The names of a kustomization's file.
pub(super) const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// More folders are a mistake, or a way to keep the check busy.
const MAX_FOLDERS: usize = 1_000;

/// Entries that are files or other kustomizations.
const BASES: [&str; 9] = [
    "resources",
    "bases",
    "components",
    "crds",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "patchesstrategicmerge",
];
/// Entries with fields that name files.
const WITH_FILES: [&str; 6] = [
    "configmapgenerator",
    "secretgenerator",
    "patches",
    "patchesjson6902",
    "replacements",
    "openapi",
];
/// Those fields. A generator's entry may be `key=path`.
const FILE_FIELDS: [&str; 4] = ["path", "files", "envs", "env"];

/// The file of a folder's kustomization.
pub(super) fn kustomization(folder: &Path) -> Option<PathBuf> {
    let mut places = FILES.iter().map(|name| folder.join(name));
    places.find(|place| place.is_file())
}

/// Checks a kustomization and all that it is built of.
///
/// # Errors
/// What would be fetched, and where it is named.
pub(super) fn check(folder: &Path) -> Result<(), String> {
    let mut walk = Walk {
        seen: HashSet::new(),
        left: vec![folder.to_owned()],
    };
    while let Some(folder) = walk.left.pop() {
        let real = folder.canonicalize();
        let real = real.map_err(|error| format!("{}: {error}", folder.display()))?;
        if !walk.seen.insert(real) {
            continue;
        }
        if walk.seen.len() > MAX_FOLDERS {
            return Err(format!("more than {MAX_FOLDERS} kustomizations"));
        }
        // One that is missing is an error of kustomize's.
        if let Some(file) = kustomization(&folder) {
            walk.file(&folder, &file)?;
        }
    }
    Ok(())
}

struct Walk {
    seen: HashSet<PathBuf>,
    left: Vec<PathBuf>,
}

impl Walk {
    fn file(&mut self, folder: &Path, file: &Path) -> Result<(), String> {
        for document in read(file)? {
            for Entry { key: typed, value, .. } in entries(&document) {
                let key = folded(typed);
                if BASES.contains(&key.as_str()) {
                    let nested = ["generators", "transformers", "validators"].contains(&key.as_str());
                    for text in strings(value) {
                        self.base(folder, file, text, nested)?;
                    }
                } else if WITH_FILES.contains(&key.as_str()) {
                    files(value, &mut |text| {
                        local(file, text.rsplit_once('=').map_or(text, |(_, path)| path))
                    })?;
                } else if key.starts_with("helm") {
                    return Err(format!(
                        "{}: {typed} need --enable-helm, which is not passed",
                        file.display()
                    ));
                }
            }
        }
        Ok(())
    }

    fn base(&mut self, folder: &Path, file: &Path, text: &str, runs: bool) -> Result<(), String> {
        // YAML in place of a path.
        if text.contains('\n') {
            return no_address(file, manifest::read(text));
        }
        local(file, text)?;
        let place = folder.join(text);
        match std::fs::metadata(&place) {
            Ok(meta) if meta.is_dir() => self.left.push(place),
            Ok(_) if runs => {
                let documents = manifest::read(&super::super::read(Some(&place))?);
                no_address(&place, documents)?;
            }
            Ok(_) => {}
            Err(error) => return Err(format!("{}: {text}: {error}; {REFUSED}", file.display())),
        }
        Ok(())
    }
}

const REFUSED: &str = "--render takes local files alone: build it yourself and pass the output to `dorgu check -`";

/// A plugin's configuration may name files, too, in fields of its own.
fn no_address(file: &Path, read: manifest::Documents) -> Result<(), String> {
    if let Some(error) = read.error {
        return Err(format!("{}: {error}", file.display()));
    }
    for text in read.documents.iter().flat_map(strings) {
        if looks_like_an_address(text) {
            return Err(format!("{}: {text} is remote; {REFUSED}", file.display()));
        }
    }
    Ok(())
}

fn looks_like_an_address(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    ["http:", "https:", "ssh:", "file:", "git:", "git@", "github.com", "gh:"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// A path that no version of kustomize takes for a repository or an address.
fn local(file: &Path, text: &str) -> Result<(), String> {
    let lower = text.to_lowercase();
    let is_remote = looks_like_an_address(text)
        || lower.contains([':', '@', '?'])
        || lower.contains("//")
        || lower.contains("_git/")
        || lower.contains(".git/")
        || lower.ends_with(".git");
    match is_remote {
        true => Err(format!("{}: {text} is remote; {REFUSED}", file.display())),
        false => Ok(()),
    }
}

fn read(file: &Path) -> Result<Vec<Node>, String> {
    let text = super::super::read(Some(file)).map_err(|reason| format!("{}: {reason}", file.display()))?;
    let read = manifest::read(&text);
    match read.error {
        Some(error) => Err(format!("{}: {error}", file.display())),
        None => Ok(read.documents),
    }
}

/// A key as kustomize compares it: JSON in Go ignores case, in Unicode's sense.
fn folded(key: &str) -> String {
    key.to_uppercase().to_lowercase()
}

fn entries(node: &Node) -> &[Entry] {
    match &node.content {
        Content::Map(entries) => entries,
        _ => &[],
    }
}

/// All strings of a value, keys aside.
fn strings(node: &Node) -> Vec<&str> {
    let mut found = Vec::new();
    let mut left = vec![node];
    while let Some(node) = left.pop() {
        left.extend(node.items());
        left.extend(entries(node).iter().map(|entry| &entry.value));
        if let Content::Text(text) = &node.content {
            found.push(text.as_str());
        }
    }
    found
}

/// Passes on the strings of fields that name files, however deep.
fn files(node: &Node, take: &mut impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
    for item in node.items() {
        files(item, take)?;
    }
    for Entry { key, value, .. } in entries(node) {
        match FILE_FIELDS.contains(&folded(key).as_str()) {
            true => strings(value).into_iter().try_for_each(&mut *take)?,
            false => files(value, take)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::check;

    #[test]
    fn what_would_be_fetched_is_refused_before_the_run() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let place = folder.path();
        fs::create_dir_all(place.join("base/more")).expect("created");
        fs::create_dir_all(place.join("github.com/some/where")).expect("created");
        for file in ["a.yaml", "base/b.yaml", "b@c.yaml"] {
            fs::write(place.join(file), "kind: ConfigMap\n").expect("written");
        }
        fs::write(place.join("plugin.yaml"), "kind: X\nfrom: \"\\x68ttps://x.example\"\n").expect("written");
        fs::write(place.join("fine.yaml"), "kind: X\nfrom: there\n").expect("written");
        fs::write(place.join("base/kustomization.yaml"), "resources: [b.yaml, ../base]\n").expect("written");
        let outcome = |text: &str| {
            fs::write(place.join("kustomization.yaml"), text).expect("written");
            check(place)
        };
        for text in [
            "resources: [a.yaml, base, ./base]",
            "resources: [a.yaml]\ncommonAnnotations: {home: 'https://x.example'}",
            "configMapGenerator: [{name: a, files: [x=a.yaml], literals: ['url=https://x.example']}]",
            "patches: [{path: a.yaml}, {patch: '[{op: add, path: /a, value: https://x.example}]'}]",
            "transformers: [fine.yaml, \"kind: X\\nname: y\\n\"]",
        ] {
            assert_eq!(outcome(text), Ok(()), "{text}");
        }
        for (text, word) in [
            (
                "resources: ['https://x.example/a.yaml']",
                "https://x.example/a.yaml is remote",
            ),
            ("Resources: ['HTTPS://x.example/a.yaml']", "is remote"),
            ("re\u{17f}ources: ['https://x.example/a.yaml']", "is remote"),
            ("resources: [github.com/some/where]", "is remote"),
            ("bases: ['git@x.example:some/where']", "is remote"),
            ("bases: ['x.example/some/where?ref=main']", "is remote"),
            ("components: [none]", "none: No such file"),
            ("resources: [b@c.yaml]", "is remote"),
            ("crds: ['https://x.example']", "is remote"),
            ("openapi: {path: 'https://x.example'}", "is remote"),
            ("patches: [{path: 'https://x.example'}]", "is remote"),
            (
                "configMapGenerator: [{name: a, files: ['x=https://x.example']}]",
                "is remote",
            ),
            ("secretGenerator: [{name: a, envs: ['https://x.example']}]", "is remote"),
            (
                "x: &x {files: ['https://x.example']}\nsecretGenerator: [{<<: *x, name: a}]",
                "is remote",
            ),
            ("generators: [plugin.yaml]", "https://x.example is remote"),
            ("transformers: [\"a: 1\\nb: https://x.example\\n\"]", "is remote"),
            ("helmCharts: [{name: a}]", "--enable-helm"),
            ("a: [", "kustomization.yaml: line "),
        ] {
            let refused = outcome(text).expect_err(text);
            assert!(refused.contains(word), "{text}: {refused}");
        }
        fs::write(
            place.join("base/more/kustomization.yml"),
            "resources: ['ssh://x.example/a']\n",
        )
        .expect("written");
        let refused = outcome("resources: [base/more]").expect_err("nested");
        assert!(
            refused.contains("more/kustomization.yml: ssh://x.example/a is remote"),
            "{refused}"
        );
    }
}
