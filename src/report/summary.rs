//! Counts what a report holds.

use serde::Serialize;

use super::words::counted;
use super::{Counts, FailOn, Report, Standing};
use crate::policy::Severity;

/// How many of everything. A finding is counted once among `errors`, `warnings`, `infos` and `before`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Errors.
    pub errors: usize,
    /// Warnings, those that an exception covers included.
    pub warnings: usize,
    /// Of the warnings, those that an exception covers.
    pub excepted: usize,
    /// Infos.
    pub infos: usize,
    /// Findings that the old manifest had.
    pub before: usize,
    /// Findings that fail the run.
    pub failing: usize,
    /// What could not be read.
    pub problems: usize,
    /// How much was read.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Summary {
    /// The counts on one line.
    pub fn line(&self) -> String {
        let Counts {
            files,
            workloads,
            ungoverned,
            skipped,
        } = self.counts;
        let (errors, warnings) = (counted(self.errors, "error"), counted(self.warnings, "warning"));
        let (infos, before) = (counted(self.infos, "info"), self.before);
        let (files, workloads) = (counted(files, "file"), counted(workloads, "workload"));
        let problems = counted(self.problems, "problem");
        format!(
            "{errors}, {warnings}, {infos}, {before} there before; \
             {files}, {workloads}, {ungoverned} ungoverned, {skipped} skipped, {problems}"
        )
    }
}

impl Report {
    /// The counts.
    pub fn summary(&self, fail_on: FailOn) -> Summary {
        let mut summary = Summary {
            failing: self.failing(fail_on),
            problems: self.problems.len(),
            counts: self.counts,
            ..Summary::default()
        };
        for finding in &self.findings {
            let count = match (finding.standing, finding.severity) {
                (Standing::Before, _) => &mut summary.before,
                (_, Severity::Error) => &mut summary.errors,
                (_, Severity::Warning) => &mut summary.warnings,
                (_, Severity::Info) => &mut summary.infos,
            };
            *count += 1;
            summary.excepted += usize::from(finding.standing == Standing::Excepted);
        }
        summary
    }
}
