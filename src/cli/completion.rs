//! `dorgu completion` and `dorgu man`: what a shell and `man` need to know of the command line, made of its definition.

use anyhow::Context as _;
use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The shell: bash, elvish, fish, powershell or zsh
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let mut command = super::command();
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut command, "dorgu", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}

#[derive(Debug, Args)]
pub(super) struct ManFlags {
    /// The command, such as check; without it the page of dorgu itself
    #[arg(value_name = "COMMAND", num_args = 0..)]
    command: Vec<String>,
}

pub(super) fn man(flags: &ManFlags) -> anyhow::Result<()> {
    let mut root = super::command();
    root.build();
    let mut found = &root;
    for name in &flags.command {
        found = found.find_subcommand(name).with_context(|| {
            let names = found.get_subcommands().map(clap::Command::get_name);
            format!(
                "there is no command {name:?}; there are {}",
                names.collect::<Vec<_>>().join(", ")
            )
        })?;
    }
    let mut page = Vec::new();
    let name = ["dorgu"]
        .into_iter()
        .chain(flags.command.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("-");
    let command = found.clone().display_name(name);
    clap_mangen::Man::new(command)
        .render(&mut page)
        .context("cannot make the page")?;
    super::print(&String::from_utf8_lossy(&page))
}
