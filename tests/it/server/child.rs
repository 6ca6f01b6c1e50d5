//! A child process to test: this same test binary, started again as a server that a signal or a resource limit may affect.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use dorgu::server::drain::Drain;
use dorgu::server::limits::Limits;
use dorgu::server::listen::Bound;
use dorgu::server::shutdown::Signals;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use super::support::{TIMEOUT, plain_app};

const ROLE: &str = "DORGU_TEST_CHILD";

/// The shutdown delay of a child.
pub(crate) const SHUTDOWN_DELAY: Duration = Duration::from_millis(500);

pub(crate) struct Child {
    pub(crate) addr: SocketAddr,
    process: tokio::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts a child, after the shell has run `first`, and waits until it listens.
    pub(crate) async fn start(role: &str, first: &str) -> Child {
        let binary = std::env::current_exe().unwrap();
        let mut process = Command::new("sh")
            .args(["-c", &format!("{first} exec \"$0\" \"$@\"")])
            .arg(binary)
            .args(["--exact", "server::child::serve_as_a_child", "--nocapture"])
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut child = Child {
            addr: ([127, 0, 0, 1], 0).into(),
            process,
            lines,
        };
        child.addr = child.line("listening on ").await.parse().unwrap();
        child
    }

    /// What follows this beginning on the next line that has it.
    pub(crate) async fn line(&mut self, beginning: &str) -> String {
        let found = tokio::time::timeout(TIMEOUT, async {
            loop {
                let line = self
                    .lines
                    .next_line()
                    .await
                    .unwrap()
                    .expect("the child says more before it ends");
                // The test harness writes its own text in front of the first line.
                if let Some((_, rest)) = line.split_once(beginning) {
                    return rest.to_owned();
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("in vain: {beginning}"))
    }

    /// Sends a signal by name.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.process.id().expect("it runs").to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
            .status()
            .await
            .unwrap();
        assert!(sent.success());
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(TIMEOUT, self.process.wait())
            .await
            .expect("it ends")
            .unwrap()
    }

    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }
}

/// The child's side: does nothing unless another test started it.
#[tokio::test]
async fn serve_as_a_child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let signals = Signals::install().unwrap();
    let bound = Bound::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    println!("listening on {}", bound.local_addr());
    let stats = bound.stats();
    let app = plain_app(Limits::default())
        .route("/accept-errors", get(async move || stats.accept_errors().to_string()))
        .route(
            "/endless",
            get(async || {
                println!("endless request");
                std::future::pending::<&str>().await
            }),
        );
    // Its limit on connections is beyond its limit on files: the accept itself fails.
    let limits = Limits {
        idle: Duration::from_secs(60),
        ..Limits::default()
    };
    let (handle, drain) = Drain::new();
    let serving = bound.serve(None, app, limits, drain);
    if role == "few-files" {
        return serving.await;
    }
    let handle = Arc::new(handle);
    tokio::select! {
        () = serving => println!("drained"),
        second = signals.drain_then_abort((*handle).clone(), SHUTDOWN_DELAY) => {
            println!("aborted");
            std::process::exit(second.exit_code());
        }
    }
}
