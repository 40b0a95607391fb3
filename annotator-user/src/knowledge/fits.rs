//! Whether a [`Match`] holds for a packet, or for a row of the counters.

use annotator_common::packet::port::FIRST_CLIENT_PORT;
use annotator_common::{Family, Flag, Flags, Transport};

use super::schema::{Destination, Embedded, FamilyNumber, Match, PayloadMatch, Proto, Segment, Source};
use super::seen::Seen;
use crate::counters::PortProto;

/// Conditions of a match, as bits.
pub mod condition {
    /// `family`
    pub const FAMILY: u32 = 1;
    /// `proto`
    pub const PROTO: u32 = 1 << 1;
    /// `dst_port`
    pub const DST_PORT: u32 = 1 << 2;
    /// `src_port`
    pub const SRC_PORT: u32 = 1 << 3;
    /// `dst_port_not`
    pub const DST_PORT_NOT: u32 = 1 << 4;
    /// `src_port_not`
    pub const SRC_PORT_NOT: u32 = 1 << 5;
    /// `icmp_type`, `icmp_code`
    pub const ICMP: u32 = 1 << 6;
    /// `segment`
    pub const SEGMENT: u32 = 1 << 7;
    /// `dst`
    pub const DST: u32 = 1 << 8;
    /// `src`
    pub const SRC: u32 = 1 << 9;
    /// `flags`
    pub const FLAGS: u32 = 1 << 10;
    /// `flags_not`
    pub const FLAGS_NOT: u32 = 1 << 11;
    /// `payload`
    pub const PAYLOAD: u32 = 1 << 12;
    /// `embedded`
    pub const EMBEDDED: u32 = 1 << 13;
    /// `answered`
    pub const ANSWERED: u32 = 1 << 14;
    /// `listening`
    pub const LISTENING: u32 = 1 << 15;
    /// `regular`
    pub const REGULAR: u32 = 1 << 16;
    /// `guesses`
    pub const GUESSES: u32 = 1 << 17;
    /// `received`
    pub const RECEIVED: u32 = 1 << 18;
    /// `asked`
    pub const ASKED: u32 = 1 << 19;
}

impl Match {
    /// Which conditions it has, see [`condition`].
    pub fn conditions(&self) -> u32 {
        let bit = |present: bool, bit: u32| if present { bit } else { 0 };
        bit(self.family.is_some(), condition::FAMILY)
            | bit(self.proto.is_some(), condition::PROTO)
            | bit(self.dst_port.is_some(), condition::DST_PORT)
            | bit(self.src_port.is_some(), condition::SRC_PORT)
            | bit(self.dst_port_not.is_some(), condition::DST_PORT_NOT)
            | bit(self.src_port_not.is_some(), condition::SRC_PORT_NOT)
            | bit(self.icmp_type.is_some() || self.icmp_code.is_some(), condition::ICMP)
            | bit(self.segment.is_some(), condition::SEGMENT)
            | bit(self.dst.is_some(), condition::DST)
            | bit(self.src.is_some(), condition::SRC)
            | bit(!self.flags.0.is_empty(), condition::FLAGS)
            | bit(!self.flags_not.0.is_empty(), condition::FLAGS_NOT)
            | bit(self.payload.is_some(), condition::PAYLOAD)
            | bit(self.embedded.is_some(), condition::EMBEDDED)
            | bit(self.answered.is_some(), condition::ANSWERED)
            | bit(self.listening.is_some(), condition::LISTENING)
            | bit(self.regular.is_some(), condition::REGULAR)
            | bit(self.guesses.is_some(), condition::GUESSES)
            | bit(self.received.is_some(), condition::RECEIVED)
            | bit(self.asked.is_some(), condition::ASKED)
    }

    /// Whether it has no other conditions than these.
    pub fn asks_only(&self, allowed: u32) -> bool {
        self.conditions() & !allowed == 0
    }

