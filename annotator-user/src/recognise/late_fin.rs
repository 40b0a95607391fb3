//! `pattern.late-fin`: a server still tries to end connections that are long over here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::packet::tcp;
use annotator_common::source::distinct;

use super::scene::{Half, follows};
use super::{Case, Claims, FIRST_CLIENT_PORT, Scene, scan};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

/// Finds late ends of connections, one finding for each server port and client.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = Vec::new();
    for (server, indices) in scene.sources() {
        let mut groups: BTreeMap<(u16, IpAddr), Vec<usize>> = BTreeMap::new();
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            if is_late_end(scene, sighting) {
                groups.entry((sighting.packet.source_port, sighting.destination())).or_default().push(index);
            }
        }
        // Who tries services, by whatever packets, does not tidy up at the ports beside them.
        let is_scan = |members: &[usize]| tries_services(scene, indices, members) || is_to_services(scene, members);
        if scene.view(server).is_some_and(|view| scene.ends_in_haste(server, view)) {
            continue;
        }
        if !groups.is_empty() && !scan::is_by_scanner(scene, claims, server, |_| false) {
            found.extend(
                groups.into_values().filter(|members| !is_scan(members)).filter_map(|members| series(scene, members)),
            );
        }
    }
    found
}

/// Whether a packet ends a connection between a server's port and a client's, of which nothing else was seen.
fn is_late_end(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    let ends = packet.transport == Transport::Tcp
        && packet.tcp_flags & tcp::SYN == 0
        && packet.tcp_flags & (tcp::FIN | tcp::RST) != 0
        && packet.tcp_flags & tcp::URG == 0;
    let service =
        packet.source_port < FIRST_CLIENT_PORT || scene.thresholds.contact.service_ports.contains(&packet.source_port);
    if !ends || !service || packet.destination_port < FIRST_CLIENT_PORT {
        return false;
    }
    let Some(half) = Half::of(sighting) else { return false };
    // No system ends a living connection by a FIN without ACK.
    let plain = packet.tcp_flags & (tcp::FIN | tcp::ACK | tcp::RST) == tcp::FIN;
    // Where nothing of a connection was seen, a reset that acknowledges refuses a SYN (RFC 9293, 3.10.7.1): there was nothing to end.
    let refuses = packet.tcp_flags & (tcp::RST | tcp::ACK) == tcp::RST | tcp::ACK;
    let (there, back) = (scene.carried(&half), scene.carried(&half.reverse()));
    !refuses && !there.syn && (plain || (!there.syn_ack && !back.syn && !back.running))
}

/// Whether the source of some ends sent such packets from the same port to services of the same host, too.
fn tries_services(scene: &Scene<'_>, indices: &[usize], members: &[usize]) -> bool {
    let Some(first) = members.first().map(|index| scene.sighting(*index)) else { return false };
    indices.iter().map(|index| scene.sighting(*index)).any(|sighting| {
        let packet = &sighting.packet;
        packet.tcp_flags & tcp::SYN == 0
            && packet.tcp_flags & tcp::FIN != 0
            && packet.source_port == first.packet.source_port
            && packet.destination_port < FIRST_CLIENT_PORT
            && sighting.destination() == first.destination()
    })
}

/// Whether most ends go to ports at which servers answer: a client has one of these by chance.
fn is_to_services(scene: &Scene<'_>, members: &[usize]) -> bool {
    let port = |index: &usize| scene.sighting(*index).packet.destination_port;
    let ports: BTreeSet<u16> = members.iter().map(port).collect();
    let services = ports.iter().filter(|port| scene.thresholds.contact.is_service(**port)).count();
    services * 2 >= ports.len()
}

/// To how many ports a source that sends nothing else sent ends, by the source table: not all are sampled.
fn ports_of_ends(scene: &Scene<'_>, source: IpAddr) -> usize {
    let view = scene.view(source).filter(|view| view.fin == view.packets);
    view.map_or(0, |view| view.packets.min(distinct(view.ports).into()) as usize)
}

fn series(scene: &Scene<'_>, members: Vec<usize>) -> Option<Recognition> {
    let limits = &scene.thresholds.late_fin;
    let seen = || members.iter().map(|i| scene.sighting(*i));
    let ports: Vec<u16> = seen().map(|s| s.packet.destination_port).collect();
    let distinct = ports.iter().collect::<BTreeSet<_>>().len();
    let fins = seen().filter(|s| s.packet.tcp_flags & tcp::FIN != 0).count();
    let first = scene.sighting(*members.first()?);
    let last = scene.sighting(*members.last()?);
    let tried = distinct.max(ports_of_ends(scene, first.source()));
    if distinct < limits.ports || tried > limits.most_ports || !follows(last.at, first.at, limits.within) {
        return None;
    }
    let down = ports.windows(2).filter(|pair| pair[1] < pair[0]).count();
    // A server that is late sends one FIN after the other as their time comes; only one that hangs up properly does so at once.
    let plain = seen().filter(|s| s.packet.tcp_flags & (tcp::FIN | tcp::ACK) == tcp::FIN).count();
    let rushes = members.len() as f64 > 1.0 + limits.rate * last.at.seconds_since(first.at);
    let rising = down * 4 <= ports.len() && !(rushes && plain * 2 >= members.len());
    let contact =
        scene.contacts.with(first.destination(), first.source(), &[first.packet.source_port], first.at, f64::MAX);
    let opened = contact.is_some_and(|contact| contact.opened);
    // Resets to ports up and down the range answer forged packets; FINs without ACK are sent by no system of today.
    let acknowledges = seen().all(|s| s.packet.tcp_flags & (tcp::ACK | tcp::RST) != 0);
    if !(opened || rising || (acknowledges && fins * 2 >= members.len())) {
        return None;
    }
    let port = first.packet.source_port;
    let case = Case::new(scene, "pattern.late-fin", members.clone())
        .with_ports()
        .evidence(format!(
            "All come from server port {port}, none opens a connection, and nothing else of these connections was seen at that time."
        ))
        .fact("detail", format!("from port {port} to {distinct} client ports"));
    let case = if opened {
        case.confidence(Confidence::Certain)
            .evidence("The client was seen opening connections to this port of the server before.")
    } else {
        let sure = if rising { Confidence::Likely } else { Confidence::Possible };
        case.confidence(sure)
            .evidence("If nobody here used that server in the last minutes, it is a FIN scan from a borrowed port.")
    };
    Some(case.close())
}
