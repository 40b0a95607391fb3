//! Builds the BPF program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result};

use crate::{TARGET, Toolchain, Unaligned, command};

/// The package, relative to the workspace; it is a workspace of its own, for another target.
pub const PACKAGE: &str = "annotator-ebpf";
/// The program's name.
pub const PROGRAM: &str = "annotator";

/// What the BPF program is made of; a change of any of them means a new build.
pub fn sources(workspace: &Path) -> Vec<PathBuf> {
    [PACKAGE, "annotator-common"]
        .iter()
        .flat_map(|package| {
            ["src", "Cargo.toml", "build.rs", "Cargo.lock"].map(|file| workspace.join(package).join(file))
        })
        .filter(|file| file.exists())
        .collect()
}

/// Compiles the BPF program and puts the object at `object`. Intermediate files go to `scratch`.
pub fn build(
    toolchain: &Toolchain,
    workspace: &Path,
    unaligned: Unaligned,
    scratch: &Path,
    object: &Path,
) -> Result<()> {
    let mut cargo = toolchain.cargo("build", unaligned);
    cargo
        .arg("--manifest-path")
        .arg(workspace.join(PACKAGE).join("Cargo.toml"))
        .args(["--release", "--bin", PROGRAM])
        .arg("--target-dir")
        .arg(scratch)
        // An outer cargo that keeps intermediate files elsewhere holds a lock there.
        .env("CARGO_BUILD_BUILD_DIR", scratch);
    // A build script's standard output speaks to cargo; what the compiler has to say goes to standard error.
    cargo.stdout(Stdio::null());
    command::show(&mut cargo).with_context(|| format!("cannot build the BPF program with {toolchain}"))?;
    let made = scratch.join(TARGET).join("release").join(PROGRAM);
    fs::copy(&made, object).with_context(|| format!("cannot copy {} to {}", made.display(), object.display()))?;
    Ok(())
}
