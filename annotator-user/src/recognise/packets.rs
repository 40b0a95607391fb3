//! What a single packet is, and where it comes from.

use annotator_common::packet::tcp;
use annotator_common::{Flag, Flags, Transport};

use super::addresses::{is_of_link, is_private, site};
use crate::observation::{Locality, Sighting};

/// TTLs with which systems send.
const INITIAL_TTLS: [u8; 3] = [64, 128, 255];

/// Ports that both ends of an exchange have (IANA).
pub const NTP: u16 = 123;
const IKE: u16 = 500;
const IPSEC: u16 = 4500;
const OPENVPN: u16 = 1194;
const SIP: u16 = 5060;
const WIREGUARD: u16 = 51820;

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

/// Whether a packet answers a ping.
pub fn is_echo_reply(sighting: &Sighting) -> bool {
    matches!((sighting.packet.transport, sighting.packet.icmp_type), (Transport::Icmp, 0) | (Transport::Icmpv6, 129))
}

/// Whether a packet is addressed to many at once.
pub fn is_to_many(sighting: &Sighting) -> bool {
    const MANY: Flags = Flags::of(&[Flag::LimitedBroadcast, Flag::DirectedBroadcast, Flag::Multicast]);
    sighting.packet.flags.intersects(MANY)
}

/// The mode of a message of NTP (RFC 5905 §7.3), as its first byte says.
pub fn ntp_mode(sighting: &Sighting) -> Option<u8> {
    sighting.payload().first().map(|first| first & 7)
}

/// Whether a datagram between two equal ports says that it answers, or belongs to what both ends have agreed on: so clocks, telephone systems and the ends of
/// tunnels speak with each other.
pub fn is_between_peers(sighting: &Sighting) -> bool {
    let (packet, payload) = (&sighting.packet, sighting.payload());
    let first = payload.first().copied().unwrap_or_default();
    // From the first answer on both name the SPI of the responder (RFC 7296 §3.1).
    let is_agreed = |ike: &[u8]| ike.get(8..16).is_some_and(|responder| responder != [0; 8]);
    packet.transport == Transport::Udp
        && packet.source_port == packet.destination_port
        && match packet.source_port {
            // Passive partner, server, and broadcast (RFC 5905 §7.3).
            NTP => matches!(ntp_mode(sighting), Some(2 | 4 | 5)),
            IKE => is_agreed(payload),
            // IKE stands behind four zeros, where ESP has its SPI (RFC 3948 §2).
            IPSEC => payload.strip_prefix(&[0; 4]).map_or(!payload.is_empty(), is_agreed),
            // All but a client's reset, by which it begins; tunnels with a key of their own have nothing before their contents.
            OPENVPN => !payload.is_empty() && !matches!(first >> 3, 1 | 7 | 10),
            SIP => payload.starts_with(b"SIP/2.0 "),
            // All but the beginning of a handshake (Donenfeld 2017, WireGuard §5.4).
            WIREGUARD => matches!(first, 2..=4),
            _ => false,
        }
}
