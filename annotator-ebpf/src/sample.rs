//! Handing packets to the agent.

use annotator_common::ledger::Tally;
use annotator_common::{News, Sample};
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::bpf_ktime_get_ns;

use crate::frame::XdpFrame;
use crate::maps::SAMPLES;

/// Copies the first bytes of the frame into the ring buffer. Says what became of the sample.
#[inline(always)]
pub fn hand_out(frame: &XdpFrame, news: News) -> Tally {
    use annotator_common::Frame;
    if annotator_copy(frame.context(), frame.len(), news.0) == 0 { Tally::Samples } else { Tally::SamplesRingFull }
}

/// A BPF subprogram, because samples are rare and copying them is long. Returns 0, or 1 where the ring buffer was full.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn annotator_copy(context: *mut xdp_md, frame_length: u32, news: u32) -> u32 {
    let frame = XdpFrame::again(context, frame_length);
    let Some(mut entry) = SAMPLES.reserve::<Sample>(0) else { return 1 };
    // SAFETY: the reserved memory is as large as a sample and aligned to eight; every field is a plain integer, and `fill` writes them all.
    let sample = unsafe { &mut *entry.as_mut_ptr() };
    // SAFETY: the helper takes nothing.
    sample.fill(&frame, unsafe { bpf_ktime_get_ns() }, News(news));
    entry.submit(0);
    0
}
