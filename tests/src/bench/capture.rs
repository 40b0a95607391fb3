//! `annotator read` on a capture made here: packets per second, and memory.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use super::{Effort, frames, report::Read};

/// Runs of which the fastest counts.
const RUNS: u32 = 3;
const MICROSECONDS_BETWEEN: u64 = 10;
/// Sources in the capture.
const SOURCES: u32 = 4096;

/// Makes a capture, lets the agent read it, and removes it.
pub fn measure(effort: Effort, agent: &Path) -> Result<Read> {
    let file = Scratch::new("packets");
    write(&file.0, traffic(effort.capture_packets)).with_context(|| format!("writing {}", file.0.display()))?;
    let mut seconds = f64::INFINITY;
    let mut rss_mib = 0.0_f64;
    for _ in 0..RUNS {
        let start = Instant::now();
        rss_mib = rss_mib.max(read(agent, &file.0)?);
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    Ok(Read { packets_per_second: f64::from(effort.capture_packets) / seconds, rss_mib })
}

/// A file that does not outlive the measurement.
pub(super) struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        Scratch(std::env::temp_dir().join(format!("annotator-bench-{name}-{}.pcap", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Seven in ten packets are data of running connections, two are UDP, one opens a connection.
fn traffic(packets: u32) -> impl Iterator<Item = (u64, Vec<u8>)> {
    let kinds = [frames::tcp_v4(frames::DATA, 20), frames::udp_v4(), frames::tcp_v4(frames::SYN, 0)];
    (0..packets).map(move |number| {
        let kind = match number % 10 {
            0..7 => 0,
            7 | 8 => 1,
            _ => 2,
        };
        let mut frame = kinds[kind].clone();
        let source = number.wrapping_mul(0x9e37_79b1) >> 8 & (SOURCES - 1);
        frame[28..30].copy_from_slice(&(source as u16).to_be_bytes());
        (u64::from(number) * MICROSECONDS_BETWEEN, frame)
    })
}

/// Writes frames with their times in microseconds.
pub(super) fn write(path: &Path, frames: impl Iterator<Item = (u64, Vec<u8>)>) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    // Magic of microseconds, version 2.4, zone, accuracy, snap length, Ethernet.
    for field in [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 65_535, 1] {
        out.write_all(&field.to_ne_bytes())?;
    }
    for (at, frame) in frames {
        for field in [1_700_000_000 + (at / 1_000_000) as u32, (at % 1_000_000) as u32] {
            out.write_all(&field.to_ne_bytes())?;
        }
        for _ in ["captured", "on the wire"] {
            out.write_all(&(frame.len() as u32).to_ne_bytes())?;
        }
        out.write_all(&frame)?;
    }
    out.flush()?;
    Ok(())
}

/// Runs the agent; says how many MiB it held at most.
pub(super) fn read(agent: &Path, capture: &Path) -> Result<f64> {
    let child = Command::new(agent)
        .args(["read", "--format", "json"])
        .arg(capture)
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {}; build it with: cargo build --release", agent.display()))?;
    let mut status = 0;
    // SAFETY: zero is a value of every field; the call writes status and usage of a child that is ours and not yet waited for.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::wait4(child.id().cast_signed(), &raw mut status, 0, &raw mut usage) < 0 {
            return Err(std::io::Error::last_os_error()).context("waiting for the agent");
        }
        usage
    };
    if status != 0 {
        bail!("{} could not read the capture (wait status {status})", agent.display());
    }
    Ok(usage.ru_maxrss as f64 / 1024.0)
}
