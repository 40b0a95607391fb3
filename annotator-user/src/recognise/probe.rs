//! `pattern.port-probe`: somebody knocked where nobody answers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use super::scene::Outcome;
use super::{Case, Claims, Scene, words};
use crate::finding::{Confidence, Recognition, Verdict};

/// Finds failed knocks that no other finding explains: one finding for those known to have failed, one for those that may have.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let visited: HashSet<(IpAddr, u16)> = scene
        .sightings()
        .filter(|(_, sighting)| sighting.packet.is_syn() && scene.connects(sighting.source()))
        .map(|(_, sighting)| sighting.target())
        .collect();
    let mut by_outcome: BTreeMap<bool, Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        if !claims.is_free(index) || !scene.is_probe(index) || scene.is_ours(sighting.source()) {
            continue;
        }
        match scene.outcome(index) {
            Outcome::Answered => {}
            Outcome::Refused => by_outcome.entry(true).or_default().push(index),
            // Where others have connections, somebody is at home.
            Outcome::Silent | Outcome::Unknown if visited.contains(&scene.sighting(index).target()) => {}
            Outcome::Silent | Outcome::Unknown => by_outcome.entry(false).or_default().push(index),
        }
    }
    by_outcome.into_iter().map(|(refused, members)| knocks(scene, refused, members)).collect()
}

fn knocks(scene: &Scene<'_>, refused: bool, members: Vec<usize>) -> Recognition {
    let mut by_port: BTreeMap<u16, BTreeSet<IpAddr>> = BTreeMap::new();
    for index in &members {
        let sighting = scene.sighting(*index);
        by_port.entry(sighting.packet.destination_port).or_default().insert(sighting.source());
    }
    let mut most: Vec<(usize, u16)> = by_port.iter().map(|(port, sources)| (sources.len(), *port)).collect();
    most.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let listed = most.iter().map(|(sources, port)| format!("{port} ({})", words::count(*sources as u64, "source")));
    let listed = words::list(listed, 16);
    let case = Case::new(scene, "pattern.port-probe", members)
        .verdict(Verdict::Background)
        .evidence(format!("Ports, most wanted first: {listed}."))
        .fact("detail", format!("{} wanted", words::count(by_port.len() as u64, "port")));
    let case = if refused {
        case.confidence(Confidence::Certain).evidence("Nothing listens at these ports: the attempts failed.")
    } else {
        case.confidence(Confidence::Possible).evidence(
            "No answer was seen; whether something listens is not known from these packets. If it does, these may be clients.",
        )
    };
    case.close_open()
}
