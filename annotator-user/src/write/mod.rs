//! [`Report`] → text, JSON, pages and annotated captures, to standard output or to a file.

pub mod html;
pub mod json;
pub mod output;
pub mod pcapng;
pub mod phrases;
pub mod stream;
pub mod style;
pub mod table;
pub mod text;

use std::path::Path;

use anyhow::Result;
use jiff::tz::TimeZone;

use crate::cli::{Format, WriteOptions};
use crate::report::Report;
use style::Style;

/// Writes the one report of `annotator read`: to standard output, or in place of what a file held.
pub fn once(report: &Report, options: &WriteOptions) -> Result<()> {
    let output = options.output.as_deref();
    let text = match options.format {
        Format::Json => json::document(report)?,
        Format::Text => page(report, output),
    };
    match output {
        Some(path) => output::replace(path, &text),
        None => output::print(&text),
    }
}

/// A report as text, laid out for where it goes.
fn page(report: &Report, output: Option<&Path>) -> String {
    let style = if output.is_some() { Style::PLAIN } else { Style::of_stdout() };
    text::page(report, style, &TimeZone::system())
}
