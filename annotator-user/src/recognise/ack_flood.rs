//! `flood.ack`: acknowledgements in masses, from senders that are real, of connections that there are not.
//!
//! Who gets a download sends as many, so it takes a host that is seen to reset them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::packet::tcp;

use super::datagram_flood::{fast, from, views};
use super::{Case, Claims, Scene};
use crate::counters::{PortProto, Side};
use crate::finding::Recognition;
use crate::observation::{Sighting, SourceView};
use crate::quantity::number;

/// Finds them, one finding for each port.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_target: BTreeMap<(IpAddr, u16), Vec<usize>> = BTreeMap::new();
    for (_, members) in fast(scene, claims, is_stray, acknowledgements) {
        members.into_iter().for_each(|i| by_target.entry(scene.sighting(i).target()).or_default().push(i));
    }
    by_target.into_iter().filter_map(|(target, members)| flood(scene, target, members)).collect()
}

/// Whether a packet does nothing but acknowledge, and comes from somebody to whom nobody here was seen sending.
fn is_stray(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let flags = sighting.packet.tcp_flags & (tcp::SYN | tcp::ACK | tcp::FIN | tcp::RST);
    sighting.packet.transport == Transport::Tcp
        && flags == tcp::ACK
        && sighting.payload_length() == 0
        && scene.is_inbound(sighting)
        && !scene.has_sent(sighting.destination(), sighting.source())
}

/// How many a source sent at most: of other packets the table has columns, and it takes no note of data.
fn acknowledgements(view: &SourceView) -> u64 {
    view.packets.saturating_sub(view.syn + view.fin + view.rst + view.udp + view.icmp)
}

fn flood(scene: &Scene<'_>, (target, port): (IpAddr, u16), members: Vec<usize>) -> Option<Recognition> {
    let views = views(scene, &members);
    let counted = scene.port(PortProto::Tcp, Side::Dst, port);
    let packets = views.iter().map(|view| acknowledgements(view)).sum::<u64>();
    let packets = packets.min(counted.all.packets.saturating_sub(counted.syn.packets));
    let rate = scene.rate_of(packets, views.iter().map(|view| view.address));
    let resets = scene.view(target).filter(|_| scene.hears(target)).map_or(0, |view| view.rst);
    (rate >= scene.thresholds.flood.acknowledgements && resets * 2 >= packets).then(|| {
        Case::new(scene, "flood.ack", members)
            .packets(packets)
            .evidence(format!(
                "{} acknowledgements to port {port} of {target}, {}.",
                number(packets),
                from(&views, rate)
            ))
            .evidence(format!(
                "{target} sent {} resets, and nothing else to them: it knows of no such connections.",
                number(resets)
            ))
            .with_ttls()
            .alone()
            .fact("detail", format!("{target} port {port}, about {} a second", number(rate as u64)))
            .close()
    })
}
