//! `cargo xtask test`: every check there is.

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub struct Options {}

/// Runs them all.
pub fn run(_: &Options) -> Result<()> {
    bail!("there are no tests yet")
}
