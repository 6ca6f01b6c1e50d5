//! Writes the formats to their places. The only IO of `report`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::words::counted;
use super::{Format, Outputs, RenderError, Rendered, Report, View, render, step_summary};

/// What became of the formats.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// What was left out because of a format's limits, a line for each.
    pub notes: Vec<String>,
    /// What could not be written, a line for each. The other formats were.
    pub failures: Vec<String>,
}

/// Writes the report in each format to its place. With the format github, `page` is the file of the step's page
/// (`GITHUB_STEP_SUMMARY`), to which it is appended in Markdown.
///
/// Files come first: a reader that closes standard output ends nothing else, and is no failure.
pub fn write(report: &Report, outputs: &Outputs, view: View, page: Option<&Path>, stdout: &mut dyn Write) -> Written {
    let report = report.shown(view);
    let mut written = Written::default();
    for output in outputs.iter().filter(|output| output.file.is_some()) {
        let file = output.file.as_deref().unwrap_or(Path::new(""));
        let place = file.display().to_string();
        let rendered = render(&report, output.format, view);
        written.add(output.format.as_str(), &place, rendered, |text| whole(file, text));
    }
    if let Some(page) = page.filter(|_| outputs.contains(Format::Github)) {
        let place = format!("the step summary {}", page.display());
        written.add("markdown", &place, Ok(step_summary(&report, view)), |text| {
            append(page, text)
        });
    }
    if let Some(format) = outputs.to_stdout() {
        let rendered = render(&report, format, view);
        written.add(format.as_str(), "standard output", rendered, |text| {
            match stdout.write_all(text).and_then(|()| stdout.flush()) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
                _ => Ok(()),
            }
        });
    }
    written
}

impl Written {
    fn add(
        &mut self,
        format: &str,
        place: &str,
        rendered: Result<Rendered, RenderError>,
        write: impl FnOnce(&[u8]) -> io::Result<()>,
    ) {
        match rendered {
            Err(error) => self.failures.push(format!("cannot make {format}: {error}")),
            Ok(Rendered { text, left_out }) => {
                if let Err(error) = write(text.as_bytes()) {
                    self.failures.push(format!("cannot write {format} to {place}: {error}"));
                }
                if left_out > 0 {
                    let findings = counted(left_out, "finding");
                    self.notes.push(format!(
                        "{place}: {findings} left out, since more is not accepted there"
                    ));
                }
            }
        }
    }
}

/// Writes a file whole or not at all: beside it, under a name of its own, then renamed. What is no regular file, such as a pipe, is
/// written to directly.
fn whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let found = match fs::metadata(path) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if found.as_ref().is_some_and(|found| !found.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(text);
    }
    // A link stays one.
    let path = if found.is_some() {
        fs::canonicalize(path)?
    } else {
        path.to_owned()
    };
    let beside = beside(&path);
    let written = File::create_new(&beside).and_then(|mut file| {
        if let Some(found) = found {
            file.set_permissions(found.permissions())?;
        }
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    });
    match written {
        // Of another process with this number, which ended in the middle of it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(io::Error::other(format!(
            "{} is in the way; remove it",
            beside.display()
        ))),
        Err(error) => {
            // The error that counts is the one being returned.
            let _ = fs::remove_file(&beside);
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// Appends to a file that others write to, too.
fn append(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text)
}
