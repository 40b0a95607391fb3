//! The packet that an ICMP error is about: its header and eight bytes more (RFC 792; RFC 4443 quotes as much as fits).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use annotator_common::Transport;
use annotator_common::packet::protocol;

use crate::counters::PortProto;
use crate::observation::Sighting;

/// What an ICMP error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Who is said to have sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// IP protocol.
    pub protocol: u8,
    /// Source port, of TCP and UDP.
    pub source_port: u16,
    /// Destination port, of TCP and UDP.
    pub destination_port: u16,
}

impl Quote {
    /// Reads the quote of an ICMP or ICMPv6 error.
    pub fn of(sighting: &Sighting) -> Option<Quote> {
        match sighting.packet.transport {
            Transport::Icmp if matches!(sighting.packet.icmp_type, 3 | 4 | 5 | 11 | 12) => v4(sighting.payload()),
            Transport::Icmpv6 if sighting.packet.icmp_type < 128 => v6(sighting.payload()),
            _ => None,
        }
    }

    /// TCP, or else UDP.
    pub fn port_proto(&self) -> PortProto {
        if self.protocol == protocol::TCP { PortProto::Tcp } else { PortProto::Udp }
    }

    /// Whether it quotes UDP to a port in a range.
    pub fn is_udp_to(&self, first: u16, last: u16) -> bool {
        self.protocol == protocol::UDP && (first..=last).contains(&self.destination_port)
    }
}

fn v4(bytes: &[u8]) -> Option<Quote> {
    let header_length = usize::from(bytes.first()? & 0x0f) * 4;
    let header = bytes.get(..20)?;
    if header[0] >> 4 != 4 || header_length < 20 {
        return None;
    }
    let address = |at: usize| IpAddr::V4(Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]));
    let first_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff == 0;
    let rest = if first_fragment { bytes.get(header_length..).unwrap_or_default() } else { &[] };
    Some(quote(address(12), address(16), header[9], rest))
}

fn v6(bytes: &[u8]) -> Option<Quote> {
    let header = bytes.get(..40)?;
    if header[0] >> 4 != 6 {
        return None;
    }
    let address = |at: usize| {
        let octets: [u8; 16] = header[at..at + 16].try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    };
    Some(quote(address(8)?, address(24)?, header[6], &bytes[40..]))
}

fn quote(source: IpAddr, destination: IpAddr, protocol: u8, rest: &[u8]) -> Quote {
    let port = |at: usize| match (protocol, rest.get(at..at + 2)) {
        (protocol::TCP | protocol::UDP, Some(bytes)) => u16::from_be_bytes([bytes[0], bytes[1]]),
        _ => 0,
    };
    Quote { source, destination, protocol, source_port: port(0), destination_port: port(2) }
}
