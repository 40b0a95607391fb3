//! The BPF side of `annotator`: the engine's frame over an XDP context, its maps, and the hand-out of samples.
//!
//! The program itself (`src/main.rs`) and the one that measures it (`src/bin/bench.rs`) only add entry points.
#![feature(asm_experimental_arch)]
#![no_std]

mod frame;
mod maps;
mod sample;

use annotator_common::{Books, Link, observe};

pub use crate::frame::XdpFrame;
pub use crate::maps::ticks;

/// Shows a frame to the engine: counts it, notes its source, and hands out a sample where it is news.
#[inline(always)]
pub fn watch(frame: &XdpFrame) {
    let settings = maps::settings();
    let Some(local) = maps::local() else { return };
    let Some(Books { journal, sources }) = maps::books() else { return };
    let link = if settings.layer3 != 0 { Link::RawIp } else { Link::Ethernet };
    let news = observe(frame, link, (settings, local), (journal, sources), maps::types, maps::ticks);
    if news.any() {
        let tally = sample::hand_out(frame, news, journal);
        journal.tally(tally);
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
