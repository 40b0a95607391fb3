//! The one function that knows the order: what was observed → what it means together → the words for it → the report.

use std::collections::BTreeMap;

use annotator_common::packet::protocol;

use crate::counters::{Counters, PortProto, Protocol};
use crate::finding::Finding;
use crate::names::{self, Services};
use crate::observation::Observations;
use crate::report::{Origin, Report};

/// Reports on what was observed.
pub fn report(origin: Origin, observations: &Observations<'_>, notes: Vec<String>) -> Report {
    let mut findings = findings(observations);
    findings.sort_by(|a, b| {
        (b.verdict, b.confidence, b.packets).cmp(&(a.verdict, a.confidence, a.packets)).then_with(|| a.id.cmp(&b.id))
    });
    let explained = explained_percent(observations.counters, &findings);
    Report::new(origin, observations, findings, explained, notes)
}

/// What the observations mean.
fn findings(_observations: &Observations<'_>) -> Vec<Finding> {
    Vec::new()
}

/// Percent of packets that are explained, to one decimal.
///
/// Counters know ports and protocols, but not which packet a finding has seen, so this adds up what is known by its number alone: ICMP, and protocols
/// and EtherTypes with a name; TCP and UDP packets to or from a port with a known service. It is no less than the share of the finding that covers most.
fn explained_percent(counters: &Counters, findings: &[Finding]) -> f64 {
    let total = counters.total().packets;
    if total == 0 {
        return 100.0;
    }
    let known = known_by_number(counters).max(findings.iter().map(|finding| finding.packets).max().unwrap_or(0));
    (known.min(total) as f64 * 1000.0 / total as f64).floor() / 10.0
}

fn known_by_number(counters: &Counters) -> u64 {
    let services = Services::system();
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
        if services.name(key.proto, key.port).is_some() {
            *served.entry(key.proto).or_default() += count.all.packets;
        }
    }
    // A packet between two known ports is counted at both ends; there are no more than were carried.
    known + served.iter().map(|(proto, packets)| *packets.min(carried.get(proto).unwrap_or(&0))).sum::<u64>()
}
