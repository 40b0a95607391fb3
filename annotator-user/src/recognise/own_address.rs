//! `pattern.self`: the address under suspicion is one's own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::{Flag, Link, Transport};

use super::half::Half;
use super::packets::{is_to_many, is_unrouted};
use super::scene::Outcome;
use super::{Case, Claims, Scene, tools, words};
use crate::finding::{Confidence, Recognition, Verdict};
use crate::observation::Sighting;

/// Hardware type of the loopback device (Linux `ARPHRD_LOOPBACK`).
const LOOPBACK_DEVICE: [u8; 2] = 772_u16.to_be_bytes();

/// What makes packets our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Own {
    /// They never leave the machine.
    Inside,
    /// Their source is an address of ours.
    Address,
}

/// Finds packets that seem hostile and come from ourselves, one finding for each address.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_source: BTreeMap<(IpAddr, Own), Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings().filter(|(index, _)| claims.is_free(*index)) {
        if let Some(own) = own(scene, index) {
            by_source.entry((sighting.source(), own)).or_default().push(index);
        }
    }
    by_source.into_iter().map(|((source, own), members)| explain(scene, source, own, members)).collect()
}

fn own(scene: &Scene<'_>, index: usize) -> Option<Own> {
    let sighting = scene.sighting(index);
    // That a packet from elsewhere names one address twice is a story of its own, which says this one as well: `ip.land`.
    if sighting.packet.flags.contains(Flag::Land) {
        return is_inside(scene, sighting).then_some(Own::Inside);
    }
    let ours = scene.is_ours(sighting.source());
    let from_us = match scene.observations.live {
        true => !is_to_many(sighting),
        false => {
            scene.is_ours(sighting.destination())
                || (is_failed_attempt(scene, index) && !tools::is_mirai(scene, sighting))
        }
    };
    (ours && from_us).then_some(Own::Address)
}

/// Whether a machine speaks with itself: over its loopback device, or in a conversation that came about and that no router has passed on. Nobody needs
/// a wire to speak with himself, and forgers have nobody who answers them.
fn is_inside(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let came_about = |half: Half| half.source_port != half.destination_port && scene.came_about(&half);
    is_on_loopback(sighting) || (is_unrouted(sighting) && Half::of(sighting).is_some_and(came_about))
}

/// Whether a frame is of a loopback device, which has no hardware addresses, or says that it is one.
fn is_on_loopback(sighting: &Sighting) -> bool {
    let bytes = &sighting.bytes;
    match sighting.link {
        Link::Ethernet => bytes.get(..12).is_some_and(|addresses| addresses.iter().all(|byte| *byte == 0)),
        Link::Decoded { offset: 4, .. } => true,
        Link::Decoded { offset: 16, .. } => bytes.get(2..4) == Some(&LOOPBACK_DEVICE),
        Link::Decoded { offset: 20, .. } => bytes.get(8..10) == Some(&LOOPBACK_DEVICE),
        _ => false,
    }
}

fn is_failed_attempt(scene: &Scene<'_>, index: usize) -> bool {
    let sighting = scene.sighting(index);
    sighting.packet.transport == Transport::Tcp && sighting.packet.is_syn() && scene.outcome(index) != Outcome::Answered
}

fn explain(scene: &Scene<'_>, source: IpAddr, own: Own, members: Vec<usize>) -> Recognition {
    let attempts = members.iter().all(|index| is_failed_attempt(scene, *index));
    let refused = members.iter().any(|index| scene.outcome(*index) == Outcome::Refused);
    let case =
        Case::new(scene, "pattern.self", members.clone()).with_ports().fact("detail", format!("{source} is your own"));
    if own == Own::Inside {
        let sentence =
            format!("{source} speaks with itself: programs of one machine that use its address for each other.");
        return case.verdict(Verdict::Normal).evidence(sentence).close();
    }
    if scene.observations.live {
        let sentence = format!(
            "The packets arrived from outside with {source}, your own address: something sends them back, or the address is forged."
        );
        return case.with_ttls().evidence(sentence).close_open();
    }
    let case = case
        .in_vain()
        .confidence(Confidence::Certain)
        .evidence(format!("{source} is one of the addresses that were said to be yours: this machine sent them."));
    let case = match (attempts, refused) {
        (true, true) => case.evidence("It tried to open connections, and was refused where an answer was seen."),
        (true, false) => case.evidence("It tried to open connections, and no answer was seen."),
        (false, _) => case,
    };
    let case = match widest(scene, &members).filter(|(_, hosts)| *hosts >= scene.thresholds.own_address.hosts) {
        Some((port, hosts)) => case.evidence(format!(
            "Port {port} of {} was tried in vain. If nobody here searches or shares files, a program that spreads does that.",
            words::count(hosts as u64, "address")
        )),
        None => case,
    };
    case.close_open()
}

/// The port at which the most hosts were tried in vain, and how many.
fn widest(scene: &Scene<'_>, members: &[usize]) -> Option<(u16, usize)> {
    let mut hosts_at_port: BTreeMap<u16, BTreeSet<IpAddr>> = BTreeMap::new();
    for (host, port) in
        members.iter().filter(|index| is_failed_attempt(scene, **index)).map(|index| scene.sighting(*index).target())
    {
        hosts_at_port.entry(port).or_default().insert(host);
    }
    hosts_at_port.into_iter().map(|(port, hosts)| (port, hosts.len())).max_by_key(|(_, hosts)| *hosts)
}
