//! docs/flags.md, from the command line's own definition.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use super::{assert_text_is_current, cell};

const INTRODUCTION: &str = "\
# Flags

<!-- Made from src/cli: DORGU_REWRITE=1 cargo test --test it generated -->

Every command and every flag, as `--help` prints them. How the flags of `serve` work together: [operating](operating.md). The
Go operator is [dorgu-operator](contract.md).

A flag takes precedence over its environment variable, and that over the default. A flag that takes a BOOL may stand alone
(`--x`) or have a value after `=` (`--x=false`). Repeatable flags also accept one value with commas. Durations are Go's: `90s`,
`1m30s`. An invalid value is rejected at start, with the values that are valid. Exit codes: 0, 1 when something failed, 2 for an
invalid command line.
";

/// What `serve` takes out of its arguments before they are parsed.
const OF_GO: &str = "
### Of the Go operator's logger

| flag | environment | default | meaning |
|---|---|---|---|
| `--zap-log-level LEVEL` | – | `info` | `debug`, `info`, `error`, `panic`, or a number above 0 for everything. `RUST_LOG` wins. |
| `--zap-encoder FORMAT` | – | – | `json` or `console`, which wins over `--log-format`. |
| `--zap-…` | – | – | All others are accepted, and logged as without effect. |

Long flags of the Go operator with one dash (`-webhook-mode=enforcing`) are accepted, too.
";

/// A table for each heading of the command's help.
fn tables(command: &Command) -> String {
    let (mut text, mut heading) = (String::new(), None);
    let mut begun = false;
    for arg in command
        .get_arguments()
        .filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
    {
        if !begun || heading != arg.get_help_heading() {
            heading = arg.get_help_heading();
            if let Some(heading) = heading {
                write!(text, "\n### {heading}\n").unwrap();
            }
            text.push_str("\n| flag | environment | default | meaning |\n|---|---|---|---|\n");
            begun = true;
        }
        text.push_str(&row(arg));
    }
    text
}

fn row(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    // Where a default depends on other flags, the sentence ends with it.
    let (meaning, said) = match help.rsplit_once(" [default: ") {
        Some((meaning, default)) => (meaning, default.strip_suffix(']')),
        None => (help.as_str(), None),
    };
    let values: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    let default = match (values.join(","), said) {
        (_, Some(said)) => said.to_owned(),
        (values, None) if values.is_empty() => "–".to_owned(),
        (values, None) => format!("`{values}`"),
    };
    let name = arg.get_long().unwrap_or_else(|| arg.get_id().as_str());
    let value = arg.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
    let flag = match arg.get_num_args() {
        _ if arg.is_positional() => format!("[{value}]"),
        _ if matches!(arg.get_action(), ArgAction::SetTrue) => format!("--{name}"),
        Some(count) if count.min_values() == 0 => format!("--{name}[={value}]"),
        _ => format!("--{name} {value}"),
    };
    let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let environment = arg.get_env().map(|name| format!("`{}`", name.to_string_lossy()));
    let environment = environment.unwrap_or_else(|| "–".to_owned());
    let stop = if meaning.ends_with(['.', ':']) { "" } else { "." };
    format!(
        "| {short}`{flag}` | {environment} | {} | {}{stop} |\n",
        cell(&default),
        cell(meaning)
    )
}

/// The page about this command line.
pub(crate) fn page(mut dorgu: clap::Command) -> String {
    dorgu.build();
    let mut text = INTRODUCTION.to_owned();
    for (name, command) in commands("dorgu", &dorgu) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let stop = if about.ends_with('.') { "" } else { "." };
        write!(text, "\n## {name}\n\n{about}{stop}\n{}", tables(command)).unwrap();
        if command.get_name() == "serve" {
            text.push_str(OF_GO);
        }
    }
    text
}

/// The commands that do something, each with the words that are typed.
fn commands<'c>(typed: &str, group: &'c Command) -> Vec<(String, &'c Command)> {
    let all = group.get_subcommands().filter(|command| command.get_name() != "help");
    all.flat_map(|command| {
        let typed = format!("{typed} {}", command.get_name());
        match command.has_subcommands() {
            true => commands(&typed, command),
            false => vec![(typed, command)],
        }
    })
    .collect()
}

#[test]
fn the_page_of_flags_is_current() {
    assert_text_is_current("docs/flags.md", &page(dorgu::cli::command()));
}

#[test]
fn every_flag_is_explained() {
    let mut dorgu = dorgu::cli::command();
    dorgu.build();
    for (name, command) in commands("dorgu", &dorgu) {
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{name}: {}", arg.get_id());
        }
    }
}
