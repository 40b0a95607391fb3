//! Handing packets to the agent.

use annotator_common::ledger::Tally;
use annotator_common::{Frame, Journal, News, Sample};
use aya_ebpf::bindings::{BPF_RB_NO_WAKEUP, xdp_md};
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_log_ebpf::warn;

use crate::frame::XdpFrame;
use crate::maps::SAMPLES;

/// The agent polls; waking it for each sample would cost more than the sample.
const NO_WAKEUP: u64 = BPF_RB_NO_WAKEUP as u64;

/// Copies the first bytes of the frame into the ring buffer. Says what became of the sample.
#[inline(always)]
pub fn hand_out(frame: &XdpFrame, news: News, journal: &Journal) -> Tally {
    if annotator_copy(frame.context(), frame.len(), news.0) == 0 {
        return Tally::Samples;
    }
    if journal.tallied(Tally::SamplesRingFull) == 0 {
        annotator_log_ring_full();
    }
    Tally::SamplesRingFull
}

/// A BPF subprogram, because samples are rare and copying them is long. Returns 0, or 1 where the ring buffer was full.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn annotator_copy(context: *mut xdp_md, frame_length: u32, news: u32) -> u32 {
    let frame = XdpFrame::again(context, frame_length);
    let Some(mut entry) = SAMPLES.reserve::<Sample>(0) else { return 1 };
    // SAFETY: the reserved memory is as large as a sample and aligned to eight; every field is a plain integer, and those that are read are
    // written by `fill`.
    let sample = unsafe { &mut *entry.as_mut_ptr() };
    // SAFETY: the helper takes nothing.
    sample.fill(&frame, unsafe { bpf_ktime_get_ns() }, News(news));
    entry.submit(NO_WAKEUP);
    0
}

/// Tells the agent's log that samples are being lost: once per CPU, and in a BPF subprogram, because formatting is long.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn annotator_log_ring_full() -> u32 {
    warn!(
        &(),
        "the sample buffer is full on CPU {}; from here on samples are lost, and counted as withheld",
        crate::maps::cpu()
    );
    0
}
