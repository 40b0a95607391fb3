//! A sighting with all that matching asks of it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use annotator_common::{Address, Family, Flag, Flags, Packet, Transport, packet::tcp};

use super::schema::Segment;
use crate::counters::{Counters, PortProto, Side};
use crate::observation::{Moment, Observations, Sighting};
use crate::payload::embedded::Original;
use crate::payload::{Reader, Shape};
use crate::recognise::addresses::site;
use crate::recognise::packets::is_local;
use crate::recognise::rounds::are_rounds;
use crate::recognise::{Thresholds, thresholds};

/// The shape of a request that does not wait for its connection.
const OUT_OF_CONNECTION: &str = "http-host-out-of-connection";

/// The shape of a question for all of a zone.
const ZONE_TRANSFER: &str = "dns-axfr";

/// The headers that a TCP packet has at least: Ethernet, IPv4, TCP.
const HEADER_BYTES: u64 = 14 + 20 + 20;

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
    /// Whether its source is ours or lies in a network of ours, as far as that is known or shows.
    pub home: bool,
    /// Whether packets of the destination to the source were seen, too.
    pub answered: bool,
    /// Whether the very port that it was sent to sent something to the source, too.
    pub port_answered: bool,
    /// Whether it is UDP back to another port, which had sent to its own port before: the destination spoke first. Programs that send from their
    /// service's own port are no clients on a lent one. Or whether it is TCP of a connection for which its destination was seen to ask.
    pub asked: bool,
    /// How many peers, at ports of their own choice, answer the program that it is of, if it is UDP and most do.
    pub peers: usize,
    /// Whether something listens here at its destination port, where that is known, or evident from answers by UDP, or from use by TCP.
    pub listening: Option<bool>,
    /// Whether its source says the same to the same port again and again, at even intervals.
    pub regular: bool,
    /// Whether its source tries communities, extensions or passwords at the same port.
    pub guesses: bool,
    /// Bytes that its source acknowledges behind it on the TCP connection, beyond as many as it carries itself, as far as samples tell, and no more than
    /// the port was seen to send; or on another connection, behind a packet of the kind.
    pub received: u32,
}

/// One end of an exchange.
pub(super) type End = (Address, u16);

/// Who was seen sending to whom.
#[derive(Default)]
pub struct Directions {
    hosts: HashSet<(Address, Address)>,
    ports: HashSet<(Transport, End, Address)>,
    /// UDP, from the end that spoke first to the other.
    opened: HashSet<(End, End)>,
    /// TCP, from the end that asked for a connection to the other.
    begun: HashSet<(End, End)>,
    /// UDP, ends that answered who spoke first.
    serving: HashSet<End>,
    /// UDP, of an end that spoke first: how many peers it has.
    peers: HashMap<End, usize>,
    /// TCP, from the end that acknowledges: where that began, and how far it got.
    acknowledged: HashMap<(End, End), (u32, u32)>,
    /// Sites that get what others send: data is addressed to them, or they acknowledge it.
    reached: HashSet<IpAddr>,
}

