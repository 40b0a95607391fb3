//! `cargo xtask coverage TABLE`: which rows of a table of ids the agent meets, from running their packets.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::host;

#[derive(Args)]
pub struct Options {
    /// The table: tab-separated, with a heading, ids in the first column.
    table: PathBuf,
}

/// Runs the test that goes through the table.
pub fn run(options: &Options) -> Result<()> {
    let table = options.table.canonicalize().with_context(|| format!("cannot find {}", options.table.display()))?;
    let status = host::cargo(&["test", "--quiet", "--package", "annotator", "--test", "knowledge"])
        .args(["--", "the_table_is_met", "--nocapture"])
        .env("ANNOTATOR_COVERAGE", table)
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("not every row is met");
    }
    Ok(())
}
