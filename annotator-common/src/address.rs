//! IP addresses as the engine stores them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address in network byte order; IPv4 as an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2).
///
/// A real IPv6 packet from `::ffff:0:0/96` is thereby shown as IPv4; such addresses must not appear on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Address([u32; 4]);

const MAPPED: u32 = 0x0000_ffff_u32.to_be();

impl Address {
    /// An IPv4 address from its four bytes in memory order.
    #[inline(always)]
    pub const fn v4(word: u32) -> Self {
        Address([0, 0, MAPPED, word])
    }

    /// An IPv6 address from its four words in memory order.
    #[inline(always)]
    pub const fn v6(words: [u32; 4]) -> Self {
        Address(words)
    }

    /// The four words in memory order.
    #[inline(always)]
    pub const fn words(&self) -> [u32; 4] {
        self.0
    }

    /// The last four bytes, in memory order: the whole of an IPv4 address.
    #[inline(always)]
    pub const fn low_word(&self) -> u32 {
        self.0[3]
    }

    /// Whether this is an IPv4 address.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.0[0] == 0 && self.0[1] == 0 && self.0[2] == MAPPED
    }

    /// The address as the standard library has it.
    pub fn to_ip(&self) -> IpAddr {
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::from(u32::from_be(self.0[3])))
        } else {
            let [a, b, c, d] = self.0.map(u32::from_be);
            IpAddr::V6(Ipv6Addr::from(
                (u128::from(a) << 96) | (u128::from(b) << 64) | (u128::from(c) << 32) | u128::from(d),
            ))
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Address::v4(u32::from(v4).to_be()),
            IpAddr::V6(v6) => {
                let bits = u128::from(v6);
                Address([(bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32].map(u32::to_be))
            }
        }
    }
}
