//! `scan.ip-protocol`: which protocols are spoken here?

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::{Flag, Transport};

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
    by_target.into_values().filter_map(|members| explain(scene, members)).collect()
}

fn is_bare(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    packet.transport == Transport::None
        && packet.has_protocol
        && !packet.flags.contains(Flag::Fragment)
        && !is_to_many(sighting)
        && scene.is_inbound(sighting)
}

fn explain(scene: &Scene<'_>, members: Vec<usize>) -> Option<Recognition> {
    let mut known = BTreeSet::new();
    let numbers = members.iter().map(|i| scene.sighting(*i).packet.protocol).filter(|number| known.insert(*number));
    let numbers: Vec<u8> = numbers.collect();
    if numbers.len() < scene.thresholds.scan.protocols {
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
