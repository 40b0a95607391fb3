//! `cargo xtask bench`: what the annotator costs for each packet.

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub struct Options {
    /// Passed on to the bench program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the bench program as root.
pub fn run(options: &Options) -> Result<()> {
    bail!("there is no bench program yet (arguments: {:?})", options.arguments)
}
