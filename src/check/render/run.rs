//! Runs a program within limits of time and output, without this user's configuration, and ends it with all that it started.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take, and how much it may print.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) time: Duration,
    pub(super) bytes: u64,
}

/// What is read of a program's complaint.
const MAX_COMPLAINT: u64 = 64 << 10;

/// A program in `PATH`.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    places.find_map(|folder| {
        let place = folder.join(program);
        place.is_file().then_some(place)
    })
}

/// An empty folder that goes when it is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(super) fn new() -> io::Result<Scratch> {
        use std::os::unix::fs::DirBuilderExt as _;

        let parent = std::env::temp_dir().canonicalize()?;
        let mut attempt = 0_u32;
        loop {
            let path = parent.join(format!("dorgu-render-{}-{attempt}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Scratch { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1_000 => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "A temporary folder stays");
        }
    }
}

/// Runs a program to its end. `scratch` is its home: it finds no configuration, no cluster, no plugin and, without `PATH`, no
/// other program.
///
/// # Errors
/// It fails, or exceeds a limit.
pub(super) fn run(program: &Path, args: &[OsString], scratch: &Path, limits: Limits) -> Result<Vec<u8>, String> {
    use std::os::unix::process::CommandExt as _;

    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut command = Command::new(program);
    command.args(args).env_clear().current_dir(scratch);
    let home = ["HOME", "TMPDIR", "PATH"].map(|variable| (variable, scratch.join(variable)));
    for (variable, folder) in &home {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        command.env(variable, folder);
    }
    command
        .env("KUBECONFIG", "/dev/null")
        .env("KUBERC", "off")
        .env("GIT_ALLOW_PROTOCOL", "")
        // What would be fetched in spite of the checks before finds no way out.
        .envs(["HTTP_PROXY", "HTTPS_PROXY"].map(|variable| (variable, "http://127.0.0.1:9")))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    for variable in [
        "HELM_PLUGINS",
        "HELM_CACHE_HOME",
        "HELM_CONFIG_HOME",
        "HELM_DATA_HOME",
        "KUSTOMIZE_PLUGIN_HOME",
    ] {
        command.env(variable, scratch.join("HOME").join(variable));
    }
    let end = Instant::now() + limits.time;
    let mut child = command
        .spawn()
        .map_err(|error| format!("{name} cannot be run: {error}"))?;
    let outcome = wait(&mut child, limits, end);
    // Also after a success: nothing that it started stays.
    end_group(&child);
    let reaped = child.wait();
    match outcome.and_then(|(stdout, stderr)| Ok((stdout, stderr, reaped.map_err(Stop::Io)?))) {
        Ok((stdout, _, status)) if status.success() => Ok(stdout),
        Ok((_, stderr, status)) => Err(complaint(&name, &stderr).unwrap_or_else(|| format!("{name}: {status}"))),
        Err(Stop::Time) => Err(format!(
            "{name} took longer than {} s and was ended",
            limits.time.as_secs()
        )),
        Err(Stop::Bytes) => Err(format!("{name} printed more than {} bytes and was ended", limits.bytes)),
        Err(Stop::Io(error)) => Err(format!("{name}: {error}")),
    }
}

/// Why a program is ended.
#[derive(Debug)]
enum Stop {
    Time,
    Bytes,
    Io(io::Error),
}

/// Reads both outputs to their ends, and waits for the program's end by them: every process that holds one is of its group.
fn wait(child: &mut Child, limits: Limits, end: Instant) -> Result<(Vec<u8>, Vec<u8>), Stop> {
    let stdout = child.stdout.take().map(|pipe| read(pipe, limits.bytes + 1, false));
    let stderr = child.stderr.take().map(|pipe| read(pipe, MAX_COMPLAINT, true));
    let received = |from: Option<Receiver<io::Result<Vec<u8>>>>| match from {
        None => Ok(Vec::new()),
        Some(from) => match from.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(read) => read.map_err(Stop::Io),
            Err(RecvTimeoutError::Timeout) => Err(Stop::Time),
            Err(RecvTimeoutError::Disconnected) => Err(Stop::Io(io::Error::other("its output was lost"))),
        },
    };
    let stdout = received(stdout)?;
    match stdout.len() as u64 > limits.bytes {
        true => Err(Stop::Bytes),
        false => Ok((stdout, received(stderr)?)),
    }
}

/// Reads on a thread of its own, which ends with the pipe. `drains` reads what is beyond the limit, so that the writer continues.
fn read(mut pipe: impl Read + Send + 'static, limit: u64, drains: bool) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut outcome = pipe.by_ref().take(limit).read_to_end(&mut bytes).map(drop);
        if drains && outcome.is_ok() {
            outcome = io::copy(&mut pipe, &mut io::sink()).map(drop);
        }
        // The receiver is gone where a limit was exceeded.
        let _ = sender.send(outcome.map(|()| bytes));
    });
    receiver
}

fn end_group(child: &Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // Nothing is left of it where the program ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// What a program said, on one line.
fn complaint(name: &str, stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let error = lines
        .iter()
        .position(|line| line.to_ascii_lowercase().starts_with("error"));
    let said = lines.get(error.unwrap_or(0)..)?.join(" ");
    let said: String = said.chars().take(1_000).collect();
    let said = said.trim_start_matches("Error: ").trim_start_matches("error: ");
    (!said.is_empty()).then(|| format!("{name}: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        time: Duration::from_secs(30),
        bytes: 1_000,
    };

    fn shell(script: &str, limits: Limits) -> Result<String, String> {
        let scratch = Scratch::new().expect("a folder");
        let args = ["-c", script].map(OsString::from);
        let path = scratch.path().to_owned();
        let outcome = run(Path::new("/bin/sh"), &args, &path, limits);
        drop(scratch);
        assert!(!path.exists());
        outcome.map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn a_program_finds_no_configuration_and_no_other_program() {
        let said = shell("echo \"$HOME $KUBECONFIG $HELM_PLUGINS $USER\"; ls", LIMITS);
        let complaint = said.expect_err("there is no ls");
        assert!(complaint.contains("ls"), "{complaint}");
        let said = shell("echo \"$HOME|$KUBECONFIG|$HELM_PLUGINS|$CARGO_MANIFEST_DIR|\"", LIMITS).expect("it runs");
        assert!(
            said.contains("/HOME|/dev/null|") && said.ends_with("/HELM_PLUGINS||\n"),
            "{said}"
        );
    }

    #[test]
    fn a_program_that_takes_or_prints_too_much_is_ended_with_all_that_it_started() {
        let start = Instant::now();
        let short = Limits {
            time: Duration::from_millis(300),
            ..LIMITS
        };
        // One that forks, one that closes its output, one that does not listen.
        for script in ["/bin/sleep 60 & /bin/sleep 60", "trap '' TERM; while :; do :; done"] {
            let said = shell(script, short).expect_err("too long");
            assert_eq!(said, "sh took longer than 0 s and was ended");
        }
        let said = shell("while :; do echo xxxxxxxxxxxxxxxx; done", LIMITS).expect_err("too much");
        assert_eq!(said, "sh printed more than 1000 bytes and was ended");
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }

    #[test]
    fn a_failure_is_what_the_program_said() {
        let said = shell(
            "echo first >&2; echo 'Error: no such' >&2; echo '  chart' >&2; exit 3",
            LIMITS,
        );
        assert_eq!(said, Err("sh: no such chart".to_owned()));
        assert_eq!(shell("exit 3", LIMITS), Err("sh: exit status: 3".to_owned()));
        assert_eq!(complaint("helm", b""), None);
    }
}
