//! Does the source table keep the slow scanner while a flood of forged addresses passes through?

use std::time::Instant;

use annotator::live::kernel::Kernel;
use annotator_common::Ledger;
use anyhow::Result;

use super::{ROUNDS, frames, load, program, report::Flood, settings, time};
use crate::BENCH_OBJECT;

/// 16.8 million packets.
const REPEAT: u32 = 1 << 15;
/// Scanners; the same number stands in the BPF program.
const SCANNERS: u32 = 8;
/// One packet in so many comes from a scanner: each sends one in 131,072.
const SCANNER_EVERY: u32 = (1 << 17) / SCANNERS;
/// The scanners' addresses but for the last byte; as in the BPF program.
const SCANNER_NET: [u8; 3] = [9, 9, 9];
/// Readings of which the fastest counts.
const READINGS: usize = 30;

/// What is left of the scanners; and how many milliseconds reading all counters takes afterwards.
pub fn measure() -> Result<(Flood, f64)> {
    let settings = settings();
    let mut kernel = Kernel::open_with(BENCH_OBJECT, &settings, |loader| {
        loader
            .override_global("SOURCE_MASK", &u32::MAX, true)
            .override_global("PORT_MASK", &u16::MAX, true)
            .override_global("SCANNER_EVERY", &SCANNER_EVERY, true);
    })?;
    load(&mut kernel, &["bench_engine"])?;
    time(program(&mut kernel.ebpf, "bench_engine")?, &frames::tcp_v4(frames::SYN, 0), REPEAT)?;

    let sent_each = u64::from(REPEAT) * u64::from(ROUNDS) / u64::from(SCANNER_EVERY * SCANNERS);
    let mut packets = [0_u64; SCANNERS as usize];
    for cpu in 0..kernel.tables.count() {
        for (tag, source) in kernel.tables.entries(cpu) {
            let octets = source.address.low_word().to_ne_bytes();
            if tag != 0 && source.address.is_v4() && octets[..3] == SCANNER_NET && u32::from(octets[3]) < SCANNERS {
                packets[usize::from(octets[3])] += u64::from(source.packets);
            }
        }
    }
    let kept = packets.iter().filter(|&&packets| packets > 0).count();
    let share = packets.iter().sum::<u64>() as f64 / (sent_each * u64::from(SCANNERS)) as f64;
    let flood = Flood { scanners: SCANNERS, kept, packets_kept_percent: share * 100.0 };
    Ok((flood, poll(&kernel)))
}

fn poll(kernel: &Kernel) -> f64 {
    // SAFETY: a ledger is made of integers, for which zero is a value.
    let mut sum = unsafe { Box::<Ledger>::new_zeroed().assume_init() };
    let mut fastest = f64::INFINITY;
    for _ in 0..READINGS {
        let start = Instant::now();
        kernel.ledgers.sum_into(&mut sum);
        fastest = fastest.min(start.elapsed().as_secs_f64() * 1e3);
    }
    fastest
}
