//! Those who ask a port for connections and say no more, where a capture is so long, or a server so busy, that the counters of the whole do not tell
//! whether connections came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::source::bit_of;

use super::Scene;
use super::clients::{BEHIND_SYN, Callers, members};
use super::forged::are_repeated;
use super::questions::counted;
use crate::counters::PortProto;
use crate::observation::{Moment, SourceView};

/// The sources that send SYNs alone to a port of some hosts while so little comes that it cannot be of their connections, however much is of others at other
/// times. With them, how many SYNs of so many at the most came from such sources, whether they were sampled, and had room in the table, or not.
pub fn silent(
    scene: &Scene<'_>,
    port: u16,
    hosts: &BTreeSet<IpAddr>,
    mut callers: Callers,
    most: u64,
) -> (Callers, u64) {
    let says_no_more = |view: &SourceView| view.syn > 0 && view.packets == view.syn;
    callers.retain(|source, _| scene.view(*source).is_some_and(says_no_more) || scene.disowns(*source));
    if are_repeated(scene, &members(&callers)) {
        return Default::default();
    }
    let is_unsampled = |view: &&SourceView| {
        says_no_more(view) && view.ports == bit_of(port.to_be().into()) && scene.from(view.address).is_empty()
    };
    let unsampled = scene.observations.sources.iter().filter(is_unsampled).map(|view| (view, view.syn));
    let sampled =
        callers.iter().filter_map(|(source, syns)| Some((scene.view(*source)?, scene.syns_like(*source, syns.len()))));
    let mut all: Vec<(&SourceView, u64)> = sampled.chain(unsampled).collect();
    let known: u64 = all.iter().map(|(_, syn)| syn).sum();
    let beyond = untracked(scene, known).min(most.saturating_sub(known));
    all.sort_by_key(|(view, _)| view.first);

    let mut stretches = stretches(scene);
    let mut syns = vec![0.0; stretches.len()];
    for (view, syn) in &all {
        let first = stretches.partition_point(|stretch| view.first.seconds_since(stretch.from) >= stretch.seconds);
        for (stretch, syns) in stretches.iter().zip(&mut syns).skip(first) {
            if stretch.from > view.last {
                break;
            }
            *syns += stretch.share_of(view) * *syn as f64;
        }
    }
    // Where what the hosts send is seen as well, connections bring as much again.
    let directions = if hosts.iter().any(|host| scene.hears(*host)) { 2 } else { 1 };
    let connection = (directions * (1 + BEHIND_SYN)) as f64;
    // When those came for which there was no room, nobody knows: only all that came meanwhile tells.
    let few = all.len() / scene.thresholds.flood.apart;
    let during = all.get(few).zip(all.get(all.len().saturating_sub(few + 1)));
    let is_during = |stretch: &Stretch| {
        during.is_some_and(|((first, _), (last, _))| {
            first.first.seconds_since(stretch.from) < stretch.seconds && stretch.from <= last.first
        })
    };
    let meanwhile: u64 = stretches.iter().filter(|stretch| is_during(stretch)).map(|stretch| stretch.packets).sum();
    let is_crowded = beyond > 0 && (meanwhile as f64) < connection * (known + beyond) as f64;
    let mut syns = syns.into_iter();
    stretches.retain(|stretch| {
        let lacks_packets = (stretch.packets as f64) < connection * syns.next().unwrap_or_default();
        lacks_packets || (is_crowded && is_during(stretch))
    });

    // What lies before and after such a stretch is of the same flood as long as it goes on without a pause.
    let pause = scene.thresholds.flood.pause / scene.thresholds.flood.rate;
    let goes_on = |a: &(&SourceView, u64), b: &(&SourceView, u64)| b.0.first.seconds_since(a.0.first) <= pause;
    let is_at_once = |view: &SourceView| stretches.iter().any(|stretch| stretch.share_of(view) > 0.0);
    let runs = all.chunk_by(goes_on).filter(|run| run.iter().any(|(view, _)| is_at_once(view)));
    let found: BTreeMap<IpAddr, u64> = runs.flatten().map(|(view, syn)| (view.address, *syn)).collect();
    callers.retain(|source, _| found.contains_key(source));
    let syn: u64 = found.values().sum();
    (callers, syn + (beyond * syn).checked_div(known).unwrap_or_default())
}

/// SYNs of sources for which the table had no room, as far as they belong to so many for which it had: as much of them as of those that it knows, if that is
/// the greater part. Of fewer nobody knows.
fn untracked(scene: &Scene<'_>, known: u64) -> u64 {
    let tracked: u64 = scene.observations.sources.iter().map(|view| view.syn).sum();
    let all: u64 = counted(scene, PortProto::Tcp).map(|(_, packets)| packets).sum();
    let lost = all.saturating_sub(tracked).min(scene.observations.counters.packets_of_untracked_sources);
    if known * 2 > tracked { (lost * known).checked_div(tracked).unwrap_or_default() } else { 0 }
}

/// Stretches of time, each long enough for a flood.
fn stretches(scene: &Scene<'_>) -> Vec<Stretch> {
    let limits = &scene.thresholds.flood;
    let seconds = limits.syn as f64 / limits.rate;
    let mut stretches: Vec<Stretch> = Vec::new();
    for rate in scene.observations.rates {
        let to_end_of = |stretch: &Stretch| rate.from.seconds_since(stretch.from) + rate.seconds;
        match stretches.last_mut().filter(|last| to_end_of(last) <= seconds) {
            Some(last) => *last = Stretch { seconds: to_end_of(last), packets: last.packets + rate.packets, ..*last },
            None => stretches.push(Stretch { from: rate.from, seconds: rate.seconds, packets: rate.packets }),
        }
    }
    stretches
}

/// What came in a stretch of time, by the counters.
struct Stretch {
    from: Moment,
    seconds: f64,
    packets: u64,
}

impl Stretch {
    /// Which part of the time for which a source was seen lies in it.
    fn share_of(&self, view: &SourceView) -> f64 {
        let (first, last) = (view.first.seconds_since(self.from), view.last.seconds_since(self.from));
        match last > first {
            true => ((last.min(self.seconds) - first.max(0.0)) / (last - first)).max(0.0),
            false => f64::from(u8::from((0.0..self.seconds).contains(&first))),
        }
    }
}
