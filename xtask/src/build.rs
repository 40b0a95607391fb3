//! `cargo xtask build`: the agent, with the BPF program inside.

use annotator_toolchain::command;
use anyhow::Result;

use crate::{host, setup};

/// Builds the agent in release mode.
pub fn run() -> Result<()> {
    setup::run()?;
    command::show(&mut host::cargo(&["build", "--release", "--package", "annotator"]))
}
