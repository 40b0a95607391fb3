//! Running other programs, and saying what went wrong when they fail.

use std::{
    env,
    ffi::OsStr,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Runs a command to its end, keeping what it prints. A failure carries the command line and the end of its output.
pub fn capture(command: &mut Command) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output().with_context(|| not_started(command))?;
    if !output.status.success() {
        let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        bail!("`{}` failed ({}):\n{}", line(command), output.status, tail(said, 20));
    }
    Ok(output)
}

/// Like [`capture`], and returns standard output as text.
pub fn stdout(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&capture(command)?.stdout).into_owned())
}

/// Runs a command whose output goes to the terminal.
pub fn show(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| not_started(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// `cargo install` of a tool into the folder `root`, where it leaves `bin` and `build`.
pub fn cargo_install(root: &Path, tool: &str, version: &str) -> Command {
    let mut install = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (key, _) in env::vars_os() {
        // Settings for the workspace that is being built are not meant for this program.
        if key.to_string_lossy().starts_with("CARGO_BUILD_")
            || key == "CARGO_TARGET_DIR"
            || key == "RUSTFLAGS"
            || key == "CARGO_ENCODED_RUSTFLAGS"
        {
            install.env_remove(key);
        }
    }
    install
        .args(["install", "--quiet", "--locked", "--force", tool, "--version", version])
        .arg("--root")
        .arg(root)
        // Outside of the workspace, or its settings would apply.
        .current_dir(root)
        .env("CARGO_TARGET_DIR", root.join("build"));
    install
}

/// The command as a person would type it, without its environment.
pub fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Looks for a program on `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    // System tools live in sbin, which is not on everybody's PATH.
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

fn not_started(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    match on_path(&program) {
        None if !program.contains('/') => {
            format!("cannot start `{program}`: {}, it is not on PATH", ErrorKind::NotFound)
        }
        _ => format!("cannot start `{program}`"),
    }
}

fn tail(bytes: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
