//! Runs the process under test: the built binary as users start it, with its output kept for assertions.
//!
//! This file knows the lines that `serve` prints and the flags that tests need; it knows no rule.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::supervised::{Supervised, wait_until};

/// Time for a start or a drain on a machine that is busy compiling.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Every listener on a port of the kernel's choice, so that tests run side by side.
const ADDRESSES: [&str; 3] = [
    "--webhook-bind-address",
    "--health-probe-bind-address",
    "--metrics-bind-address",
];
/// What `serve` prints on standard output, one line for each listener.
const WEBHOOK: &str = "webhook listening on ";
const PROBES: &str = "probes listening on ";
const METRICS: &str = "metrics listening on ";

/// A running `dorgu serve`; dropping it kills it.
pub struct Dorgu {
    process: Supervised,
    said: Arc<Said>,
    /// Where it writes its CA, if it was asked to.
    folder: TempDir,
}

impl Dorgu {
    /// `dorgu serve` with these arguments, and a port of its own for every listener that they do not place.
    pub fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// Also with environment variables. The `DORGU_` and `KUBE` variables of the test run do not reach it.
    pub fn start_with(args: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::launch(program(), &serve(args), environment, TempDir::new().unwrap())
    }

    /// File mode over these personas, its CA written for [`Self::ca_pem`].
    pub fn with_personas(personas: &Path, args: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let (personas, ca) = (personas.display().to_string(), ca_in(&folder).display().to_string());
        let args = [&["--personas", &personas, "--write-ca", &ca], args].concat();
        Self::launch(program(), &serve(&args), &[], folder)
    }

    /// The same with these limits on the files that it may open.
    pub fn with_few_files(personas: &Path, args: &[&str], soft: u64, hard: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let (personas, ca) = (personas.display().to_string(), ca_in(&folder).display().to_string());
        let args = [&["--personas", &personas, "--write-ca", &ca], args].concat();
        let line = format!("ulimit -S -n {soft}; ulimit -H -n {hard}; exec \"$0\" \"$@\"");
        let program = program().display().to_string();
        let all = [&["-ec", &line, &program], serve(&args).as_slice()].concat();
        Self::launch(Path::new("sh"), &all, &[], folder)
    }

    /// The cluster of this kubeconfig. Its CA is written for [`Self::ca_pem`], and its metrics are open unless the arguments
    /// say otherwise.
    pub fn with_cluster(kubeconfig: &Path, args: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let (kubeconfig, ca) = (kubeconfig.display().to_string(), ca_in(&folder).display().to_string());
        let mut all = vec!["--kubeconfig", &kubeconfig, "--write-ca", &ca, "--enable-webhook"];
        if !args.iter().any(|arg| arg.starts_with("--metrics-secure")) {
            all.push("--metrics-secure=false");
        }
        all.extend(args);
        Self::launch(program(), &serve(&all), &[], folder)
    }

    /// The cluster of this kubeconfig without a webhook: nothing but controllers.
    pub fn companion(kubeconfig: &Path, args: &[&str]) -> Self {
        let kubeconfig = kubeconfig.display().to_string();
        let of_cluster = ["--kubeconfig", &kubeconfig, "--metrics-secure=false"];
        Self::launch(
            program(),
            &serve(&[&of_cluster, args].concat()),
            &[],
            TempDir::new().unwrap(),
        )
    }

    /// A program other than `dorgu` that serves the cluster of this kubeconfig. `command` makes its arguments and its
    /// environment from those of `serve`.
    pub fn of_program(
        program: &Path,
        kubeconfig: &Path,
        command: impl FnOnce(Vec<String>) -> (Vec<String>, Vec<(String, String)>),
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let (kubeconfig, ca) = (kubeconfig.display().to_string(), ca_in(&folder).display().to_string());
        let flags = [
            "--kubeconfig",
            &kubeconfig,
            "--write-ca",
            &ca,
            "--enable-webhook",
            "--metrics-secure=false",
        ];
        let (arguments, environment) = command(serve(&flags).into_iter().map(str::to_owned).collect());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        Self::launch(program, &arguments, &environment, folder)
    }

    /// Starts a command line in this folder through `sh`, just as a document prints it. It must begin with `dorgu serve`; the
    /// built `dorgu` is first in `PATH`. Each listener whose address the command does not give listens on 127.0.0.1, on a port
    /// that the kernel chooses.
    pub fn typed(folder: &Path, command: &str) -> Self {
        let ours = program().parent().unwrap_or(folder).display();
        let line = format!("cd '{}' && PATH='{ours}':$PATH exec {command}", folder.display());
        let variables = ADDRESSES.map(|flag| flag.replacen("--", "DORGU_", 1).replace('-', "_").to_uppercase());
        let environment: Vec<(&str, &str)> = variables.iter().map(|name| (name.as_str(), "127.0.0.1:0")).collect();
        Self::launch(Path::new("sh"), &["-ec", &line], &environment, TempDir::new().unwrap())
    }

    /// Any program, so that this file can be tested without `dorgu`.
    pub(super) fn launch(program: &Path, args: &[&str], environment: &[(&str, &str)], folder: TempDir) -> Self {
        let mut process = Supervised::start(program, None, |command| {
            for (name, _) in std::env::vars_os() {
                if ["DORGU_", "KUBE"]
                    .iter()
                    .any(|prefix| name.to_string_lossy().starts_with(prefix))
                {
                    command.env_remove(name);
                }
            }
            command
                .args(args)
                .envs(environment.iter().copied())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        })
        .unwrap();
        let (stdout, stderr) = process.take_output();
        let said = Arc::new(Said::default());
        said.listen(Stream::Stdout, stdout.unwrap());
        said.listen(Stream::Stderr, stderr.unwrap());
        Self { process, said, folder }
    }

