//! What an address says of where its owner is.

use std::net::{IpAddr, Ipv4Addr};

/// Whether an address is that of many at once, whatever the network.
pub fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Whether an address is of private or otherwise local use (RFC 1918, RFC 4193, RFC 6598, link-local, loopback).
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || v4.is_loopback() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
    }
}

/// Whether an address means something on its own link only, or on its own host.
pub fn is_of_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_loopback(),
    }
}

/// The site an address belongs to: its /24, for IPv6 its /64.
pub fn site(address: IpAddr) -> IpAddr {
    masked(address, 24, 64)
}

/// The network an address belongs to, in the wide sense: its /16, for IPv6 its /32.
pub fn network(address: IpAddr) -> IpAddr {
    masked(address, 16, 32)
}

fn masked(address: IpAddr, bits_v4: u32, bits_v6: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & !(u32::MAX >> bits_v4)).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !(u128::MAX >> bits_v6)).into()),
    }
}
