//! Starts a child process that cannot outlive the test process, however the test process ends.
//!
//! Statics are never dropped and a killed process runs no destructor, so the guard is in the child: a shell becomes the
//! program (`exec`, so the pid is the program's own) and leaves behind one small process that waits on a pipe from us. The
//! kernel closes that pipe when we end, and the waiter then kills the program. This file knows nothing of Kubernetes.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// `$1` is a folder to remove after a kill (or empty), the rest is the program and its arguments.
///
/// SIGKILL, not SIGTERM: with etcd and the API server ended at the same moment, an API server that ends gracefully waits
/// minutes for etcd. A line on the pipe says that the program has ended and its pid may belong to another process.
const GUARD: &str = r#"
litter=$1; shift
exec 3<&0
( read -r _ <&3 && exit
  kill -9 $$
  if [ -n "$litter" ]; then rm -rf -- "$litter"; fi
) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
"#;

/// How often a condition is checked while waiting for it.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running child; dropping it kills it and waits until it is gone.
pub struct Supervised {
    child: Child,
    /// The pipe whose closing ends the program. `None` once the program has ended.
    lifeline: Option<ChildStdin>,
    ended: Option<ExitStatus>,
}

impl Supervised {
    /// Starts `program`; `configure` adds arguments, environment and where the output goes.
    ///
    /// `litter` is removed when this process dies without having stopped the program.
    pub fn start(
        program: impl AsRef<OsStr>,
        litter: Option<&Path>,
        configure: impl FnOnce(&mut Command),
    ) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "sh"]);
        command.arg(litter.map_or(OsStr::new(""), Path::as_os_str));
        command.arg(program);
        configure(&mut command);
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let lifeline = child.stdin.take();
        Ok(Self {
            child,
            lifeline,
            ended: None,
        })
    }

    /// The pid of the program itself, not of a wrapper.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The program's output, where `configure` asked for pipes; each can be taken once.
    pub fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Sends the signal of this name (`TERM`, `INT`, ...), unless the program has ended.
    pub fn signal(&mut self, name: &str) -> io::Result<()> {
        if self.exit_status()?.is_some() {
            return Ok(());
        }
        // Not yet waited for, so the pid is still this program's. The shell's `kill` avoids an unsafe call.
        let sent = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "sh", name, &self.pid().to_string()])
            .status()?;
        if sent.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("kill -s {name} {}: {sent}", self.pid())))
        }
    }

    /// The exit status, if the program has ended.
    pub fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
            if self.ended.is_some() {
                self.release();
            }
        }
        Ok(self.ended)
    }

    /// Waits until the program has ended by itself; an error of kind `TimedOut` after `patience`.
    pub fn wait(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.exit_status()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                let message = format!("process {} still runs after {patience:?}", self.pid());
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// SIGTERM, then wait. A program that ignores it for `patience` is killed, and that is an error.
    pub fn stop(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        self.signal("TERM")?;
        self.wait(patience).inspect_err(|_| self.kill())
    }

    /// SIGKILL, then wait until the kernel has released its ports and files.
    pub fn kill(&mut self) {
        // Both fail only for a child that was waited for already, which is the aim.
        if self.ended.is_none() && self.child.kill().is_ok() {
            self.ended = self.child.wait().ok();
        }
        self.release();
    }

    /// Makes the waiter end without killing.
    fn release(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            // It fails when the waiter has ended already.
            drop(lifeline.write_all(b"ended\n"));
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Calls `probe` until it returns `Ok`, for at most `patience`; then its last error, with what was awaited.
pub fn wait_until<T>(
    patience: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T, anyhow::Error>,
) -> Result<T, anyhow::Error> {
    let deadline = Instant::now() + patience;
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= deadline => {
                return Err(error.context(format!("waited {patience:?} until {what}")));
            }
            Err(_) => std::thread::sleep(POLL_INTERVAL),
        }
    }
}
