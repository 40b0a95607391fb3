//! The packet that an ICMP error is about: its IP header and at least the first 8 bytes behind (RFC 792, RFC 4443 §3).

use std::net::IpAddr;

use annotator_common::packet::protocol;
use annotator_common::parse::parse;
use annotator_common::{Family, Flag, Link, Transport};

use crate::observation::Sighting;

/// What an error says of the packet that caused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// Who sent it: us, or somebody with our address.
    pub source: IpAddr,
    /// To whom it was going.
    pub destination: IpAddr,
    /// Its IP protocol.
    pub protocol: u8,
    /// Source and destination port, where it has such.
    pub ports: Option<(u16, u16)>,
    /// Length in its UDP header.
    pub udp_length: Option<u16>,
    /// Checksum in its UDP header.
    pub udp_checksum: Option<u16>,
    /// Type and code, where it is ICMP itself.
    pub icmp: Option<(u8, u8)>,
    /// Its TTL on arrival.
    pub ttl: u8,
}

impl Original {
    /// Decodes what a sighting carries, if it is an ICMP or ICMPv6 error.
    pub fn of(sighting: &Sighting) -> Option<Original> {
        let packet = &sighting.packet;
        let is_error = match packet.transport {
            Transport::Icmp => matches!(packet.icmp_type, 3 | 4 | 5 | 11 | 12),
            Transport::Icmpv6 => packet.icmp_type < 128,
            _ => false,
        };
        if is_error { Original::decode(sighting.payload()) } else { None }
    }

    /// Decodes an IP header and what follows it. The engine reads it like any other packet; only that an error may quote no more than 8 bytes of a
    /// TCP header, too few for the engine to count, is handled here.
    pub fn decode(bytes: &[u8]) -> Option<Original> {
        let packet = parse(bytes, Link::RawIp);
        if packet.family == Family::None || !packet.has_protocol {
            return None;
        }
        let later_fragment = packet.flags.contains(Flag::Fragment) && !packet.flags.contains(Flag::FirstFragment);
        let transport =
            if later_fragment { None } else { bytes.get(packet.transport_at as usize..) }.unwrap_or_default();
        let be16 = |at: usize| transport.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes);
        let has_ports = matches!(packet.protocol, protocol::TCP | protocol::UDP);
        let is_udp = packet.protocol == protocol::UDP;
        let is_icmp = matches!(packet.protocol, protocol::ICMP | protocol::ICMPV6);
        Some(Original {
            source: packet.source.to_ip(),
            destination: packet.destination.to_ip(),
            protocol: packet.protocol,
            ports: if has_ports { be16(0).zip(be16(2)) } else { None },
            udp_length: if is_udp { be16(4) } else { None },
            udp_checksum: if is_udp { be16(6) } else { None },
            icmp: if is_icmp { be16(0).map(|word| word.to_be_bytes().into()) } else { None },
            ttl: packet.ttl,
        })
    }

    /// What it was, in words.
    pub fn describe(&self) -> String {
        let Original { source, destination, .. } = self;
        match (self.protocol, self.ports, self.icmp) {
            (protocol::UDP, Some((from, to)), _) => {
                let length = self.udp_length.map_or(String::new(), |length| format!(", UDP length {length}"));
                let checksum = self.udp_checksum.map_or(String::new(), |sum| format!(", checksum 0x{sum:04X}"));
                format!("UDP from {source} port {from} to {destination} port {to}{length}{checksum}")
            }
            (protocol::TCP, Some((from, to)), _) => format!("TCP from {source} port {from} to {destination} port {to}"),
            (_, _, Some((kind, code))) => format!("ICMP type {kind} code {code} from {source} to {destination}"),
            (number, ..) => format!("protocol {number} from {source} to {destination}"),
        }
    }
}
