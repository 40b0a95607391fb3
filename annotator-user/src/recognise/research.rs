//! `research-scanner`: those who scan everyone every day, and say so.

use std::collections::BTreeMap;

use annotator_common::packet::tcp;

use super::{Case, Claims, Scene, words};
use crate::finding::{Confidence, Recognition};
use crate::observation::{Prefix, Sighting};

/// Finds research scanners, one finding for each operator.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let operators = prefixes(scene);
    let mut by_operator: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (source, indices) in scene.sources() {
        let Some((operator, _)) = operators.iter().find(|(_, prefix)| prefix.contains(source)) else { continue };
        let members = claims.free(indices).filter(|i| is_probe(scene, scene.sighting(*i)));
        by_operator.entry(*operator).or_default().extend(members);
    }
    by_operator
        .into_iter()
        .filter(|(_, members)| !members.is_empty())
        .map(|(i, members)| explain(scene, i, members))
        .collect()
}

/// Prefixes with the index of their operator. What cannot be read is left out; `annotator rules check` reads them, too.
fn prefixes(scene: &Scene<'_>) -> Vec<(usize, Prefix)> {
    let operators = scene.thresholds.research.operators.iter().enumerate();
    operators
        .flat_map(|(i, operator)| operator.prefixes.iter().filter_map(move |text| Some((i, prefix(text)?))))
        .collect()
}

fn prefix(text: &str) -> Option<Prefix> {
    let (address, bits) = text.split_once('/')?;
    Some(Prefix { address: address.parse().ok()?, bits: bits.parse().ok()? })
}

/// Whether a packet asks for something here, rather than answering us.
fn is_probe(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    scene.is_inbound(sighting)
        && sighting.packet.tcp_flags & (tcp::ACK | tcp::RST) == 0
        && !scene.has_sent(sighting.destination(), sighting.source())
}

fn explain(scene: &Scene<'_>, operator: usize, members: Vec<usize>) -> Recognition {
    let name = &scene.thresholds.research.operators[operator].name;
    let sources = scene.senders(&members);
    Case::new(scene, "research-scanner", members)
        .confidence(Confidence::Likely)
        .with_ports()
        .evidence(format!(
            "{} in prefixes that {name} publishes for its scans.",
            words::count(sources.len() as u64, "source")
        ))
        .evidence("Source addresses can be forged, but nobody gains by forging these.")
        .fact("detail", name.clone())
        .close()
}