impl Directions {
    /// The directions of all sightings, which are in order of time.
    pub fn of(sightings: &[Sighting], thresholds: &Thresholds) -> Self {
        let mut directions = Directions::default();
        // UDP, from the end that spoke first: the ends at which it was answered, and those at which it was not, or not yet.
        let mut others: HashMap<End, [HashSet<End>; 2]> = HashMap::new();
        for sighting in sightings {
            let packet = &sighting.packet;
            directions.hosts.insert((packet.source, packet.destination));
            let (from, to) = ends(packet);
            if let Some(number) = sighting.tcp_acknowledgement() {
                let (first, bytes) = directions.acknowledged.entry((from, to)).or_insert((number, 0));
                *bytes = (*bytes).max(ahead(number, *first));
                if *bytes > 0 {
                    directions.reached.insert(site(sighting.source()));
                }
            }
            let data = match packet.transport {
                Transport::Tcp => sighting.tcp_acknowledgement().is_some() && !sighting.payload().is_empty(),
                transport => transport == Transport::Udp,
            };
            if data && site(sighting.source()) != site(sighting.destination()) {
                directions.reached.insert(site(sighting.destination()));
            }
            directions.ports.insert((packet.transport, from, packet.destination));
            if packet.is_syn() {
                directions.begun.insert((from, to));
            }
            if packet.transport == Transport::Udp {
                if directions.opened.contains(&(to, from)) {
                    directions.serving.insert(from);
                    others.entry(to).or_default()[0].insert(from);
                } else {
                    directions.opened.insert((from, to));
                    others.entry(from).or_default()[1].insert(to);
                }
            }
        }
        directions.peers = others.into_iter().map(|(end, others)| (end, peers(others, thresholds))).collect();
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

    /// Whether the end that a datagram goes to is seen to answer who spoke first. Nothing is known of an end that is not.
    fn listening(&self, packet: &Packet) -> Option<bool> {
        (packet.transport == Transport::Udp && self.serving.contains(&ends(packet).1)).then_some(true)
    }

    /// What a packet's source got behind it. An answer repeats what was asked, which says nothing.
    fn received(&self, sighting: &Sighting) -> u32 {
        let Some((first, bytes)) = self.acknowledged.get(&ends(&sighting.packet)) else { return 0 };
        let before = sighting.tcp_acknowledgement().map_or(0, |number| ahead(number, *first));
        bytes.saturating_sub(before).saturating_sub(sighting.payload_length())
    }

    /// Whether the source has an internal address, which nobody on the Internet could answer, and its site gets answers: we are inside, too.
    fn is_inside(&self, sighting: &Sighting) -> bool {
        const INTERNAL: Flags = Flags::of(&[Flag::PrivateSource, Flag::SharedSource]);
        sighting.packet.flags.intersects(INTERNAL) && self.reached.contains(&site(sighting.source()))
    }

    fn peers(&self, packet: &Packet) -> usize {
        let peers = (packet.transport == Transport::Udp).then(|| self.peers.get(&ends(packet).0)).flatten();
        peers.copied().unwrap_or_default()
    }

    fn asked(&self, packet: &Packet) -> bool {
        let (from, to) = ends(packet);
        match packet.transport {
            Transport::Udp => from.1 != to.1 && self.opened.contains(&(to, from)),
            Transport::Tcp => !packet.is_syn() && self.begun.contains(&(to, from)),
            _ => false,
        }
    }
}

/// How many hosts answered at ports at which no service is, each at one of its own, if most who were asked did: a program has peers, and a search has not.
fn peers([answered, asked]: [HashSet<End>; 2], thresholds: &Thresholds) -> usize {
    let is_of_service = |port: u16| {
        thresholds.contact.answers(port)
            || thresholds.amplification.hunted_ports.contains(&port)
            || thresholds.leftover.hunted_ports.contains(&port)
    };
    if answered.len() * 2 <= asked.len() {
        return 0;
    }
    let peers = answered.into_iter().filter(|(_, port)| !is_of_service(*port));
    let (hosts, ports): (HashSet<Address>, HashSet<u16>) = peers.unzip();
    hosts.len().min(ports.len())
}

/// How far a sequence number is ahead of another; what lies behind it comes out of order.
fn ahead(number: u32, first: u32) -> u32 {
    let further = number.wrapping_sub(first);
    if further <= i32::MAX as u32 { further } else { 0 }
}

/// Whether what comes to a TCP port uses its connections: who scans sends two packets behind each SYN at most, who uses one three at least.
fn is_used(packet: &Packet, counters: &Counters) -> bool {
    let count = counters.port(PortProto::Tcp, Side::Dst, packet.destination_port);
    let count = count.filter(|_| packet.transport == Transport::Tcp);
    count.is_some_and(|count| count.syn.packets > 0 && count.all.packets >= 4 * count.syn.packets)
}

pub(super) fn ends(packet: &Packet) -> (End, End) {
    ((packet.source, packet.source_port), (packet.destination, packet.destination_port))
}

impl<'a> Seen<'a> {
    /// Decodes a sighting.
    pub fn new(
        sighting: &'a Sighting,
        reader: &Reader,
        observations: &Observations<'_>,
        directions: &Directions,
    ) -> Self {
        let locality = observations.locality;
        let outgoing = !observations.live
            && sighting.packet.family != Family::None
            && locality.addresses.contains(&sighting.source())
            && !locality.addresses.contains(&sighting.destination());
        let home = locality.is_near(sighting.source()) || directions.is_inside(sighting);
        let (host, port) = sighting.target();
        let port_answered = directions.port_answered(&sighting.packet);
        let acknowledged = directions.received(sighting);
        let heard = port_answered && !observations.live;
        let sent = observations.counters.port(PortProto::Tcp, Side::Src, port).filter(|_| heard);
        let sent = sent.map(|count| count.all.bytes.saturating_sub(HEADER_BYTES * count.all.packets));
        Seen {
            sighting,
            shapes: reader.read(sighting),
            original: Original::of(sighting),
            outgoing,
            local: home || is_local(sighting, locality),
            home,
            answered: directions.answered(&sighting.packet),
            port_answered,
            asked: directions.asked(&sighting.packet),
            peers: directions.peers(&sighting.packet),
            listening: sighting
                .port_proto()
                .and_then(|proto| observations.is_listening(proto, host, port))
                .or_else(|| directions.listening(&sighting.packet))
                .or_else(|| is_used(&sighting.packet, observations.counters).then_some(true)),
            regular: false,
            guesses: false,
            received: sent.map_or(acknowledged, |bytes| acknowledged.min(bytes.try_into().unwrap_or(u32::MAX))),
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

/// Whether it is about all of a zone (AXFR) or what has changed in it (IXFR), which is given to those who may have all of it (RFC 1995).
fn is_of_transfer(shape: &Shape) -> bool {
    shape.name == ZONE_TRANSFER || matches!(shape.attribute("qtype"), Some("251" | "252"))
}

/// Says of each TCP packet that its source got what it got behind any of the kind: ends of connections are sampled at first only, requests go on to be.
pub fn share_received(all: &mut [Seen<'_>]) {
    let name = |shape: &Shape| if is_of_transfer(shape) { ZONE_TRANSFER } else { shape.name };
    let kind = |seen: &Seen<'_>| {
        let mut shapes: Vec<&'static str> = seen.shapes.iter().map(name).collect();
        shapes.dedup();
        (seen.sighting.packet.source, ends(&seen.sighting.packet).1, shapes)
    };
    let mut most: HashMap<(Address, End, Vec<&'static str>), u32> = HashMap::new();
    for seen in all.iter().filter(|seen| seen.received > 0) {
        let received = most.entry(kind(seen)).or_default();
        *received = seen.received.max(*received);
    }
    for seen in all.iter_mut().filter(|seen| seen.sighting.packet.transport == Transport::Tcp) {
        seen.received = most.get(&kind(seen)).copied().unwrap_or_default();
    }
}

/// What a payload says. Who keeps a copy of a zone asks for its SOA or for what has changed (RFC 1995), and now and then for all: always the same zone.
fn contents(shape: &Shape) -> &str {
    let is_of_zone = is_of_transfer(shape) || shape.attribute("qtype") == Some("6");
    shape.attribute("name").filter(|_| is_of_zone).unwrap_or(&shape.detail)
}

/// Marks what comes in rounds and says the same in each.
pub fn mark_regular(all: &mut [Seen<'_>], limits: &thresholds::Rounds) {
    let mut said: HashMap<(Address, End, Vec<&str>), Vec<usize>> = HashMap::new();
    for (index, seen) in all.iter().enumerate().filter(|(_, seen)| !seen.shapes.is_empty()) {
        let packet = &seen.sighting.packet;
        let mut words: Vec<&str> = seen.shapes.iter().map(contents).collect();
        words.dedup();
        said.entry((packet.source, ends(packet).1, words)).or_default().push(index);
    }
    let are_regular = |indices: &[usize]| {
        let moments: Vec<Moment> = indices.iter().map(|index| all[*index].sighting.at).collect();
        are_rounds(&moments, limits)
    };
    let regular: Vec<usize> = said.into_values().filter(|indices| are_regular(indices)).flatten().collect();
    for index in regular {
        all[index].regular = true;
    }
}

/// Takes back the accusation of those whose first packet shows the cookie of an earlier connection, which is forged as easily as the rest: of the first such
/// packet of each source, and of all where a program is there to take them, by its answers, by what listens, or by what its clients go on to send.
pub fn excuse_fast_open(all: &mut [Seen<'_>], counters: &Counters) {
    let is_used = |port: u16| {
        let count = counters.port(PortProto::Tcp, Side::Dst, port);
        count.is_some_and(|count| count.all.packets >= 2 * count.syn.packets)
    };
    let mut known: HashSet<Address> = HashSet::new();
    for seen in all {
        let packet = &seen.sighting.packet;
        let (port, source) = (packet.destination_port, packet.source);
        let is_early = |shape: &Shape| shape.name == OUT_OF_CONNECTION && shape.attribute("cookie").is_some();
        if seen.shapes.iter().any(is_early)
            && (known.insert(source) || seen.port_answered || seen.listening == Some(true) || is_used(port))
        {
            seen.shapes.retain(|shape| !is_early(shape));
        }
    }
}
