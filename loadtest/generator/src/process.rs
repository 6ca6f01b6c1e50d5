//! Reads what `/proc` reports about a process.

use anyhow::Context;
use serde::Serialize;

/// Processor time and memory of a process at one moment.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    /// Seconds in user mode.
    pub user: f64,
    /// Seconds in the kernel.
    pub system: f64,
    /// Resident now, in KiB.
    pub rss_kib: u64,
    /// Resident at most, in KiB.
    pub peak_kib: u64,
}

impl Usage {
    /// Both kinds of processor time.
    pub fn cpu(&self) -> f64 {
        self.user + self.system
    }

    /// Resets [`Usage::peak_kib`] of a process of ours.
    pub fn forget_peak(pid: u32) -> anyhow::Result<()> {
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").with_context(|| format!("process {pid} is gone"))
    }

    /// Of that process, now.
    pub fn of(pid: u32) -> anyhow::Result<Usage> {
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("process {pid} is gone"))
        };
        let stat = read("stat")?;
        // The second field is a name in parentheses that may hold anything.
        let after_name = stat.rsplit_once(')').context("/proc/PID/stat without a name")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |index: usize| -> anyhow::Result<f64> {
            let ticks: f64 = fields.get(index).context("/proc/PID/stat is short")?.parse()?;
            // USER_HZ, which Linux fixes at 100 for what it shows.
            Ok(ticks / 100.0)
        };
        let status = read("status")?;
        let kib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        Ok(Usage {
            user: ticks(11)?,
            system: ticks(12)?,
            rss_kib: kib("VmRSS:"),
            peak_kib: kib("VmHWM:"),
        })
    }
}
