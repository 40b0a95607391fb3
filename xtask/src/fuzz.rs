//! `cargo xtask fuzz`: searches for frames that the engine stumbles over.
//!
//! The targets in `fuzz/` are laid out as `cargo fuzz` wants them. They also run without it, and without a nightly compiler:
//! all that libFuzzer needs is coverage, which stable Rust gives by LLVM's own switches.

use std::{
    fs,
    path::{Path, PathBuf},
};

use annotator_toolchain::{cache, command, workspace};
use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{host, test::Counts};

#[derive(Args)]
pub struct Options {
    /// Only this target.
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What `cargo fuzz` passes too, without the sanitizer: the engine has no unsafe code to watch.
const FLAGS: [&str; 9] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // One unit: the counters of a function that was split off would be lost.
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "-Coverflow-checks",
];

/// Runs one target or all of them.
pub fn run(options: &Options) -> Result<()> {
    let mut failed = Vec::new();
    let targets = targets()?;
    let wanted: Vec<&String> =
        targets.iter().filter(|target| options.target.as_ref().is_none_or(|only| only == *target)).collect();
    if wanted.is_empty() {
        bail!("there is no such fuzz target; there are: {}", targets.join(", "));
    }
    for target in wanted {
        if let Err(error) = fuzz(target, options.seconds) {
            eprintln!("error: {error:#}");
            failed.push(target.as_str());
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// All targets, for the test command.
pub fn all(seconds: u32) -> Result<Counts> {
    let mut counts = Counts::default();
    for target in targets()? {
        match fuzz(&target, seconds) {
            Ok(()) => counts.passed += 1,
            Err(error) => {
                println!("error: {error:#}");
                counts.failed += 1;
            }
        }
    }
    Ok(counts)
}

fn folder() -> PathBuf {
    workspace().join("fuzz")
}

/// The files in `fuzz/fuzz_targets`, which name the targets.
fn targets() -> Result<Vec<String>> {
    let dir = folder().join("fuzz_targets");
    let mut targets = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = file.file_stem()
        {
            targets.push(name.to_string_lossy().into_owned());
        }
    }
    targets.sort();
    Ok(targets)
}

fn fuzz(target: &str, seconds: u32) -> Result<()> {
    host::require("c++", "g++", "building libFuzzer")?;
    let scratch = cache(&workspace()).join("fuzz");
    let mut build =
        host::cargo(&["build", "--quiet", "--release", "--target", TARGET, "--bin", target, "--manifest-path"]);
    build
        .arg(folder().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&scratch)
        .env("CARGO_BUILD_BUILD_DIR", &scratch)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    command::show(&mut build).with_context(|| format!("cannot build the fuzz target {target}"))?;

    // What is found goes to the first folder; the seeds in the repository stay as they are.
    let found = scratch.join("corpus").join(target);
    let crashes = scratch.join("crashes");
    for dir in [&found, &crashes] {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let program = scratch.join(TARGET).join("release").join(target);
    let mut fuzzer = std::process::Command::new(&program);
    fuzzer.arg(&found);
    let seeds = folder().join("corpus").join(target);
    if seeds.exists() {
        fuzzer.arg(&seeds);
    }
    fuzzer
        .args(["-print_final_stats=1", "-verbosity=0"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/{target}-", crashes.display()));
    println!("fuzzing {target} for {seconds} s");
    run_fuzzer(&mut fuzzer, target, &crashes)
}

fn run_fuzzer(fuzzer: &mut std::process::Command, target: &str, crashes: &Path) -> Result<()> {
    command::show(fuzzer).with_context(|| {
        format!(
            "{target} found an input that fails; it lies in {}. To see it again start the program with that file",
            crashes.display()
        )
    })
}
