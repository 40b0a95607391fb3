//! The program that the kernels start: the tests' binary `guest`, linked statically, for there is nothing beside it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::dist;

/// Compiles the guest and returns where it is. It runs on an emulated processor and is packed for every boot, so it is compiled as what is handed out,
/// with which it has most in common.
pub fn build() -> Result<PathBuf> {
    let built = dist::compile(&["--package", "annotator-tests", "--bin", "guest"])
        .context("cannot build the program for the kernels")?;
    Ok(built.join("guest"))
}
