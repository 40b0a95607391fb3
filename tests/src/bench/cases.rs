//! Nanoseconds that a packet costs, by kind of traffic.

use annotator::live::kernel::Kernel;
use anyhow::Result;

use super::{Effort, ROUNDS, frames, load, report::Case, report::Peer, settings, time, xdp_filter};
use crate::BENCH_OBJECT;

/// What varies from packet to packet: bits of the last four bytes of the source address, and of the destination port.
#[derive(Clone, Copy)]
struct Vary {
    source: u32,
    port: u16,
}

const NOTHING: Vary = Vary { source: 0, port: 0 };
/// 8,192 addresses of 1.0-31.x.1 … kept away from ranges that earn flags.
const SOURCES_8K: Vary = Vary { source: 0x001f_ff00_u32.to_be(), port: 0 };
const EVERYTHING: Vary = Vary { source: u32::MAX, port: u16::MAX };

/// All cases; and what others cost on the same packets: the kernel's own LRU hash where sources matter, and xdp-filter where it is installed, whose
/// programs get one packet over and over.
pub fn measure(effort: Effort) -> Result<(Vec<Case>, Vec<Peer>)> {
    let table: [(&'static str, Vec<u8>, Vary); 7] = [
        ("udp-hot", frames::udp_v4(), NOTHING),
        ("tcp-syn-hot", frames::tcp_v4(frames::SYN, 0), NOTHING),
        ("tcp-established", frames::tcp_v4(frames::DATA, 100), NOTHING),
        ("live-sources-8k", frames::tcp_v4(frames::SYN, 0), SOURCES_8K),
        ("flood-random", frames::tcp_v4(frames::SYN, 0), EVERYTHING),
        ("ipv6-one-extension", frames::one_extension(), NOTHING),
        ("ipv4-options-40", frames::options_40(), NOTHING),
    ];
    let (mut cases, mut peers, mut unvaried) = (Vec::new(), Vec::new(), Vec::new());
    for (name, frame, vary) in table {
        eprintln!("{name} …");
        let mut kernel = open(vary)?;
        let (min, median) = added(&mut kernel, "bench_engine", &frame, effort)?;
        cases.push(Case { name, added_ns_min: min, added_ns_median: median });
        if vary.source != 0 || name == "udp-hot" {
            let (min, _) = added(&mut kernel, "bench_lru", &frame, effort)?;
            peers.push(Peer { name: "kernel-lru-hash", case: name, added_ns_min: min });
        }
        if vary.source == 0 {
            unvaried.push((name, frame));
        }
    }
    peers.extend(xdp_filter::measure(unvaried, effort)?);
    Ok((cases, peers))
}

fn open(vary: Vary) -> Result<Kernel> {
    let settings = settings();
    let mut kernel = Kernel::open_with(BENCH_OBJECT, &settings, |loader| {
        // The loader keeps the references until it has loaded; the values are small and the bench is short.
        let vary = Box::leak(Box::new(vary));
        loader.override_global("SOURCE_MASK", &vary.source, true).override_global("PORT_MASK", &vary.port, true);
    })?;
    load(&mut kernel, &["bench_engine", "bench_nothing", "bench_lru"])?;
    Ok(kernel)
}

/// What `program` adds to a packet: its least and its median time, less those of an empty program, which runs in turn with it. Not the least
/// difference of two runs: that is the one in which something else slowed the empty program down.
fn added(kernel: &mut Kernel, program: &str, frame: &[u8], effort: Effort) -> Result<(f64, f64)> {
    // Fills tables and caches.
    time(super::program(&mut kernel.ebpf, program)?, frame, effort.repeat)?;
    let (mut empty, mut full) = (Vec::with_capacity(effort.pairs), Vec::with_capacity(effort.pairs));
    for _ in 0..effort.pairs {
        empty.push(time(super::program(&mut kernel.ebpf, "bench_nothing")?, frame, effort.repeat)?);
        full.push(time(super::program(&mut kernel.ebpf, program)?, frame, effort.repeat)?);
    }
    for times in [&mut empty, &mut full] {
        times.sort_by(f64::total_cmp);
    }
    let difference = |at: usize| (full[at] - empty[at]) / f64::from(ROUNDS);
    Ok((difference(0), difference(effort.pairs / 2)))
}
