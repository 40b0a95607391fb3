//! `pattern.smurf` and `pattern.fraggle`: requests to broadcast addresses, so that everyone here answers somebody else. A neighbour who pings
//! everybody looks for company: `icmp.8.broadcast.neighbour`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::{Flag, Transport};

use super::packets::{is_echo_reply, is_ping};
use super::{Case, Claims, Scene, words};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;
use crate::payload::woken;

/// Finds smurf and fraggle, one finding for each forged source.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let answers = answers(scene);
    let mut found = Vec::new();
    for (victim, indices) in scene.sources() {
        let free: Vec<usize> = claims.free(indices).collect();
        let of = |wanted: fn(&Scene<'_>, &Sighting) -> bool| -> Vec<usize> {
            free.iter().copied().filter(|i| wanted(scene, scene.sighting(*i))).collect()
        };
        found.extend(smurf(scene, victim, of(|_, sighting| is_ping(sighting)), answers.get(&victim)));
        found.extend(fraggle(scene, victim, of(is_small_service), answers.get(&victim)));
    }
    found
}

/// Who was seen answering a ping or an echo, by whom they answer.
fn answers(scene: &Scene<'_>) -> BTreeMap<IpAddr, BTreeSet<IpAddr>> {
    let mut answers: BTreeMap<IpAddr, BTreeSet<IpAddr>> = BTreeMap::new();
    for (_, sighting) in scene.sightings() {
        let packet = &sighting.packet;
        let is_small_service = || scene.thresholds.broadcast.fraggle_ports.contains(&packet.source_port);
        let echo = is_echo_reply(sighting) || (packet.transport == Transport::Udp && is_small_service());
        if echo {
            answers.entry(sighting.destination()).or_default().insert(sighting.source());
        }
    }
    answers
}

fn is_small_service(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let ports = &scene.thresholds.broadcast.fraggle_ports;
    sighting.packet.transport == Transport::Udp
        && ports.contains(&sighting.packet.destination_port)
        && !(scene.is_from_around(sighting) && woken(sighting.payload(), sighting.payload_length()).is_some())
}

fn is_broadcast(sighting: &Sighting) -> bool {
    let flags = sighting.packet.flags;
    flags.contains(Flag::DirectedBroadcast)
        || flags.contains(Flag::LimitedBroadcast)
        || (sighting.packet.transport == Transport::Icmpv6 && flags.contains(Flag::Multicast))
}

fn smurf(
    scene: &Scene<'_>,
    victim: IpAddr,
    pings: Vec<usize>,
    answers: Option<&BTreeSet<IpAddr>>,
) -> Option<Recognition> {
    let clear: Vec<usize> = pings.iter().copied().filter(|i| is_broadcast(scene.sighting(*i))).collect();
    // Who is known to mean everybody tries where smaller networks would end, too.
    let is_member = |i: &usize| is_broadcast(scene.sighting(*i)) || is_at_boundary(scene, scene.sighting(*i));
    let members = if clear.is_empty() { clear } else { pings.iter().copied().filter(is_member).collect() };
    let limits = &scene.thresholds.broadcast;
    if !members.is_empty() && is_company(scene, victim, &members) {
        return neighbour(scene, members);
    }
    if members.len() < limits.packets || (members.len() as f64) < limits.share * pings.len() as f64 {
        return None;
    }
    Some(amplified(scene, "pattern.smurf", victim, members, answers))
}

/// Whether a packet goes to an address where a smaller network would begin or end.
fn is_at_boundary(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    match sighting.destination() {
        IpAddr::V4(v4) => scene.thresholds.broadcast.boundaries.contains(&v4.octets()[3]),
        IpAddr::V6(_) => false,
    }
}

/// Whether pings come from the link itself, and no faster than somebody sends them who waits for the answers.
fn is_company(scene: &Scene<'_>, source: IpAddr, members: &[usize]) -> bool {
    let limits = &scene.thresholds.broadcast;
    let on_link = |i: &usize| {
        let sighting = scene.sighting(*i);
        scene.is_from_around(sighting) || is_link_local_group(sighting.destination())
    };
    let (packets, seconds) = match scene.view(source) {
        Some(view) => (view.icmp, view.last.seconds_since(view.first)),
        None => (members.len() as u64, 0.0),
    };
    let fast = packets >= limits.flood_packets && packets as f64 > limits.flood_rate * seconds.max(1.0);
    // What we send ourselves floods nobody in somebody else's name, however fast.
    let own = !scene.observations.live && scene.is_ours(source);
    members.iter().all(on_link) && !source.is_loopback() && (own || !fast)
}

/// Whether no router passes on what goes to an address: multicast of link-local scope (RFC 4291 §2.7).
fn is_link_local_group(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.segments()[0] & 0xff0f == 0xff02)
}

/// IPv6 has its words for it already: there, everybody is a group like others.
fn neighbour(scene: &Scene<'_>, members: Vec<usize>) -> Option<Recognition> {
    let is_v4 = scene.sighting(members[0]).destination().is_ipv4();
    is_v4.then(|| {
        Case::new(scene, "icmp.8.broadcast.neighbour", members)
            .with_ttls()
            .evidence("The source belongs to the network that it pings. Many a second would be a flood in its name.")
            .close()
    })
}

fn fraggle(
    scene: &Scene<'_>,
    victim: IpAddr,
    requests: Vec<usize>,
    answers: Option<&BTreeSet<IpAddr>>,
) -> Option<Recognition> {
    let limits = &scene.thresholds.broadcast;
    let is_member = |i: &usize| is_broadcast(scene.sighting(*i)) || is_at_boundary(scene, scene.sighting(*i));
    let members: Vec<usize> = requests.iter().copied().filter(is_member).collect();
    let targets: BTreeSet<IpAddr> = members.iter().map(|i| scene.sighting(*i).destination()).collect();
    let clear = members.iter().any(|i| is_broadcast(scene.sighting(*i)));
    let enough = members.len() >= limits.packets && (clear || targets.len() >= 2);
    if !enough || (members.len() as f64) < limits.share * requests.len() as f64 {
        return None;
    }
    Some(amplified(scene, "pattern.fraggle", victim, members, answers))
}

fn amplified(
    scene: &Scene<'_>,
    id: &str,
    victim: IpAddr,
    members: Vec<usize>,
    answers: Option<&BTreeSet<IpAddr>>,
) -> Recognition {
    let targets: BTreeSet<IpAddr> = members.iter().map(|i| scene.sighting(*i).destination()).collect();
    let kind = if targets.iter().all(IpAddr::is_multicast) { "Multicast" } else { "Broadcast" };
    let mut case = Case::new(scene, id, members)
        .evidence(format!("{kind} addresses asked: {}.", words::list(&targets, 8)))
        .with_ttls();
    case = match answers.map_or(0, BTreeSet::len) {
        0 => case.evidence("No answers were seen; answers from many hosts would show that the amplifier works."),
        n => case.evidence(format!("{} answered {victim}: the amplifier works.", words::count(n as u64, "address"))),
    };
    if victim.is_loopback() {
        case = case.evidence("No network has that address: it is forged, and who answers answers itself.");
    } else if scene.is_near(victim) {
        case = case
            .confidence(Confidence::Possible)
            .evidence("The source is an address of your own network: it is a neighbour, or flooded by one.");
    }
    case.fact("detail", format!("{victim} is the one who would be flooded")).close()
}
