//! The egress program (`annotator run --egress`): remembers whom this host contacts and changes nothing.
//!
//! It runs the same parser as the XDP program on what leaves an interface, and tells the agent of each contact that it has not told of a
//! moment ago. Every path returns `TC_ACT_UNSPEC`, so whatever else is attached decides on the packet.
#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry-point macro generates functions that cannot carry documentation")]

use core::mem::MaybeUninit;

use annotator_common::frame::Pod;
use annotator_common::parse::{extensions, options, parse};
use annotator_common::{Departure, Frame, Link, Peer};
use aya_ebpf::bindings::{__sk_buff, BPF_ANY, BPF_F_MMAPABLE, BPF_RB_NO_WAKEUP, TC_ACT_UNSPEC};
use aya_ebpf::helpers::{bpf_ktime_get_ns, bpf_skb_load_bytes};
use aya_ebpf::macros::{classifier, map};
use aya_ebpf::maps::{Array, LruHashMap, RingBuf};
use aya_ebpf::programs::TcContext;

/// Nanoseconds for which a contact is not told again.
const TOLD_FOR: u64 = 5_000_000_000;
/// The agent polls, as for samples.
const NO_WAKEUP: u64 = BPF_RB_NO_WAKEUP as u64;

/// When each contact was last told. What is contacted all the time stays; the rest is forgotten and told again.
#[map]
static TOLD: LruHashMap<Peer, u64> = LruHashMap::with_max_entries(8192, 0);

/// Contacts on their way to the agent.
#[map]
static DEPARTURES: RingBuf = RingBuf::with_byte_size(1 << 18, 0);

/// How many contacts found no room on that way; mapped by the agent.
#[map]
static LOST: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Whether packets of the interface have no link header. Written by the loader.
#[unsafe(no_mangle)]
static LAYER3: u32 = 0;

#[classifier]
pub fn annotator_out(ctx: TcContext) -> i32 {
    let frame = SkbFrame(ctx.skb.skb);
    if let Some(peer) = Peer::of(&parse(&frame, link())) {
        tell(peer);
    }
    TC_ACT_UNSPEC
}

#[inline(always)]
fn link() -> Link {
    // SAFETY: a reference to a static is valid; volatile, because the loader changes the value after compilation.
    if unsafe { core::ptr::read_volatile(&LAYER3) } != 0 { Link::RawIp } else { Link::Ethernet }
}

#[inline(always)]
fn tell(peer: Peer) {
    // SAFETY: the helper takes nothing.
    let nanoseconds = unsafe { bpf_ktime_get_ns() };
    // SAFETY: a whole word, which the kernel replaces as one.
    if let Some(told) = unsafe { TOLD.get(peer) }
        && nanoseconds.wrapping_sub(*told) < TOLD_FOR
    {
        return;
    }
    if DEPARTURES.output::<Departure>(Departure { peer, nanoseconds }, NO_WAKEUP).is_err() {
        if let Some(lost) = LOST.get_ptr_mut(0) {
            // SAFETY: the element exists. Two CPUs may count one loss less; that there were losses is what matters.
            unsafe { *lost += 1 };
        }
        return;
    }
    // Where the kernel has no room, the contact is told once more than it need be.
    let _ = TOLD.insert(peer, nanoseconds, BPF_ANY.into());
}

/// The engine's frame over a packet of the network stack. It is read through a helper: packets that leave may lie in several pieces.
struct SkbFrame(*mut __sk_buff);

/// A place of its own on the stack. What shares a word with something that a helper writes, the verifier forgets, be it a loop's counter.
#[repr(align(8))]
struct Words<T>(MaybeUninit<T>);

impl Frame for SkbFrame {
    const CHEAP_LOADS: bool = false;

    #[inline(always)]
    fn len(&self) -> u32 {
        // SAFETY: the context is the one that the kernel handed in.
        unsafe { (*self.0).len }
    }

    #[inline(always)]
    fn load<T: Pod>(&self, offset: u32) -> Option<T> {
        let mut words = Words(MaybeUninit::<T>::uninit());
        let (to, length) = (words.0.as_mut_ptr(), size_of::<T>() as u32);
        // SAFETY: there is room for as many bytes as are asked for.
        let failed = unsafe { bpf_skb_load_bytes(self.0.cast(), offset, to.cast(), length) } != 0;
        // SAFETY: the helper has written all of it, and `T: Pod` accepts any bytes.
        (!failed).then(|| unsafe { words.0.assume_init() })
    }

    /// Nobody asks which options leave this host.
    #[inline(always)]
    fn ipv4_options(&self, _start: u32, _length: u32) -> options::Found {
        options::Found::from_word(0)
    }

    #[inline(always)]
    fn ipv6_extensions(&self, first: u8, start: u32, end: u32) -> extensions::Chain {
        extensions::Chain::from_word(annotator_out_extensions(self.0, first, start, end))
    }
}

/// A BPF subprogram, because such headers are rare and walking them is long.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn annotator_out_extensions(skb: *mut __sk_buff, first: u8, start: u32, end: u32) -> u64 {
    extensions::walk(&SkbFrame(skb), first, start, end).word()
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
