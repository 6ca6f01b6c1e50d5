//! `dorgu crd`: prints the CustomResourceDefinitions, or writes them into a folder. They are generated from the types.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::api::crd::render;
use crate::install::Installation;
use crate::serve::parts;

#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Write one file a kind into this folder, instead of printing.
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let definitions = Installation::of(parts::declared()).definitions();
    let files = render(definitions).context("cannot write the CustomResourceDefinitions as YAML")?;
    let Some(folder) = &flags.output else {
        let documents: Vec<&str> = files.iter().map(|(_, yaml)| yaml.as_str()).collect();
        return super::print(&documents.join("---\n"));
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, yaml) in files {
        let file = folder.join(name);
        std::fs::write(&file, yaml).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
