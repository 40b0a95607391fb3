//! The one function that knows the order: what was observed → what it means together → the words for it → the report.

use std::collections::BTreeMap;
use std::path::PathBuf;

use annotator_common::Settings;
use annotator_common::packet::protocol;
use anyhow::Result;

use crate::counters::{Counters, PortKey, PortProto, Protocol};
use crate::finding::Finding;
use crate::knowledge::Knowledge;
use crate::names;
use crate::observation::Observations;
use crate::recognise::{Thresholds, recognise};
use crate::report::{Origin, Report};

/// What turns observations into a report: the knowledge in force and the thresholds of the recognisers.
#[derive(Debug)]
pub struct Interpreter {
    knowledge: Knowledge,
    thresholds: Thresholds,
}

impl Interpreter {
    /// What comes with the program, with the user's own files added.
    pub fn load(files: &[PathBuf]) -> Result<Self> {
        let knowledge = Knowledge::load(files)?;
        let mut thresholds = Thresholds::with_overrides(knowledge.thresholds())?;
        thresholds.leftover.hunted_ports.extend(knowledge.tried_ports());
        Ok(Interpreter { knowledge, thresholds })
    }

    /// Tells the engine which payloads can be read.
    pub fn prepare(&self, settings: &mut Settings) {
        let classes = self.knowledge.payload_classes();
        settings.payload_tcp = classes.tcp;
        settings.payload_udp = classes.udp;
    }

    /// Whether payloads can be read on other ports than the engine was told.
    pub fn payload_ports_differ(&self, settings: &Settings) -> bool {
        let classes = self.knowledge.payload_classes();
        settings.payload_tcp != classes.tcp || settings.payload_udp != classes.udp
    }

    /// The ports that the knowledge speaks of by their numbers.
    pub fn named_ports(&self) -> impl Iterator<Item = PortKey> {
        self.knowledge.named_ports()
    }

    /// What the observations mean, gravest first.
    pub fn findings(&self, observations: &Observations<'_>) -> Vec<Finding> {
        let recognitions = recognise(observations, &self.thresholds);
        self.knowledge.findings(observations, &self.thresholds, &recognitions)
    }

    /// Reports on what was observed.
    pub fn report(&self, origin: Origin, observations: &Observations<'_>, notes: Vec<String>) -> Report {
        let findings = self.findings(observations);
        let explained = explained_percent(observations.counters, &findings);
        Report::new(origin, observations, findings, explained, notes)
    }
}

/// Percent of packets that are explained, to one decimal.
///
/// Counters know ports and protocols, but not which packet a finding has seen, so this adds up what is known by its number alone: ICMP, and protocols
/// and EtherTypes with a name; TCP and UDP packets to or from a port with a known service. It is no less than the share of the finding that covers most.
/// `docs/meanings.md` tells the reader as much.
fn explained_percent(counters: &Counters, findings: &[Finding]) -> f64 {
    let total = counters.total().packets;
    if total == 0 {
        return 100.0;
    }
    let known = known_by_number(counters).max(findings.iter().map(|finding| finding.packets).max().unwrap_or(0));
    (known.min(total) as f64 * 1000.0 / total as f64).floor() / 10.0
}

fn known_by_number(counters: &Counters) -> u64 {
    let mut known = 0;
    let mut carried = BTreeMap::<PortProto, u64>::new();
    for (row, count) in &counters.protocols {
        match row {
            Protocol::Ip(_, protocol::TCP) => *carried.entry(PortProto::Tcp).or_default() += count.packets,
            Protocol::Ip(_, protocol::UDP) => *carried.entry(PortProto::Udp).or_default() += count.packets,
            row if names::is_known(*row) => known += count.packets,
            _ => {}
        }
    }
    let mut served = BTreeMap::<PortProto, u64>::new();
    for (key, count) in &counters.ports {
        if names::service(key.proto, key.port).is_some() {
            *served.entry(key.proto).or_default() += count.all.packets;
        }
    }
    // A packet between two known ports is counted at both ends; there are no more than were carried.
    known + served.iter().map(|(proto, packets)| *packets.min(carried.get(proto).unwrap_or(&0))).sum::<u64>()
}
