//! `flood.syn` and `flood.forged-sources`: more connection attempts than any crowd makes, and none of them is meant.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::scene::network;
use super::{Case, Claims, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};

/// Finds SYN floods, one finding for each port.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_port: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        let packet = &sighting.packet;
        if packet.is_syn()
            && is_swamped(scene, packet.destination_port)
            && claims.is_free(index)
            && scene.is_inbound(sighting)
        {
            by_port.entry(packet.destination_port).or_default().push(index);
        }
    }
    by_port.into_iter().filter_map(|(port, members)| flood(scene, port, members)).collect()
}

/// Whether a port gets more SYNs than connections come of them.
pub fn is_swamped(scene: &Scene<'_>, port: u16) -> bool {
    let count = scene.port(PortProto::Tcp, Side::Dst, port);
    let syn = count.syn.packets;
    syn >= scene.thresholds.flood.syn && count.all.packets - syn < syn
}

fn flood(scene: &Scene<'_>, port: u16, members: Vec<usize>) -> Option<Recognition> {
    let limits = &scene.thresholds.flood;
    let mut targets: HashMap<IpAddr, usize> = HashMap::new();
    for index in &members {
        *targets.entry(scene.sighting(*index).destination()).or_default() += 1;
    }
    let (most, target) = targets.into_iter().map(|(address, n)| (n, address)).max()?;
    if (most as f64) < limits.one_target * members.len() as f64 {
        return None;
    }
    let members: Vec<usize> = members.into_iter().filter(|i| scene.sighting(*i).destination() == target).collect();
    let sources: BTreeSet<IpAddr> = members.iter().map(|i| scene.sighting(*i).source()).collect();
    let syn = scene.port(PortProto::Tcp, Side::Dst, port).syn.packets;
    let seconds = active_seconds(scene, &members, &sources);
    if syn as f64 / seconds < limits.rate {
        return None;
    }
    let known = sources.iter().filter_map(|source| scene.view(*source));
    let (sum, seen) = known.fold((0, 0_u64), |(sum, n), view| (sum + view.syn, n + 1));
    let per_source = sum as f64 / seen.max(1) as f64;
    let forged = sources.len() >= limits.forged_sources && per_source <= limits.per_source;
    let case = Case::new(scene, if forged { "flood.forged-sources" } else { "flood.syn" }, members)
        .packets(syn)
        .evidence(format!(
            "{syn} SYNs to port {port} of {target}, about {:.0} a second, and no connections behind them.",
            syn as f64 / seconds
        ));
    let case = if forged { forged_evidence(case, &sources, per_source) } else { real_evidence(case, &sources) };
    Some(case.fact("detail", format!("{target} port {port}")).close())
}

/// How long it went on, as far as sightings and the table know.
fn active_seconds(scene: &Scene<'_>, members: &[usize], sources: &BTreeSet<IpAddr>) -> f64 {
    let at = |index: Option<&usize>| index.map(|i| scene.sighting(*i).at);
    let views = || sources.iter().filter_map(|source| scene.view(*source));
    let first = views().map(|view| view.first).chain(at(members.first())).min();
    let last = views().map(|view| view.last).chain(at(members.last())).max();
    match (first, last) {
        (Some(first), Some(last)) => last.seconds_since(first).max(1.0),
        _ => 1.0,
    }
}

fn forged_evidence<'s, 'a>(case: Case<'s, 'a>, sources: &BTreeSet<IpAddr>, per_source: f64) -> Case<'s, 'a> {
    let networks: BTreeSet<IpAddr> = sources.iter().map(|source| network(*source)).collect();
    let ttls = case.ttls();
    let case = case.also("flood.syn").alone().confidence(Confidence::Likely).evidence(format!(
        "{} in {} networks were seen, with {per_source:.1} SYNs each: clients that exist would try again.",
        words::count(sources.len() as u64, "source"),
        networks.len()
    ));
    if ttls.len() <= 4 {
        case.evidence(format!(
            "All have a TTL of {}: they come from the same place, whatever their addresses say.",
            words::range(&ttls)
        ))
    } else {
        case.evidence("A crowd of real clients would complete its connections.")
    }
}

fn real_evidence<'s, 'a>(case: Case<'s, 'a>, sources: &BTreeSet<IpAddr>) -> Case<'s, 'a> {
    case.with_ttls().evidence(format!(
        "{} took part; connections that complete would make it a crowd of clients.",
        words::count(sources.len() as u64, "source")
    ))
}
