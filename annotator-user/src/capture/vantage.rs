//! At which host a capture was made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::{Family, Flag, Flags};

use crate::observation::Sighting;

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
}

/// The address that sends or receives nine unicast packets of ten, does both, and has several peers, each of which has less to do with them.
pub fn point(sightings: &[Sighting]) -> Option<IpAddr> {
    let mut parts: BTreeMap<IpAddr, Part> = BTreeMap::new();
    let unicast =
        |sighting: &&Sighting| sighting.packet.family != Family::None && !sighting.packet.flags.intersects(TO_MANY);
    let mut packets = 0;
    for (source, destination) in
        sightings.iter().filter(unicast).map(|sighting| (sighting.source(), sighting.destination()))
    {
        packets += 1;
        let sender = parts.entry(source).or_default();
        sender.sent += 1;
        sender.peers.insert(destination);
        let receiver = parts.entry(destination).or_default();
        receiver.received += 1;
        receiver.peers.insert(source);
    }
    let is_in_most = |part: &Part| (part.sent + part.received) * 10 >= packets * 9;
    let both_ways = |part: &Part| part.sent > 0 && part.received > 0 && part.peers.len() >= PEERS;
    let mut candidates = parts.iter().filter(|(_, part)| is_in_most(part));
    let (address, part) = candidates.next()?;
    (candidates.next().is_none() && both_ways(part)).then_some(*address)
}
