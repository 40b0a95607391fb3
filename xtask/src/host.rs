//! The machine the tasks run on: its cargo, its packages, and root.

use std::{env, process::Command};

use annotator_toolchain::{
    command::{self, on_path},
    workspace,
};
use anyhow::{Context as _, Result, bail};

/// The cargo that runs this task, in the workspace.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(arguments);
    cargo
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    // The effective user is the owner of our own entry in /proc.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

/// `program` as root: itself when we are root, through sudo otherwise.
pub fn as_root(program: &std::path::Path, why: &str) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    if on_path("sudo").is_none() {
        bail!("{why} takes root, and sudo is not here; run this command as root");
    }
    eprintln!("{why} takes root: using sudo");
    let mut sudo = Command::new("sudo");
    sudo.arg("--preserve-env=NO_COLOR,RUST_LOG,RUST_BACKTRACE").arg("--").arg(program);
    Ok(sudo)
}

/// Makes sure that a program is there, installing its Debian package when we are root.
pub fn require(program: &str, package: &str, why: &str) -> Result<()> {
    if on_path(program).is_some() {
        return Ok(());
    }
    let remedy = format!("sudo apt-get install --no-install-recommends {package}");
    if !is_root() {
        bail!("{program} is missing, which {why} takes; install it: {remedy}");
    }
    if on_path("apt-get").is_none() {
        bail!("{program} is missing, which {why} takes; install your system's package of it");
    }
    eprintln!("Installing {package}: {why} takes {program}");
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "-y", "-o", "DPkg::Lock::Timeout=120"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command::capture(&mut apt)
    };
    let install = || apt(&["install", "--no-install-recommends", package]);
    // Lists that are missing or old are the common reason to fail.
    install()
        .or_else(|_| apt(&["update"]).and_then(|_| install()))
        .with_context(|| format!("cannot install {package}; try: {remedy}"))?;
    match on_path(program) {
        Some(_) => Ok(()),
        None => bail!("package {package} is installed but brings no {program}"),
    }
}

/// Where cargo puts the programs it builds.
pub fn artifacts() -> Result<std::path::PathBuf> {
    let metadata = command::stdout(&mut cargo(&["metadata", "--format-version=1", "--no-deps"]))?;
    let (_, rest) =
        metadata.split_once("\"target_directory\":\"").context("cargo metadata names no target_directory")?;
    let (dir, _) = rest.split_once('"').context("cargo metadata is cut short")?;
    Ok(dir.into())
}
