//! A sighting with all that matching asks of it.

use std::collections::HashSet;

use annotator_common::{Address, Family, Flag, Packet, Transport, packet::tcp};

use super::schema::Segment;
use crate::counters::PortProto;
use crate::observation::{Locality, Sighting};
use crate::payload::embedded::Original;
use crate::payload::{Reader, Shape};
use crate::recognise::scene::is_private;

/// A sighting, decoded.
pub struct Seen<'a> {
    /// The sighting.
    pub sighting: &'a Sighting,
    /// What its payload is.
    pub shapes: Vec<Shape>,
    /// The packet that an ICMP error is about.
    pub original: Option<Original>,
    /// Whether it left one of our own addresses: captures hold both directions.
    pub outgoing: bool,
    /// Whether its source is on the local network, as far as that is known.
    pub local: bool,
    /// Whether its source is ours or lies in a network of ours.
    pub home: bool,
    /// Whether packets of the destination to the source were seen, too.
    pub answered: bool,
    /// Whether the very port that it was sent to sent something to the source, too.
    pub port_answered: bool,
    /// Whether it is UDP back to another port, which had sent to its own port before: the destination spoke first. Programs that send from their
    /// service's own port are no clients on a lent one.
    pub asked: bool,
}

/// One end of an exchange.
type End = (Address, u16);

/// Who was seen sending to whom.
#[derive(Default)]
pub struct Directions {
    hosts: HashSet<(Address, Address)>,
    ports: HashSet<(Transport, End, Address)>,
    /// UDP, from the end that spoke first to the other.
    opened: HashSet<(End, End)>,
}

impl Directions {
    /// The directions of all sightings, which are in order of time.
    pub fn of(sightings: &[Sighting]) -> Self {
        let mut directions = Directions::default();
        for Sighting { packet, .. } in sightings {
            directions.hosts.insert((packet.source, packet.destination));
            let (from, to) = ends(packet);
            directions.ports.insert((packet.transport, from, packet.destination));
            if packet.transport == Transport::Udp && !directions.opened.contains(&(to, from)) {
                directions.opened.insert((from, to));
            }
        }
        directions
    }

    fn answered(&self, packet: &Packet) -> bool {
        self.hosts.contains(&(packet.destination, packet.source))
    }

    fn port_answered(&self, packet: &Packet) -> bool {
        let (_, to) = ends(packet);
        matches!(packet.transport, Transport::Tcp | Transport::Udp)
            && self.ports.contains(&(packet.transport, to, packet.source))
    }

    fn asked(&self, packet: &Packet) -> bool {
        let (from, to) = ends(packet);
        packet.transport == Transport::Udp && from.1 != to.1 && self.opened.contains(&(to, from))
    }
}

fn ends(packet: &Packet) -> (End, End) {
    ((packet.source, packet.source_port), (packet.destination, packet.destination_port))
}

impl<'a> Seen<'a> {
    /// Decodes a sighting.
    pub fn new(
        sighting: &'a Sighting,
        reader: &Reader,
        locality: &Locality,
        live: bool,
        directions: &Directions,
    ) -> Self {
        let outgoing = !live
            && sighting.packet.family != Family::None
            && locality.addresses.contains(&sighting.source())
            && !locality.addresses.contains(&sighting.destination());
        let home = locality.is_near(sighting.source());
        Seen {
            sighting,
            shapes: reader.read(sighting),
            original: Original::of(sighting),
            outgoing,
            local: home || is_private(sighting.source()),
            home,
            answered: directions.answered(&sighting.packet),
            port_answered: directions.port_answered(&sighting.packet),
            asked: directions.asked(&sighting.packet),
        }
    }

    /// The kind of a TCP packet, `None` for flag combinations that have no name.
    pub fn segment(&self) -> Option<Segment> {
        let flags = self.sighting.packet.tcp_flags;
        let syn = flags & tcp::SYN != 0;
        let ack = flags & tcp::ACK != 0;
        match (syn, ack) {
            (true, false) => Some(Segment::Syn),
            (true, true) => Some(Segment::SynAck),
            _ if flags & tcp::RST != 0 => Some(Segment::Rst),
            _ if flags & tcp::FIN != 0 => Some(Segment::Fin),
            (false, true) => Some(Segment::Ack),
            (false, false) => None,
        }
    }

    /// TCP or UDP, where its ports were read.
    pub fn port_proto(&self) -> Option<PortProto> {
        self.sighting.port_proto()
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: Flag) -> bool {
        self.sighting.packet.flags.contains(flag)
    }
}
