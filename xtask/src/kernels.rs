//! `cargo xtask kernels`: the BPF program on every kernel it promises to run on.

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub struct Options {}

/// Boots each kernel.
pub fn run(_: &Options) -> Result<()> {
    bail!("there is no kernel matrix yet")
}
