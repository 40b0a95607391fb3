//! What a source tries by SYNs, some of which may have come about: an open port among the closed ones makes a scanner no client.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Scene;
use super::scene::Half;

impl Scene<'_> {
    /// SYNs of a source, among some of its sightings, that belong to what it is looking for: those that came to nothing and, where these are the
    /// greater part of what it tries, the others as well.
    pub fn attempts(&self, source: IpAddr, indices: impl Iterator<Item = usize>) -> Vec<usize> {
        let limits = &self.thresholds.scan;
        let is_attempt = |index: &usize| {
            let sighting = self.sighting(*index);
            sighting.packet.is_syn() && self.is_inbound(sighting)
        };
        let target = |index: &usize| {
            let sighting = self.sighting(*index);
            (sighting.destination(), sighting.packet.destination_port)
        };
        let mut attempts: Vec<usize> = indices.filter(is_attempt).collect();
        let targets: BTreeSet<_> = attempts.iter().map(target).collect();
        let syns = self.view(source).map_or(attempts.len() as u64, |view| view.syn);
        // Who hangs up on the same ports again and again checks that they answer.
        let returns = syns >= limits.checks * targets.len() as u64;
        let is_fruitless = |index: &&usize| self.is_probe(**index) || (!returns && self.is_abandoned(**index));
        let fruitless: BTreeSet<_> = attempts.iter().filter(is_fruitless).map(target).collect();
        if (fruitless.len() as f64) < limits.fruitless * targets.len() as f64 {
            attempts.retain(|index| self.is_probe(*index));
        }
        attempts
    }

    /// Whether the sender of a SYN reset the connection instead of using it.
    fn is_abandoned(&self, index: usize) -> bool {
        Half::of(self.sighting(index)).is_some_and(|half| {
            let there = self.carried(&half);
            there.reset && !there.running && !self.is_served(half.destination_port)
        })
    }
}
