//! The document of `json` as YAML. Strings are quoted where YAML 1.1, which kubectl reads, would take them for something else.

use serde_saphyr::{SerializerOptions, to_string_with_options};

use super::json::Document;
use super::{RenderError, Report, View};

pub(super) fn render(report: &Report, view: View) -> Result<String, RenderError> {
    let mut options = SerializerOptions::default();
    // A message stays on its line.
    options.prefer_block_scalars = false;
    Ok(to_string_with_options(&Document::of(report, view), options)?)
}
