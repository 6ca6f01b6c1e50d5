//! Reads the manifests of a Git revision. Plumbing commands alone: a repository's configuration must run no program, not even
//! to fetch what a partial clone lacks.

use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::MAX_FILE_SIZE;

/// A repository, by a folder in it.
#[derive(Clone, Debug)]
pub(super) struct Git {
    folder: PathBuf,
}

/// A file of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blob {
    id: String,
    /// Its path in the repository.
    pub(super) path: String,
}

/// The files of a revision.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Those that may be manifests.
    pub(super) manifests: Vec<Blob>,
    /// Paths of submodules, which are other repositories.
    pub(super) submodules: Vec<String>,
}

impl Git {
    pub(super) fn of(folder: &Path) -> Git {
        let folder = folder.to_owned();
        Git { folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        command
            // Messages that are matched below.
            .env("LC_ALL", "C")
            // A partial clone would fetch what it lacks, by programs and addresses that the repository names.
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", "")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
            // A checked folder that looks like a bare repository would decide what was there before.
            .args(["-c", "safe.bareRepository=explicit", "--no-pager", "-C"])
            .arg(&self.folder)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn output(&self, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
        let output = self.command(arguments).output().map_err(Failure::NotStarted)?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(Failure::of(&output.stderr)),
        }
    }

    /// The commit that a reference names.
    ///
    /// # Errors
    /// There is none, or no repository.
    pub(super) fn commit(&self, reference: &str) -> Result<String, String> {
        let name = format!("{reference}^{{commit}}");
        let verified = self.output(&["rev-parse", "--verify", "--end-of-options", &name]);
        let verified = verified.map_err(|failure| self.explain(&failure, reference))?;
        let id = String::from_utf8_lossy(&verified).trim().to_owned();
        match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(id),
            false => Err(format!("git rev-parse answered {id:?} for {reference}")),
        }
    }

    /// The files of a commit.
    ///
    /// # Errors
    /// Git cannot list them.
    pub(super) fn tree(&self, commit: &str) -> Result<Tree, String> {
        // All of the repository: a file may have been renamed.
        let listed = self.output(&["ls-tree", "-r", "-z", "--full-tree", commit]);
        let listed = listed.map_err(|failure| self.explain(&failure, commit))?;
        let mut tree = Tree::default();
        for line in listed.split(|byte| *byte == 0) {
            // A path that is no UTF-8 has no name in a report.
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let Some((about, path)) = line.split_once('\t') else {
                continue;
            };
            let mut about = about.split(' ');
            let (mode, kind, id) = (about.next(), about.next(), about.next());
            match (mode.unwrap_or_default(), kind, id) {
                (_, Some("commit"), _) => tree.submodules.push(path.to_owned()),
                // A symbolic link is a blob, too; its target is read where it is.
                (mode, Some("blob"), Some(id)) if mode.starts_with("100") && is_manifest(path) => {
                    let (id, path) = (id.to_owned(), path.to_owned());
                    tree.manifests.push(Blob { id, path });
                }
                _ => {}
            }
        }
        Ok(tree)
    }

    /// Reads blobs, one after the other, in their order.
    ///
    /// # Errors
    /// Git ends early, or answers in an unknown form.
    pub(super) fn each(&self, blobs: &[Blob], mut take: impl FnMut(&Blob, Content)) -> Result<(), String> {
        let wanted: String = blobs.iter().flat_map(|blob| [blob.id.as_str(), "\n"]).collect();
        let mut command = self.command(&["cat-file", "--batch"]);
        let mut child = command
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::NotStarted(error).to_string())?;
        let input = child.stdin.take();
        // Git answers while it reads, so one thread must not do both.
        let writing = std::thread::spawn(move || input.map_or(Ok(()), |mut input| input.write_all(wanted.as_bytes())));
        let complaints = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                stderr.read_to_end(&mut text).map(|_| text)
            })
        });
        let read = match child.stdout.take() {
            Some(stdout) => contents(BufReader::new(stdout), blobs, &mut take),
            None => Err(unknown_form()),
        };
        let ended = end(child);
        let is_written = writing.join().is_ok_and(|written| written.is_ok());
        let complaints = complaints.and_then(|reading| reading.join().ok()?.ok());
        match (read, ended) {
            (Ok(()), true) if is_written => Ok(()),
            (read, _) => {
                let complaints = complaints.filter(|text| !text.is_empty());
                let said = complaints.map(|text| self.explain(&Failure::of(&text), "the revision"));
                Err(said.unwrap_or_else(|| read.err().unwrap_or_else(unknown_form).to_string()))
            }
        }
    }

    fn explain(&self, failure: &Failure, reference: &str) -> String {
        let folder = self.folder.display();
        let Failure::Said(said) = failure else {
            return failure.to_string();
        };
        if said.contains("Needed a single revision") {
            return format!(
                "the Git repository of {folder} has no revision {reference}; a shallow clone has to fetch it first"
            );
        }
        if said.contains("dubious ownership") {
            return format!(
                "the Git repository of {folder} belongs to another user; \
                 `git config --global --add safe.directory FOLDER` says that you trust it"
            );
        }
        if said.contains("not a git repository") {
            return format!("--old git:REF: {folder} is in no Git repository; --old PATH takes files");
        }
        if ["promisor", "transport", "lazy fetch"]
            .iter()
            .any(|word| said.contains(word))
        {
            return format!(
                "the Git repository of {folder} is a partial clone that lacks files of {reference}; fetch without --filter"
            );
        }
        failure.to_string()
    }
}

/// What became of a blob.
#[derive(Debug)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    TooLarge,
    Missing,
}

fn contents(mut answers: impl io::BufRead, blobs: &[Blob], take: &mut impl FnMut(&Blob, Content)) -> io::Result<()> {
    let mut header = String::new();
    for blob in blobs {
        header.clear();
        answers.read_line(&mut header)?;
        let about = header.trim_end().strip_prefix(&blob.id).ok_or_else(unknown_form)?;
        if about == " missing" {
            take(blob, Content::Missing);
            continue;
        }
        let size = about.strip_prefix(" blob ").and_then(|size| size.parse::<u64>().ok());
        let size = size.ok_or_else(unknown_form)?;
        let mut content = answers.by_ref().take(size);
        if size > MAX_FILE_SIZE {
            io::copy(&mut content, &mut io::sink())?;
            take(blob, Content::TooLarge);
        } else {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            if bytes.len() as u64 != size {
                return Err(unknown_form());
            }
            take(blob, Content::Bytes(bytes));
        }
        answers.read_exact(&mut [0])?;
    }
    Ok(())
}

/// Waits for the end, and returns whether it was a success. Its output was read or dropped, so that it ends by itself.
fn end(mut child: Child) -> bool {
    child.wait().is_ok_and(|status| status.success())
}

fn unknown_form() -> io::Error {
    io::Error::other("git cat-file ended early, or answered in an unknown form")
}

fn is_manifest(path: &str) -> bool {
    super::paths::is_manifest(Path::new(path))
}

/// Why a command of Git gave no answer.
#[derive(Debug)]
enum Failure {
    NotStarted(io::Error),
    Said(String),
}

impl Failure {
    fn of(stderr: &[u8]) -> Failure {
        Failure::Said(String::from_utf8_lossy(stderr).into_owned())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::NotStarted(error) => write!(f, "--old git:REF needs git, which cannot be run: {error}"),
            Failure::Said(text) => {
                let first = text.lines().find(|line| !line.trim().is_empty());
                let first = first.unwrap_or("failed without a message");
                write!(f, "git: {}", first.trim_start_matches("fatal: "))
            }
        }
    }
}
