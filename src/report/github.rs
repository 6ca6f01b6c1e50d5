//! Workflow commands of GitHub Actions. GitHub shows ten annotations of a level for a step and drops the others silently, so the
//! tenth says how many more there are. Those are printed as plain lines, and are on the page of the step (`format::step_summary`).

use super::words::{clean, counted, fix, fix_line, help, message, object, place, problem_place};
use super::{Problem, Report, ReportedFinding, Standing, View};
use crate::policy::Severity;

/// How many annotations of a level GitHub shows for a step.
const MAX_ANNOTATIONS: usize = 10;

/// The title of what is no annotation.
const FURTHER: &str = "Further findings";

/// The levels of GitHub, the worst first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    const ALL: [Level; 3] = [Level::Error, Level::Warning, Level::Notice];

    fn command(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        }
    }

    /// What was there before is not what the author of a change must fix.
    fn of(finding: &ReportedFinding) -> Self {
        match (finding.standing, finding.severity) {
            (Standing::Before, _) | (_, Severity::Info) => Level::Notice,
            (_, Severity::Warning) => Level::Warning,
            (_, Severity::Error) => Level::Error,
        }
    }
}

/// What becomes an annotation.
enum Item<'a> {
    Problem(&'a Problem),
    Finding(&'a ReportedFinding),
}

pub(super) fn render(report: &Report, view: View) -> String {
    let (mut text, mut further) = (String::new(), String::new());
    for level in Level::ALL {
        // A problem fails every run, so it comes before all findings.
        let problems = report.problems.iter().filter(|_| level == Level::Error);
        let findings = report.findings.iter().filter(|finding| Level::of(finding) == level);
        let items: Vec<Item<'_>> = problems.map(Item::Problem).chain(findings.map(Item::Finding)).collect();
        let shown = if items.len() > MAX_ANNOTATIONS {
            MAX_ANNOTATIONS - 1
        } else {
            items.len()
        };
        let (annotated, rest) = items.split_at(shown);
        for item in annotated {
            item.annotate(level, report, &mut text);
        }
        if !rest.is_empty() {
            let message = format!(
                "{} more: in the log under \"{FURTHER}\", and in the step summary",
                counted(rest.len(), level.command())
            );
            command(level, &[("title", "dorgu check")], &message, &mut text);
        }
        for item in rest {
            further.push_str(&plain(&item.line(level, report)));
            further.push('\n');
        }
    }
    if !further.is_empty() {
        text.extend(["::group::", FURTHER, "\n", &further, "::endgroup::\n"]);
    }
    if !view.quiet {
        text.extend([&report.summary(view.fail_on).line(), "\n"]);
    }
    text
}

impl Item<'_> {
    fn annotate(&self, level: Level, report: &Report, text: &mut String) {
        match self {
            Item::Problem(problem) => {
                let line = problem.line.unwrap_or(1).to_string();
                let file = clean(&problem.file);
                let properties = properties(&file, &[("line", &line)], "unreadable");
                command(level, &properties, &clean(&problem.reason), text);
            }
            Item::Finding(finding) => {
                let (start, end) = (finding.location.start, finding.location.end);
                let [line, column, end_line] = [start.line, start.column, end.line].map(|number| number.to_string());
                // The last column is included, and columns are shown within one line only.
                let end_column = end.column.saturating_sub(1).max(start.column).to_string();
                let mut numbers = vec![("line", &*line), ("endLine", &*end_line)];
                if start.line == end.line {
                    numbers.extend([("col", &*column), ("endColumn", &*end_column)]);
                }
                let file = clean(&finding.location.file);
                let properties = properties(&file, &numbers, finding.rule.name());
                let mut message = format!("{}: {}", object(finding), message(finding));
                for line in fix(finding) {
                    message.extend(["\nFix: ", &line]);
                }
                if file == "-" {
                    message.extend(["\nAt ", &place(finding)]);
                }
                message.extend(["\n", &help(report, finding.rule)]);
                command(level, &properties, &message, text);
            }
        }
    }

    /// The same as a line of the log.
    fn line(&self, level: Level, report: &Report) -> String {
        let level = level.command();
        match self {
            Item::Problem(problem) => {
                let reason = clean(&problem.reason);
                format!("{}: {level}: unreadable: {reason}", problem_place(problem))
            }
            Item::Finding(finding) => {
                let (rule, help) = (finding.rule, help(report, finding.rule));
                let (place, object, message) = (place(finding), object(finding), message(finding));
                let fix = fix_line(finding);
                let fix = if fix.is_empty() { fix } else { format!(" | Fix: {fix}") };
                format!("{place}: {level}: {}: {object}: {message}{fix} | {help}", rule.name())
            }
        }
    }
}

/// The properties of an annotation; standard input is no file that GitHub could show.
fn properties<'a>(file: &'a str, numbers: &[(&'a str, &'a str)], title: &'a str) -> Vec<(&'a str, &'a str)> {
    let place: &[_] = if file == "-" { &[] } else { numbers };
    let file = (file != "-").then_some(("file", file));
    let place = file.into_iter().chain(place.iter().copied());
    place.chain([("title", title)]).collect()
}

/// One workflow command.
fn command(level: Level, properties: &[(&str, &str)], message: &str, text: &mut String) {
    let mut line = format!("::{}", level.command());
    let mut before = " ";
    for (name, value) in properties {
        line.extend([before, name, "="]);
        escape(value, true, &mut line);
        before = ",";
    }
    line.push_str("::");
    escape(message, false, &mut line);
    text.extend([&without_old_commands(&line), "\n"]);
}

/// As the runner reads it back. In properties, what ends one is escaped, too.
fn escape(value: &str, is_property: bool, text: &mut String) {
    for c in value.chars() {
        match c {
            '%' => text.push_str("%25"),
            '\r' => text.push_str("%0D"),
            '\n' => text.push_str("%0A"),
            ':' if is_property => text.push_str("%3A"),
            ',' if is_property => text.push_str("%2C"),
            c => text.push(c),
        }
    }
}

/// A line in which the runner finds no command of its first kind, which `##[` starts anywhere.
fn without_old_commands(line: &str) -> String {
    line.replace("##[", "# #[")
}

/// A line that the runner takes for no command: the second kind starts the line.
fn plain(line: &str) -> String {
    let line = without_old_commands(line);
    if line.trim_start().starts_with("::") {
        format!("./{line}")
    } else {
        line
    }
}
