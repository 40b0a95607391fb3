//! `pattern.self`: the address under suspicion is one's own.

use std::collections::BTreeMap;
use std::net::IpAddr;

use annotator_common::{Flag, Transport};

use super::scene::{Outcome, is_to_many};
use super::{Case, Claims, Scene};
use crate::finding::{Confidence, Recognition};

/// Finds packets that seem hostile and come from ourselves, one finding for each address.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_source: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        if claims.is_free(index) && is_from_ourselves(scene, index) {
            by_source.entry(sighting.source()).or_default().push(index);
        }
    }
    by_source.into_values().map(|members| explain(scene, members)).collect()
}

fn is_from_ourselves(scene: &Scene<'_>, index: usize) -> bool {
    let sighting = scene.sighting(index);
    // That a packet names one address twice is a story of its own, which says this one as well: `ip.land`.
    if sighting.packet.flags.contains(Flag::Land) || !scene.is_ours(sighting.source()) {
        return false;
    }
    if scene.observations.live {
        return !is_to_many(sighting);
    }
    scene.is_ours(sighting.destination()) || is_failed_attempt(scene, index)
}

fn is_failed_attempt(scene: &Scene<'_>, index: usize) -> bool {
    let sighting = scene.sighting(index);
    sighting.packet.transport == Transport::Tcp && sighting.packet.is_syn() && scene.outcome(index) != Outcome::Answered
}

fn explain(scene: &Scene<'_>, members: Vec<usize>) -> Recognition {
    let source = scene.sighting(members[0]).source();
    let attempts = members.iter().all(|index| is_failed_attempt(scene, *index));
    let refused = members.iter().any(|index| scene.outcome(*index) == Outcome::Refused);
    let case = Case::new(scene, "pattern.self", members).with_ports();
    let case = if scene.observations.live {
        case.with_ttls().confidence(Confidence::Likely).evidence(format!(
            "The packets arrived from outside with {source}, your own address: something sends them back, or the address is forged."
        ))
    } else {
        let case = case.confidence(Confidence::Certain);
        let case = case
            .evidence(format!("{source} is one of the addresses that were said to be yours: this machine sent them."));
        match (attempts, refused) {
            (true, true) => case.evidence("It tried to open connections, and was refused."),
            (true, false) => case.evidence("It tried to open connections, and no answer was seen."),
            (false, _) => case,
        }
    };
    case.fact("detail", format!("{source} is your own")).close_open()
}
