//! Reads the old manifests that new ones are compared with: files and folders, or a revision of a Git repository.
//!
//! Objects are recognised by kind, namespace and name, wherever their file is: a file that was renamed or split is the same
//! objects.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::manifest::Manifest;
use super::paths::Inputs;
use super::stored::Stored;

/// The old objects.
#[derive(Clone, Debug, Default)]
pub struct OldObjects {
    by_name: HashMap<(String, String), Stored>,
    /// Files that could not be read whole, a line each. What they hold beyond that counts as new.
    pub notes: Vec<String>,
}

/// Where old manifests are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OldPlace {
    /// A file or a folder.
    Path(PathBuf),
    /// A revision of the Git repository in which the checked paths are.
    Git(String),
}

impl OldPlace {
    /// Reads the value of a flag: `git:REF` or a path.
    pub fn of(text: &OsStr) -> OldPlace {
        match text.to_str().and_then(|text| text.strip_prefix("git:")) {
            Some(reference) => OldPlace::Git(reference.to_owned()),
            None => OldPlace::Path(PathBuf::from(text)),
        }
    }
}

impl OldObjects {
    /// The object that a new one replaces.
    pub fn get(&self, new: &Stored) -> Option<&Stored> {
        self.by_name.get(&(new.namespace.clone(), new.name.clone()))
    }

    /// Reads the old manifests. `paths` are those that are checked, `namespace` is that of objects that name none.
    ///
    /// # Errors
    /// What cannot be read, and what to do.
    pub fn read(place: &OldPlace, paths: &[PathBuf], namespace: &str) -> Result<OldObjects, String> {
        let mut old = OldObjects::default();
        match place {
            OldPlace::Path(path) => {
                let inputs = Inputs::of(std::slice::from_ref(path), Path::new("."));
                if let Some(problem) = inputs.problems.first() {
                    return Err(format!("{}: {}", problem.file, problem.reason));
                }
                for input in inputs.files {
                    match super::read(input.path.as_deref()) {
                        Ok(text) => old.add(&input.name, &text, namespace),
                        Err(reason) => return Err(format!("{}: {reason}", input.name)),
                    }
                }
            }
            OldPlace::Git(reference) => {
                for path in paths {
                    old.add_revision(reference, path, namespace)?;
                }
            }
        }
        Ok(old)
    }

    /// Adds the objects of a text. Of two with one name the first counts.
    fn add(&mut self, name: &str, text: &str, namespace: &str) {
        let manifest = Manifest::read(text);
        for found in &manifest.workloads {
            if let Some(node) = manifest.node(found) {
                let stored = Stored::of(node.to_value(), namespace);
                let key = (stored.namespace.clone(), stored.name.clone());
                self.by_name.entry(key).or_insert(stored);
            }
        }
        // A template of a chart is no manifest, and a repository may have many.
        if let Some(error) = manifest.error
            && !manifest.workloads.is_empty()
        {
            self.notes.push(format!(
                "{name} of the old manifests: {error}; what follows counts as new"
            ));
        }
    }

    fn add_revision(&mut self, reference: &str, path: &Path, namespace: &str) -> Result<(), String> {
        if path == Path::new("-") {
            return Err("--old git:REF needs files: standard input is in no repository".to_owned());
        }
        let folder = match path.is_dir() {
            true => path,
            false => path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
                .unwrap_or(Path::new(".")),
        };
        let git = Git { folder };
        let verified = git.output(&[
            "rev-parse",
            "--verify",
            "--end-of-options",
            &format!("{reference}^{{commit}}"),
        ])?;
        let commit = String::from_utf8_lossy(&verified).trim().to_owned();
        // All of the folder's repository: a file may have been renamed.
        let listed = git.output(&["ls-tree", "-r", "-z", "--full-tree", &commit])?;
        let blobs: Vec<(String, String)> = listed.split(|byte| *byte == 0).filter_map(blob).collect();
        let ids = blobs.iter().map(|(id, _)| id.as_str());
        let contents = git.contents(ids)?;
        for ((_, name), content) in blobs.iter().zip(contents) {
            match super::text(content) {
                Ok(text) => self.add(name, &text, namespace),
                Err(reason) => self.notes.push(format!("{name} at {reference}: {reason}")),
            }
        }
        Ok(())
    }
}

/// A manifest of `git ls-tree`: its object and its path.
fn blob(line: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let (about, path) = line.split_once('\t')?;
    let mut about = about.split(' ');
    let (mode, kind, id) = (about.next()?, about.next()?, about.next()?);
    let is_manifest = [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end));
    (kind == "blob" && mode.starts_with("100") && is_manifest).then(|| (id.to_owned(), path.to_owned()))
}

/// Git, without anything that a repository's configuration could make it run.
struct Git<'p> {
    folder: &'p Path,
}

impl Git<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args([
                "-c",
                "core.fsmonitor=false",
                "-c",
                "core.hooksPath=/dev/null",
                "--no-pager",
                "-C",
            ])
            .arg(self.folder)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn output(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let output = self.command(arguments).output().map_err(not_started)?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(refused(&output.stderr)),
        }
    }

    /// The contents of blobs, in their order.
    fn contents<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Result<Vec<Vec<u8>>, String> {
        let wanted: String = ids.flat_map(|id| [id, "\n"]).collect();
        let mut child = self
            .command(&["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(not_started)?;
        let input = child.stdin.take();
        // Git answers while it reads, so one thread must not do both.
        let writing = std::thread::spawn(move || input.map_or(Ok(()), |mut input| input.write_all(wanted.as_bytes())));
        let output = child.wait_with_output().map_err(not_started)?;
        let is_written = writing.join().is_ok_and(|written| written.is_ok());
        if !output.status.success() || !is_written {
            return Err(refused(&output.stderr));
        }
        let mut contents = Vec::new();
        let mut rest = output.stdout.as_slice();
        while !rest.is_empty() {
            let unreadable = || "git cat-file answered in an unknown form".to_owned();
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(unreadable)?;
            let header = String::from_utf8_lossy(&rest[..end]);
            let size: usize = header
                .rsplit(' ')
                .next()
                .and_then(|size| size.parse().ok())
                .ok_or_else(unreadable)?;
            let content = rest.get(end + 1..end + 1 + size).ok_or_else(unreadable)?;
            contents.push(content.to_vec());
            rest = rest.get(end + 2 + size..).ok_or_else(unreadable)?;
        }
        Ok(contents)
    }
}

fn not_started(error: std::io::Error) -> String {
    format!("--old git:REF needs git, which cannot be run: {error}")
}

fn refused(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    format!(
        "git: {}",
        text.lines()
            .next()
            .unwrap_or("failed without a word")
            .trim_start_matches("fatal: ")
    )
}
