//! Those who ask a port for connections and say no more, where a capture is so long, or a server so busy, that the counters of the whole do not tell
//! whether connections came of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use annotator_common::source::bit_of;

use super::Scene;
use super::clients::{BEHIND_SYN, Callers, members};
use super::forged::are_repeated;
use crate::observation::{Moment, SourceView};

/// After so many times as long as there is on average between the SYNs of a flood, it is over.
const PAUSE: f64 = 10.0;

/// The sources that send SYNs alone while so little comes that it cannot be of their connections, however much is of others at other times. With them,
/// how many SYNs came from such sources to the port, sampled or not.
pub fn silent(scene: &Scene<'_>, port: u16, mut callers: Callers) -> (Callers, u64) {
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
    let mut stretches = stretches(scene);
    stretches.retain(|stretch| {
        let syns: f64 = all.iter().map(|(view, syn)| stretch.share_of(view) * *syn as f64).sum();
        (stretch.packets as f64) < (1 + BEHIND_SYN) as f64 * syns
    });
    // What lies before and after such a stretch is of the same flood as long as it goes on without a pause.
    all.sort_by_key(|(view, _)| view.first);
    let pause = PAUSE / scene.thresholds.flood.rate;
    let goes_on = |a: &(&SourceView, u64), b: &(&SourceView, u64)| b.0.first.seconds_since(a.0.first) <= pause;
    let is_at_once = |view: &SourceView| stretches.iter().any(|stretch| stretch.share_of(view) > 0.0);
    let runs = all.chunk_by(goes_on).filter(|run| run.iter().any(|(view, _)| is_at_once(view)));
    let known: BTreeMap<IpAddr, u64> = runs.flatten().map(|(view, syn)| (view.address, *syn)).collect();
    callers.retain(|source, _| known.contains_key(source));
    (callers, known.values().sum())
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
