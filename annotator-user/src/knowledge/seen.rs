//! A sighting with all that matching asks of it.

use std::collections::HashSet;

use annotator_common::{Address, Family, Flag, packet::tcp};

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
    /// Whether packets of the destination to the source were seen, too.
    pub answered: bool,
}

/// Who was seen sending to whom.
pub type Directions = HashSet<(Address, Address)>;

/// The directions of all sightings.
pub fn directions(sightings: &[Sighting]) -> Directions {
    sightings.iter().map(|sighting| (sighting.packet.source, sighting.packet.destination)).collect()
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
        Seen {
            sighting,
            shapes: reader.read(sighting),
            original: Original::of(sighting),
            outgoing,
            local: is_private(sighting.source())
                || locality.prefixes.iter().any(|prefix| prefix.contains(sighting.source())),
            answered: directions.contains(&(sighting.packet.destination, sighting.packet.source)),
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
