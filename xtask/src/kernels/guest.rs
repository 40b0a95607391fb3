//! The program that the kernels start: the tests' binary `guest`, linked statically, for there is nothing beside it.

use std::path::PathBuf;

use annotator_toolchain::{command, workspace};
use anyhow::{Context as _, Result};

use crate::host;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Compiles the guest and returns where it is.
pub fn build() -> Result<PathBuf> {
    let target = annotator_toolchain::cache(&workspace()).join("guest");
    let mut cargo = host::cargo(&["build", "--quiet", "--package", "annotator-tests", "--bin", "guest"]);
    cargo
        // With a target named, flags do not reach build scripts and macros.
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target)
        // It runs on an emulated processor, and is packed for every boot.
        .args(["--config", "profile.dev.opt-level=1", "--config", "profile.dev.debug=false"])
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static")
        .env("CARGO_BUILD_BUILD_DIR", &target);
    command::show(&mut cargo).context("cannot build the program for the kernels")?;
    Ok(target.join(TARGET).join("debug/guest"))
}
