//! `dorgu persona list`.

use clap::Args;
use jiff::Timestamp;

use super::failure::{Done, Failure};
use super::format::{self, Format, Output};
use super::place::{self, Place, given};
use crate::personas::{Columns, table};

#[derive(Debug, Args)]
pub(in crate::cli) struct Flags {
    /// Only the personas of this namespace [default: all namespaces]
    #[arg(long, short, value_name = "NAME", value_parser = place::namespace)]
    namespace: Option<String>,
    /// The personas of all namespaces, which is the default.
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Only personas with these labels, such as dorgu.io/team=checkout.
    #[arg(long, short = 'l', value_name = "LABELS")]
    selector: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

pub(super) async fn run(flags: &Flags) -> Result<Done, Failure> {
    let cluster = flags.place.connect().await?;
    let namespace = given(flags.namespace.as_deref()).filter(|_| !flags.all_namespaces);
    let labels = flags.selector.as_deref().unwrap_or_default();
    let personas = cluster.list(namespace.unwrap_or_default(), labels).await?;
    if personas.is_empty() {
        let place = namespace.map_or_else(|| "any namespace".to_owned(), |name| format!("namespace {name}"));
        crate::cli::complain(&format!("no ApplicationPersonas in {place}"));
    }
    let text = match flags.output.format() {
        Format::Table => table(&personas, Columns::Usual, Timestamp::now()),
        Format::Wide => table(&personas, Columns::Wide, Timestamp::now()),
        Format::Json => format::as_json(&format::list(personas))?,
        Format::Yaml => format::as_yaml(&format::list(personas))?,
        Format::Name => personas.iter().map(|persona| format::name(persona) + "\n").collect(),
    };
    crate::cli::print(&text)?;
    Ok(Done::Well)
}
