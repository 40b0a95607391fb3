//! `cargo xtask test`: every check there is.
//!
//! A failure does not stop what comes after it; the last line counts all of them.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

use annotator_toolchain::{Toolchain, cache, command, ebpf, workspace};
use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{fuzz, host, kernels, package, peers, setup};

/// The package whose tests make network devices and load BPF programs.
const PRIVILEGED: &str = "annotator-tests";

/// What those tests start, and Debian's packages of it.
const TOOLS: [(&str, &str); 9] = [
    ("ip", "iproute2"),
    ("nmap", "nmap"),
    ("masscan", "masscan"),
    ("hping3", "hping3"),
    ("traceroute", "traceroute"),
    ("fping", "fping"),
    ("curl", "curl"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

#[derive(Args)]
pub struct Options {
    /// Leave out the documentation, fuzzing, the kernel matrix and the package.
    #[arg(long)]
    quick: bool,
    /// Seconds for each fuzz target.
    #[arg(long, default_value_t = 20)]
    fuzz_seconds: u32,
}

/// What a step has to show: how many passed, how many failed.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
}

impl Counts {
    const PASSED: Self = Self { passed: 1, failed: 0 };

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs all steps, and fails when one has.
pub fn run(options: &Options) -> Result<()> {
    let toolchain = setup::run()?;
    for (program, package) in TOOLS {
        host::require(program, package, "testing")?;
    }
    peers::fetch()?;
    let mut session = Session::default();
    session.step("format", || passes(&mut host::cargo(&["fmt", "--all", "--check"])));
    session.step("format of the BPF side", || passes(&mut bpf_format()));
    session.step("clippy", || {
        passes(&mut host::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    session.step("clippy of the BPF side", || passes(&mut bpf_clippy(&toolchain)?));
    if !options.quick {
        session.step("documentation", || {
            passes(
                host::cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            )
        });
    }
    // Tests start the programs that people start.
    session.step("programs", || passes(&mut host::cargo(&["build", "--workspace", "--bins"])));
    session.step("tests", || tests(&mut unprivileged_tests()));
    session.step("tests with root", || tests(&mut privileged_tests()?));
    if !options.quick {
        session.step("fuzzing", || fuzz::all(options.fuzz_seconds));
        session.step("kernels", kernels::all);
        session.step("package", || package::all(&package::Options::default()));
    }
    session.close()
}

#[derive(Default)]
struct Session {
    total: Counts,
    failed: Vec<&'static str>,
}

impl Session {
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<Counts>) {
        println!("== {name}");
        let start = Instant::now();
        let counts = work().unwrap_or_else(|error| {
            println!("error: {error:#}");
            Counts { passed: 0, failed: 1 }
        });
        self.total.add(counts);
        let verdict = if counts.failed == 0 { "ok" } else { "FAILED" };
        println!("== {name}: {verdict} ({:.1} s)\n", start.elapsed().as_secs_f32());
        if counts.failed > 0 {
            self.failed.push(name);
        }
    }

    fn close(self) -> Result<()> {
        let Counts { passed, failed } = self.total;
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        }
        println!("{passed} passed, {failed} failed");
        if failed > 0 {
            // All has been said; the line above stays the last one.
            std::process::exit(1);
        }
        Ok(())
    }
}

/// A command that passes or fails as a whole.
fn passes(check: &mut Command) -> Result<Counts> {
    command::show(check)?;
    Ok(Counts::PASSED)
}

fn bpf_manifest() -> String {
    workspace().join(ebpf::PACKAGE).join("Cargo.toml").display().to_string()
}

fn bpf_format() -> Command {
    host::cargo(&["fmt", "--all", "--manifest-path", &bpf_manifest(), "--check"])
}

fn bpf_clippy(toolchain: &Toolchain) -> Result<Command> {
    let scratch = cache(&workspace()).join("ebpf/clippy");
    let mut clippy = toolchain.clippy().with_context(|| {
        format!("{toolchain} has no clippy; Debian's is in rust-web-clippy, rustup's in: rustup component add clippy --toolchain nightly")
    })?;
    clippy
        .args(["--manifest-path", &bpf_manifest(), "--release", "--target-dir"])
        .arg(&scratch)
        .env("CARGO_BUILD_BUILD_DIR", &scratch)
        .args(["--", "-D", "warnings"]);
    Ok(clippy)
}

/// The tests that take no root.
///
/// The property tests draw the same cases in every run, so that a commit passes or fails alike everywhere; the fuzz targets, and a plain `cargo test`, look for new ones.
fn unprivileged_tests() -> Command {
    let mut cargo = host::cargo(&["test", "--workspace", "--exclude", PRIVILEGED, "--no-fail-fast"]);
    cargo.env("PROPTEST_RNG_SEED", "1");
    cargo
}

/// The tests that take root: as they are when we are root, else each test program through sudo.
fn privileged_tests() -> Result<Command> {
    let mut cargo = host::cargo(&["test", "--package", PRIVILEGED, "--no-fail-fast"]);
    // Root may have no cargo to build it with.
    cargo.env("ANNOTATOR_BINARY", host::artifacts()?.join("debug/annotator"));
    if !host::is_root() {
        if command::on_path("sudo").is_none() {
            bail!(
                "these tests load BPF programs and make network devices, which takes root, and sudo is not here; run this command as root"
            );
        }
        cargo.args(["--config", "target.'cfg(all())'.runner = ['sudo', '--preserve-env', '--']"]);
    }
    Ok(cargo)
}

/// Runs `cargo test`, shows what it prints, and adds up its closing lines.
fn tests(cargo: &mut Command) -> Result<Counts> {
    // An error says by itself what was tried; where it was made would bury that.
    cargo.env("RUST_LIB_BACKTRACE", "0");
    let mut child =
        cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{}`", command::line(cargo)))?;
    let output = child.stdout.take().context("the output of cargo test is not a pipe")?;
    let mut counts = Counts::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read the output of cargo test")?;
        println!("{line}");
        counts.add(closing_line(&line).unwrap_or_default());
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    if !status.success() && counts.failed == 0 {
        // Not a test but a compilation or a whole test program has failed.
        println!("error: `{}` failed ({status})", command::line(cargo));
        counts.failed = 1;
    }
    Ok(counts)
}

/// Reads `test result: ok. 3 passed; 0 failed; …`.
fn closing_line(line: &str) -> Option<Counts> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = numbers.split("; ").filter_map(|part| part.split(' ').next()?.parse().ok());
    Some(Counts { passed: numbers.next()?, failed: numbers.next()? })
}

#[cfg(test)]
mod tests {
    use super::closing_line;

    #[test]
    fn closing_lines_are_counted() {
        let counts = closing_line(
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        let counts = counts.expect("a closing line");
        assert_eq!((counts.passed, counts.failed), (12, 3));
        assert!(closing_line("test fuzz ... ok").is_none());
    }
}
