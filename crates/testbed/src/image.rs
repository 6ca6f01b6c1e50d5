//! Lays out the image's root file system in an empty folder, without a container engine. It copies the files that
//! `image/Containerfile` copies, and adds `/etc/hosts` and `/etc/resolv.conf` as a kubelet does.
//!
//! The program is not built here: `DORGU_IMAGE_PROGRAM` names it, and it stands for every file that comes from another stage.
//! The parser understands the instructions of our Containerfile only. This file starts no process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::{folder, repository, skip};

/// Names the static program; `image/build` makes it.
const PROGRAM: &str = "DORGU_IMAGE_PROGRAM";

/// The last stage of a Containerfile, which is the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// What it starts from.
    pub from: String,
    /// Every instruction in it by its name, in order.
    pub instructions: Vec<(String, String)>,
}

/// One file that the image gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The stage it comes from; from the repository when there is none.
    stage: Option<String>,
    from: PathBuf,
    to: PathBuf,
}

impl Stage {
    /// The last stage of this text.
    pub fn last_of(text: &str) -> Result<Self> {
        let mut last = None;
        for (name, arguments) in instructions(text)? {
            if name == "FROM" {
                let from = arguments.split_whitespace().next().context("FROM what?")?.to_owned();
                last = Some(Self {
                    from,
                    ..Self::default()
                });
            } else if let Some(stage) = &mut last {
                stage.instructions.push((name, arguments));
            }
        }
        last.context("there is no FROM in it")
    }

    /// Our image's.
    pub fn of_image() -> Self {
        let text = fs::read_to_string(repository().join("image/Containerfile")).expect("a Containerfile");
        Self::last_of(&text).unwrap_or_else(|error| panic!("image/Containerfile: {error:#}"))
    }

    /// The arguments of the only instruction of this name.
    pub fn only(&self, name: &str) -> Result<&str> {
        let mut found = self.instructions.iter().filter(|(instruction, _)| instruction == name);
        let (_, arguments) = found.next().with_context(|| format!("no {name}"))?;
        ensure!(found.next().is_none(), "more than one {name}");
        Ok(arguments)
    }

    /// The words of the ENTRYPOINT, which must be in its JSON form: the image has no shell.
    pub fn entrypoint(&self) -> Result<Vec<String>> {
        let text = self.only("ENTRYPOINT")?;
        serde_json::from_str(text)
            .with_context(|| format!("ENTRYPOINT {text} asks for a shell, and the image has none"))
    }

    /// Every file that is copied into it.
    pub fn copied(&self) -> Result<Vec<Copied>> {
        let copies = self.instructions.iter().filter(|(name, _)| name == "COPY");
        copies.map(|(_, arguments)| copied(arguments)).collect()
    }

    /// The labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let labels = self.instructions.iter().filter(|(name, _)| name == "LABEL");
        let pairs = labels.flat_map(|(_, arguments)| arguments.split("\" "));
        pairs
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.trim().to_owned(), value.trim_matches('"').to_owned()))
            .collect()
    }
}

/// Each instruction and its arguments, without comments, continued lines joined.
fn instructions(text: &str) -> Result<Vec<(String, String)>> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, arguments) = line.split_once(' ').with_context(|| line.to_owned())?;
            Ok((name.to_uppercase(), arguments.trim().to_owned()))
        })
        .collect()
}

fn copied(arguments: &str) -> Result<Copied> {
    let (stage, paths) = match arguments.strip_prefix("--from=") {
        Some(rest) => {
            let (stage, paths) = rest.split_once(' ').with_context(|| arguments.to_owned())?;
            (Some(stage.to_owned()), paths)
        }
        None => (None, arguments),
    };
    let paths: Vec<&str> = paths.split_whitespace().collect();
    let [from, to] = paths[..] else {
        bail!("COPY {arguments}: one file and where it goes are all that is understood here");
    };
    Ok(Copied {
        stage,
        from: from.into(),
        to: to.into(),
    })
}

/// An image with the program that was built for it.
pub struct Image {
    stage: Stage,
    program: PathBuf,
}

/// The files that a kubelet writes for a pod, and the name by which the pod finds the API server.
#[derive(Clone, Debug)]
pub struct Names {
    /// The API server's, which has to be resolved.
    pub api_server: String,
    /// `/etc/hosts`.
    pub hosts: String,
    /// `/etc/resolv.conf`.
    pub resolver: String,
}

/// A container's root file system.
pub struct Root {
    pub folder: TempDir,
    pub entrypoint: Vec<String>,
    pub names: Names,
}

impl Image {
    /// `None` after a line that says how to build the program.
    pub fn find() -> Option<Self> {
        let program = folder(PROGRAM).expect("a path");
        match program {
            Some(program) => Some(Self {
                stage: Stage::of_image(),
                program,
            }),
            None => skip(&format!("{PROGRAM} names no static program; image/build makes one")),
        }
    }

    /// A new root with the image's files and the kubelet's.
    pub fn lay_out(&self, names: Names) -> Root {
        self.try_lay_out(names).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn try_lay_out(&self, names: Names) -> Result<Root> {
        let folder = TempDir::new()?;
        for file in self.stage.copied()? {
            let from = match file.stage {
                // Whatever stages it came through, there is only one program.
                Some(_) => self.program.clone(),
                None => repository().join(&file.from),
            };
            let to = folder.path().join(file.to.strip_prefix("/")?);
            fs::copy(&from, &to).with_context(|| from.display().to_string())?;
        }
        let etc = folder.path().join("etc");
        fs::create_dir(&etc)?;
        fs::write(etc.join("hosts"), &names.hosts)?;
        fs::write(etc.join("resolv.conf"), &names.resolver)?;
        Ok(Root {
            folder,
            entrypoint: self.stage.entrypoint()?,
            names,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_is_the_image_and_continued_lines_are_one() {
        let text = "# c\nFROM a AS x\nRUN y\nFROM scratch\nLABEL a=\"b c\" \\\n  d=\"e\"\nCOPY --from=x /p /q\nCOPY L /L\n\
                    ENTRYPOINT [\"/q\"]\n";
        let stage = Stage::last_of(text).unwrap();
        assert_eq!(stage.from, "scratch");
        assert!(stage.only("RUN").is_err());
        let labels = [("a", "b c"), ("d", "e")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(stage.labels(), labels.into());
        assert_eq!(stage.entrypoint().unwrap(), ["/q"]);
        let copied = |stage: Option<&str>, from: &str, to: &str| Copied {
            stage: stage.map(str::to_owned),
            from: from.into(),
            to: to.into(),
        };
        assert_eq!(
            stage.copied().unwrap(),
            [copied(Some("x"), "/p", "/q"), copied(None, "L", "/L")]
        );
    }

    #[test]
    fn what_needs_a_shell_or_is_not_understood_is_an_error() {
        let stage = |line: &str| Stage::last_of(&format!("FROM scratch\n{line}\n")).unwrap();
        assert!(stage("ENTRYPOINT /dorgu serve").entrypoint().is_err());
        assert!(stage("COPY a b c").copied().is_err());
        assert!(stage("USER 1\nUSER 2").only("USER").is_err());
        assert!(Stage::last_of("RUN x").is_err());
    }
}
