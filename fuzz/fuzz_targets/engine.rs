//! Any bytes are a frame: the engine must neither panic nor overflow, and what it counts must be what it has parsed.
#![no_main]

use std::cell::RefCell;

use annotator_common::{
    Flag, Ledger, Link, Reason, Settings, Sources, Ticks, classify::classify, observe, parse::parse,
};
use libfuzzer_sys::fuzz_target;

/// One engine for the whole run, as in the kernel: its state must stay sound whatever has passed.
struct Engine {
    ledger: Box<Ledger>,
    sources: Box<Sources>,
    settings: Box<Settings>,
    now: Ticks,
}

thread_local! {
    static ENGINE: RefCell<Engine> = RefCell::new(Engine {
        // SAFETY: both are made of integers, for which zero is a value.
        ledger: unsafe { Box::new_zeroed().assume_init() },
        // SAFETY: as above.
        sources: unsafe { Box::new_zeroed().assume_init() },
        settings: Box::new(Settings::DEFAULT),
        now: 0,
    });
}

fuzz_target!(|input: &[u8]| {
    // The first byte chooses the link, so that one corpus serves all.
    let Some((&kind, frame)) = input.split_first() else { return };
    let link = match kind % 4 {
        0 | 1 => Link::Ethernet,
        2 => Link::RawIp,
        _ => Link::Decoded { offset: u32::from(kind >> 2), ethertype: if kind & 0x80 == 0 { 0x0800 } else { 0x86dd } },
    };
    ENGINE.with_borrow_mut(|engine| engine.feed(frame, link));
});

/// Cells hold 2^28 packets and 2^36 bytes; the agent looks often enough, and so do we.
const EMPTY_EVERY: Ticks = 1 << 20;

/// Looking at all flags costs more than the engine itself, so only every sixteenth frame is compared. The first is, so that an
/// input that failed fails again by itself.
const COMPARE_EVERY: Ticks = 16;

impl Engine {
    fn feed(&mut self, frame: &[u8], link: Link) {
        if self.now.is_multiple_of(EMPTY_EVERY) {
            self.ledger.words_mut().fill(0);
        }
        if self.now.is_multiple_of(COMPARE_EVERY) {
            self.compare(frame, link);
        } else {
            self.observe(frame, link);
        }
        self.now = self.now.wrapping_add(1);
    }

    fn observe(&mut self, frame: &[u8], link: Link) {
        let Ledger { journal, types } = &mut *self.ledger;
        let books = (journal, &mut *self.sources);
        observe(frame, link, (&self.settings, &self.settings.local), books, || Some(types), || self.now);
    }

    fn compare(&mut self, frame: &[u8], link: Link) {
        let mut packet = parse(frame, link);
        classify(frame, &mut packet, &self.settings.local);
        let before = self.flags_and_reasons();
        self.observe(frame, link);
        let after = self.flags_and_reasons();
        for (flag, (before, after)) in Flag::ALL.iter().zip(before.0.iter().zip(&after.0)) {
            assert_eq!(after - before, u64::from(packet.flags.contains(*flag)), "{}", flag.name());
        }
        assert!(after.1 - before.1 <= 1, "a packet has one reason at most");
    }

    /// Packets by flag, and those with any reason.
    fn flags_and_reasons(&self) -> (Vec<u64>, u64) {
        let flags = Flag::ALL.iter().map(|flag| self.ledger.flag(*flag).packets).collect();
        (flags, Reason::ALL.iter().map(|reason| self.ledger.reason(*reason).packets).sum())
    }
}
