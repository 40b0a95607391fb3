//! IP addresses as the engine stores them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address in network byte order; IPv4 as an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2).
///
/// A real IPv6 packet from `::ffff:0:0/96` is thereby shown as IPv4; such addresses must not appear on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Address {
    high: u64,
    // The lower half in two, of which IPv4 needs only the second.
    middle: u32,
    low: u32,
}

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
        Address { high: 0, middle: MAPPED, low: word }
    }

    /// An IPv6 address from its two halves in memory order.
    #[inline(always)]
    pub const fn v6(halves: [u64; 2]) -> Self {
        let [middle, low] = split(halves[1]);
        Address { high: halves[0], middle, low }
    }

    /// The two halves in memory order.
    #[inline(always)]
    pub const fn halves(&self) -> [u64; 2] {
        [self.high, join(self.middle, self.low)]
    }

    /// The four words in memory order.
    #[inline(always)]
    pub const fn words(&self) -> [u32; 4] {
        let [first, second] = split(self.high);
        [first, second, self.middle, self.low]
    }

    /// The last four bytes, in memory order: the whole of an IPv4 address.
    #[inline(always)]
    pub const fn low_word(&self) -> u32 {
        self.low
    }

    /// Whether this is an IPv4 address.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.high == 0 && self.middle == MAPPED
    }

    /// The address as the standard library has it.
    pub fn to_ip(&self) -> IpAddr {
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::from(u32::from_be(self.low_word())))
        } else {
            let [high, low] = self.halves().map(u64::from_be);
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
                Address::v6([(bits >> 64) as u64, bits as u64].map(u64::to_be))
            }
        }
    }
}
