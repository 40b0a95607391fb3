//! `cargo xtask bench`: what the annotator costs for each packet.

use std::os::unix::process::CommandExt as _;

use annotator_toolchain::command;
use anyhow::{Result, anyhow};
use clap::Args;

use crate::{host, setup};

#[derive(Args)]
pub struct Options {
    /// Passed on to the bench program, as --quick or --json.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds agent and bench program, then becomes the bench program, as root.
pub fn run(options: &Options) -> Result<()> {
    setup::run()?;
    command::show(&mut host::cargo(&[
        "build",
        "--release",
        "--package",
        "annotator",
        "--package",
        "annotator-tests",
        "--bins",
    ]))?;
    let bench = host::artifacts()?.join("release/bench");
    let error = host::as_root(&bench, "measuring in the kernel")?.args(&options.arguments).exec();
    Err(anyhow!("cannot start {}: {error}", bench.display()))
}
