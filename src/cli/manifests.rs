//! `dorgu manifests`: writes every object of an installation, into a folder for `kubectl apply -k` or as one text for
//! `kubectl apply -f`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::values;
use crate::install::Installation;
use crate::policy::{Matching, Mode};
use crate::serve::parts;

#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Write a kustomization and its files into this folder, instead of printing the objects.
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The namespace that everything lives in [default: dorgu-system]
    #[arg(long, short, value_name = "NAME", value_parser = values::own_namespace)]
    namespace: Option<String>,
    /// The container image, with its tag or digest [default: dorgu and this version]
    #[arg(long, value_name = "IMAGE", value_parser = values::image)]
    image: Option<String>,
    /// How many pods answer [default: 2]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    replicas: Option<u16>,
    /// advisory: warn. enforcing: deny.
    #[arg(long, value_name = "MODE", default_value = "advisory", value_parser = values::mode)]
    webhook_mode: Mode,
    /// label: by app.kubernetes.io/name. chain: also by label app, name and selector.
    #[arg(long = "match", value_name = "HOW", default_value = "label", value_parser = values::matching)]
    matching: Matching,
    /// Report Deployments without the label app.kubernetes.io/name, and send them; needs --match label.
    #[arg(long)]
    require_label: bool,
}

impl Flags {
    fn installation(&self) -> Installation {
        let usual = Installation::of(parts::declared());
        Installation {
            namespace: self.namespace.clone().unwrap_or(usual.namespace),
            image: self.image.clone().unwrap_or(usual.image),
            replicas: self.replicas.unwrap_or(usual.replicas),
            mode: self.webhook_mode,
            matching: self.matching,
            requires_label: self.require_label,
            ..usual
        }
    }
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    if flags.require_label {
        values::require_label(flags.matching).map_err(anyhow::Error::msg)?;
    }
    let objects = flags.installation().objects();
    let Some(folder) = &flags.output else {
        return super::print(&objects.single_file()?);
    };
    for (name, yaml) in objects.folder()? {
        let file = folder.join(name);
        let within = file.parent().unwrap_or(folder);
        std::fs::create_dir_all(within).with_context(|| format!("cannot create {}", within.display()))?;
        std::fs::write(&file, yaml).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