    /// Which TCP packets it means.
    pub fn segment(&self) -> Segment {
        self.segment.unwrap_or(match &self.dst_port {
            Some(ports) if !ports.all_below(FIRST_CLIENT_PORT.into()) => Segment::Syn,
            _ => Segment::Any,
        })
    }

    /// How narrow it is; the smaller speaks first.
    pub fn breadth(&self) -> (u64, u64, u64, u32) {
        const ALL_PORTS: u64 = 1 << 16;
        const ALL_BYTES: u64 = 1 << 8;
        let icmp = self.icmp_type.as_ref().map_or(ALL_BYTES, |set| set.size())
            * self.icmp_code.as_ref().map_or(ALL_BYTES, |set| set.size());
        (
            self.dst_port.as_ref().map_or(ALL_PORTS, |set| set.size()),
            self.src_port.as_ref().map_or(ALL_PORTS, |set| set.size()),
            icmp,
            u32::BITS - self.conditions().count_ones(),
        )
    }

    /// Whether every condition holds for a packet.
    pub fn fits(&self, seen: &Seen<'_>) -> bool {
        self.fits_ip(seen) && self.fits_transport(seen) && self.fits_contents(seen)
    }

    fn fits_ip(&self, seen: &Seen<'_>) -> bool {
        let packet = &seen.sighting.packet;
        let family = match self.family {
            None => true,
            Some(FamilyNumber::V4) => packet.family == Family::V4,
            Some(FamilyNumber::V6) => packet.family == Family::V6,
        };
        family
            && self.proto.is_none_or(|proto| packet.has_protocol && packet.protocol == proto.0)
            && contains_all(packet.flags, self.flags.0)
            && !packet.flags.intersects(self.flags_not.0)
            && self.src.as_ref().is_none_or(|source| packet.family != Family::None && source.fits(seen))
            && self.dst.as_ref().is_none_or(|destination| packet.family != Family::None && destination.fits(seen))
    }

    fn fits_transport(&self, seen: &Seen<'_>) -> bool {
        let packet = &seen.sighting.packet;
        let asks_ports = condition::DST_PORT | condition::SRC_PORT | condition::DST_PORT_NOT | condition::SRC_PORT_NOT;
        if self.conditions() & asks_ports != 0 {
            let fits = seen.port_proto().is_some()
                && self.dst_port.as_ref().is_none_or(|set| set.contains(packet.destination_port))
                && self.src_port.as_ref().is_none_or(|set| set.contains(packet.source_port))
                && self.dst_port_not.as_ref().is_none_or(|set| !set.contains(packet.destination_port))
                && self.src_port_not.as_ref().is_none_or(|set| !set.contains(packet.source_port));
            if !fits {
                return false;
            }
        }
        if self.conditions() & condition::ICMP != 0 {
            let fits = matches!(packet.transport, Transport::Icmp | Transport::Icmpv6)
                && self.icmp_type.as_ref().is_none_or(|set| set.contains(packet.icmp_type))
                && self.icmp_code.as_ref().is_none_or(|set| set.contains(packet.icmp_code));
            if !fits {
                return false;
            }
        }
        packet.transport != Transport::Tcp || matches_segment(self.segment(), seen.segment())
    }

    fn fits_contents(&self, seen: &Seen<'_>) -> bool {
        self.payload.as_ref().is_none_or(|payload| payload.fits(seen))
            && self.embedded.as_ref().is_none_or(|embedded| embedded.fits(seen))
            && self.answered.is_none_or(|answered| answered == self.is_answered(seen))
            && self.asked.is_none_or(|asked| asked == seen.asked)
            && self.listening.is_none_or(|listening| seen.listening == Some(listening))
            && self.regular.is_none_or(|regular| regular == seen.regular)
            && self.guesses.is_none_or(|guesses| guesses == seen.guesses)
            && self.received.is_none_or(|bytes| seen.received >= bytes)
    }

    /// A match that asks for a port or a payload means the program that was addressed, others the host.
    fn is_answered(&self, seen: &Seen<'_>) -> bool {
        if self.dst_port.is_some() || self.payload.is_some() { seen.port_answered } else { seen.answered }
    }

