//! Programs of others that the agent is held against. `cargo xtask test` fetches them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use annotator_testnet::Namespace;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target/peers")
}

fn program(path: &str) -> PathBuf {
    let program = folder().join(path);
    assert!(program.is_file(), "{} is missing; `cargo xtask test` fetches it", program.display());
    program
}

/// Prometheus' own tool to check metrics, rules and what else it reads.
pub fn promtool() -> Command {
    Command::new(program("usr/bin/promtool"))
}

/// Prometheus itself.
pub fn prometheus(namespace: &Namespace) -> Command {
    namespace.command(program("usr/bin/prometheus"))
}

/// The OpenTelemetry collector Rotel.
pub fn collector(namespace: &Namespace) -> Command {
    let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|path| folder().join(path));
    let libraries = libraries.iter().map(|path| path.as_os_str()).collect::<Vec<_>>();
    let mut command = namespace.command(program("rotel/rotel-agent"));
    command.env("LD_LIBRARY_PATH", libraries.join(std::ffi::OsStr::new(":")));
    command
}
