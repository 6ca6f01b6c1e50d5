//! `dorgu test`: suites beside manifests, which say what personas find about Deployments. One engine: `check` judges each
//! Deployment as the webhook would.
//!
//! [`load`] reads files; all else is pure. Start reading at [`Prepared::run`].

mod coverage;
mod expectation;
mod format;
mod json;
mod junit;
pub mod load;
mod names;
mod result;
mod run;
mod settings;
mod table;

pub use self::coverage::{Coverage, Demand, Seen};
pub use self::format::{Suite, schema};
pub use self::result::{Failure, Kind, SuiteResult, TestResult};
pub use self::run::{Object, Objects, Prepared, PreparedTest};

use crate::report::Problem;

/// The results of all suites of a run.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// The suites, in the order of their files.
    pub suites: Vec<SuiteResult>,
    /// What could not be read. It fails the run whatever the tests say.
    pub problems: Vec<Problem>,
    /// What is worth knowing without failing a test, a line each.
    pub notes: Vec<String>,
}

impl Results {
    /// The tests of all suites.
    pub fn tests(&self) -> impl Iterator<Item = &TestResult> {
        self.suites.iter().flat_map(|suite| &suite.tests)
    }

    /// How many tests failed.
    pub fn failed(&self) -> usize {
        self.tests().filter(|test| !test.failures.is_empty()).count()
    }

    /// Which demands of personas the tests of all suites have seen violated and met.
    pub fn coverage(&self) -> Coverage {
        let mut all = Coverage::default();
        self.suites.iter().for_each(|suite| all.add(&suite.coverage));
        all
    }
}

/// An output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For CI.
    Junit,
}

impl Format {
    /// The results as text. JUnit has no place for coverage.
    ///
    /// # Errors
    /// They cannot be written as JSON.
    pub fn render(self, results: &Results, with_coverage: bool) -> Result<String, serde_json::Error> {
        match self {
            Format::Table => Ok(table::render(results, with_coverage)),
            Format::Json => json::render(results, with_coverage),
            Format::Junit => Ok(junit::render(results)),
        }
    }
}

#[cfg(test)]
mod tests;
