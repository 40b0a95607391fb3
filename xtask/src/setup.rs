//! `cargo xtask setup`: makes sure that the BPF program can be built.

use annotator_toolchain::{TOOLCHAIN_VARIABLE, Toolchain, fetch, workspace};
use anyhow::{Context as _, Result};

const ELSEWHERE: &str = "no BPF toolchain could be fetched. A nightly Rust serves as well, on any Linux: \
    rustup toolchain install nightly --component rust-src && cargo install bpf-linker";

/// Finds the toolchain, or fetches it.
pub fn run() -> Result<Toolchain> {
    let workspace = workspace();
    let toolchain = match Toolchain::find(&workspace) {
        Ok(toolchain) => toolchain,
        // Who has chosen one by hand wants to hear that it does not work.
        Err(error) if std::env::var_os(TOOLCHAIN_VARIABLE).is_some() => return Err(error),
        Err(_) => {
            eprintln!("Building for BPF takes a compiler that stable Rust does not bring; fetching one.");
            fetch::fetch(&workspace, &|line| eprintln!("{line}")).context(ELSEWHERE)?;
            Toolchain::find(&workspace)?
        }
    };
    eprintln!("BPF toolchain: {toolchain}");
    Ok(toolchain)
}
