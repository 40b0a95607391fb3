//! Set-up, build, test, bench and demo of `annotator`: `cargo xtask COMMAND`.

mod bench;
mod build;
mod coverage;
mod demo;
mod dist;
mod fuzz;
mod host;
mod kernels;
mod package;
mod peers;
mod run;
mod setup;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set-up, build, test, bench and demo of annotator.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch what building needs and this machine lacks; the other commands call it.
    Setup,
    /// Build everything in release mode.
    Build,
    /// Build, then run the agent on interfaces: cargo xtask run -- eth0
    Run(run::Options),
    /// Run all checks and tests.
    Test(test::Options),
    /// Measure; arguments go to the bench program.
    Bench(bench::Options),
    /// Send traffic through a network of our own and watch the agent explain it.
    Demo(demo::Options),
    /// Tell which rows of a table of findings are met.
    Coverage(coverage::Options),
    /// Search for frames that the engine stumbles over.
    Fuzz(fuzz::Options),
    /// Fetch the programs that tests hold the agent against: Prometheus and an OpenTelemetry collector.
    Peers,
    /// Boot Debian's kernels and load the BPF program on each.
    Kernels(kernels::Options),
    /// Build what is handed out: a static program, a Debian package, checksums.
    Dist,
    /// Install, run, query and remove the Debian package in a system of its own, under systemd.
    PackageTest(package::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup => setup::run().map(|_| ()),
        Command::Build => build::run(),
        Command::Run(options) => run::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Coverage(options) => coverage::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Peers => peers::fetch(),
        Command::Kernels(options) => kernels::run(&options),
        Command::Dist => dist::run().map(|_| ()),
        Command::PackageTest(options) => package::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
