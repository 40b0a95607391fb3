//! What a single packet is, and where it comes from.

use annotator_common::packet::tcp;
use annotator_common::{Flag, Flags, Transport};

use super::addresses::{is_of_link, is_private, site};
use crate::observation::{Locality, Sighting};

/// TTLs with which systems send.
const INITIAL_TTLS: [u8; 3] = [64, 128, 255];

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
