//! The IPv4 options (RFC 791 §3.1).

use crate::{Flag, Flags, Frame};

const END_OF_LIST: u8 = 0;
const NO_OPERATION: u8 = 1;
/// The same in either byte order.
const FOUR_NO_OPERATIONS: u32 = 0x0101_0101;
/// Record route.
pub const RECORD_ROUTE: u8 = 7;
/// Loose source and record route (LSRR).
pub const LOOSE_SOURCE_ROUTE: u8 = 131;
/// Strict source and record route (SSRR).
pub const STRICT_SOURCE_ROUTE: u8 = 137;
/// The longest list that a 4-bit header length allows.
pub const MAX_LENGTH: u32 = 40;

/// What walking the options found; one word, because a BPF subprogram hands it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found(u32);

impl Found {
    /// From [`Found::word`].
    #[inline(always)]
    pub const fn from_word(word: u32) -> Self {
        Found(word)
    }

    /// As one word.
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// The flags earned: `source-route`, `record-route`.
    #[inline(always)]
    pub const fn flags(self) -> Flags {
        Flags::from_bits(self.0)
    }
}

/// Walks `length` bytes of options from `start`. Every byte can be an option (a run of no-operations), so the only step limit is the length
/// itself. A broken option length ends the walk; the option that carries it still counts.
#[inline(always)]
pub fn walk<F: Frame + ?Sized>(frame: &F, start: u32, length: u32) -> Found {
    let mut flags = Flags::from_bits(frame.settled(0));
    let mut at = 0;
    for _ in 0..MAX_LENGTH {
        // Masked at the head of the loop, where the BPF verifier needs the bound.
        let offset = frame.bounded(at, 0x3f);
        if offset >= length {
            break;
        }
        // No-operations come in runs; four at a time keep the longest list of them cheap.
        if F::CHEAP_LOADS && offset + 4 <= length && frame.load::<u32>(start + offset) == Some(FOUR_NO_OPERATIONS) {
            at = offset + 4;
            continue;
        }
        let Some(kind) = frame.load::<u8>(start + offset) else { break };
        match kind {
            END_OF_LIST => break,
            NO_OPERATION => {
                at = offset + 1;
                continue;
            }
            RECORD_ROUTE => flags.insert(Flag::RecordRoute),
            LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE => flags.insert(Flag::SourceRoute),
            _ => {}
        }
        if offset + 1 >= length {
            break;
        }
        let Some(step) = frame.load::<u8>(start + offset + 1) else { break };
        if step < 2 || offset + u32::from(step) > length {
            break;
        }
        at = offset + u32::from(step);
    }
    Found(flags.bits())
}
