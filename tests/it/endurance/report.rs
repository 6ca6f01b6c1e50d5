//! Prints the outcome of a storm as a table and as JSON.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::ledger::Ledger;
use super::unseen::Sum;

#[derive(Debug)]
pub(super) struct Report {
    pub(super) ledger: Ledger,
    pub(super) sum: Sum,
    /// Personas written, where there are some.
    pub(super) written: Option<usize>,
    pub(super) took: Duration,
}

impl Report {
    /// Canaries with a verdict in a second, troubles and silences included.
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    fn rate(&self) -> f64 {
        self.ledger.verdicts() as f64 / self.took.as_secs_f64().max(1.0)
    }

    fn to_json(&self, who: &str) -> Value {
        json!({
            "who": who,
            "canaries": self.ledger.verdicts(),
            "leaks": self.ledger.leaks(),
            "leaks_before_ready": self.ledger.early(),
            "unseen": self.sum.to_json(),
            "personas_written": self.written,
            "seconds": self.took.as_secs_f64(),
            "canaries_a_second": self.rate(),
            "troubles": self.ledger.to_json(),
        })
    }

    /// One JSON object in a file, its folder made if need be.
    pub(super) fn write(&self, who: &str, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let text = format!("{:#}\n", self.to_json(who));
        fs::write(file, text).with_context(|| file.display().to_string())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ledger, sum) = (&self.ledger, self.sum);
        writeln!(f, "{ledger}")?;
        writeln!(
            f,
            "{} canaries in {:.0} s ({:.0} a second), {} leaks; fail_open_count +{}, by the audit log {}",
            ledger.verdicts(),
            self.took.as_secs_f64(),
            self.rate(),
            ledger.leaks(),
            sum.counter,
            sum.audited,
        )?;
        if let Some(written) = self.written {
            writeln!(f, "{written} personas written meanwhile")?;
        }
        if ledger.early() + sum.audited_early > 0 {
            writeln!(
                f,
                "of an API server that did not call itself ready: {} leaks, {} by the audit log",
                ledger.early(),
                sum.audited_early
            )?;
        }
        for row in ledger.rows() {
            for (said, times) in &row.unsent {
                writeln!(f, "not sent in '{}', {times} times: {said}", row.trouble)?;
            }
        }
        Ok(())
    }
}
