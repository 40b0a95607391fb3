//! `flood.echo-reply`: hosts answer pings that somebody sent in our name, by smurf or one by one.

use std::net::IpAddr;

use annotator_common::Family;

use super::masses::{Masses, by_place, senders};
use super::packets::{is_echo_reply, is_to_many};
use super::{Case, Claims, Scene, words};
use crate::counters::IcmpKey;
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;
use crate::quantity::number;

/// Finds masses of echo replies, one finding for each victim.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let repliers = senders(scene, claims, |_| true, is_unasked_reply);
    let by_victim = by_place(repliers, |view| view.icmp, |i| scene.sighting(i).destination());
    by_victim.into_iter().filter_map(|(victim, masses)| flood(scene, victim, masses)).collect()
}

/// Whether an echo reply comes from a host to which its receiver was not seen sending anything.
pub fn is_unasked_reply(scene: &Scene<'_>, sighting: &Sighting) -> bool {
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

fn flood(scene: &Scene<'_>, victim: IpAddr, masses: Masses<'_>) -> Option<Recognition> {
    let limits = &scene.thresholds.amplification;
    let rate = masses.rate(scene);
    let (packets, repliers) = (masses.packets, masses.views.len());
    let unasked = scene.hears(victim) && requests(scene) * 2 <= packets;
    // Who pings many hosts has one reply of each, or some.
    let many = repliers >= limits.answer_sources && packets as f64 >= limits.flood_per_source * repliers as f64;
    let needed = if unasked { scene.thresholds.flood.rate } else { limits.flood_rate };
    if rate < needed || !(unasked || many) {
        return None;
    }
    let hosts = words::count(repliers as u64, "host");
    let case = Case::new(scene, "flood.echo-reply", masses.members.clone())
        .packets(packets)
        .evidence(format!("{} echo replies to {victim}, {}.", number(packets), masses.pace(rate)))
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
