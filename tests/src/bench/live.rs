//! Frames over a pair of devices: how many a second arrive with the annotator and with an empty program, and whether all were counted.

use std::thread;
use std::time::{Duration, Instant};

use annotator::live::kernel::Kernel;
use annotator_common::Ledger;
use annotator_testnet::Namespace;
use anyhow::{Context as _, Result};
use aya::programs::{TestRun as _, TestRunAttrs, TestRunOptions, XdpMode};

use super::{Effort, frames, load, program, report::Live, report::LiveBoth, settings};
use crate::{BENCH_OBJECT, netlink};

const SENDER: &str = "bench-send";
const RECEIVER: &str = "bench-recv";
/// Frames that the kernel makes at once; more than a device's ring of 256 would be lost.
const BATCH: u32 = 64;
/// Runs of which the fastest counts.
const RUNS: u32 = 3;
/// What is on its way when the last frame was sent.
const SETTLE: Duration = Duration::from_millis(100);

/// Measures with a receiver that hands frames to the network stack, and with one that drops them.
pub fn measure(effort: Effort) -> Result<LiveBoth> {
    let namespace = Namespace::new()?;
    namespace.enter(|| {
        netlink::add_veth(SENDER, RECEIVER)?;
        netlink::set_up(SENDER)?;
        netlink::set_up(RECEIVER)?;
        Ok(LiveBoth {
            pass: one(effort, "live_empty_pass", "live_pass")?,
            drop: one(effort, "live_empty_drop", "live_drop")?,
        })
    })
}

fn one(effort: Effort, empty: &str, full: &str) -> Result<Live> {
    let settings = settings();
    let mut kernel = Kernel::open(BENCH_OBJECT, &settings)?;
    load(&mut kernel, &["live_send", empty, full])?;
    let (mut empty_pps, mut annotator_pps, mut sent) = (0.0_f64, 0.0_f64, 0);
    for _ in 0..RUNS {
        empty_pps = empty_pps.max(rate(&mut kernel, empty, effort)?);
        annotator_pps = annotator_pps.max(rate(&mut kernel, full, effort)?);
        sent += u64::from(effort.live_frames);
    }
    // SAFETY: a ledger is made of integers, for which zero is a value.
    let mut sum = unsafe { Box::<Ledger>::new_zeroed().assume_init() };
    kernel.ledgers.sum_into(&mut sum);
    Ok(Live { empty_pps, annotator_pps, sent, counted: sum.udp(frames::UDP_PORT).packets })
}

/// Frames per second with `receiver` attached.
fn rate(kernel: &mut Kernel, receiver: &str, effort: Effort) -> Result<f64> {
    let link = program(&mut kernel.ebpf, receiver)?
        .attach(RECEIVER, XdpMode::Driver)
        .with_context(|| format!("attaching {receiver} to {RECEIVER}"))?;
    let frame = frames::udp_v4();
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
    let sender = u32::try_from(netlink::index(SENDER)?).context("a device with a negative index")?;
    let context: Vec<u8> = [0, frame.len() as u32, 0, sender, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
    let options = TestRunOptions {
        data_in: Some(&frame),
        ctx_in: Some(&context),
        repeat: effort.live_frames,
        attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
        ..TestRunOptions::new()
    };
    let start = Instant::now();
    program(&mut kernel.ebpf, "live_send")?.test_run(options).context("sending live frames")?;
    let seconds = start.elapsed().as_secs_f64();
    thread::sleep(SETTLE);
    program(&mut kernel.ebpf, receiver)?.detach(link).with_context(|| format!("detaching {receiver}"))?;
    Ok(f64::from(effort.live_frames) / seconds)
}
