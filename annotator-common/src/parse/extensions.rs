//! The chain of IPv6 extension headers (RFC 8200 §4).

use crate::{Flag, Flags, Frame, Reason};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Extension headers that are followed; one more ends parsing.
pub const DEPTH: u32 = 8;

/// Whether a next-header value names an extension header whose layout the walk knows (IANA "IPv6 Extension Header Types", without ESP,
/// behind which nothing can be read, and without the experimental values).
#[inline(always)]
pub const fn is_extension(next: u8) -> bool {
    matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY | HIP | SHIM6)
}

/// Where the chain ended; one word, because a BPF subprogram hands it back.
///
/// Bits 0-7 next header, 8-22 offset of what follows, 24 later fragment, 26-31 reason code, 32-63 flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain(u64);

impl Chain {
    #[inline(always)]
    const fn stopped(flags: Flags, reason: Reason) -> Self {
        Chain(((reason.code() as u64) << 26) | ((flags.bits() as u64) << 32))
    }

    #[inline(always)]
    const fn ended(flags: Flags, next: u8, offset: u32, later_fragment: bool) -> Self {
        Chain(
            next as u64
                | ((offset as u64 & 0x7fff) << 8)
                | ((later_fragment as u64) << 24)
                | ((flags.bits() as u64) << 32),
        )
    }

    /// From [`Chain::word`].
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Chain(word)
    }

    /// As one word.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// The protocol behind the chain.
    #[inline(always)]
    pub const fn next(self) -> u8 {
        self.0 as u8
    }

    /// Where that protocol's header starts, in bytes from the start of the frame.
    #[inline(always)]
    pub const fn offset(self) -> u32 {
        (self.0 >> 8) as u32 & 0x7fff
    }

    /// Whether this is a fragment without the transport header.
    #[inline(always)]
    pub const fn is_later_fragment(self) -> bool {
        self.0 & (1 << 24) != 0
    }

    /// Why the walk stopped before the chain's end.
    #[inline(always)]
    pub const fn reason(self) -> Option<Reason> {
        match (self.0 >> 26) as u32 & 0x3f {
            0 => None,
            code if code == Reason::Ipv6ExtensionDepth.code() => Some(Reason::Ipv6ExtensionDepth),
            _ => Some(Reason::Ipv6ExtensionTruncated),
        }
    }

    /// The flags earned on the way.
    #[inline(always)]
    pub const fn flags(self) -> Flags {
        Flags::from_bits((self.0 >> 32) as u32)
    }
}

/// The chain, if it is of the one header that most chains consist of: options, and then a protocol. In the kernel walking is a call, which costs
/// more than this.
#[inline(always)]
pub fn single<F: Frame + ?Sized>(frame: &F, first: u8, start: u32, end: u32) -> Option<Chain> {
    if first != HOP_BY_HOP && first != DESTINATION {
        return None;
    }
    let [next, length, ..]: [u8; 4] = frame.load(start)?;
    let offset = start + (u32::from(length) + 1) * 8;
    if is_extension(next) || offset > end {
        return None;
    }
    Some(Chain::ended(Flags::of(&[Flag::Ipv6Extension]), next, frame.bounded(offset, 0x7fff), false))
}

/// Walks the chain whose first header is of type `first` and lies at `start`; nothing at or behind `end` is read.
#[inline(always)]
pub fn walk<F: Frame + ?Sized>(frame: &F, first: u8, start: u32, end: u32) -> Chain {
    let mut flags = Flags::from_bits(frame.settled(0));
    let mut next = first;
    let mut at = start;
    flags.insert(Flag::Ipv6Extension);
    for _ in 0..DEPTH {
        let offset = frame.bounded(at, 0x7fff);
        if !is_extension(next) {
            return Chain::ended(flags, next, offset, false);
        }
        if offset + 8 > end {
            return Chain::stopped(flags, Reason::Ipv6ExtensionTruncated);
        }
        let Some(header) = frame.load::<[u8; 4]>(offset) else {
            return Chain::stopped(flags, Reason::Ipv6ExtensionTruncated);
        };
        let length = match next {
            FRAGMENT => 8,
            AUTHENTICATION => (u32::from(header[1]) + 2) * 4,
            _ => (u32::from(header[1]) + 1) * 8,
        };
        match next {
            ROUTING => flags.insert_if(Flag::RoutingHeader0, header[2] == 0),
            FRAGMENT => {
                let field = u16::from_be_bytes([header[2], header[3]]);
                let (fragment_offset, more) = (field >> 3, field & 1 != 0);
                if fragment_offset != 0 {
                    flags.insert(Flag::Fragment);
                    flags.insert_if(Flag::TinyFragment, fragment_offset == 1);
                    return Chain::ended(flags, header[0], offset + 8, true);
                }
                if more {
                    flags.insert(Flag::Fragment);
                    flags.insert(Flag::FirstFragment);
                }
            }
            _ => {}
        }
        if offset + length > end {
            return Chain::stopped(flags, Reason::Ipv6ExtensionTruncated);
        }
        next = header[0];
        at = offset + length;
    }
    if is_extension(next) {
        return Chain::stopped(flags, Reason::Ipv6ExtensionDepth);
    }
    Chain::ended(flags, next, at, false)
}
