//! [`Report`] → text, JSON, pages and annotated captures, to standard output or to a file.

pub mod ecs;
pub mod html;
pub mod json;
pub mod lines;
pub mod output;
pub mod pages;
pub mod pcapng;
pub mod phrases;
pub mod records;
pub mod style;
pub mod table;
pub mod text;

use std::path::Path;

use anyhow::{Result, bail};
use jiff::tz::TimeZone;

use crate::changes::Change;
use crate::cli::{Format, WriteOptions};
use crate::live::sinks::Sinks;
use crate::report::Report;
use lines::Rotation;
use output::Target;
use pages::Pages;
use records::Records;
use style::Style;

/// Writes the one report of `annotator read`: to standard output, or in place of what a file held.
pub fn once(report: &Report, options: &WriteOptions) -> Result<()> {
    let text = match options.format {
        _ if options.findings => {
            let line = |finding| ecs::line(report, finding, Change::New, None);
            report.findings.iter().map(line).collect::<Result<String>>()?
        }
        Format::Json => json::document(report)?,
        Format::Text => {
            let style = if options.output.file().is_some() { Style::PLAIN } else { Style::of_stdout() };
            text::page(report, None, style, &TimeZone::system())
        }
    };
    output::put(&options.output, &text)
}

/// Adds the place that the reports of `annotator run` go to.
pub fn follow(options: &WriteOptions, rotation: Rotation, sinks: &mut Sinks) -> Result<()> {
    let is_lines = options.format == Format::Json || options.findings;
    if rotation.rotate_size.is_some() && options.output == Target::StandardOutput {
        bail!("--rotate-size is for a file: name it with --output");
    }
    if rotation.rotate_size.is_some() && !is_lines {
        bail!("--rotate-size is for a file that grows, with --format json or --findings; text replaces what it held");
    }
    if is_lines {
        sinks.add(Records::open(options, rotation)?);
    } else {
        sinks.add(Pages::open(options.output.file().map(Path::to_owned))?);
    }
    Ok(())
}
