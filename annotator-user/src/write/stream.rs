//! Reports of a running agent, one after the other.

use std::path::PathBuf;

use anyhow::Result;

use super::{json, output, page};
use crate::cli::{Format, WriteOptions};
use crate::live::sinks::Sink;
use crate::report::Report;

/// Writes each report as it comes: JSON as a line that is added, text to a terminal as a page below the last, text to a file in place of the last.
pub struct Stream {
    format: Format,
    output: Option<PathBuf>,
}

impl Stream {
    /// Opens the stream. Fails where the file cannot be written to, before anything else is done.
    pub fn open(options: &WriteOptions) -> Result<Self> {
        if let Some(path) = &options.output {
            output::check(path)?;
        }
        Ok(Stream { format: options.format, output: options.output.clone() })
    }
}

impl Sink for Stream {
    fn take(&mut self, report: &Report) -> Result<()> {
        match (self.format, &self.output) {
            (Format::Json, Some(path)) => output::append(path, &json::line(report)?),
            (Format::Json, None) => output::print(&json::line(report)?),
            (Format::Text, Some(path)) => output::replace(path, page(report, self.output.as_deref())),
            (Format::Text, None) => output::print(page(report, self.output.as_deref())),
        }
    }

    fn may_recover(&self) -> bool {
        self.output.is_some()
    }
}
