//! `cargo xtask fuzz`: searches for frames that the engine stumbles over.
//!
//! The targets in `fuzz/` are laid out as `cargo fuzz` wants them. They also run without it, and without a nightly compiler:
//! all that libFuzzer needs is coverage, which stable Rust gives by LLVM's own switches.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
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
/// Of what the fuzzer says about a failure.
const LAST_LINES: usize = 60;
/// What `cargo fuzz` passes too, without the sanitizer: the engine has no pointers to watch.
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
    let mut fuzzer = Command::new(&program);
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
    run_fuzzer(&mut fuzzer, target, &scratch.join(format!("{target}.log")))
}

/// libFuzzer talks much; it is shown when something was found, else in one line.
fn run_fuzzer(fuzzer: &mut Command, target: &str, log: &Path) -> Result<()> {
    let file = fs::File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    fuzzer.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let status = fuzzer.status().with_context(|| format!("cannot start `{}`", command::line(fuzzer)))?;
    let said =
        String::from_utf8_lossy(&fs::read(log).with_context(|| format!("cannot read {}", log.display()))?).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    if !status.success() {
        let end = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        bail!(
            "{target} found an input that fails; give the file named below to {} to see it again\n{end}",
            fuzzer.get_program().display()
        );
    }
    let executed = lines.iter().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    println!("fuzzing {target}: {} inputs, none fails", executed.unwrap_or("?").trim());
    Ok(())
}
