//! `pattern.proxy-scan`: a hunt for open proxies; three certain ports within a minute are RingZero's.

use std::collections::BTreeSet;

use super::{Case, Claims, Scene, words};
use crate::finding::Recognition;

/// Finds hunts for proxies, one finding for each source.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let limits = &scene.thresholds.proxy;
    let mut found = Vec::new();
    for (source, indices) in scene.sources() {
        let probes = scene.attempts(source, claims.free(indices));
        let port = |i: &usize| scene.sighting(*i).packet.destination_port;
        let all: BTreeSet<u16> = probes.iter().map(port).collect();
        let proxies: BTreeSet<u16> = all.iter().copied().filter(|port| limits.ports.contains(port)).collect();
        let telling = proxies.iter().any(|port| limits.only_proxy.contains(port));
        let enough = if telling { limits.count } else { limits.count_without_only };
        if proxies.len() >= enough && proxies.len() as f64 >= limits.share * all.len() as f64 {
            let members = probes.into_iter().filter(|i| proxies.contains(&port(i))).collect();
            found.push(explain(scene, members, &proxies));
        }
    }
    found
}

fn explain(scene: &Scene<'_>, members: Vec<usize>, ports: &BTreeSet<u16>) -> Recognition {
    let limits = &scene.thresholds.proxy;
    let at = |index: Option<&usize>| index.map_or(Default::default(), |i| scene.sighting(*i).at);
    let (first, last) = (at(members.first()), at(members.last()));
    let triple: BTreeSet<u16> = limits.ringzero.iter().copied().collect();
    let case = if *ports == triple && last.follows(first, limits.ringzero_within) {
        Case::new(scene, "pattern.proxy-scan.ringzero", members)
            .also("pattern.proxy-scan")
            .evidence(format!(
                "Exactly ports {}, within {}: the signature of the RingZero trojan.",
                words::ports(ports.iter().copied()),
                words::seconds(last.seconds_since(first))
            ))
            .fact("detail", "the ports and the pace of the RingZero trojan")
    } else {
        let detail = format!("{} on which proxies listen", words::count(ports.len() as u64, "port"));
        Case::new(scene, "pattern.proxy-scan", members).with_ports().fact("detail", detail)
    };
    case.with_ttls()
        .evidence("A chat server that you use would have a reason to ask; no chat with this source was seen.")
        .close()
}
