//! `pattern.dual-homed`: one machine with two networks sends the same thing from both of its addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::{Family, Transport};

use super::addresses::is_private;
use super::{Case, Claims, Scene, words};
use crate::finding::Recognition;
use crate::observation::Sighting;

/// What a private and a public source sent alike.
struct Pair {
    first: [usize; 2],
    members: BTreeSet<usize>,
}

/// Finds pairs of a private and a public source, one finding for each pair.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let limits = &scene.thresholds.dual_homed;
    let all = scene.observations.sightings;
    let mut pairs: BTreeMap<(IpAddr, IpAddr), Pair> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        if !claims.is_free(index) || sighting.packet.family != Family::V4 || !is_private(sighting.source()) {
            continue;
        }
        let first = index.saturating_sub(limits.neighbours);
        let last = (index + limits.neighbours).min(all.len() - 1);
        for twin in (first..=last).filter(|other| is_twin(sighting, &all[*other], limits.within, limits.id_gap)) {
            let pair = pairs.entry((sighting.source(), all[twin].source()));
            let pair = pair.or_insert_with(|| Pair { first: [index, twin], members: BTreeSet::new() });
            pair.members.extend([index, twin]);
        }
    }
    pairs.into_values().map(|pair| explain(scene, pair)).collect()
}

/// Whether another packet is the same probe from the same machine's public address.
fn is_twin(private: &Sighting, other: &Sighting, within: f64, id_gap: u16) -> bool {
    let (a, b) = (&private.packet, &other.packet);
    b.family == Family::V4
        && !is_private(other.source())
        && a.transport != Transport::None
        && (a.transport, a.destination, a.destination_port) == (b.transport, b.destination, b.destination_port)
        && (a.icmp_type, a.icmp_code, a.tcp_flags) == (b.icmp_type, b.icmp_code, b.tcp_flags)
        && a.ttl == b.ttl
        && (private.at.0 - other.at.0).unsigned_abs() as f64 <= within * 1e9
        && are_neighbours(a.identification, b.identification, id_gap)
}

/// Whether two IP identifications follow each other, in either byte order. Zero means that the sender does not count.
fn are_neighbours(a: u16, b: u16, gap: u16) -> bool {
    let near = |a: u16, b: u16| a != b && a.wrapping_sub(b).min(b.wrapping_sub(a)) <= gap;
    a != 0 && b != 0 && (near(a, b) || near(a.swap_bytes(), b.swap_bytes()))
}

fn explain(scene: &Scene<'_>, pair: Pair) -> Recognition {
    let [a, b] = pair.first.map(|index| scene.sighting(index));
    let apart = (a.at.0 - b.at.0).unsigned_abs() as f64 / 1e9;
    Case::new(scene, "pattern.dual-homed", pair.members.into_iter().collect())
        .with_ports()
        .evidence(format!(
            "{} and {} sent the same {} apart, both with TTL {} and with IP identifications {} and {}.",
            a.source(),
            b.source(),
            words::seconds(apart),
            a.packet.ttl,
            a.packet.identification,
            b.packet.identification
        ))
        .evidence("Different TTLs, or identifications far apart, would mean two machines, or a forged address.")
        .also("address.private-source")
        .subsuming()
        .fact("detail", format!("{} is also {}", a.source(), b.source()))
        .close()
}
