//! What a single packet is, and where it comes from.

use std::ops::Range;

use annotator_common::packet::{protocol, tcp};
use annotator_common::{Flag, Flags, Transport};

use super::DNS;
use super::addresses::{is_of_link, is_private, site};
use crate::observation::{Locality, Sighting};
use crate::payload::dns;

/// Where in a message of DNS the flags stand, the first of which marks an answer (RFC 1035 §4.1.1).
const DNS_FLAGS: usize = 2;
/// The mark of an answer, and the kind of a question, which is none but the standard one for mDNS (RFC 6762 §18.3).
const DNS_ANSWER: u8 = 0x80;
const DNS_OPCODE: u8 = 0x78;

/// TTLs with which systems send.
const INITIAL_TTLS: [u8; 3] = [64, 128, 255];

/// Port of NTP (IANA), the mode of a server, and the length of a message (RFC 5905 §7.3).
pub const NTP: u16 = 123;
const NTP_SERVER: u8 = 4;
const NTP_LEAST: u32 = 48;

/// How a STUN message shows itself (RFC 8489 §5), and ports of servers (IANA, Google).
pub const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Where in the message that stands.
pub const STUN_COOKIE_AT: usize = 4;
const STUN: [u16; 2] = [3478, 19302];

/// Port of QUIC (RFC 9114 §3.1), the bit that is fixed in it (RFC 9000 §17), and the least length of a packet (§10.3).
const QUIC: u16 = 443;
const QUIC_FIXED: u8 = 0x40;
const QUIC_LEAST: u32 = 21;

/// Ports of services that also speak first, or answer otherwise than to a client's port (IANA).
const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;
const IKE: u16 = 500;
const OPENVPN: u16 = 1194;
/// RADIUS, and where it was before it had ports of its own (RFC 2865 §3, RFC 2866 §3).
const RADIUS: [u16; 4] = [1645, 1646, 1812, 1813];
const L2TP: u16 = 1701;
/// LDP (RFC 5036 §2.4.1).
const LDP: u16 = 646;
/// BFD over one hop and over several (RFC 5881 §4, RFC 5883 §5).
const BFD: [u16; 2] = [3784, 4784];
const IPSEC: u16 = 4500;
const SIP: u16 = 5060;
const WIREGUARD: u16 = 51820;

/// The least length of a datagram of ESP: SPI and sequence number, padding to four bytes with its length and the next header, and 96 bits that prove its
/// origin (RFC 4303 §2, RFC 2403).
const ESP_LEAST: u32 = 24;

/// The least length of a message of OpenVPN: of control, with operation, session, an empty list and its number.
const OPENVPN_LEAST: u32 = 14;

/// Bits of L2TP's first byte that are zero (RFC 2661 §3.1).
const L2TP_RESERVED: u8 = 0x34;

/// How SIP messages begin that nobody answers: answers, and what acknowledges one (RFC 3261 §7 and §17.1.1.3).
const SIP_AGREED: [&[u8]; 2] = [b"SIP/2.0 ", b"ACK "];

/// Whether a packet comes from the local network: from a network of ours, from the link, from a private address, which has no business with a public one of
/// ours, or unrouted from the site that it goes to.
pub fn is_local(sighting: &Sighting, locality: &Locality) -> bool {
    let (source, destination) = (sighting.source(), sighting.destination());
    let is_public = !is_private(destination) && locality.addresses.contains(&destination);
    locality.is_near(source)
        || is_of_link(source)
        || (is_private(source) && !is_public)
        || (site(source) == site(destination) && is_unrouted(sighting))
}

/// Whether no router took anything of a packet's TTL.
pub fn is_unrouted(sighting: &Sighting) -> bool {
    INITIAL_TTLS.contains(&sighting.packet.ttl)
}

/// Whether a packet is the answer to a SYN.
pub fn is_syn_ack(sighting: &Sighting) -> bool {
    let flags = sighting.packet.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST | tcp::FIN);
    sighting.packet.transport == Transport::Tcp && flags == tcp::SYN | tcp::ACK
}

/// Whether a packet asks for an echo.
pub fn is_ping(sighting: &Sighting) -> bool {
    matches!((sighting.packet.transport, sighting.packet.icmp_type), (Transport::Icmp, 8) | (Transport::Icmpv6, 128))
}

/// Whether a packet refuses a SYN: a reset that acknowledges and has no sequence number (RFC 9293 §3.10.7.1).
pub fn is_refusal(sighting: &Sighting) -> bool {
    sighting.packet.tcp_flags & (tcp::RST | tcp::ACK) == tcp::RST | tcp::ACK && sighting.tcp_sequence() == Some(0)
}

/// Whether a datagram says that it answers a question by DNS.
pub fn answers_dns(sighting: &Sighting) -> bool {
    sighting.packet.transport == Transport::Udp
        && sighting.packet.source_port == DNS
        && sighting.payload().get(DNS_FLAGS).is_some_and(|flags| flags & DNS_ANSWER != 0)
}

/// Whether something reads like an answer to a standard question by DNS.
pub fn says_dns_answer(payload: &[u8]) -> bool {
    payload.get(DNS_FLAGS).is_some_and(|flags| flags & (DNS_ANSWER | DNS_OPCODE) == DNS_ANSWER)
}

