//! `dorgu persona status`.

use clap::Args;

use super::failure::{Done, Failure};
use super::format::{self, Format, Output};
use super::place::{self, Place, given, shown};
use crate::api::names::dns_subdomain;
use crate::k8s::Name;
use crate::personas::describe;

#[derive(Debug, Args)]
pub(in crate::cli) struct Flags {
    /// The persona.
    #[arg(value_name = "NAME")]
    name: String,
    /// Its namespace [default: that of the context, else default]
    #[arg(long, short, value_name = "NAME", value_parser = place::namespace)]
    namespace: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

pub(super) async fn run(flags: &Flags) -> Result<Done, Failure> {
    let cluster = flags.place.connect().await?;
    let namespace = given(flags.namespace.as_deref())
        .unwrap_or(&cluster.namespace)
        .to_owned();
    let name = |name: String| Name {
        namespace: namespace.clone(),
        name,
    };
    let mut names = vec![flags.name.clone()];
    if flags.name.contains('_') {
        // An application's name may have one, an object's name may not.
        names.push(flags.name.to_lowercase().replace('_', "-"));
    }
    let mut found = None;
    for name in names
        .into_iter()
        .map(name)
        .filter(|name| dns_subdomain(&name.name).is_ok())
    {
        found = cluster.find(&name).await?;
    }
    let Some(persona) = found else {
        let wanted = shown(&name(flags.name.clone()));
        return Err(Failure::ObjectMissing(format!(
            "{wanted} does not exist; dorgu persona list shows all"
        )));
    };
    let text = match flags.output.format() {
        Format::Table | Format::Wide => describe(&persona, flags.output.paint()),
        Format::Json => format::as_json(&format::trimmed(persona))?,
        Format::Yaml => format::as_yaml(&format::trimmed(persona))?,
        Format::Name => format::name(&persona) + "\n",
    };
    crate::cli::print(&text)?;
    Ok(Done::Well)
}