    /// `https://127.0.0.1:PORT/validate-deployment`; waits until it is served.
    pub fn webhook_url(&self) -> String {
        self.address(WEBHOOK)
    }

    /// `http://127.0.0.1:PORT`, in front of `/livez`, `/readyz` and `/healthz`; waits until it is served.
    pub fn probes_url(&self) -> String {
        self.address(PROBES)
    }

    /// `http://127.0.0.1:PORT/metrics`; waits until it is served.
    pub fn metrics_url(&self) -> String {
        self.address(METRICS)
    }

    fn address(&self, before: &str) -> String {
        let line = self.wait_for_line(before, |line| line.starts_with(before));
        line.strip_prefix(before).unwrap_or(&line).to_owned()
    }

    /// The CA to trust, PEM, of a process started [`Self::with_personas`] or [`Self::with_cluster`]; waits until it is written.
    pub fn ca_pem(&self) -> String {
        let file = ca_in(&self.folder);
        let written = wait_until(TIMEOUT, "the CA is written", || {
            let pem = fs::read_to_string(&file)?;
            anyhow::ensure!(
                pem.contains("-----END CERTIFICATE-----"),
                "{} is incomplete",
                file.display()
            );
            Ok(pem)
        });
        written.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", self.lines().join("\n")))
    }

    /// Everything said so far, both streams in order of arrival.
    pub fn lines(&self) -> Vec<String> {
        self.said.heard().lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// What it printed for people or scripts.
    pub fn stdout(&self) -> Vec<String> {
        self.said.of(Stream::Stdout)
    }

    /// What it logged.
    pub fn stderr(&self) -> Vec<String> {
        self.said.of(Stream::Stderr)
    }

    /// The first line, past or future, that `is_it` accepts. `what` names it if it never comes.
    pub fn wait_for_line(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        self.said
            .wait_for(what, is_it)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a signal by its name: `TERM`, `INT`, ...
    pub fn signal(&mut self, name: &str) {
        self.process.signal(name).unwrap();
    }

    /// Waits until it has ended and said its last line.
    pub fn wait(&mut self) -> ExitStatus {
        let ended = self.process.wait(TIMEOUT);
        let status = ended.unwrap_or_else(|error| panic!("{error}; it said:\n{}", self.lines().join("\n")));
        self.said.wait_for_the_end();
        status
    }

    /// SIGTERM, then [`Self::wait`].
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// SIGKILL, as in a power failure.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// The program under test: the one that `DORGU_PROGRAM` names (a released one, where it is measured), else [`built`].
pub fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> =
        LazyLock::new(|| std::env::var_os("DORGU_PROGRAM").map_or_else(|| built().to_owned(), PathBuf::from));
    &PROGRAM
}

/// The program that cargo built with these tests. A test that is started directly finds it in the folder above its own.
///
/// # Panics
/// It does not exist. This package's tests do not build it, so build it first.
pub fn built() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let test = std::env::current_exe().unwrap();
        let program = test.parent().and_then(Path::parent).unwrap().join("dorgu");
        assert!(program.is_file(), "{} is missing; run `cargo build`", program.display());
        program
    });
    &BUILT
}

fn ca_in(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("ca.pem")
}

/// The arguments of `serve`, with addresses where they name none.
pub(super) fn serve<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["serve"];
    for flag in ADDRESSES {
        let names_it = |arg: &&str| {
            arg.strip_prefix(flag)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        if !args.iter().any(names_it) {
            all.extend([flag, "127.0.0.1:0"]);
        }
    }
    all.extend(args);
    all
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

/// The lines of a process, filled by two threads.
#[derive(Default)]
struct Said {
    heard: Mutex<Heard>,
    news: Condvar,
}

#[derive(Default)]
struct Heard {
    lines: Vec<(Stream, String)>,
    /// Streams that are still open.
    open: usize,
}

impl Said {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, stream: Stream) -> Vec<String> {
        let heard = self.heard();
        heard
            .lines
            .iter()
            .filter(|(from, _)| *from == stream)
            .map(|(_, line)| line.clone())
            .collect()
    }

    /// Reads to the end, so that the process never waits for a reader.
    fn listen(self: &Arc<Self>, stream: Stream, pipe: impl Read + Send + 'static) {
        self.heard().open += 1;
        let said = Arc::clone(self);
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut bytes = Vec::new();
            // A pipe that cannot be read has ended.
            while pipe.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                let line = String::from_utf8_lossy(&bytes)
                    .trim_end_matches(['\r', '\n'])
                    .to_owned();
                said.heard().lines.push((stream, line));
                said.news.notify_all();
                bytes.clear();
            }
            said.heard().open -= 1;
            said.news.notify_all();
        });
    }

    fn wait_for(&self, what: &str, is_it: impl Fn(&str) -> bool) -> Result<String, String> {
        let deadline = Instant::now() + TIMEOUT;
        let mut heard = self.heard();
        loop {
            if let Some((_, line)) = heard.lines.iter().find(|(_, line)| is_it(line)) {
                return Ok(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if heard.open == 0 || left.is_zero() {
                let why = if heard.open == 0 {
                    "it ended".to_owned()
                } else {
                    format!("it runs since {TIMEOUT:?}")
                };
                let lines: Vec<&str> = heard.lines.iter().map(|(_, line)| line.as_str()).collect();
                return Err(format!(
                    "{why} without the line '{}'; it said:\n{}",
                    what.trim_end(),
                    lines.join("\n")
                ));
            }
            heard = self
                .news
                .wait_timeout(heard, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn wait_for_the_end(&self) {
        let heard = self.heard();
        drop(self.news.wait_timeout_while(heard, TIMEOUT, |heard| heard.open > 0));
    }
}
