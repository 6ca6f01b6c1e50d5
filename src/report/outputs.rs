//! Parses which formats go where: `-o FORMAT`, or `-o FORMAT=FILE`, several times.

use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use super::Format;

/// One format and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The format.
    pub format: Format,
    /// The file; `None` for standard output.
    pub file: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, file) = match text.split_once('=') {
            Some((word, file)) => (word, Some(file)),
            None => (text, None),
        };
        let format = Format::ALL.into_iter().find(|format| format.as_str() == word);
        let Some(format) = format else {
            let all = Format::ALL.map(Format::as_str).join(", ");
            return Err(format!(
                "there is no format {word:?}; there are {all}, each also as FORMAT=FILE"
            ));
        };
        match file {
            Some("") => Err(format!("there is no file after {word}=")),
            Some("-") | None => Ok(Output { format, file: None }),
            Some(file) => Ok(Output {
                format,
                file: Some(file.into()),
            }),
        }
    }
}

/// All formats of a run and their places, each used once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs(Vec<Output>);

impl Default for Outputs {
    fn default() -> Self {
        Outputs(vec![Output {
            format: Format::Table,
            file: None,
        }])
    }
}

impl TryFrom<Vec<Output>> for Outputs {
    type Error = String;

    /// None is a table on standard output.
    fn try_from(given: Vec<Output>) -> Result<Self, String> {
        if given.is_empty() {
            return Ok(Outputs::default());
        }
        for (index, output) in given.iter().enumerate() {
            let place = |output: &Output| output.file.as_deref().map(plain);
            let Some(other) = given.iter().take(index).find(|other| place(other) == place(output)) else {
                continue;
            };
            let (one, two) = (other.format.as_str(), output.format.as_str());
            return Err(match &output.file {
                Some(file) => format!(
                    "{one} and {two} are both to be written to {}; name another file",
                    file.display()
                ),
                None => format!("{one} and {two} are both for standard output; write one into a file: -o {two}=FILE"),
            });
        }
        Ok(Outputs(given))
    }
}

impl Outputs {
    /// Each format and its place, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Output> {
        self.0.iter()
    }

    /// Whether a format is among them.
    pub fn contains(&self, format: Format) -> bool {
        self.iter().any(|output| output.format == format)
    }

    /// What goes to standard output.
    pub fn to_stdout(&self) -> Option<Format> {
        self.iter()
            .find(|output| output.file.is_none())
            .map(|output| output.format)
    }
}

/// The path without `.`: `./a` is `a`.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}
