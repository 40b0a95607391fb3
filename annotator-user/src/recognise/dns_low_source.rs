//! `pattern.dns-low-source`: DNS queries from source ports that were once reserved. It comes after whatever else such questions may be, since anybody
//! can choose his port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::Transport;

use super::{Case, Claims, DNS, FIRST_CLIENT_PORT, Scene, words};
use crate::finding::Recognition;

/// Finds DNS queries from several low source ports, one finding for each server asked.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_server: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        let packet = &sighting.packet;
        let low = packet.source_port < FIRST_CLIENT_PORT && packet.source_port != DNS;
        if packet.transport == Transport::Udp && packet.destination_port == DNS && low && claims.is_free(index) {
            by_server.entry(sighting.destination()).or_default().push(index);
        }
    }
    by_server.into_values().filter_map(|members| explain(scene, members)).collect()
}

fn explain(scene: &Scene<'_>, members: Vec<usize>) -> Option<Recognition> {
    let mut known = BTreeSet::new();
    let ports = members.iter().map(|i| scene.sighting(*i).packet.source_port).filter(|port| known.insert(*port));
    let ports: Vec<u16> = ports.collect();
    if ports.len() < scene.thresholds.dns_low_source.ports {
        return None;
    }
    Some(
        Case::new(scene, "pattern.dns-low-source", members)
            .evidence(format!(
                "{} below 1024, in order: {}.",
                words::count(ports.len() as u64, "source port"),
                words::ports(ports.iter().copied())
            ))
            .fact("detail", format!("source ports {}", words::ports(ports)))
            .close(),
    )
}
