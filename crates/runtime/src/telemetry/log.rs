//! Sets up the log on stderr and announcements on stdout, and formats their lines. Nothing waits until a line is written,
//! except the exit of the process.

use std::fmt;
use std::fs::File;
use std::io::{IsTerminal, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use super::lines::Lines;

/// The format of log lines (flag `--log-format`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The queue to stdout; none before [`start`].
static ANNOUNCED: OnceLock<Lines> = OnceLock::new();

/// Dropped at exit: waits until queued lines are written, as long as their readers make progress.
#[derive(Debug)]
pub struct Output {
    log: Lines,
}

impl Output {
    /// The log's queue, for the metric about lost lines.
    pub(super) fn lines(&self) -> Lines {
        self.log.clone()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(announced) = ANNOUNCED.get() {
            announced.close();
        }
        self.log.close();
    }
}

/// Prints a line on stdout, for the person or script that started the process. Never blocks.
pub fn announce(line: &str) {
    if let Some(announced) = ANNOUNCED.get() {
        announced.line(format!("{line}\n").as_bytes());
    }
}

/// Prints a last line on stderr. A stuck reader delays it for a second and no longer.
pub fn complain(line: &str) {
    let text = format!("{line}\n");
    let out = stream(std::io::stderr().as_fd());
    match out.and_then(|out| Lines::start("last line", out, |_| {})) {
        Ok(lines) => {
            lines.line(text.as_bytes());
            lines.close();
        }
        // The last resort; it may block.
        Err(_) => drop(std::io::stderr().write_all(text.as_bytes())),
    }
}

/// The stream without std's lock, which a blocked writer would hold against every other one.
fn stream(stream: BorrowedFd<'_>) -> std::io::Result<File> {
    Ok(File::from(stream.try_clone_to_owned()?))
}

/// Starts logging to stderr and announcing on stdout, each on a thread of its own. `RUST_LOG` wins over `level`.
///
/// # Errors
/// A thread cannot be started or a descriptor not duplicated.
pub fn start(format: LogFormat, level: tracing::Level) -> std::io::Result<Output> {
    let log = Lines::start("log", stream(std::io::stderr().as_fd())?, |lost| {
        tracing::warn!(
            lost,
            "Log lines were lost: the reader of the log was too slow, or they could not be written"
        );
    })?;
    let announced = Lines::start("announcements", stream(std::io::stdout().as_fd())?, |_| {})?;
    // Fails only when there is one already, as in tests; that one stays.
    let _ = ANNOUNCED.set(announced);
    let filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(directives) if !directives.is_empty() => EnvFilter::new(directives),
        // kube logs every failed request as an error. The caller logs it once, with what it means.
        _ => EnvFilter::new(format!("{level},kube_client::client::builder=off")),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log.clone())
        // They would go to stderr on the caller's thread.
        .log_internal_errors(false)
        .with_target(false);
    let once = UnverifiedOnce::default();
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    // Fails only when a logger is there already, as in tests: that one then serves.
    let _ = if json {
        let subscriber = subscriber.json().flatten_event(true).finish();
        subscriber.with(once).try_init().map_err(drop)
    } else {
        let subscriber = subscriber.with_ansi(std::io::stderr().is_terminal()).finish();
        subscriber.with(once).try_init().map_err(drop)
    };
    // A contained panic is a log line like any other; its payload is a message of ours, never an object.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let payload = info.payload();
        let message = payload.downcast_ref::<&str>().copied();
        let message = message
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        tracing::error!(place, message, "Panicked");
    }));
    Ok(Output { log })
}

/// Where kube warns, at every connection, that the kubeconfig switches the verification of the API server off.
const UNVERIFIED: (&str, &str) = ("kube_client::client::tls", "Server cert bypassed");

/// Passes that warning once, since a process opens a connection for each watch.
#[derive(Default)]
struct UnverifiedOnce(AtomicBool);

impl<S: Subscriber> Layer<S> for UnverifiedOnce {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if event.metadata().target() != UNVERIFIED.0 {
            return true;
        }
        let mut text = MessageText::default();
        event.record(&mut text);
        text.0 != UNVERIFIED.1 || !self.0.swap(true, Ordering::Relaxed)
    }
}

/// The message of an event.
#[derive(Default)]
struct MessageText(String);

impl Visit for MessageText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_repeated_warning_of_kube_is_logged_once_and_others_each_time() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber.with(UnverifiedOnce::default()), || {
            for _ in 0..6 {
                tracing::warn!(target: "kube_client::client::tls", "Server cert bypassed");
                tracing::warn!(target: "kube_client::client::tls", "another");
                tracing::warn!("Server cert bypassed");
            }
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1 + 6 + 6, "{text}");
    }
}
