//! `loop.echo`: two services that answer whatever comes, set upon each other by one forged packet.

use std::collections::BTreeMap;
use std::net::IpAddr;

use annotator_common::Transport;

use super::{Case, Claims, Scene};
use crate::finding::{Confidence, Recognition};

/// Finds echo loops, one finding for each pair of hosts.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let ports = &scene.thresholds.echo_loop.ports;
    let mut pairs: BTreeMap<(IpAddr, IpAddr), Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        let packet = &sighting.packet;
        if packet.transport == Transport::Udp
            && ports.contains(&packet.source_port)
            && ports.contains(&packet.destination_port)
            && claims.is_free(index)
        {
            let (a, b) = (sighting.source(), sighting.destination());
            pairs.entry((a.min(b), a.max(b))).or_default().push(index);
        }
    }
    pairs.into_values().filter(|members| members.len() > 1).map(|members| explain(scene, members)).collect()
}

fn explain(scene: &Scene<'_>, members: Vec<usize>) -> Recognition {
    let first = &scene.sighting(members[0]).packet;
    let (from, to) = (first.source_port, first.destination_port);
    let sources = |i: &usize| scene.sighting(*i).source();
    let both = members.iter().any(|i| sources(i) != sources(&members[0]));
    let case = Case::new(scene, "loop.echo", members).evidence(format!(
        "From UDP port {from} to UDP port {to}: both services answer everything, so each answer is a new question."
    ));
    let case = if both {
        case.confidence(Confidence::Certain).evidence("Packets go both ways: the loop runs.")
    } else {
        case.confidence(Confidence::Likely)
    };
    case.fact("detail", format!("port {from} to port {to}")).close()
}
