//! Installs programs that read what `dorgu check` prints, from PyPI and npm, and runs them. `tests/bed/formats` pins them by hash;
//! they come into a folder of the test bed once, in ten seconds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};

use super::assets::tell;
use super::kubectl::Output;
use super::{home, repository, skip};

const PACKAGE: &str = include_str!("../../../tests/bed/formats/package.json");
const LOCK: &str = include_str!("../../../tests/bed/formats/package-lock.json");
const REQUIREMENTS: &str = include_str!("../../../tests/bed/formats/requirements.txt");
const MULTITOOL: &str = "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool";

/// Python with its packages, and Microsoft's validator of SARIF.
#[derive(Clone, Debug)]
pub struct Validators {
    folder: PathBuf,
}

impl Validators {
    /// `None` after a line that says why there are none; see [`skip`].
    pub fn find() -> Option<Self> {
        static FOUND: OnceLock<Result<Result<PathBuf, String>>> = OnceLock::new();
        match FOUND.get_or_init(search) {
            Ok(Ok(folder)) => Some(Self { folder: folder.clone() }),
            Ok(Err(reason)) => skip(reason),
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Runs `tests/bed/formats/validate.py`.
    pub fn python(&self, args: &[&str]) -> Output {
        let script = repository().join("tests/bed/formats/validate.py");
        let mut python = Command::new(self.folder.join("python/bin/python"));
        python.arg(script);
        run(python, args)
    }

    /// Runs the validator of SARIF.
    pub fn sarif(&self, args: &[&str]) -> Output {
        let mut multitool = Command::new(self.folder.join(MULTITOOL));
        // It needs no names of days in any language, and no folder of the user's.
        multitool.env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1");
        multitool.env("DOTNET_BUNDLE_EXTRACT_BASE_DIR", self.folder.join("extracted"));
        run(multitool, args)
    }
}

fn run(mut program: Command, args: &[&str]) -> Output {
    let name = program.get_program().to_string_lossy().into_owned();
    let output = program.args(args).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
    Output::of(format!("{name} {}", args.join(" ")), &output)
}

/// The folder, or in one sentence why there is none.
fn search() -> Result<Result<PathBuf, String>> {
    let home = home()?;
    let folder = home.join("formats");
    let (stamp, wanted) = (folder.join("stamp"), format!("{LOCK}{REQUIREMENTS}"));
    let is_there = || fs::read_to_string(&stamp).is_ok_and(|found| found == wanted);
    if is_there() {
        return Ok(Ok(folder));
    }
    for program in ["python3", "npm"] {
        let mut version = Command::new(program);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        if version.status().is_err() {
            let folder = folder.display();
            return Ok(Err(format!(
                "there are no validators: {folder} has not those that are pinned, and `{program}` is not installed"
            )));
        }
    }
    fs::create_dir_all(&home).with_context(|| home.display().to_string())?;
    let lock = File::create(home.join("lock-formats"))?;
    lock.lock()?;
    if is_there() {
        return Ok(Ok(folder));
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    tell("installing validators of formats from PyPI and npm");
    fs::create_dir_all(&folder)?;
    install(&folder).context("cannot install the validators of formats")?;
    // Written last, so a folder with this file is complete.
    fs::write(stamp, wanted)?;
    Ok(Ok(folder))
}

fn install(folder: &Path) -> Result<()> {
    fs::write(folder.join("package.json"), PACKAGE)?;
    fs::write(folder.join("package-lock.json"), LOCK)?;
    fs::write(folder.join("requirements.txt"), REQUIREMENTS)?;
    // The only script of the package makes its program executable.
    let npm = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    succeed(Command::new("npm").args(npm).current_dir(folder))?;
    let multitool = folder.join(MULTITOOL);
    make_executable(&multitool).with_context(|| multitool.display().to_string())?;
    succeed(
        Command::new("python3")
            .args(["-m", "venv", "python"])
            .current_dir(folder),
    )?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--no-deps",
    ];
    let mut python = Command::new(folder.join("python/bin/python"));
    succeed(
        python
            .args(pip)
            .args(["--requirement", "requirements.txt"])
            .current_dir(folder),
    )
}

fn make_executable(program: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    Ok(fs::set_permissions(program, fs::Permissions::from_mode(0o755))?)
}

fn succeed(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| name.clone())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {}: {}", output.status, said.trim());
    Ok(())
}
