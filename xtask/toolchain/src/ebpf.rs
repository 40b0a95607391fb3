//! Builds the BPF programs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, Result};

use crate::{LINKER_VARIABLE, TARGET, TOOLCHAIN_VARIABLE, Toolchain, Unaligned, cache, command, workspace};

/// The package, relative to the workspace; it is a workspace of its own, for another target.
pub const PACKAGE: &str = "annotator-ebpf";

/// One BPF object to build.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// The name of the file in `OUT_DIR`.
    pub name: &'static str,
    /// Which of the package's binaries it is.
    pub program: &'static str,
    /// With or without the unstable switch.
    pub unaligned: Unaligned,
}

/// The whole of a build script: puts objects into `OUT_DIR`, or says what is missing and which command mends it.
pub fn build_script(objects: &[Object]) -> ExitCode {
    let Err(error) = build_all(objects) else { return ExitCode::SUCCESS };
    // Cargo shows this line as an error of its own, and standard error below it.
    let text = format!("{error:#}");
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    println!("cargo::error={first}");
    eprintln!("{rest}");
    ExitCode::FAILURE
}

fn build_all(objects: &[Object]) -> Result<()> {
    let workspace = workspace();
    for variable in [TOOLCHAIN_VARIABLE, LINKER_VARIABLE] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    for file in sources(&workspace) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let toolchain = Toolchain::find(&workspace)?;
    for file in toolchain.files() {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set: only cargo can start a build script")?);
    for object in objects {
        build(&toolchain, &workspace, object, &out.join(object.name))?;
    }
    Ok(())
}

/// What the BPF programs are made of; a change of any of them means a new build.
fn sources(workspace: &Path) -> Vec<PathBuf> {
    [PACKAGE, "annotator-common"]
        .iter()
        .flat_map(|package| ["src", "Cargo.toml", "Cargo.lock"].map(|file| workspace.join(package).join(file)))
        .filter(|file| file.exists())
        .collect()
}

/// Compiles an object and copies it to `place`.
pub fn build(toolchain: &Toolchain, workspace: &Path, object: &Object, place: &Path) -> Result<()> {
    // Not below OUT_DIR: there, each profile and each crate would compile the same dependencies again.
    let scratch = cache(workspace).join("ebpf").join(match object.unaligned {
        Unaligned::Allowed => "unaligned",
        Unaligned::Avoided => "aligned",
    });
    let mut cargo = toolchain.cargo("build", object.unaligned);
    cargo
        .arg("--manifest-path")
        .arg(workspace.join(PACKAGE).join("Cargo.toml"))
        .args(["--release", "--bin", object.program])
        .arg("--target-dir")
        .arg(&scratch)
        // An outer cargo that keeps intermediate files elsewhere holds a lock there.
        .env("CARGO_BUILD_BUILD_DIR", &scratch)
        // A build script's standard output speaks to cargo; what the compiler has to say goes to standard error.
        .stdout(Stdio::null());
    command::show(&mut cargo)
        .with_context(|| format!("cannot build the BPF program `{}` with {toolchain}", object.program))?;
    let made = scratch.join(TARGET).join("release").join(object.program);
    fs::copy(&made, place).with_context(|| format!("cannot copy {} to {}", made.display(), place.display()))?;
    Ok(())
}
