//! Link types (tcpdump.org/linktypes.html) → where the network header starts and what it is.

use annotator_common::parse::ethertype;
use annotator_common::{Frame, Link};

/// A link type that frames can be read of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// 1: Ethernet.
    Ethernet,
    /// 12, 14, 101: an IP packet of either version.
    RawIp,
    /// 228.
    RawIpv4,
    /// 229.
    RawIpv6,
    /// 0: an address family in the byte order of the capturing machine.
    Null,
    /// 108: an address family in network byte order.
    Loop,
    /// 113: Linux "cooked" capture.
    Cooked,
    /// 276: the same, version 2.
    Cooked2,
}

/// Bytes of the header of [`LinkType::Null`] and [`LinkType::Loop`].
const FAMILY_HEADER: u32 = 4;
/// Bytes of the first cooked header; its protocol field is the last two.
const COOKED_HEADER: u32 = 16;
/// Bytes of the second cooked header; its protocol field is the first two.
const COOKED2_HEADER: u32 = 20;

impl LinkType {
    /// What can be read, for messages.
    pub const SUPPORTED: &'static str =
        "Ethernet (1), raw IP (12, 14, 101, 228, 229), Linux cooked (113, 276) and null/loopback (0, 108)";

    /// From the number in a capture.
    pub const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            0 => LinkType::Null,
            1 => LinkType::Ethernet,
            12 | 14 | 101 => LinkType::RawIp,
            108 => LinkType::Loop,
            113 => LinkType::Cooked,
            228 => LinkType::RawIpv4,
            229 => LinkType::RawIpv6,
            276 => LinkType::Cooked2,
            _ => return None,
        })
    }

    /// How a frame of this type begins.
    #[inline]
    pub fn link_of(self, frame: &[u8]) -> Link {
        match self {
            LinkType::Ethernet => Link::Ethernet,
            LinkType::RawIp => Link::RawIp,
            LinkType::RawIpv4 => Link::Decoded { offset: 0, ethertype: ethertype::IPV4 },
            LinkType::RawIpv6 => Link::Decoded { offset: 0, ethertype: ethertype::IPV6 },
            LinkType::Null | LinkType::Loop => by_family(self, frame),
            LinkType::Cooked => by_protocol(frame, COOKED_HEADER, COOKED_HEADER - 2),
            LinkType::Cooked2 => by_protocol(frame, COOKED2_HEADER, 0),
        }
    }
}

/// A header of `length` bytes with an EtherType at `at`. Where it is cut, the engine finds the network header behind the end of the frame.
fn by_protocol(frame: &[u8], length: u32, at: u32) -> Link {
    Link::Decoded { offset: length, ethertype: frame.be16(at).unwrap_or_default() }
}

fn by_family(link: LinkType, frame: &[u8]) -> Link {
    let Some(field) = frame.load::<u32>(0) else { return Link::Decoded { offset: FAMILY_HEADER, ethertype: 0 } };
    let mut family = u32::from_be(field);
    // The capturing machine's byte order is not written down; families are small numbers.
    if link == LinkType::Null && family > 0xffff {
        family = family.swap_bytes();
    }
    match family {
        2 => Link::Decoded { offset: FAMILY_HEADER, ethertype: ethertype::IPV4 },
        // AF_INET6 on Linux, NetBSD/OpenBSD, FreeBSD and macOS.
        10 | 24 | 28 | 30 => Link::Decoded { offset: FAMILY_HEADER, ethertype: ethertype::IPV6 },
        _ => Link::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: Link = Link::Decoded { offset: 4, ethertype: ethertype::IPV4 };
    const V6: Link = Link::Decoded { offset: 4, ethertype: ethertype::IPV6 };

    #[test]
    fn families_in_either_byte_order() {
        assert_eq!(LinkType::Null.link_of(&[2, 0, 0, 0, 0x45]), V4);
        assert_eq!(LinkType::Null.link_of(&[0, 0, 0, 2, 0x45]), V4);
        for family in [10, 24, 28, 30] {
            assert_eq!(LinkType::Null.link_of(&[family, 0, 0, 0]), V6);
            assert_eq!(LinkType::Loop.link_of(&[0, 0, 0, family]), V6);
        }
        assert_eq!(LinkType::Loop.link_of(&[2, 0, 0, 0]), Link::Unknown);
        assert_eq!(LinkType::Null.link_of(&[7, 0, 0, 0]), Link::Unknown);
        assert_eq!(LinkType::Null.link_of(&[2, 0]), Link::Decoded { offset: 4, ethertype: 0 });
    }

    #[test]
    fn cooked_headers() {
        let mut frame = [0_u8; 20];
        frame[14..16].copy_from_slice(&[0x86, 0xdd]);
        assert_eq!(LinkType::Cooked.link_of(&frame), Link::Decoded { offset: 16, ethertype: 0x86dd });
        frame[..2].copy_from_slice(&[0x08, 0x06]);
        assert_eq!(LinkType::Cooked2.link_of(&frame), Link::Decoded { offset: 20, ethertype: 0x0806 });
    }
}
