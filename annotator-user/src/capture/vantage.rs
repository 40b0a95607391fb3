//! At which host a capture was made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::packet::tcp;
use annotator_common::record::is_icmp_error;
use annotator_common::{Family, Flag, Flags};

use crate::observation::{Locality, Sighting};
use crate::recognise::addresses::site;

/// Hosts that somebody has talked with before his part in all conversations says anything: of two that talk to each other, either may have captured.
const PEERS: usize = 3;

/// Packets that many receive, who need not be those that one of them talks with.
const TO_MANY: Flags =
    Flags::of(&[Flag::LimitedBroadcast, Flag::Multicast, Flag::EthernetBroadcast, Flag::EthernetMulticast]);

/// What an address has to do with the packets.
#[derive(Default)]
struct Part {
    sent: usize,
    received: usize,
    peers: BTreeSet<IpAddr>,
    /// Whom it sent something.
    asked: BTreeSet<IpAddr>,
    /// Who sent it something that is no refusal.
    friends: BTreeSet<IpAddr>,
}

impl Part {
    /// Whether most of those whom it asks answer.
    fn is_welcome(&self) -> bool {
        self.asked.intersection(&self.friends).count() * 2 >= self.asked.len()
    }

    /// Whether others live in one place, or in networks that are ours: then they are looked at, and this one comes to them.
    fn visits(&self, locality: &Locality) -> bool {
        let sites: BTreeSet<IpAddr> = self.peers.iter().map(|peer| site(*peer)).collect();
        sites.len() == 1 || self.peers.iter().all(|peer| locality.is_near(*peer))
    }
}

/// The address that sends or receives nine unicast packets of ten, does both, and has several peers, each of which has less to do with them, who answer it
/// and are at home in different places.
pub fn point(sightings: &[Sighting], locality: &Locality) -> Option<IpAddr> {
    let mut parts: BTreeMap<IpAddr, Part> = BTreeMap::new();
    let unicast =
        |sighting: &&Sighting| sighting.packet.family != Family::None && !sighting.packet.flags.intersects(TO_MANY);
    let mut packets = 0;
    for sighting in sightings.iter().filter(unicast) {
        let (source, destination) = (sighting.source(), sighting.destination());
        packets += 1;
        let sender = parts.entry(source).or_default();
        sender.sent += 1;
        sender.peers.insert(destination);
        sender.asked.insert(destination);
        let receiver = parts.entry(destination).or_default();
        receiver.received += 1;
        receiver.peers.insert(source);
        if sighting.packet.tcp_flags & tcp::RST == 0 && !is_icmp_error(&sighting.packet) {
            receiver.friends.insert(source);
        }
    }
    let is_in_most = |part: &Part| (part.sent + part.received) * 10 >= packets * 9;
    let both_ways = |part: &Part| part.sent > 0 && part.received > 0 && part.peers.len() >= PEERS;
    let mut candidates = parts.iter().filter(|(_, part)| is_in_most(part));
    let (address, part) = candidates.next()?;
    let is_host = both_ways(part) && part.is_welcome() && !part.visits(locality);
    (candidates.next().is_none() && is_host).then_some(*address)
}
