//! Words what changes: one line each, in printable ASCII.

use super::{Changed, Impact, Verdict};
use crate::policy::text::{Quoted, Shown, cut};

/// How many Deployments have a line of their own.
const EXPLAINED: usize = 3;
/// Longest line: what an API server passes on of a warning.
const LINE: usize = 256;

impl Impact {
    /// How many would be denied, and which: `3 of 41 would be denied: 'a', 'b', 'c'`. `home` is the namespace of which
    /// Deployments are named without it.
    pub fn summary(&self, home: Option<&str>) -> String {
        let denied = |one: &Changed| one.is_newly_denied();
        self.line("would be denied", self.newly_denied, home, denied)
    }

    /// One line for each kind of change that there is, the most severe first, then what was not compared.
    pub fn lines(&self, home: Option<&str>) -> Vec<String> {
        let verdicts = |before, after| move |one: &Changed| (one.before.verdict, one.after.verdict) == (before, after);
        let mut lines = Vec::new();
        if self.newly_denied > 0 {
            lines.push(self.summary(home));
            let denied = self.changes.iter().filter(|one| one.is_newly_denied());
            lines.extend(denied.take(EXPLAINED).filter_map(|one| explained(one, home)));
        }
        if self.newly_warned > 0 {
            let warned = verdicts(Verdict::Passed, Verdict::Warned);
            lines.push(self.line("would be warned about", self.newly_warned, home, warned));
        }
        if self.no_longer_denied > 0 {
            let freed = |one: &Changed| one.before.verdict == Verdict::Denied && one.after.verdict != Verdict::Denied;
            lines.push(self.line("would no longer be denied", self.no_longer_denied, home, freed));
        }
        if self.no_longer_warned > 0 {
            let cleared = verdicts(Verdict::Warned, Verdict::Passed);
            lines.push(self.line("would no longer be warned about", self.no_longer_warned, home, cleared));
        }
        lines.extend(self.reservations());
        lines
    }

    /// What these numbers do not say: Deployments that were not compared, and those that are not reviewed.
    pub fn reservations(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.left_out > 0 {
            lines.push(format!(
                "{} more Deployments were not compared, since that would take too long",
                self.left_out
            ));
        }
        if self.unreadable > 0 {
            lines.push(format!(
                "{} Deployments cannot be read and were not compared",
                self.unreadable
            ));
        }
        if !self.not_opted_in.is_empty() {
            let count: usize = self.not_opted_in.iter().map(|(_, count)| count).sum();
            let names = self.not_opted_in.iter().map(|(namespace, _)| namespace.as_str());
            let line = format_args!(
                "{count} of {} are in namespaces without the label dorgu.io/validate=true, which are not reviewed: {}",
                self.governed,
                Quoted(names)
            );
            lines.push(cut(line, LINE));
        }
        lines
    }

    fn line(&self, what: &str, count: usize, home: Option<&str>, is_it: impl Fn(&Changed) -> bool) -> String {
        let governed = self.governed;
        let listed = self.changes.iter().filter(|one| is_it(one));
        let names: Vec<String> = listed.map(|one| one.shown(home)).collect();
        if names.is_empty() {
            return format!("{count} of {governed} {what}");
        }
        let names = Names { names: &names, count };
        cut(format_args!("{count} of {governed} {what}: {names}"), LINE)
    }
}

/// How many Deployments a line names.
const NAMED: usize = 5;

/// The first of the names, and how many more there are of all.
struct Names<'n> {
    names: &'n [String],
    count: usize,
}

impl std::fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = self.names.len().min(NAMED);
        for (position, name) in self.names.iter().take(named).enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}'{}'", Shown(name))?;
        }
        match self.count.saturating_sub(named) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Changed {
    /// Its name, with its namespace unless that is `home`.
    pub fn shown(&self, home: Option<&str>) -> String {
        match home == Some(&self.namespace) {
            true => self.name.clone(),
            false => format!("{}/{}", self.namespace, self.name),
        }
    }
}

/// What denies one Deployment.
fn explained(one: &Changed, home: Option<&str>) -> Option<String> {
    let first = one.after.denying.first()?;
    let more = match one.after.count.saturating_sub(1) {
        0 => String::new(),
        1 => " (and 1 more finding)".to_owned(),
        more => format!(" (and {more} more findings)"),
    };
    let name = one.shown(home);
    let line = format_args!("Deployment '{}' would be denied: {}", Shown(&name), first.message);
    Some(cut(line, LINE - more.len()) + &more)
}
