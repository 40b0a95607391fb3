//! `pattern.traceroute-own`: somebody inside runs traceroute; routers on the way, and at last the target, complain to us.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::{Family, Transport};

use super::quote::Quote;
use super::{Case, Claims, Scene, words};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

/// Routers that a sentence lists.
const ROUTERS_LISTED: usize = 12;

/// Finds traceroutes of our own by the complaints they cause, one finding for each prober and target.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut groups: BTreeMap<(IpAddr, IpAddr), Vec<(usize, Quote)>> = BTreeMap::new();
    for (index, quote) in scene.quotes() {
        let sighting = scene.sighting(*index);
        let complaint = is_expired(sighting) || is_port_unreachable(sighting, quote, scene);
        let is_to_us = quote.source == sighting.destination() && scene.is_inbound(sighting);
        if claims.is_free(*index) && complaint && is_to_us {
            groups.entry((quote.source, quote.destination)).or_default().push((*index, *quote));
        }
    }
    groups.into_values().filter_map(|members| path(scene, &members)).collect()
}

/// Whether the TTL of our packet ran out on the way.
fn is_expired(sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    let kind = if packet.family == Family::V6 { 3 } else { 11 };
    packet.icmp_type == kind && packet.icmp_code == 0
}

/// Whether the target of a traceroute says that nothing listens at the probe's port.
fn is_port_unreachable(sighting: &Sighting, quote: &Quote, scene: &Scene<'_>) -> bool {
    let packet = &sighting.packet;
    let kind = if packet.transport == Transport::Icmpv6 { (1, 4) } else { (3, 3) };
    let limits = &scene.thresholds.traceroute;
    (packet.icmp_type, packet.icmp_code) == kind && quote.is_udp_to(limits.first_port, limits.last_port)
}

/// Whether many probes are said to come from ports most of which no program here takes: somebody drew them, and forged the rest as well.
fn are_drawn(scene: &Scene<'_>, members: &[(usize, Quote)]) -> bool {
    let ports: BTreeSet<u16> = members.iter().map(|(_, quote)| quote.source_port).collect();
    let foreign = ports.iter().filter(|port| scene.is_foreign(**port)).count();
    let limits = &scene.thresholds.backscatter;
    ports.len() >= limits.refusals && foreign as f64 >= limits.foreign_share * ports.len() as f64
}

fn path(scene: &Scene<'_>, members: &[(usize, Quote)]) -> Option<Recognition> {
    let limits = &scene.thresholds.traceroute;
    let mut seen = BTreeSet::new();
    let mut routers = Vec::new();
    let mut arrived = 0;
    let mut probes = BTreeSet::new();
    for (index, quote) in members {
        let sighting = scene.sighting(*index);
        probes.insert((quote.source_port, quote.destination_port));
        if !is_expired(sighting) {
            arrived += 1;
        } else if seen.insert(sighting.source()) {
            routers.push(sighting.source());
        }
    }
    let is_path = routers.len() >= limits.own_routers
        || (!routers.is_empty() && arrived > 0)
        || (arrived >= limits.packets && probes.len() >= 2);
    if !is_path || are_drawn(scene, members) {
        return None;
    }
    let target = members.first()?.1.destination;
    let indices = members.iter().map(|(index, _)| *index).collect();
    let mut case = Case::new(scene, "pattern.traceroute-own", indices);
    if !routers.is_empty() {
        case = case.evidence(format!(
            "{} said that a packet towards {target} ran out of time, in this order: {}.",
            words::count(routers.len() as u64, "router"),
            words::list(&routers, ROUTERS_LISTED)
        ));
    }
    case = match arrived {
        0 => case,
        n => case.evidence(format!(
            "{} from the target's end that nothing listens at a traceroute port: the trace arrived.",
            words::count(n as u64, "answer")
        )),
    };
    let case = case
        .fact("hops", (routers.len() + usize::from(arrived > 0)).to_string())
        .fact("detail", format!("the way to {target}"))
        .evidence("If nobody inside traced that target, the probes were sent from elsewhere under this address.");
    Some(if arrived == 0 { case.confidence(Confidence::Likely).close() } else { case.close() })
}
