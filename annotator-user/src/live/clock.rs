//! The kernel's ticks and monotonic clock → moments.

use std::time::Duration;

use annotator_common::Ticks;
use anyhow::{Context, Result, ensure};
use aya::EbpfLoader;
use aya::programs::{TestRun, TestRunOptions, Xdp};

use crate::observation::Moment;

/// Frequencies that a kernel can be built with (`CONFIG_HZ`).
const FREQUENCIES: [u32; 6] = [24, 48, 100, 250, 300, 1000];
/// How long ticks are watched: long enough to tell 250 from 300.
const WATCHED: Duration = Duration::from_millis(120);
/// The shortest frame that a test run takes.
const ANY_FRAME: [u8; 14] = [0; 14];

/// Ticks per second, and which tick was when.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    hertz: u32,
    tick: Ticks,
    /// Nanoseconds of the monotonic clock at `tick`.
    at: i64,
}

impl Clock {
    /// Asks the kernel, by running the object's `clock` program twice. Nothing is attached.
    pub fn measure(object: &[u8]) -> Result<Self> {
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("BOOKS", 1)
            .map_max_entries("TYPES", 1)
            .load(object)
            .context("creating BPF maps")?;
        let program: &mut Xdp = ebpf.program_mut("clock").context("the BPF object has no program clock")?.try_into()?;
        program.load().context("loading a BPF program")?;
        let read = || -> Result<(Ticks, i64)> {
            let options = TestRunOptions { data_in: Some(&ANY_FRAME), ..TestRunOptions::new() };
            let ticks = program.test_run(options).context("running a BPF program")?.return_value;
            Ok((ticks, monotonic()))
        };
        let (first, start) = read()?;
        std::thread::sleep(WATCHED);
        let (tick, at) = read()?;
        let measured = f64::from(tick.wrapping_sub(first)) * 1e9 / (at - start).max(1) as f64;
        ensure!(measured > 0.0, "the kernel's tick counter stands still");
        let distance = |hertz: u32| (f64::from(hertz).ln() - measured.ln()).abs();
        let hertz = FREQUENCIES.into_iter().min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap_or(250);
        Ok(Clock { hertz, tick, at })
    }

    /// Shift by which ticks become about seconds: see [`annotator_common::Settings::second_shift`].
    pub fn second_shift(&self) -> u32 {
        (f64::from(self.hertz)).log2().round() as u32
    }

    /// Brings the reference close to now, so that ticks, which wrap, are told apart.
    pub fn advance(&mut self) {
        let passed = (monotonic() - self.at) / 1_000_000_000;
        if passed > 0 {
            self.tick = self.tick.wrapping_add((passed as u32).wrapping_mul(self.hertz));
            self.at += passed * 1_000_000_000;
        }
    }

    /// When a tick was. `offset` is [`wall_offset`].
    pub fn moment(&self, ticks: Ticks, offset: i64) -> Moment {
        let since = i64::from(ticks.wrapping_sub(self.tick) as i32);
        Moment(self.at + since * 1_000_000_000 / i64::from(self.hertz) + offset)
    }
}

/// Nanoseconds of the monotonic clock, which is what the kernel stamps samples with.
pub fn monotonic() -> i64 {
    read_clock(libc::CLOCK_MONOTONIC)
}

/// What must be added to the monotonic clock to get nanoseconds since the Unix epoch.
pub fn wall_offset() -> i64 {
    read_clock(libc::CLOCK_REALTIME) - monotonic()
}

fn read_clock(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place to write to; these two clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
