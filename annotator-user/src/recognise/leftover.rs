//! `leftover.p2p`: a sharing network still looks for whoever had this address before.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use super::addresses::network;
use super::scene::Outcome;
use super::{Case, Claims, Scene, words};
use crate::finding::{Confidence, Recognition};

/// Finds leftovers, one finding for each address and port.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let limits = &scene.thresholds.leftover;
    let answered = scene.sightings().filter(|(index, _)| scene.outcome(*index) == Outcome::Answered);
    let served: HashSet<(IpAddr, u16)> = answered.map(|(_, sighting)| sighting.target()).collect();
    let mut groups: BTreeMap<(IpAddr, u16), Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        let port = sighting.packet.destination_port;
        if port >= limits.first_port
            && !limits.hunted_ports.contains(&port)
            && !served.contains(&sighting.target())
            && claims.is_free(index)
            && scene.is_probe(index)
        {
            groups.entry((sighting.destination(), port)).or_default().push(index);
        }
    }
    groups.into_iter().filter_map(|((_, port), members)| explain(scene, port, members)).collect()
}

fn explain(scene: &Scene<'_>, port: u16, members: Vec<usize>) -> Option<Recognition> {
    let limits = &scene.thresholds.leftover;
    let sources = scene.senders(&members);
    let networks: BTreeSet<IpAddr> = sources.iter().map(|source| network(*source)).collect();
    if sources.len() < limits.sources {
        return None;
    }
    let refused = members.iter().any(|i| scene.outcome(*i) == Outcome::Refused);
    let repeated = members.len() > sources.len();
    let case = Case::new(scene, "leftover.p2p", members).evidence(format!(
        "{} in {} want port {port}, which is no service that strangers try on everyone.",
        words::count(sources.len() as u64, "source"),
        words::count(networks.len() as u64, "network")
    ));
    let case = if repeated { case.evidence("Several came back: they believe that somebody is here.") } else { case };
    let case = if networks.len() < limits.networks {
        case.confidence(Confidence::Possible)
            .evidence("They are from few networks: it may be a scan that is shared out.")
    } else if refused {
        case.confidence(Confidence::Likely).evidence("Nothing listens there.")
    } else {
        case.confidence(Confidence::Possible)
            .evidence("If a program of yours listens there, these are simply its partners.")
    };
    Some(case.fact("detail", format!("port {port}")).close())
}
