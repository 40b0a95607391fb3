//! `scan.ip-protocol`: which protocols are spoken here?

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::{Family, Flag, Transport};

use crate::counters::Protocol;
use crate::finding::Recognition;
use crate::observation::Sighting;
use crate::recognise::scene::is_to_many;
use crate::recognise::{Case, Scene, words};

/// Finds scans of protocols by one source, one for each target.
pub fn recognise(scene: &Scene<'_>, indices: &[usize]) -> Vec<Recognition> {
    let mut by_target: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for index in indices {
        let sighting = scene.sighting(*index);
        if is_bare(scene, sighting) {
            by_target.entry(sighting.destination()).or_default().push(*index);
        }
    }
    let hosts = by_target.len() as u64;
    by_target.into_values().filter_map(|members| explain(scene, members, hosts)).collect()
}

fn is_bare(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    packet.transport == Transport::None
        && packet.has_protocol
        && !packet.flags.contains(Flag::Fragment)
        && !is_to_many(sighting)
        && scene.is_inbound(sighting)
}

/// Explains what came to one of some hosts.
fn explain(scene: &Scene<'_>, members: Vec<usize>, hosts: u64) -> Option<Recognition> {
    let limits = &scene.thresholds.scan;
    let mut known = BTreeSet::new();
    let packets = members.iter().map(|i| &scene.sighting(*i).packet);
    let protocols = packets.map(|packet| (packet.family, packet.protocol)).filter(|protocol| known.insert(*protocol));
    let is_tried = |(family, number): &(Family, u8)| {
        let count = scene.observations.counters.protocols.get(&Protocol::Ip(*family, *number));
        count.is_none_or(|count| count.packets <= limits.protocol_repeats * hosts)
    };
    let numbers: Vec<u8> = protocols.filter(is_tried).map(|(_, number)| number).collect();
    if numbers.len() < limits.protocols {
        return None;
    }
    Some(
        Case::new(scene, "scan.ip-protocol", members)
            .evidence(format!(
                "{} in order of arrival: {}.",
                words::count(numbers.len() as u64, "IP protocol"),
                words::list(&numbers, 24)
            ))
            .with_ttls()
            .evidence("Tunnels and routing use two or three protocols, and go on using them.")
            .fact("detail", words::count(numbers.len() as u64, "IP protocol"))
            .close(),
    )
}
