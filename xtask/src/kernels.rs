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

use crate::{setup, test::Counts};

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

/// Boots the kernels that were asked for.
pub fn run(options: &Options) -> Result<()> {
    setup::run()?;
    let counts = matrix(options)?;
    println!("kernels: {} passed, {} failed", counts.passed, counts.failed);
    if counts.failed > 0 {
        bail!(
            "the BPF program does not work on every kernel; to see all that one prints: cargo xtask kernels --verbose NAME"
        );
    }
    Ok(())
}

/// The whole matrix, for the test command.
pub fn all() -> Result<Counts> {
    matrix(&Options { only: None, update: false, verbose: false })
}

fn matrix(options: &Options) -> Result<Counts> {
    boot::require_qemu()?;
    let is_wanted = |kernel: &&fetch::Kernel| {
        options.only.as_ref().is_none_or(|only| format!("{} {}", kernel.version, kernel.suite.name).contains(only))
    };
    let wanted: Vec<_> = fetch::KERNELS.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        bail!("no kernel is named `{}`; there are {}", options.only.as_deref().unwrap_or_default(), fetch::names());
    }
    let kernels = wanted.into_iter().map(|kernel| fetch::fetch(kernel, options.update)).collect::<Result<Vec<_>>>()?;
    let guest = guest::build()?;
    let mut counts = Counts::default();
    for kernel in &kernels {
        let start = Instant::now();
        let outcome = boot::boot(kernel, &guest, options.verbose);
        let seconds = start.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => {
                println!("kernel {} ... ok ({seconds:.1} s)", kernel.release);
                counts.passed += 1;
            }
            Err(error) => {
                println!("kernel {} ... FAILED ({seconds:.1} s)\n{error:#}", kernel.release);
                counts.failed += 1;
            }
        }
    }
    Ok(counts)
}
