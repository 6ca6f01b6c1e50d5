//! Reads the old manifests that new ones are compared with: files and folders, or a revision of a Git repository.
//!
//! Objects are recognised by kind, namespace and name, wherever their file is: a file that was renamed or split is the same
//! objects.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::git::{Content, Git};
use super::manifest::Manifest;
use super::paths::Inputs;
use super::render::{self, Options};
use super::stored::Stored;

/// The old objects.
#[derive(Clone, Debug, Default)]
pub struct OldObjects {
    by_name: HashMap<(String, String), Vec<OldObject>>,
    /// Files that could not be read whole, a line each. What they hold beyond that counts as new.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug)]
struct OldObject {
    file: Arc<str>,
    stored: Stored,
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
    /// The object that a new one of this file replaces. Overlays may hold several of one name: the one whose path ends most
    /// like that of the new one.
    pub fn get(&self, new: &Stored, file: &str) -> Option<&Stored> {
        let all = self.by_name.get(&(new.namespace.clone(), new.name.clone()))?;
        let nearest = all.iter().min_by_key(|old| distance(&old.file, file))?;
        Some(&nearest.stored)
    }

    /// Reads the old manifests. `paths` are those that are checked, `namespace` is that of objects that name none. `options`
    /// are those by which a chart or a kustomization is rendered.
    ///
    /// # Errors
    /// What cannot be read, and what to do.
    pub fn read(
        place: &OldPlace,
        paths: &[PathBuf],
        namespace: &str,
        options: Option<&Options>,
    ) -> Result<OldObjects, String> {
        let mut old = OldObjects::default();
        match place {
            OldPlace::Path(path) => {
                let is_stdin = |path: &Path| path == Path::new("-");
                if is_stdin(path) && paths.iter().any(|path| is_stdin(path)) {
                    return Err(
                        "--old - and PATH - are both standard input, which is read once; save one in a file".to_owned(),
                    );
                }
                old.add_files(path, namespace, options)?;
            }
            OldPlace::Git(reference) => {
                let is_rendered = |path: &&PathBuf| options.is_some() && render::kind(path).is_some();
                if let Some(path) = paths.iter().find(is_rendered) {
                    return Err(format!(
                        "--old git:REF reads manifests, and {} is rendered; `git worktree add FOLDER REF`, then --old FOLDER/…",
                        path.display()
                    ));
                }
                old.add_revision(reference, paths, namespace)?;
            }
        }
        Ok(old)
    }

    fn add_files(&mut self, path: &Path, namespace: &str, options: Option<&Options>) -> Result<(), String> {
        let inputs = Inputs::rendering(&[path.to_owned()], Path::new("."), options);
        if let Some(problem) = inputs.problems.first() {
            return Err(format!("--old: {}: {}", problem.file, problem.reason));
        }
        self.notes
            .extend(inputs.notes.iter().map(|note| format!("--old: {note}")));
        for input in &inputs.files {
            let text = match &input.rendered {
                Some(rendered) => Ok(rendered.text.clone()),
                None => super::read(input.path.as_deref()),
            };
            match text {
                Ok(text) => self.add(&input.name, &text, namespace),
                Err(reason) => return Err(format!("--old: {}: {reason}", input.name)),
            }
        }
        Ok(())
    }

    /// Adds the objects of a text.
    fn add(&mut self, name: &str, text: &str, namespace: &str) {
        let manifest = Manifest::read(text);
        let file: Arc<str> = name.into();
        for node in manifest.workloads.iter().filter_map(|found| manifest.node(found)) {
            let stored = Stored::of(node.to_value(), namespace);
            let key = (stored.namespace.clone(), stored.name.clone());
            let file = Arc::clone(&file);
            self.by_name.entry(key).or_default().push(OldObject { file, stored });
        }
        // A template of a chart is no manifest, and a repository may have many.
        if let Some(error) = manifest.error
            && !manifest.workloads.is_empty()
        {
            self.notes
                .push(format!("--old: {name}: {error}; what follows counts as new"));
        }
    }

