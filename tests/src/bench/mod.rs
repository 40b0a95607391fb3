//! What the annotator costs: figures as differences and ratios within one run, because the machine differs from run to run.

mod capture;
mod cases;
mod flood;
mod frames;
mod live;
mod recognisers;
mod report;
mod xdp_filter;

use std::path::Path;

use annotator::live::kernel::Kernel;
use annotator_common::{Settings, settings::Budget};
use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::programs::{TestRun as _, TestRunOptions, Xdp};

pub use report::Report;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Pairs of runs per case, engine and empty program in turn.
    pairs: usize,
    /// Test runs' repetitions, of [`ROUNDS`] packets each.
    repeat: u32,
    /// Live frames per run.
    live_frames: u32,
    /// Packets of the capture.
    capture_packets: u32,
}

impl Effort {
    /// Minutes, for figures to be quoted.
    pub const FULL: Effort = Effort { pairs: 60, repeat: 400, live_frames: 2_000_000, capture_packets: 5_000_000 };
    /// Less than a minute.
    pub const QUICK: Effort = Effort { pairs: 15, repeat: 100, live_frames: 300_000, capture_packets: 1_000_000 };
}

/// Packets that the bench programs make of each one that they get; the same number stands in the BPF program.
const ROUNDS: u32 = 512;

/// Measures everything. `agent` is the binary that reads captures.
pub fn run(effort: Effort, agent: &Path) -> Result<Report> {
    stay_on_this_cpu()?;
    let (cases, peers) = cases::measure(effort)?;
    eprintln!("flood …");
    let (flood, poll_ms) = flood::measure()?;
    eprintln!("live frames …");
    let live = live::measure(effort)?;
    eprintln!("reading a capture …");
    let read = capture::measure(effort, agent)?;
    eprintln!("recognisers …");
    let recognisers = recognisers::measure(agent)?;
    Ok(Report { cases, peers, live, flood, poll_ms, read, recognisers })
}

/// Source tables and caches are per CPU, and what is started from here inherits the choice: one core for all figures.
fn stay_on_this_cpu() -> Result<()> {
    // SAFETY: a CPU set is made of integers, for which zero is a value; the calls read and write that one value.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(usize::try_from(libc::sched_getcpu()).unwrap_or(0), &mut set);
        if libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) != 0 {
            return Err(std::io::Error::last_os_error()).context("pinning the bench to a CPU");
        }
    }
    Ok(())
}

/// The settings of an agent that watches an interface.
fn settings() -> Box<Settings> {
    let mut settings = Box::new(Settings::DEFAULT);
    settings.budget = Budget::LIVE;
    // Jiffies of 4 ms: 256 of them are about a second.
    settings.second_shift = 8;
    settings
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
    Ok(program.try_into()?)
}

fn load(kernel: &mut Kernel, names: &[&str]) -> Result<()> {
    for name in names {
        program(&mut kernel.ebpf, name)?.load().with_context(|| format!("loading {name}"))?;
    }
    Ok(())
}

/// Nanoseconds of one repetition of a program.
fn time(program: &mut Xdp, frame: &[u8], repeat: u32) -> Result<f64> {
    let options = TestRunOptions { data_in: Some(frame), repeat, ..TestRunOptions::new() };
    let result = program.test_run(options).context("running a program on packets")?;
    Ok(result.duration.as_nanos() as f64)
}
