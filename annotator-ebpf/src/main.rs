//! The XDP program: hands every arriving frame to the engine and lets it pass.
//!
//! Nothing here drops, changes or redirects a packet: every path returns `XDP_PASS`.
#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry-point macro generates functions that cannot carry documentation")]

use annotator_ebpf::{XdpFrame, watch};
use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;

/// For packets that lie in one buffer: every kernel, and devices with an MTU that fits a page.
#[xdp]
pub fn annotator(ctx: XdpContext) -> u32 {
    watch(&XdpFrame::linear(&ctx));
    XDP_PASS
}

/// For packets in several buffers (jumbo frames): kernels from 5.18.
#[xdp(frags)]
pub fn annotator_frags(ctx: XdpContext) -> u32 {
    watch(&XdpFrame::with_frags(&ctx));
    XDP_PASS
}

/// Never attached: the loader runs it by `BPF_PROG_TEST_RUN` to learn how fast ticks go by. Its result is the tick, not an XDP action.
#[xdp]
pub fn clock(_ctx: XdpContext) -> u32 {
    annotator_ebpf::ticks()
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