    fn add_revision(&mut self, reference: &str, paths: &[PathBuf], namespace: &str) -> Result<(), String> {
        let mut folders = HashSet::new();
        let mut commits = HashSet::new();
        for path in paths {
            if path == Path::new("-") {
                return Err("--old git:REF needs files: standard input is in no repository".to_owned());
            }
            let folder = folder_of(path);
            // A shell may pass thousands of files.
            if !folders.insert(repository_of(&folder)) {
                continue;
            }
            let git = Git::of(&folder);
            let commit = git.commit(reference)?;
            if !commits.insert(commit.clone()) {
                continue;
            }
            let tree = git.tree(&commit)?;
            if let Some(first) = tree.submodules.first() {
                let count = tree.submodules.len();
                self.notes.push(format!(
                    "--old git:{reference}: {count} submodules, such as {first}, are not read; their manifests count as new"
                ));
            }
            git.each(&tree.manifests, |blob, content| {
                let text = match content {
                    Content::Bytes(bytes) => super::text(bytes),
                    Content::TooLarge => Err(super::too_large()),
                    Content::Missing => Err("this clone lacks it".to_owned()),
                };
                match text {
                    Ok(text) => self.add(&blob.path, &text, namespace),
                    Err(reason) => self.notes.push(format!(
                        "--old git:{reference}: {}: {reason}; what it holds counts as new",
                        blob.path
                    )),
                }
            })?;
        }
        Ok(())
    }
}

/// How unlike two paths are: the steps before their common end.
fn distance(one: &str, other: &str) -> usize {
    let steps = |path: &str| path.split('/').count();
    let ends = one.rsplit('/').zip(other.rsplit('/'));
    steps(one) + steps(other) - 2 * ends.take_while(|(one, other)| one == other).count()
}

/// The nearest folder that is there: a path may be a pattern.
fn folder_of(path: &Path) -> PathBuf {
    let is_folder = |path: &&Path| path.is_dir();
    match path.ancestors().find(is_folder) {
        Some(folder) => folder.to_owned(),
        None => PathBuf::from("."),
    }
}

/// The folder that holds a `.git`, else the folder itself.
fn repository_of(folder: &Path) -> PathBuf {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let top = real.ancestors().find(|folder| folder.join(".git").exists());
    top.map_or_else(|| real.clone(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{OldObjects, Stored, distance};

    fn deployment(replicas: u32) -> String {
        format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: api}}\nspec: {{replicas: {replicas}}}\n")
    }

    #[test]
    fn of_several_old_objects_of_one_name_the_one_with_the_likest_path_counts() {
        let mut old = OldObjects::default();
        old.add("base/api.yaml", &deployment(1), "shop");
        old.add("overlays/dev/api.yaml", &deployment(2), "shop");
        old.add("overlays/prod/api.yaml", &deployment(3), "shop");
        let new = Stored::of(serde_json::json!({"metadata": {"name": "api"}}), "shop");
        for (file, replicas) in [
            ("overlays/prod/api.yaml", 3),
            // Checked from another folder, and moved.
            ("prod/api.yaml", 3),
            ("apps/dev/api.yaml", 2),
            ("base/api.yaml", 1),
            ("/src/repository/base/api.yaml", 1),
        ] {
            let found = old.get(&new, file).expect("an old one");
            assert!(
                found.json.contains(&format!("\"replicas\":{replicas}")),
                "{file}: {}",
                found.json
            );
        }
    }

    #[test]
    fn paths_are_like_by_their_ends() {
        assert_eq!(distance("a/b.yaml", "a/b.yaml"), 0);
        assert_eq!(distance("a/b.yaml", "x/a/b.yaml"), 1);
        assert_eq!(distance("a/b.yaml", "a/c.yaml"), 4);
    }
}
