//! One direction of a conversation, and what it carried.

use std::net::IpAddr;
use std::ops::Range;

use annotator_common::Transport;
use annotator_common::packet::tcp;

use super::packets::is_refusal;
use crate::observation::Sighting;

/// How far behind the number of a SYN that of an end is where something was said: both count for one (RFC 9293 §3.4), and ends that are made by hand have
/// any number.
const SAID: Range<u32> = 3..1 << 28;

/// One direction of a TCP or UDP conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Half {
    /// TCP or UDP.
    pub transport: Transport,
    /// Who sends.
    pub source: IpAddr,
    /// From which port.
    pub source_port: u16,
    /// To whom.
    pub destination: IpAddr,
    /// To which port.
    pub destination_port: u16,
}

impl Half {
    /// The direction that a sighting belongs to.
    pub fn of(sighting: &Sighting) -> Option<Half> {
        let packet = &sighting.packet;
        matches!(packet.transport, Transport::Tcp | Transport::Udp).then(|| Half {
            transport: packet.transport,
            source: sighting.source(),
            source_port: packet.source_port,
            destination: sighting.destination(),
            destination_port: packet.destination_port,
        })
    }

    /// The other direction.
    pub fn reverse(self) -> Half {
        Half {
            transport: self.transport,
            source: self.destination,
            source_port: self.destination_port,
            destination: self.source,
            destination_port: self.source_port,
        }
    }
}

/// What one direction of a conversation was seen to carry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// A SYN without ACK.
    pub syn: bool,
    /// A SYN with ACK: an answer.
    pub syn_ack: bool,
    /// A reset.
    pub reset: bool,
    /// A reset with ACK: a program gives up a connection of which it knows. A system that knows of none resets without.
    pub aborted: bool,
    /// A reset that refuses a SYN: it acknowledges, and has no sequence number (RFC 9293 §3.10.7.1).
    pub refused: bool,
    /// An ACK without SYN and without RST: the connection stands.
    pub running: bool,
    /// Data of TCP, or an end whose number tells of some.
    pub said: bool,
    /// The sequence number with which it began, where that is known.
    begun: Option<u32>,
    /// A UDP datagram.
    pub datagram: bool,
}

impl Carried {
    /// Whether the connection was used, as far as was seen.
    pub fn is_used(&self) -> bool {
        self.running || self.said
    }

    /// Adds a packet of that direction.
    pub fn note(&mut self, sighting: &Sighting) {
        if sighting.packet.transport == Transport::Udp {
            self.datagram = true;
            return;
        }
        let flags = sighting.packet.tcp_flags;
        let number = sighting.tcp_sequence();
        if flags & tcp::SYN != 0 {
            // Of several beginnings nobody knows to which an end belongs.
            let is_first = !self.syn && !self.syn_ack;
            self.begun = number.filter(|_| is_first || number == self.begun);
        } else {
            let is_end = flags & (tcp::FIN | tcp::RST) != 0 && number != Some(0);
            let counted = number.zip(self.begun).map(|(number, begun)| number.wrapping_sub(begun));
            let is_beyond = is_end && counted.is_some_and(|counted| SAID.contains(&counted));
            let is_data = flags & (tcp::ACK | tcp::RST) == tcp::ACK && sighting.payload_length() > 0;
            self.said |= is_beyond || is_data;
        }
        match flags & (tcp::SYN | tcp::ACK | tcp::RST) {
            tcp::SYN => self.syn = true,
            f if f == tcp::SYN | tcp::ACK => self.syn_ack = true,
            tcp::ACK => self.running = true,
            _ => {}
        }
        self.reset |= flags & tcp::RST != 0;
        self.aborted |= flags & tcp::RST != 0 && flags & tcp::ACK != 0;
        self.refused |= is_refusal(sighting);
    }
}
