//! IP addresses as the engine stores them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address in network byte order; IPv4 as an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2).
///
/// A real IPv6 packet from `::ffff:0:0/96` is thereby shown as IPv4; such addresses must not appear on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Address([u64; 2]);

const MAPPED: u32 = 0x0000_ffff_u32.to_be();

/// Two words that follow each other in memory, as one.
#[inline(always)]
const fn join(first: u32, second: u32) -> u64 {
    if cfg!(target_endian = "little") {
        first as u64 | (second as u64) << 32
    } else {
        (first as u64) << 32 | second as u64
    }
}

/// The reverse of [`join`].
#[inline(always)]
const fn split(both: u64) -> [u32; 2] {
    if cfg!(target_endian = "little") { [both as u32, (both >> 32) as u32] } else { [(both >> 32) as u32, both as u32] }
}

impl Address {
    /// An IPv4 address from its four bytes in memory order.
    #[inline(always)]
    pub const fn v4(word: u32) -> Self {
        Address([0, join(MAPPED, word)])
    }

    /// An IPv6 address from its two halves in memory order.
    #[inline(always)]
    pub const fn v6(halves: [u64; 2]) -> Self {
        Address(halves)
    }

    /// The two halves in memory order.
    #[inline(always)]
    pub const fn halves(&self) -> [u64; 2] {
        self.0
    }

    /// The four words in memory order.
    #[inline(always)]
    pub const fn words(&self) -> [u32; 4] {
        let ([first, second], [third, fourth]) = (split(self.0[0]), split(self.0[1]));
        [first, second, third, fourth]
    }

    /// The last four bytes, in memory order: the whole of an IPv4 address.
    #[inline(always)]
    pub const fn low_word(&self) -> u32 {
        split(self.0[1])[1]
    }

    /// Whether this is an IPv4 address.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.0[0] == 0 && split(self.0[1])[0] == MAPPED
    }

    /// The address as the standard library has it.
    pub fn to_ip(&self) -> IpAddr {
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::from(u32::from_be(self.low_word())))
        } else {
            let [high, low] = self.0.map(u64::from_be);
            IpAddr::V6(Ipv6Addr::from(u128::from(high) << 64 | u128::from(low)))
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Address::v4(u32::from(v4).to_be()),
            IpAddr::V6(v6) => {
                let bits = u128::from(v6);
                Address([(bits >> 64) as u64, bits as u64].map(u64::to_be))
            }
        }
    }
}
