//! Decides whether a workload meets the demands of its personas. Pure: no IO, no clock, no async, no logger.
//!
//! Start reading at [`decide`]. It runs the rules (`rules/`, one file for each family), excuses findings that the stored
//! object already has, applies the mode last, and returns a [`Decision`]. [`answer`] makes the message and the warnings of
//! that, and [`remedy`] JSON patches.

pub mod answer;
mod attributed;
mod compare;
pub mod decision;
pub mod exception;
pub mod field;
pub mod finding;
mod first;
pub mod fix;
pub mod image;
pub mod issue;
mod joint;
pub mod json;
mod left;
pub mod level;
mod matching;
pub mod mode;
pub mod notes;
pub mod persona;
mod place;
mod power;
mod privileged;
pub mod quantity;
pub mod question;
mod ratchet;
pub mod remedy;
pub mod render;
pub mod room;
mod rule;
mod rules;
mod security_context;
pub mod selector;
mod strictest;
pub mod text;
pub mod unlabelled;
pub mod workload;

pub use attributed::AttributedFinding;
pub use decision::{Decision, Rulebook, decide, decide_all};
pub use exception::{Exception, Exceptions, Moment};
pub use field::Field;
pub use finding::{Finding, Rule, Severity};
pub use issue::{Issue, Issues, issues, issues_of_workload};
pub use joint::Joint;
pub use left::Left;
pub use level::{Level, Levels, PlatformRules};
pub use matching::{MatchStrength, Matching, Names};
pub use mode::{Mode, ModeWish};
pub use persona::{DEFAULT_APP, Persona};
pub use question::{Governed, Old, Question};
pub use rules::{RuleSet, Subject};
pub use selector::ObjectLabels;
pub use strictest::{Personas, Strictest};
pub use unlabelled::judge_unlabelled;
pub use workload::Workload;

#[cfg(test)]
mod tests;
