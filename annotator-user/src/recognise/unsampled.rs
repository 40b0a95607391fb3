//! Samples are rationed and counters are not: what a source sent unsampled is taken to be like what was sampled of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::AddAssign;

use annotator_common::Transport;
use annotator_common::source::kinds;

use super::Scene;
use crate::finding::{PortPackets, Recognition};
use crate::observation::{Sighting, SourceView};

impl PortPackets {
    /// Adds a packet.
    pub fn note(&mut self, sighting: &Sighting) {
        match sighting.packet.transport {
            Transport::Tcp if sighting.packet.is_syn() => self.syn += 1,
            Transport::Tcp => self.other_tcp += 1,
            Transport::Udp => self.udp += 1,
            _ => {}
        }
    }

    /// All of them.
    pub fn sum(self) -> u64 {
        self.syn + self.other_tcp + self.udp
    }

    /// What the source table counted.
    fn of(view: &SourceView) -> Self {
        let is_tcp = view.kinds & (kinds::OTHER | kinds::FRAGMENT) == 0;
        PortPackets { syn: view.syn, other_tcp: if is_tcp { view.others() } else { 0 }, udp: view.udp }
    }

    fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        PortPackets {
            syn: with(self.syn, other.syn),
            other_tcp: with(self.other_tcp, other.other_tcp),
            udp: with(self.udp, other.udp),
        }
    }
}

impl AddAssign for PortPackets {
    fn add_assign(&mut self, more: Self) {
        *self = self.zip(more, |a, b| a + b);
    }
}

impl Scene<'_> {
    /// How many packets of a source were not sampled, of each kind of which a part makes up most of the samples.
    pub fn unsampled_like(&self, source: IpAddr, part: PortPackets) -> PortPackets {
        let Some(view) = self.view(source) else { return PortPackets::default() };
        let sampled = self.sampled(source);
        let missing = PortPackets::of(view).zip(sampled, u64::saturating_sub);
        part.zip(sampled, |part, all| u64::from(part * 2 > all)).zip(missing, |is_most, missing| is_most * missing)
    }
}

/// Gives each recognition what was not sampled and is like what it explains.
pub fn share_out(scene: &Scene<'_>, all: &mut [Recognition]) {
    for recognition in all {
        let mut parts: HashMap<IpAddr, PortPackets> = HashMap::new();
        for sighting in recognition.explains.iter().map(|index| scene.sighting(*index)) {
            parts.entry(sighting.source()).or_default().note(sighting);
        }
        for (source, part) in parts {
            recognition.unsampled += scene.unsampled_like(source, part);
        }
    }
}
