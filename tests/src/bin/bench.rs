//! `bench [--quick] [--json]`: what the annotator costs. Needs root; `cargo xtask bench` builds and starts it.

use std::process::ExitCode;

use annotator::live::privileges;
use annotator_tests::bench::{self, Effort};
use anyhow::{Context as _, Result};

const USAGE: &str = "usage: cargo xtask bench -- [--quick] [--json]";

fn main() -> ExitCode {
    let (mut effort, mut json) = (Effort::FULL, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => effort = Effort::QUICK,
            "--json" => json = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("error: unknown argument {other}\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    match measure(effort, json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(effort: Effort, json: bool) -> Result<()> {
    privileges::check()?;
    privileges::raise_memory_limit();
    // The agent lies beside this program.
    let agent = std::env::current_exe().context("finding the bench program's own place")?.with_file_name("annotator");
    let report = bench::run(effort, &agent)?;
    if json {
        println!("{:#}", report.json());
    } else {
        println!("{report}");
    }
    Ok(())
}
