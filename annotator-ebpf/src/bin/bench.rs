//! Measures the engine: runs it many times inside one test run, with another packet each time.
//!
//! Each `bench_` program changes the packet as the globals below say, and hands it to the engine, to a hash map of the kernel's, or to nobody; the
//! difference to `bench_nothing` is what a packet costs. The `live_` programs send and receive frames over a pair of devices.
#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry-point macro generates functions that cannot carry documentation")]

use annotator_ebpf::{XdpFrame, watch};
use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_TX};
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, LruHashMap};
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

/// Every so many packets, a power of two, one comes from a scanner; 0 for never.
#[unsafe(no_mangle)]
static SCANNER_EVERY: u32 = 0;
/// Address of the first of [`SCANNERS`] scanners, in memory order.
const SCANNER: u32 = u32::from_ne_bytes([9, 9, 9, 0]);
/// How many they are.
const SCANNERS: u64 = 8;

/// What the kernel itself offers for keeping track of sources, for comparison.
#[map]
static LRU: LruHashMap<u32, u64> = LruHashMap::with_max_entries(16384, 0);

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
        let mut source = (0x0101_0101 & !source_mask) | ((random >> 32) as u32 & source_mask);
        let every = u64::from(setting(&SCANNER_EVERY));
        if every != 0 && number & (every - 1) == 0 {
            source = SCANNER + (((number / every) % SCANNERS) as u32) * u32::from_ne_bytes([0, 0, 0, 1]);
        }
        // SAFETY: within the packet, as just checked.
        unsafe { place.write_unaligned(source) };
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

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn annotator_lru(context: *mut xdp_md) -> u32 {
    let ctx = XdpContext::new(context);
    let place = ctx.data() + SOURCE_OF_IPV4;
    if place + 4 > ctx.data_end() {
        return XDP_PASS;
    }
    // SAFETY: within the packet, as just checked.
    let source = unsafe { (place as *const u32).read_unaligned() };
    match LRU.get_ptr_mut(source) {
        // SAFETY: the element belongs to the map, which never gives memory back while the program runs.
        Some(count) => unsafe { *count += 1 },
        None => {
            // A full map throws out another entry; there is nothing to do about a failure here.
            LRU.insert(source, 1, 0).ok();
        }
    }
    XDP_PASS
}

/// Where the source address stands behind an Ethernet header.
const SOURCE_OF_IPV4: usize = 26;

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

#[xdp]
pub fn bench_lru(ctx: XdpContext) -> u32 {
    rounds(&ctx, annotator_lru)
}

/// Sends the frame out of the device that it is said to have come from.
#[xdp]
pub fn live_send(_ctx: XdpContext) -> u32 {
    XDP_TX
}

#[xdp]
pub fn live_pass(ctx: XdpContext) -> u32 {
    annotator_engine(ctx.as_ptr().cast())
}

#[xdp]
pub fn live_drop(ctx: XdpContext) -> u32 {
    annotator_engine(ctx.as_ptr().cast());
    XDP_DROP
}

#[xdp]
pub fn live_empty_pass(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

#[xdp]
pub fn live_empty_drop(_ctx: XdpContext) -> u32 {
    XDP_DROP
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
