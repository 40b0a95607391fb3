//! `cargo xtask kernels`: the BPF program on every kernel it promises to run on.
//!
//! Each kernel is Debian's, booted under qemu with one static program as its init, which loads and tries the BPF program and
//! says through qemu's exit code how it went.

mod boot;
mod fetch;
mod guest;
mod initramfs;
mod modules;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::setup;

#[derive(Args)]
pub struct Options {
    /// Only kernels whose name contains this, as 5.10 or trixie.
    only: Option<String>,
    /// Fetch the kernels again, for Debian may have newer ones.
    #[arg(long)]
    update: bool,
    /// Show what the kernels print.
    #[arg(long)]
    verbose: bool,
}

/// Boots each kernel and counts those that failed.
pub fn run(options: &Options) -> Result<()> {
    setup::run()?;
    boot::require_qemu()?;
    let wanted: Vec<_> = fetch::KERNELS
        .iter()
        .filter(|kernel| {
            options.only.as_ref().is_none_or(|only| format!("{} {}", kernel.version, kernel.suite.name).contains(only))
        })
        .collect();
    if wanted.is_empty() {
        bail!("no kernel is named `{}`; there are {}", options.only.as_deref().unwrap_or_default(), fetch::names());
    }
    let kernels = wanted.into_iter().map(|kernel| fetch::fetch(kernel, options.update)).collect::<Result<Vec<_>>>()?;
    let guest = guest::build()?;
    let mut failed = Vec::new();
    for kernel in &kernels {
        let start = Instant::now();
        let outcome = boot::boot(kernel, &guest, options.verbose);
        let seconds = start.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => println!("kernel {} ... ok ({seconds:.1} s)", kernel.release),
            Err(error) => {
                println!("kernel {} ... FAILED ({seconds:.1} s)\n{error:#}", kernel.release);
                failed.push(kernel.release.as_str());
            }
        }
    }
    println!("kernels: {} passed, {} failed", kernels.len() - failed.len(), failed.len());
    if !failed.is_empty() {
        bail!("failed on {}; to see more: cargo xtask kernels --verbose {}", failed.join(", "), failed[0]);
    }
    Ok(())
}