    /// Whether it holds for every packet of a row of the port counters. `segment` is what the row's TCP packets are.
    pub fn fits_port_row(&self, proto: PortProto, port: u16, segment: Segment) -> bool {
        self.asks_only(condition::PROTO | condition::DST_PORT | condition::SEGMENT)
            && self.dst_port.as_ref().is_some_and(|set| set.contains(port))
            && self.fits_proto_row(proto, segment)
    }

    /// Whether it holds for every packet of a row of the source port counters.
    pub fn fits_source_row(&self, proto: PortProto, port: u16, segment: Segment) -> bool {
        self.asks_only(condition::PROTO | condition::SRC_PORT | condition::SEGMENT)
            && self.src_port.as_ref().is_some_and(|set| set.contains(port))
            && self.fits_proto_row(proto, segment)
    }

    fn fits_proto_row(&self, proto: PortProto, segment: Segment) -> bool {
        match proto {
            PortProto::Tcp => {
                self.proto.is_none_or(|wanted| wanted == Proto::TCP) && matches_segment(self.segment(), Some(segment))
            }
            PortProto::Udp => self.proto.is_none_or(|wanted| wanted == Proto::UDP),
        }
    }

    /// Whether it holds for every packet of a row of the ICMP counters.
    pub fn fits_icmp_row(&self, family: Family, icmp_type: u8, code: u8) -> bool {
        let proto = if family == Family::V4 { FamilyNumber::V4 } else { FamilyNumber::V6 };
        let number = if family == Family::V4 { Proto(1) } else { Proto(58) };
        self.asks_only(condition::FAMILY | condition::PROTO | condition::ICMP)
            && self.family.is_none_or(|wanted| wanted == proto)
            && self.proto.is_none_or(|wanted| wanted == number)
            && self.icmp_type.as_ref().is_none_or(|set| set.contains(icmp_type))
            && self.icmp_code.as_ref().is_none_or(|set| set.contains(code))
    }
}

fn contains_all(flags: Flags, wanted: Flags) -> bool {
    flags.bits() & wanted.bits() == wanted.bits()
}

fn matches_segment(wanted: Segment, found: Option<Segment>) -> bool {
    wanted == Segment::Any || found == Some(wanted)
}

impl Source {
    fn fits(&self, seen: &Seen<'_>) -> bool {
        match self {
            Source::Local => seen.local,
            Source::Home => seen.home,
            Source::In(prefixes) => prefixes.contains(seen.sighting.source()),
        }
    }
}

impl Destination {
    fn fits(&self, seen: &Seen<'_>) -> bool {
        let limited = seen.has(Flag::LimitedBroadcast);
        let directed = seen.has(Flag::DirectedBroadcast);
        let multicast = seen.has(Flag::Multicast);
        match self {
            Destination::Broadcast => limited || directed,
            Destination::LimitedBroadcast => limited,
            Destination::DirectedBroadcast => directed,
            Destination::Multicast => multicast,
            Destination::Unicast => !(limited || directed || multicast),
            Destination::In(prefixes) => prefixes.contains(seen.sighting.destination()),
        }
    }
}

impl PayloadMatch {
    fn fits(&self, seen: &Seen<'_>) -> bool {
        seen.shapes.iter().any(|shape| {
            shape.name == self.shape
                && self
                    .attributes
                    .iter()
                    .all(|(name, wanted)| shape.attribute(name).is_some_and(|value| wanted.accepts(value)))
        })
    }
}

impl Embedded {
    fn fits(&self, seen: &Seen<'_>) -> bool {
        let Some(original) = &seen.original else { return false };
        self.proto.is_none_or(|proto| original.protocol == proto.0)
            && self.src_port.as_ref().is_none_or(|set| original.ports.is_some_and(|(port, _)| set.contains(port)))
            && self.dst_port.as_ref().is_none_or(|set| original.ports.is_some_and(|(_, port)| set.contains(port)))
    }
}
