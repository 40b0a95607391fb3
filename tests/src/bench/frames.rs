//! The packets that are measured: an ordinary one of each kind, with addresses that earn no flag.

use crate::frames::{Ipv4, Ipv6, extension};

const TCP: u8 = 6;
const UDP: u8 = 17;
const DESTINATION_OPTIONS: u8 = 60;
/// SYN.
pub const SYN: u8 = 0x02;
/// PSH and ACK.
pub const DATA: u8 = 0x18;
/// Destination port of [`udp`].
pub const UDP_PORT: u16 = 12_345;

fn udp(payload: usize) -> Vec<u8> {
    let mut header = Vec::new();
    for field in [40_000, UDP_PORT, 8 + payload as u16, 0] {
        header.extend(field.to_be_bytes());
    }
    header.resize(8 + payload, 0);
    header
}

/// With twelve bytes of options (time stamps), as most systems send.
fn tcp(flags: u8, payload: usize) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(40_000_u16.to_be_bytes());
    header.extend(443_u16.to_be_bytes());
    header.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x80, flags, 0xff, 0xff, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.resize(32 + payload, 0);
    header
}

fn ipv4(protocol: u8, options: Vec<u8>, payload: &[u8]) -> Vec<u8> {
    Ipv4 { protocol, options, ..Ipv4::default() }.frame(payload)
}

pub fn udp_v4() -> Vec<u8> {
    ipv4(UDP, Vec::new(), &udp(18))
}

pub fn tcp_v4(flags: u8, payload: usize) -> Vec<u8> {
    ipv4(TCP, Vec::new(), &tcp(flags, payload))
}

/// Forty bytes of options that take forty steps to walk: no-operations.
pub fn options_40() -> Vec<u8> {
    ipv4(UDP, vec![1; 40], &udp(18))
}

pub fn one_extension() -> Vec<u8> {
    Ipv6 { next: DESTINATION_OPTIONS, ..Ipv6::default() }.frame(&extension(UDP, 0, &udp(18)))
}
