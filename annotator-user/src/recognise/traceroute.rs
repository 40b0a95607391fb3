//! `pattern.traceroute`: somebody measures the way to here, with UDP to rising ports or to one of them, with pings, or with SYNs, that have
//! hardly any TTL left.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::Transport;

use super::packets::is_to_many;
use super::{Case, Claims, Scene, words};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

/// What a traceroute sends: one kind of probe to one host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Probe {
    Udp(IpAddr),
    /// To a port that is not traceroute's own.
    Datagram(IpAddr, u16),
    Ping(IpAddr),
    Syn(IpAddr, u16),
}

/// Finds traceroutes, one finding for each source and target.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = Vec::new();
    for (source, indices) in scene.sources() {
        let mut groups: BTreeMap<Probe, Vec<usize>> = BTreeMap::new();
        for index in claims.free(indices) {
            if let Some(probe) = probe(scene, scene.sighting(index)) {
                groups.entry(probe).or_default().push(index);
            }
        }
        // Who asks a host for many ports looks for open ones, however little life his SYNs have left.
        let mut asked: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for probe in groups.keys() {
            if let Probe::Syn(target, _) = probe {
                *asked.entry(*target).or_default() += 1;
            }
        }
        groups.retain(
            |probe, _| !matches!(probe, Probe::Syn(target, _) if asked[target] >= scene.thresholds.scan.low_ports),
        );
        let id = if scene.is_ours(source) { "pattern.traceroute-own" } else { "pattern.traceroute" };
        for (probe, members) in groups {
            let case = match probe {
                Probe::Udp(_) => by_udp(scene, id, &members).or_else(|| by_ttl(scene, id, members, "datagrams")),
                Probe::Datagram(..) => by_rising_ttl(scene, id, members),
                Probe::Ping(_) => by_ttl(scene, id, members, "echo requests").map(as_ping),
                Probe::Syn(..) => by_ttl(scene, id, members, "SYNs"),
            };
            found.extend(case);
        }
    }
    found
}

fn probe(scene: &Scene<'_>, sighting: &Sighting) -> Option<Probe> {
    let limits = &scene.thresholds.traceroute;
    let packet = &sighting.packet;
    if is_to_many(sighting) {
        return None;
    }
    let target = sighting.destination();
    match packet.transport {
        Transport::Udp if (limits.first_port..=limits.last_port).contains(&packet.destination_port) => {
            Some(Probe::Udp(target))
        }
        Transport::Udp => Some(Probe::Datagram(target, packet.destination_port)),
        Transport::Icmp => (packet.icmp_type == 8).then_some(Probe::Ping(target)),
        Transport::Icmpv6 => (packet.icmp_type == 128).then_some(Probe::Ping(target)),
        Transport::Tcp => packet.is_syn().then_some(Probe::Syn(target, packet.destination_port)),
        Transport::None => None,
    }
}

fn by_udp(scene: &Scene<'_>, id: &str, members: &[usize]) -> Option<Recognition> {
    let limits = &scene.thresholds.traceroute;
    let ports: BTreeSet<u16> = members.iter().map(|i| scene.sighting(*i).packet.destination_port).collect();
    let lowest_ttl = members.iter().map(|i| scene.sighting(*i).packet.ttl).min()?;
    let rising = rises(members.iter().map(|i| scene.sighting(*i).packet.destination_port));
    if ports.len() < 2 || !rising || lowest_ttl > limits.low_ttl {
        return None;
    }
    let hops = (ports.first()? - limits.first_port) / limits.probes_per_hop;
    let few = members.len() < limits.packets;
    let case = Case::new(scene, id, members.to_vec()).with_ports().with_ttls();
    let case = if hops == 0 {
        case.evidence("The series begins at its first port: these packets were seen near to where they were sent.")
    } else {
        case.evidence(format!(
            "The first port that got here is {}, so the packets have passed about {} before.",
            ports.first()?,
            words::count(hops.into(), "router")
        ))
    };
    let case = case
        .fact("hops", hops.to_string())
        .fact("detail", format!("UDP to ports {} to {}", ports.first()?, ports.last()?))
        .evidence("Ports that rise with a TTL near 64 or 128 would be a port scan instead.");
    Some(if few { case.confidence(Confidence::Possible).close() } else { case.close() })
}

/// Programs that talk with neighbours only send all with a TTL of 1; nobody but traceroute counts upwards.
fn by_rising_ttl(scene: &Scene<'_>, id: &str, members: Vec<usize>) -> Option<Recognition> {
    let ttls: BTreeSet<u8> = members.iter().map(|i| scene.sighting(*i).packet.ttl).collect();
    if ttls.len() > 1 { by_ttl(scene, id, members, "datagrams") } else { None }
}

fn by_ttl(scene: &Scene<'_>, id: &str, members: Vec<usize>, what: &str) -> Option<Recognition> {
    let limits = &scene.thresholds.traceroute;
    let low: Vec<usize> = members.iter().copied().filter(|i| scene.sighting(*i).packet.ttl <= limits.low_ttl).collect();
    let ttls: BTreeSet<u8> = low.iter().map(|i| scene.sighting(*i).packet.ttl).collect();
    let expiring = ttls.len() == 1 && ttls.contains(&1);
    let series = || low.iter().map(|i| u16::from(scene.sighting(*i).packet.ttl));
    let rising = ttls.len() >= 2 && (rises(series()) || begins_anew(series()));
    if low.len() < limits.packets || !(expiring || rising) {
        return None;
    }
    // A parallel tracer's later probes arrive with more life left: they belong to the same series.
    let members = if rising { members } else { low };
    let highest = members.iter().map(|i| scene.sighting(*i).packet.ttl).max()?;
    let case = Case::new(scene, id, members).with_ttls();
    Some(
        case.evidence(format!(
            "The {what} came with a TTL that begins at {}, as no ordinary sender sets it.",
            ttls.first()?
        ))
        .fact("hops", "unknown")
        .fact("detail", format!("{what} with TTL {} to {highest}", ttls.first()?))
        .close(),
    )
}

/// Pings have an entry of their own.
fn as_ping(mut recognition: Recognition) -> Recognition {
    if recognition.id == "pattern.traceroute" {
        recognition.also.push(recognition.id);
        recognition.id = "pattern.traceroute.icmp".into();
    }
    recognition
}

/// Whether a series goes up from its lowest value again and again, as a program counts that goes on measuring.
fn begins_anew(series: impl Iterator<Item = u16>) -> bool {
    let series: Vec<u16> = series.collect();
    let lowest = series.iter().min();
    series.windows(2).all(|pair| pair[0] <= pair[1] || Some(&pair[1]) == lowest)
}

/// Whether a series goes up: most steps do not go down, and its end is above its beginning.
fn rises(series: impl Iterator<Item = u16>) -> bool {
    let series: Vec<u16> = series.collect();
    let down = series.windows(2).filter(|pair| pair[1] < pair[0]).count();
    series.last() > series.first() && down * 4 <= series.len()
}
