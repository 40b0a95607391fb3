//! `cargo xtask run -- IFACE…`: builds the agent and attaches it.

use std::os::unix::process::CommandExt as _;

use annotator_toolchain::workspace;
use anyhow::{Result, anyhow};
use clap::Args;

use crate::{build, host};

#[derive(Args)]
pub struct Options {
    /// Interfaces, and any other arguments of `annotator run`.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Replaces this process by the agent, so that signals reach it directly.
pub fn run(options: &Options) -> Result<()> {
    build::run()?;
    let agent = host::artifacts()?.join("release/annotator");
    let mut command = host::as_root(&agent, "attaching to an interface")?;
    let error = command.current_dir(workspace()).arg("run").args(&options.arguments).exec();
    Err(anyhow!("cannot start {}: {error}", agent.display()))
}
