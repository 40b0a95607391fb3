//! SYNs and datagrams by the exact counters, which know all ports but no sources, beside the samples, which are rationed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use annotator_common::Transport;

use super::Scene;
use crate::counters::{PortCount, PortProto, Side};
use crate::observation::{Sighting, SourceView};

/// SYNs or datagrams of all sources.
#[derive(Default)]
pub struct Questions {
    /// How many were sampled, by port.
    sampled: HashMap<u16, u64>,
    /// How many were not, by the source table.
    unsampled: u64,
    /// How many were not, by the counters of ports.
    beyond: u64,
    /// To how many ports these went.
    ports_beyond: usize,
}

/// The ports that a source tried, by the counters.
pub enum CountedPorts {
    /// All of them.
    All(BTreeSet<u16>),
    /// How many there were at least.
    AtLeast(usize),
}

impl Questions {
    /// Counts those of a protocol.
    pub fn of(scene: &Scene<'_>, proto: PortProto) -> Self {
        let mut sampled: HashMap<u16, u64> = HashMap::new();
        for (_, sighting) in scene.sightings().filter(|(_, sighting)| is_question(sighting, proto)) {
            *sampled.entry(sighting.packet.destination_port).or_default() += 1;
        }
        let observations = scene.observations;
        let of_sources: u64 = observations.sources.iter().map(|view| unsampled(scene, view, proto)).sum();
        let mut questions = Questions {
            sampled,
            unsampled: of_sources + observations.counters.packets_of_untracked_sources,
            ..Questions::default()
        };
        for (port, count) in counted(scene, proto) {
            let beyond = count.saturating_sub(questions.sampled_to(port));
            questions.beyond += beyond;
            questions.ports_beyond += usize::from(beyond > 0);
        }
        questions
    }

    /// How many of those to a port were sampled.
    pub fn sampled_to(&self, port: u16) -> u64 {
        self.sampled.get(&port).copied().unwrap_or_default()
    }
}

impl Scene<'_> {
    /// The ports that a source tried by SYNs or datagrams, where the counters know more of them than the samples: what others did not send, or cannot
    /// have sent, is its own.
    pub fn counted_ports(&self, source: IpAddr, proto: PortProto) -> Option<CountedPorts> {
        let questions = &self.questions[proto as usize];
        let unsampled = unsampled(self, self.view(source)?, proto);
        if unsampled == 0 || self.observations.sources_dropped > 0 {
            return None;
        }
        let mut own: BTreeMap<u16, u64> = BTreeMap::new();
        for sighting in self.from(source).iter().map(|index| self.sighting(*index)) {
            if is_question(sighting, proto) {
                *own.entry(sighting.packet.destination_port).or_default() += 1;
            }
        }
        let of_others = questions.unsampled.saturating_sub(unsampled);
        if of_others == 0 {
            let is_own = |(port, count): &(u16, u64)| {
                count + own.get(port).copied().unwrap_or_default() > questions.sampled_to(*port)
            };
            return Some(CountedPorts::All(counted(self, proto).filter(is_own).map(|(port, _)| port).collect()));
        }
        let is_beyond = |port: u16| of(&self.port(proto, Side::Dst, port), proto) > questions.sampled_to(port);
        let known = own.keys().filter(|port| !is_beyond(**port)).count();
        // Each packet of others that was not sampled may be the only one to a port.
        Some(CountedPorts::AtLeast((questions.ports_beyond + known).saturating_sub(of_others as usize)))
    }
}

fn is_question(sighting: &Sighting, proto: PortProto) -> bool {
    match proto {
        PortProto::Tcp => sighting.packet.is_syn(),
        PortProto::Udp => sighting.packet.transport == Transport::Udp,
    }
}

fn of(count: &PortCount, proto: PortProto) -> u64 {
    match proto {
        PortProto::Tcp => count.syn.packets,
        PortProto::Udp => count.all.packets,
    }
}

/// How many of a source were not sampled.
fn unsampled(scene: &Scene<'_>, view: &SourceView, proto: PortProto) -> u64 {
    let sampled = scene.sampled(view.address);
    match proto {
        PortProto::Tcp => view.syn.saturating_sub(sampled.syn),
        PortProto::Udp => view.udp.saturating_sub(sampled.udp),
    }
}

/// Ports with how many SYNs or datagrams went there.
pub fn counted(scene: &Scene<'_>, proto: PortProto) -> impl Iterator<Item = (u16, u64)> {
    let rows = scene.observations.counters.ports.iter();
    rows.filter(move |(key, _)| key.proto == proto && key.side == Side::Dst)
        .map(move |(key, count)| (key.port, of(count, proto)))
        .filter(|(_, packets)| *packets > 0)
}
