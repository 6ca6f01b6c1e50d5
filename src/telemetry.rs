//! Logs and metrics of the process: how they are set up, and the families that belong to no module.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tracing_subscriber::EnvFilter;

/// How log lines look (flag `--log-format`).
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

/// Starts logging to stderr. `RUST_LOG` wins over `level`.
pub fn start_logging(format: LogFormat, level: tracing::Level) {
    let filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(directives) if !directives.is_empty() => EnvFilter::new(directives),
        // kube tells of every failed request as an error; whoever asked tells it once, and with what it means.
        _ => EnvFilter::new(format!("{level},kube_client::client::builder=off")),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    // Fails only when a logger is there already, as in tests: that one then serves.
    let _ = if json {
        subscriber.json().flatten_event(true).try_init().map_err(drop)
    } else {
        subscriber
            .with_ansi(std::io::stderr().is_terminal())
            .try_init()
            .map_err(drop)
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
}

/// The registry of all metric families, filled at start and read by `/metrics`.
#[derive(Clone)]
pub struct Exposition(Arc<Mutex<Registry>>);

impl Exposition {
    /// A registry that already holds build and process facts.
    pub fn new() -> Exposition {
        let mut registry = Registry::default();
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("dorgu_build", "Which dorgu this is", build);
        registry.register_collector(Box::new(Process));
        Exposition(Arc::new(Mutex::new(registry)))
    }

    /// Adds families; called while the process is put together.
    pub fn with<T>(&self, add: impl FnOnce(&mut Registry) -> T) -> T {
        add(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The text of `/metrics`, in the OpenMetrics format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Writing into a String fails only when a collector says so, and ours do not.
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &registry) {
            tracing::error!(%error, "Could not encode the metrics");
        }
        text
    }
}

impl Default for Exposition {
    fn default() -> Self {
        Exposition::new()
    }
}

/// The conventional `process_*` families, read from `/proc` when asked; silent where there is none.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Ok(process) = procfs::process::Process::myself() else {
            return Ok(());
        };
        let Ok(stat) = process.stat() else { return Ok(()) };
        #[expect(
            clippy::cast_precision_loss,
            reason = "ticks and bytes of one process stay far below 2^52"
        )]
        let (seconds, resident, virtual_size) = (
            (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
            (stat.rss * procfs::page_size()) as f64,
            stat.vsize as f64,
        );
        let counter = ConstCounter::new(seconds);
        let help = "CPU time used, user and system";
        let family = encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), counter.metric_type())?;
        counter.encode(family)?;
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
        };
        gauge(
            "process_resident_memory",
            "Resident memory",
            Some(&Unit::Bytes),
            resident,
        )?;
        gauge(
            "process_virtual_memory",
            "Virtual memory",
            Some(&Unit::Bytes),
            virtual_size,
        )?;
        if let Ok(count) = process.fd_count() {
            #[expect(
                clippy::cast_precision_loss,
                reason = "descriptors of one process stay far below 2^52"
            )]
            gauge("process_open_fds", "Open file descriptors", None, count as f64)?;
        }
        Ok(())
    }
}