/// Whether a datagram comes from the port of a service, and is what that sends: an answer by DNS or about the time, QUIC, STUN, or what follows the first
/// message of WireGuard (Donenfeld 2017, §5.4).
pub fn is_of_service(sighting: &Sighting) -> bool {
    let (payload, length) = (sighting.payload(), sighting.payload_length());
    let Some(first) = payload.first().filter(|_| sighting.packet.transport == Transport::Udp) else { return false };
    match sighting.packet.source_port {
        DNS => answers_dns(sighting),
        NTP => first & 7 == NTP_SERVER && length >= NTP_LEAST,
        QUIC => first & QUIC_FIXED != 0 && length >= QUIC_LEAST,
        port if STUN.contains(&port) => {
            payload.get(STUN_COOKIE_AT..).is_some_and(|rest| rest.starts_with(&STUN_COOKIE))
        }
        WIREGUARD => matches!(payload, [2..=4, 0, 0, 0, ..]),
        _ => false,
    }
}

/// Whether a packet answers a ping.
pub fn is_echo_reply(sighting: &Sighting) -> bool {
    matches!((sighting.packet.transport, sighting.packet.icmp_type), (Transport::Icmp, 0) | (Transport::Icmpv6, 129))
}

/// Whether a packet is addressed to many at once.
pub fn is_to_many(sighting: &Sighting) -> bool {
    const MANY: Flags = Flags::of(&[Flag::LimitedBroadcast, Flag::DirectedBroadcast, Flag::Multicast]);
    sighting.packet.flags.intersects(MANY)
}

/// Whether a capture ends before the transport header, so that nobody can tell what the packet is.
pub fn is_headless(sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    packet.transport == Transport::None
        && matches!(packet.protocol, protocol::ICMP | protocol::TCP | protocol::UDP | protocol::ICMPV6)
        && !packet.flags.contains(Flag::Fragment)
        && sighting.is_cut()
}

/// The mode of a message of NTP (RFC 5905 §7.3), as its first byte says.
pub fn ntp_mode(sighting: &Sighting) -> Option<u8> {
    sighting.payload().first().map(|first| first & 7)
}

/// Whether a datagram says that it answers, or belongs to what both ends have agreed on: so clocks, telephone systems, routers and the ends of tunnels speak
/// with each other.
pub fn is_between_peers(sighting: &Sighting) -> bool {
    let (packet, payload) = (&sighting.packet, sighting.payload());
    let Some(first) = payload.first().copied().filter(|_| packet.transport == Transport::Udp) else { return false };
    let is_set = |field: Range<usize>| payload.get(field).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0));
    match (packet.source_port, packet.destination_port) {
        // A reply, to a client or to its relay (RFC 2131 §2 and §4.1).
        (DHCP_SERVER, DHCP_CLIENT | DHCP_SERVER) => first == 2,
        // Passive partner, server, and broadcast; others repeat when the last answer was sent (RFC 5905 §7.3).
        (NTP, NTP) => match ntp_mode(sighting) {
            Some(2 | 4 | 5) => true,
            Some(1 | 3) => is_set(24..32),
            _ => false,
        },
        // From the first answer on both name the SPI of the responder (RFC 7296 §3.1).
        (IKE, IKE) => is_set(8..16),
        // IKE stands behind four zeros, where ESP has its SPI, of which the first 255 are reserved (RFC 3948 §2, RFC 4303 §2.1).
        (IPSEC, IPSEC) => match payload {
            [0, 0, 0, 0, ..] => is_set(12..20),
            [0xff] => true,
            _ => is_set(0..3) && sighting.payload_length() >= ESP_LEAST,
        },
        // A server's reset, which has the first key, or what follows: operation and key are one byte.
        (OPENVPN, OPENVPN) => {
            matches!((first >> 3, first & 7), (2 | 8, 0) | (3..=6 | 9 | 11, _))
                && sighting.payload_length() >= OPENVPN_LEAST
        }
        // Accepted, rejected, counted, or asked for more (RFC 2865 §4, RFC 2866 §4).
        (from, to) if RADIUS.contains(&from) && RADIUS.contains(&to) => matches!(first, 2 | 3 | 5 | 11),
        // All but a first message, which cannot name the tunnel yet (RFC 2661 §3.1; RFC 3931 §3.2.1).
        (L2TP, L2TP) => {
            first & L2TP_RESERVED == 0 && matches!(payload.get(1), Some(2 | 3)) && (first & 0x80 == 0 || is_set(4..8))
        }
        // The version, the length, and the number by which the other end knows this session (RFC 5880 §4.1).
        (_, to) if BFD.contains(&to) => {
            let length = payload.get(3).map(|length| u32::from(*length));
            first >> 5 == 1 && length == Some(sighting.payload_length()) && is_set(8..12)
        }
        // Version 1, the length of what follows it, and the sender's number; who has found a neighbour speaks with him by TCP, and goes on asking (RFC 5036
        // §2.4.2 and §3.1).
        (LDP, LDP) => match payload {
            [0, 1, high, low, ..] => {
                u32::from(u16::from_be_bytes([*high, *low])) + 4 == sighting.payload_length() && is_set(4..8)
            }
            _ => false,
        },
        (SIP, SIP) => SIP_AGREED.iter().any(|start| payload.starts_with(start)),
        // All but the beginning of a handshake (Donenfeld 2017, WireGuard §5.4).
        (WIREGUARD, WIREGUARD) => match (payload, sighting.payload_length()) {
            ([2, 0, 0, 0, ..], 92) | ([3, 0, 0, 0, ..], 64) => true,
            ([4, 0, 0, 0, ..], length) => length >= 32,
            _ => false,
        },
        _ => false,
    }
}

/// Whether a datagram asks a name server for what it knows itself, as resolvers do (RFC 1035 §4.1.1): who looks for resolvers wants the search to be done for
/// him, and who looks for programs asks another class.
pub fn is_of_resolver(sighting: &Sighting) -> bool {
    sighting.packet.transport == Transport::Udp
        && sighting.packet.destination_port == DNS
        && dns::asks_for_own_records(sighting.payload())
}
