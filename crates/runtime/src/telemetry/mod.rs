//! Sets up the logs and metrics of the process, and defines the metric families that belong to no other module.

mod lines;
mod log;

use std::sync::{Arc, Mutex};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use self::lines::Lines;
pub use self::log::{LogFormat, Output, announce, complain, start};
use crate::metric::{ALONE, BYTES, Described, Label, SECONDS};

/// The registry of all metric families, filled at start and read by `/metrics`.
#[derive(Clone)]
pub struct Exposition(Arc<Mutex<Registry>>);

impl Exposition {
    /// A registry that already holds build and process facts.
    pub fn new(output: &Output) -> Exposition {
        let mut registry = Registry::default();
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        BUILD.register(&mut registry, build);
        registry.register_collector(Box::new(Process::new()));
        registry.register_collector(Box::new(LogLines(output.lines())));
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
        // Writing into a String fails only when a collector returns an error, and ours do not.
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &registry) {
            tracing::error!(%error, "Could not encode the metrics");
        }
        text
    }
}

static BUILD: Described = Described {
    name: "dorgu_build",
    of_type: MetricType::Info,
    unit: None,
    labels: &[Label {
        name: "version",
        values: Vec::new,
    }],
    help: "Which dorgu this is",
    with: "",
};

/// The conventional families of a process; missing where there is no `/proc`.
const fn of_process(name: &'static str, unit: Option<&'static Unit>, help: &'static str) -> Described {
    Described {
        name,
        of_type: MetricType::Gauge,
        unit,
        labels: &[],
        help,
        with: "",
    }
}

static CPU: Described = Described {
    of_type: MetricType::Counter,
    ..of_process("process_cpu", Some(&SECONDS), "CPU time used, user and system")
};
static RESIDENT: Described = of_process("process_resident_memory", Some(&BYTES), "Resident memory");
static VIRTUAL: Described = of_process("process_virtual_memory", Some(&BYTES), "Virtual memory");
static STARTED: Described = of_process(
    "process_start_time",
    Some(&SECONDS),
    "When the process was started, in seconds since 1970",
);
static THREADS: Described = of_process("process_threads", None, "Threads");
static OPEN_FDS: Described = of_process("process_open_fds", None, "Open file descriptors");
static MAX_FDS: Described = of_process("process_max_fds", None, "File descriptors that may be open at once");

static LOST_LINES: Described = Described {
    name: "dorgu_log_lines_lost",
    of_type: MetricType::Counter,
    unit: None,
    labels: &[Label {
        name: "reason",
        values: || LOST.to_vec(),
    }],
    help: "Log lines that were dropped because the reader of the log was too slow, or that could not be written",
    with: "",
};
/// Why a log line is lost.
const LOST: [&str; 2] = ["queue_full", "not_written"];

/// The families that every process has.
pub static FAMILIES: [&Described; 9] = [
    &BUILD,
    &LOST_LINES,
    &CPU,
    &RESIDENT,
    &VIRTUAL,
    &STARTED,
    &THREADS,
    &OPEN_FDS,
    &MAX_FDS,
];

/// The conventional `process_*` families, read from `/proc` at each request; absent where there is none.
#[derive(Debug)]
struct Process {
    /// In seconds since 1970; it does not change.
    started: Option<u64>,
}

impl Process {
    fn new() -> Process {
        let started = || -> procfs::ProcResult<u64> {
            let stat = procfs::process::Process::myself()?.stat()?;
            Ok(procfs::boot_time_secs()? + stat.starttime / procfs::ticks_per_second())
        };
        Process {
            started: started().ok(),
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let encoder = &mut encoder;
        let Ok(process) = procfs::process::Process::myself() else {
            return Ok(());
        };
        let Ok(stat) = process.stat() else { return Ok(()) };
        #[expect(clippy::cast_precision_loss, reason = "ticks of one process stay far below 2^52")]
        let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        CPU.counters(encoder, [(ALONE, seconds)])?;
        RESIDENT.gauges(encoder, [(ALONE, stat.rss * procfs::page_size())])?;
        VIRTUAL.gauges(encoder, [(ALONE, stat.vsize)])?;
        if let Some(started) = self.started {
            STARTED.gauges(encoder, [(ALONE, started)])?;
        }
        THREADS.gauges(encoder, [(ALONE, stat.num_threads)])?;
        if let Ok(count) = process.fd_count() {
            OPEN_FDS.gauges(encoder, [(ALONE, count)])?;
        }
        if let Ok(procfs::process::LimitValue::Value(most)) =
            process.limits().map(|limits| limits.max_open_files.soft_limit)
        {
            MAX_FDS.gauges(encoder, [(ALONE, most)])?;
        }
        Ok(())
    }
}

/// Counts of lines that the log has lost.
#[derive(Debug)]
struct LogLines(Lines);

impl Collector for LogLines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let [queue_full, not_written] = LOST;
        let lost = [
            ([queue_full], self.0.queue_full()),
            ([not_written], self.0.not_written()),
        ];
        LOST_LINES.counters(&mut encoder, lost)
    }
}
