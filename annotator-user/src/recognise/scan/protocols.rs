//! `scan.ip-protocol`: which protocols are spoken here?

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::packet::protocol;
use annotator_common::source::{distinct, kinds};
use annotator_common::{Family, Flag, Transport};

use super::addresses;
use crate::counters::Protocol;
use crate::finding::Recognition;
use crate::observation::{Sighting, SourceView};
use crate::recognise::packets::is_to_many;
use crate::recognise::{Case, Scene, words};

/// Packets of other protocols than TCP, UDP and ICMP by the counters, which know no sources, beside the samples, which are rationed.
pub struct Beyond {
    /// Protocols of which more came than was sampled, and how much.
    packets: BTreeMap<(Family, u8), u64>,
    /// The only source of which not all was sampled.
    source: Option<IpAddr>,
}

impl Beyond {
    /// Counts them.
    pub fn of(scene: &Scene<'_>) -> Self {
        let mut packets: BTreeMap<(Family, u8), u64> = BTreeMap::new();
        for (row, count) in &scene.observations.counters.protocols {
            match row {
                Protocol::Ip(_, protocol::ICMP | protocol::TCP | protocol::UDP | protocol::ICMPV6) => {}
                Protocol::Ip(family, number) => _ = packets.insert((*family, *number), count.packets),
                _ => {}
            }
        }
        for (_, sighting) in scene.sightings() {
            if let Some(count) = packets.get_mut(&(sighting.packet.family, sighting.packet.protocol)) {
                *count = count.saturating_sub(1);
            }
        }
        packets.retain(|_, beyond| *beyond > 0);
        let views = scene.observations.sources.iter().filter(|view| view.kinds & kinds::OTHER != 0);
        let mut senders = views.map(|view| view.address).filter(|source| !scene.saw_all_of(*source));
        let whole =
            scene.observations.counters.packets_of_untracked_sources == 0 && scene.observations.sources_dropped == 0;
        let source = senders.next().filter(|_| whole && senders.next().is_none());
        Beyond { packets, source }
    }

    /// How much of some protocols may be a source's: no more than it sent unsampled.
    fn packets(&self, scene: &Scene<'_>, view: &SourceView, is_meant: impl Fn(Family, u8) -> bool) -> u64 {
        let meant = self.packets.iter().filter(|((family, number), _)| is_meant(*family, *number));
        meant.map(|(_, packets)| packets).sum::<u64>().min(scene.unsampled(view))
    }
}

/// Finds the scan of protocols by a source.
pub fn recognise(scene: &Scene<'_>, source: IpAddr, indices: &[usize], beyond: &Beyond) -> Option<Recognition> {
    let limits = &scene.thresholds.scan;
    let members: Vec<usize> = indices.iter().copied().filter(|i| is_bare(scene, scene.sighting(*i))).collect();
    let (first, view) = (members.first()?, scene.view(source)?);
    let hosts: BTreeSet<IpAddr> = members.iter().map(|i| scene.sighting(*i).destination()).collect();
    let family = scene.sighting(*first).packet.family;
    // Who speaks a protocol goes on.
    let each = hosts.len().max(distinct(view.destinations) as usize) as u64;
    let is_seldom = |of: Family, number: u8| {
        let count = scene.observations.counters.protocols.get(&Protocol::Ip(of, number));
        of == family && count.is_none_or(|count| count.packets <= limits.protocol_repeats * each)
    };
    let is_brief = view.destinations == u64::MAX || view.last.seconds_since(view.first) < limits.patience;
    let sampled = members.iter().map(|i| scene.sighting(*i).packet.protocol);
    let mut known = BTreeSet::new();
    let mut numbers: Vec<u8> = sampled.filter(|number| is_brief || is_seldom(family, *number)).collect();
    numbers.retain(|number| known.insert(*number));
    // What was sampled of nobody is of who tries them one after the other, or of the only one who may have sent it.
    let is_only = beyond.source == Some(source);
    if is_only || numbers.len() >= limits.protocols {
        let is_tried = |of: Family, number: u8| is_seldom(of, number) || (is_only && is_brief && of == family);
        let tried = beyond.packets.keys().filter(|(of, number)| is_tried(*of, *number)).map(|(_, number)| *number);
        numbers.extend(tried.filter(|number| known.insert(*number)));
    }
    let is_spoken = |number: &u8| limits.spoken_protocols.contains(number);
    let speaks = numbers.iter().all(is_spoken) && !members.iter().any(|i| is_blank(scene.sighting(*i)));
    if numbers.len() < limits.protocols || speaks {
        return None;
    }
    let packets =
        members.len() as u64 + beyond.packets(scene, view, |of, number| of == family && known.contains(&number));
    let tried = words::count(numbers.len() as u64, "IP protocol");
    let hosts = addresses(scene, source, hosts.len());
    Some(
        Case::new(scene, "scan.ip-protocol", members)
            .packets(packets)
            .evidence(format!("{tried}, the sampled ones in order of arrival: {}.", words::list(&numbers, 24)))
            .evidence(format!("It tried {hosts}."))
            .with_ttls()
            .evidence("Tunnels and routing use two or three protocols, and go on using them.")
            .fact("detail", format!("{tried} of {hosts}"))
            .close(),
    )
}

/// Whether nothing stands behind the IP header: who speaks a protocol has a header of its own there.
fn is_blank(sighting: &Sighting) -> bool {
    sighting.transport_bytes().iter().all(|byte| *byte == 0)
}

fn is_bare(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    packet.transport == Transport::None
        && packet.has_protocol
        && !packet.flags.contains(Flag::Fragment)
        && !is_to_many(sighting)
        && scene.is_inbound(sighting)
}
