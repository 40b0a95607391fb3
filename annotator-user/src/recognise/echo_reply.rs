//! `flood.echo-reply`: hosts answer pings that somebody sent in our name, by smurf or one by one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use annotator_common::Family;

use super::scene::{is_echo_reply, is_to_many};
use super::{Case, Claims, Scene, words};
use crate::counters::IcmpKey;
use crate::finding::{Confidence, Recognition};
use crate::observation::{Sighting, SourceView};
use crate::quantity::number;

/// Finds masses of echo replies, one finding for each victim.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_victim: BTreeMap<IpAddr, BTreeMap<IpAddr, Vec<usize>>> = BTreeMap::new();
    for (index, sighting) in scene.sightings().filter(|(index, _)| claims.is_free(*index)) {
        if is_unasked_reply(scene, sighting) {
            let repliers = by_victim.entry(sighting.destination()).or_default();
            repliers.entry(sighting.source()).or_default().push(index);
        }
    }
    by_victim.into_iter().filter_map(|(victim, repliers)| flood(scene, victim, repliers)).collect()
}

fn is_unasked_reply(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    is_echo_reply(sighting)
        && scene.is_inbound(sighting)
        && !is_to_many(sighting)
        && !scene.has_sent(sighting.destination(), sighting.source())
}

/// How many echo requests were counted, whoever sent them.
fn requests(scene: &Scene<'_>) -> u64 {
    let asks = |key: &IcmpKey| matches!((key.family, key.icmp_type), (Family::V4, 8) | (Family::V6, 128));
    scene.observations.counters.icmp.iter().filter(|(key, _)| asks(key)).map(|(_, count)| count.packets).sum()
}

fn flood(scene: &Scene<'_>, victim: IpAddr, repliers: BTreeMap<IpAddr, Vec<usize>>) -> Option<Recognition> {
    let limits = &scene.thresholds.amplification;
    let views: Vec<&SourceView> = repliers.keys().filter_map(|replier| scene.view(*replier)).collect();
    let packets: u64 = views.iter().map(|view| view.icmp).sum();
    let rate = scene.rate_of(packets, repliers.keys().copied());
    let unasked = scene.hears(victim) && requests(scene) * 2 <= packets;
    // Who pings many hosts has one reply of each, or some.
    let many = views.len() >= limits.answer_sources && packets as f64 >= limits.flood_per_source * views.len() as f64;
    let needed = if unasked { scene.thresholds.flood.rate } else { limits.flood_rate };
    if rate < needed || !(unasked || many) {
        return None;
    }
    let hosts = words::count(views.len() as u64, "host");
    let case = Case::new(scene, "flood.echo-reply", repliers.into_values().flatten().collect())
        .packets(packets)
        .evidence(format!(
            "{} echo replies of {hosts} to {victim}, about {} a second.",
            number(packets),
            number(rate as u64)
        ))
        .with_ttls()
        .alone();
    let case = match unasked {
        true => case.evidence("What that host sends is known, and it pinged none of them."),
        false => case
            .confidence(Confidence::Possible)
            .evidence("If that host pings them all, again and again, the replies are its own."),
    };
    Some(case.fact("detail", format!("{hosts} answer {victim}")).close())
}
