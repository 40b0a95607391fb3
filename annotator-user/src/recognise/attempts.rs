//! What a source tries by SYNs, some of which may have come about: an open port among the closed ones makes a scanner no client.

use std::net::IpAddr;

use annotator_common::source::distinct;

use super::Scene;
use super::scene::Half;

impl Scene<'_> {
    /// SYNs of a source, among some of its sightings, that belong to what it is looking for: those that came to nothing and, where these are the
    /// greater part of what it tries, the others as well.
    pub fn attempts(&self, source: IpAddr, indices: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut attempts: Vec<usize> = indices.filter(|index| self.is_attempt(*index)).collect();
        if self.fruitless(source, &attempts) < self.thresholds.scan.fruitless {
            attempts.retain(|index| self.is_probe(*index));
        }
        attempts
    }

    /// Which share of what a source tries, by the SYNs among some of its sightings, came to nothing.
    pub fn fruitless(&self, source: IpAddr, indices: &[usize]) -> f64 {
        let syns: Vec<usize> = indices.iter().copied().filter(|index| self.is_attempt(*index)).collect();
        // Who hangs up on the same ports again and again checks that they answer.
        let returns = self.returns(source, &syns, self.thresholds.scan.checks);
        let is_fruitless = |index: &&usize| self.is_probe(**index) || (!returns && self.is_abandoned(**index));
        let fruitless: Vec<usize> = syns.iter().filter(is_fruitless).copied().collect();
        self.targets(&fruitless).len() as f64 / self.targets(&syns).len().max(1) as f64
    }

    fn is_attempt(&self, index: usize) -> bool {
        let sighting = self.sighting(index);
        sighting.packet.is_syn() && self.is_inbound(sighting)
    }

    /// Whether a source that sends some SYNs sent as many times to the same targets.
    pub fn returns(&self, source: IpAddr, syns: &[usize], times: u64) -> bool {
        let targets = self.targets(syns);
        // The source table remembers targets that were not sampled, until its map is full.
        let (sent, ports) = self.view(source).map_or((syns.len() as u64, 0), |view| (view.syn, view.ports));
        ports != u64::MAX && sent >= times * targets.len().max(distinct(ports) as usize) as u64
    }

    /// Whether a source comes back to the targets of some SYNs as often, at the pace of somebody who watches them: not as seldom as who scans anew
    /// and, unless it `learns` each time what became of them, too slowly to repeat what was lost.
    pub fn watches(&self, source: IpAddr, syns: &[usize], times: u64, learns: bool) -> bool {
        let [shortest, longest] = self.thresholds.scan.round_gap;
        let Some(view) = self.view(source) else { return false };
        let rounds = view.syn / (self.targets(syns).len() as u64).max(1);
        let gap = view.last.seconds_since(view.first) / rounds.saturating_sub(1).max(1) as f64;
        (learns || gap >= shortest) && gap <= longest && self.returns(source, syns, times)
    }

    /// Whether the sender of a SYN reset the connection instead of using it.
    fn is_abandoned(&self, index: usize) -> bool {
        Half::of(self.sighting(index)).is_some_and(|half| {
            let there = self.carried(&half);
            there.reset && !there.running && !self.is_served(half.destination_port)
        })
    }
}
