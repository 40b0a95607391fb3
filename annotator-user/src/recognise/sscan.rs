//! `pattern.sscan`: the scanner sscan, and mscan before it, by the phases in which they work.

use std::collections::BTreeSet;

use annotator_common::Transport;
use annotator_common::packet::tcp;

use super::packets::is_syn_ack;
use super::{Case, Claims, Scene, words};
use crate::finding::Recognition;
use crate::observation::Sighting;

/// Finds sscan, one finding for each source, with the phases that were seen.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = Vec::new();
    for (source, indices) in scene.sources() {
        let of = |wanted: fn(&Scene<'_>, &Sighting) -> bool| -> Vec<usize> {
            claims.free(indices).filter(|i| wanted(scene, scene.sighting(*i))).collect()
        };
        found.extend(explain(scene, of(is_ack_ping), of(is_fingerprint), scene.attempts(source, claims.free(indices))));
    }
    found
}

/// First phase: is the host there?
fn is_ack_ping(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    packet.transport == Transport::Tcp
        && packet.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST | tcp::FIN) == tcp::ACK
        && packet.source_port == packet.destination_port
        && scene.thresholds.sscan.ack_ports.contains(&packet.destination_port)
}

/// Third phase: which system is it? A refusal by a closed port asks nothing.
fn is_fingerprint(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    packet.transport == Transport::Tcp
        && packet.tcp_flags & tcp::RST == 0
        && scene.is_inbound(sighting)
        && !is_syn_ack(sighting)
        && (1..=scene.thresholds.sscan.fingerprint_last_source).contains(&packet.source_port)
}

fn explain(scene: &Scene<'_>, acks: Vec<usize>, fingerprints: Vec<usize>, attempts: Vec<usize>) -> Option<Recognition> {
    let limits = &scene.thresholds.sscan;
    let ports = |members: &[usize]| -> BTreeSet<u16> {
        members.iter().map(|i| scene.sighting(*i).packet.destination_port).collect()
    };
    let source_ports: BTreeSet<u16> = fingerprints.iter().map(|i| scene.sighting(*i).packet.source_port).collect();
    let (mut members, mut phases) = (Vec::new(), Vec::new());
    if ports(&acks).len() >= limits.ack_count {
        phases.push((
            "ACK pings",
            "ACKs whose source and destination port are equal ask whether the host is there".to_string(),
        ));
        members.extend(&acks);
    }
    if is_service_set(scene, &ports(&attempts)) {
        phases
            .push(("connection attempts", format!("connections to its services, {} of them", ports(&attempts).len())));
        members.extend(&attempts);
    }
    if source_ports.len() >= limits.fingerprint_count {
        let ports = words::ports(source_ports);
        phases.push(("OS fingerprint", format!("packets from source ports {ports} ask which system it is")));
        members.extend(&fingerprints);
    }
    if phases.is_empty() {
        return None;
    }
    if phases.len() > 1 || !acks.is_empty() {
        // Attempts of the same source belong to it, be they few.
        members.extend(&attempts);
    }
    let names = words::list(phases.iter().map(|(name, _)| *name), phases.len());
    let mut case = Case::new(scene, "pattern.sscan", members).with_ports();
    for (name, sentence) in phases {
        case = case.evidence(format!("Phase '{name}': {sentence}."));
    }
    Some(case.fact("detail", names).close())
}

fn is_service_set(scene: &Scene<'_>, ports: &BTreeSet<u16>) -> bool {
    let limits = &scene.thresholds.sscan;
    let among = |set: &[u16]| ports.iter().filter(|port| set.contains(port)).count();
    let services = among(&limits.service_ports);
    services >= limits.service_count
        && among(&limits.rare_ports) >= limits.rare_count
        && services as f64 >= limits.service_share * ports.len() as f64
}
