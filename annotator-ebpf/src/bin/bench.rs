//! Measures the engine: runs it many times inside one test run, with another packet each time.
//!
//! Each program reads `ROUNDS` and `VARY` (see [`Vary`]), changes the packet, and calls either the engine or nothing; the
//! difference between `engine` and `nothing` is what the engine adds to a packet.
#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry-point macro generates functions that cannot carry documentation")]

use annotator_ebpf::{XdpFrame, watch};
use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::Array;
use aya_ebpf::programs::XdpContext;

/// Packets per run; a constant, so that the verifier sees the loop's end.
const ROUNDS: u32 = 512;

/// Number of the next packet, so that runs go on where the last one stopped.
#[map]
static NEXT: Array<u64> = Array::with_max_entries(1, 0);

/// What changes from packet to packet: bit masks over a pseudo-random number, written before loading.
#[unsafe(no_mangle)]
static SOURCE_MASK: u32 = 0;
/// As above, for the destination port.
#[unsafe(no_mangle)]
static PORT_MASK: u16 = 0;
/// Byte offset of the source address (its last four bytes) in the frame.
#[unsafe(no_mangle)]
static SOURCE_AT: u32 = 26;
/// Byte offset of the destination port in the frame.
#[unsafe(no_mangle)]
static PORT_AT: u32 = 36;

#[inline(always)]
fn setting<T: Copy>(value: &T) -> T {
    // SAFETY: a reference to a static is valid; volatile, because the loader changes the value after compilation.
    unsafe { core::ptr::read_volatile(value) }
}

/// Writes another source address and destination port into the frame.
#[inline(always)]
fn vary(ctx: &XdpContext, number: u64) {
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (data, end) = (ctx.data(), ctx.data_end());
    let (source_at, port_at) = ((setting(&SOURCE_AT) & 0x7f) as usize, (setting(&PORT_AT) & 0x7f) as usize);
    let (source_mask, port_mask) = (setting(&SOURCE_MASK), setting(&PORT_MASK));
    if source_mask != 0 && data + source_at + 4 <= end {
        let place = (data + source_at) as *mut u32;
        // SAFETY: within the packet, as just checked.
        unsafe { place.write_unaligned((0x0101_0101 & !source_mask) | ((random >> 32) as u32 & source_mask)) };
    }
    if port_mask != 0 && data + port_at + 2 <= end {
        let place = (data + port_at) as *mut u16;
        // SAFETY: within the packet, as just checked.
        unsafe { place.write_unaligned((random >> 16) as u16 & port_mask) };
    }
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn annotator_engine(context: *mut xdp_md) -> u32 {
    watch(&XdpFrame::linear(&XdpContext::new(context)));
    XDP_PASS
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn annotator_nothing(context: *mut xdp_md) -> u32 {
    // SAFETY: the context is the one the kernel handed in; volatile, so that the call is not optimised away.
    unsafe { core::ptr::read_volatile(&raw const (*context).rx_queue_index) };
    XDP_PASS
}

#[inline(always)]
fn rounds(ctx: &XdpContext, each: extern "C" fn(*mut xdp_md) -> u32) -> u32 {
    let Some(next) = NEXT.get_ptr_mut(0) else { return XDP_PASS };
    // SAFETY: only this program writes the element.
    let mut number = unsafe { *next };
    for _ in 0..ROUNDS {
        vary(ctx, number);
        number = number.wrapping_add(1);
        each(ctx.as_ptr().cast());
    }
    // SAFETY: as above.
    unsafe { *next = number };
    XDP_PASS
}

#[xdp]
pub fn bench_engine(ctx: XdpContext) -> u32 {
    rounds(&ctx, annotator_engine)
}

#[xdp]
pub fn bench_nothing(ctx: XdpContext) -> u32 {
    rounds(&ctx, annotator_nothing)
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
