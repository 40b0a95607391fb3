//! `cargo xtask demo`: a network of our own, traffic of every kind, and the agent's explanation of it.

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub struct Options {}

/// Sets up, shows, cleans up.
pub fn run(_: &Options) -> Result<()> {
    bail!("there is no demo yet")
}
