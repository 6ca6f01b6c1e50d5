//! The verdicts of the canaries, fault by fault.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// One trouble, over all the times it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) trouble: &'static str,
    /// How often it came.
    pub(super) times: usize,
    /// How long it lasted, all times together.
    pub(super) lasted: Duration,
    /// Canaries refused by the webhook, as they must be.
    pub(super) refused: usize,
    /// Canaries that were admitted.
    pub(super) leaks: usize,
    /// Attempts that ended without a verdict, by what was said: no API server there, or an error of its own.
    pub(super) unsent: BTreeMap<String, usize>,
    /// The slowest denial.
    pub(super) slowest: Duration,
    /// Canaries that began here met an API server that did not report itself ready. Load balancers keep clients from such a
    /// server, so what it admits is reported separately and counts as no webhook's leak.
    pub(super) unready: bool,
}

/// All of them, in the order in which they first came, and the one that is.
#[derive(Debug)]
pub(super) struct Ledger {
    rows: Vec<Row>,
    current: usize,
    since: Instant,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Refused(Duration),
    Leaked,
    /// None; what was said instead.
    Unsent(String),
}

impl Ledger {
    pub(super) fn new(trouble: &'static str) -> Ledger {
        let mut ledger = Ledger {
            rows: Vec::new(),
            current: 0,
            since: Instant::now(),
        };
        ledger.begin(trouble, false);
        ledger
    }

    /// From now on canaries meet this.
    pub(super) fn begin(&mut self, trouble: &'static str, unready: bool) {
        self.settle();
        let known = self.rows.iter().position(|row| row.trouble == trouble);
        self.current = known.unwrap_or_else(|| {
            self.rows.push(Row {
                trouble,
                unready,
                ..Row::default()
            });
            self.rows.len() - 1
        });
        self.rows[self.current].times += 1;
    }

    /// Counts the time until now where it belongs.
    pub(super) fn settle(&mut self) {
        let now = Instant::now();
        if let Some(row) = self.rows.get_mut(self.current) {
            row.lasted += now - self.since;
        }
        self.since = now;
    }

    /// Where an attempt that begins now is booked.
    pub(super) fn here(&self) -> usize {
        self.current
    }

    pub(super) fn book(&mut self, row: usize, verdict: Verdict) {
        let row = &mut self.rows[row];
        match verdict {
            Verdict::Refused(took) => {
                row.refused += 1;
                row.slowest = row.slowest.max(took);
            }
            Verdict::Leaked => row.leaks += 1,
            Verdict::Unsent(said) => *row.unsent.entry(said).or_default() += 1,
        }
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Canaries that have their verdict.
    pub(super) fn verdicts(&self) -> usize {
        self.rows.iter().map(|row| row.refused + row.leaks).sum()
    }

    /// Those admitted by an API server that called itself ready.
    pub(super) fn leaks(&self) -> usize {
        self.rows.iter().filter(|row| !row.unready).map(|row| row.leaks).sum()
    }

    /// Those admitted by one that did not.
    pub(super) fn early(&self) -> usize {
        self.rows.iter().filter(|row| row.unready).map(|row| row.leaks).sum()
    }

    pub(super) fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "trouble": row.trouble, "times": row.times, "seconds": row.lasted.as_secs_f64(),
                "refused": row.refused, "leaks": row.leaks, "unsent": row.unsent,
                "slowest_ms": row.slowest.as_millis(), "api_server_ready": !row.unready,
            })
        });
        rows.collect()
    }
}

/// A table in Markdown, for terminals and documents alike.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| trouble | times | seconds | refused | leaks | not sent | slowest |\n|---|---|---|---|---|---|---|"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "| {} | {} | {:.0} | {} | {} | {} | {:.0?} |",
                row.trouble,
                row.times,
                row.lasted.as_secs_f64(),
                row.refused,
                row.leaks,
                row.unsent.values().sum::<usize>(),
                Duration::from_millis(u64::try_from(row.slowest.as_millis()).unwrap_or(u64::MAX)),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_booked_where_it_began_and_only_a_ready_api_servers_leaks_count() {
        let mut ledger = Ledger::new("calm");
        let begun = ledger.here();
        ledger.begin("API server starting", true);
        ledger.book(begun, Verdict::Refused(Duration::from_millis(7)));
        ledger.book(ledger.here(), Verdict::Leaked);
        ledger.book(ledger.here(), Verdict::Unsent("refused".to_owned()));
        ledger.begin("calm", false);
        ledger.book(ledger.here(), Verdict::Leaked);
        assert_eq!((ledger.verdicts(), ledger.leaks(), ledger.early()), (3, 1, 1));
        let [calm, starting] = ledger.rows() else {
            panic!("{ledger}");
        };
        assert_eq!((calm.times, calm.refused, calm.leaks), (2, 1, 1));
        assert_eq!((starting.times, starting.leaks, starting.unsent["refused"]), (1, 1, 1));
        assert!(
            ledger.to_string().contains("| calm | 2 | 0 | 1 | 1 | 0 | 7ms |"),
            "{ledger}"
        );
    }
}
