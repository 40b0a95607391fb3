//! Reports for machines.

use anyhow::{Context, Result};

use crate::report::Report;

/// One report as one document for `annotator read`, laid out so that a person can look at it.
pub fn document(report: &Report) -> Result<String> {
    let mut text = serde_json::to_string_pretty(report).context("cannot serialise the report")?;
    text.push('\n');
    Ok(text)
}

/// One report as one line (NDJSON) for `annotator run`.
pub fn line(report: &Report) -> Result<String> {
    let mut text = serde_json::to_string(report).context("cannot serialise the report")?;
    text.push('\n');
    Ok(text)
}
