//! `flood.ack`: segments in masses, from senders that are real, of connections that there are not.
//!
//! Who gets a download sends as many acknowledgements, so it takes a host that is seen to reset them, or segments that begin or end what nobody
//! began. Segments that no system sends tell by themselves, and a scan sends few of them to a port.

use annotator_common::Transport;
use annotator_common::packet::tcp::{ACK, FIN, PSH, RST, SYN, URG};

use super::masses::{Masses, by_place, fast, port_of_site};
use super::packets::is_syn_ack;
use super::{Case, Claims, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::Recognition;
use crate::observation::{Sighting, SourceView};
use crate::quantity::number;

/// Finds them, one finding for each port of a site.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    // At most: the table takes no note of data.
    let segments = SourceView::others;
    let by_port = by_place(fast(scene, claims, is_stray, segments), segments, port_of_site(scene));
    by_port.into_iter().filter_map(|((_, port), masses)| flood(scene, port, masses)).collect()
}

/// Whether a segment asks for no connection, and comes from somebody to whom nobody here was seen sending.
fn is_stray(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    sighting.packet.transport == Transport::Tcp
        && !sighting.packet.is_syn()
        && scene.is_inbound(sighting)
        && !scene.has_sent(sighting.destination(), sighting.source())
}

fn flood(scene: &Scene<'_>, port: u16, mut masses: Masses<'_>) -> Option<Recognition> {
    let counted = scene.port(PortProto::Tcp, Side::Dst, port);
    masses.packets = masses.packets.min(counted.all.packets.saturating_sub(counted.syn.packets));
    let limits = &scene.thresholds.flood;
    let rate = masses.rate(scene);
    let hosts = masses.hosts(scene) as u64;
    let strange = masses.packets >= limits.syn * hosts && rate >= limits.rate * hosts as f64;
    let strange = strange.then(|| strange_kind(scene, &masses.members)).flatten();
    let why = match strange {
        Some(kind) => format!("They bear {kind}: no system sends that, and a scan would try another port."),
        None => (rate >= limits.acknowledgements).then(|| why(scene, port, &masses)).flatten()?,
    };
    let target = words::addresses(&masses.targets(scene));
    Some(
        Case::new(scene, "flood.ack", masses.members.clone())
            .packets(masses.packets)
            .evidence(format!("{} segments to port {port} of {target}, {}.", number(masses.packets), masses.pace(rate)))
            .evidence(why)
            .with_ttls()
            .alone()
            .fact("detail", format!("{target} port {port}, about {} a second", number(rate as u64)))
            .close(),
    )
}

/// The flags of segments that neither begin, acknowledge nor reset anything, as each segment of every system does, where all have the same.
fn strange_kind(scene: &Scene<'_>, members: &[usize]) -> Option<&'static str> {
    let (first, others) = members.split_first()?;
    let kind = |index: &usize| match scene.sighting(*index).packet.tcp_flags & (FIN | SYN | RST | PSH | ACK | URG) {
        0 => Some("no flag at all"),
        FIN => Some("FIN alone"),
        flags if flags == FIN | PSH | URG => Some("FIN, PSH and URG"),
        flags if flags & (SYN | RST | ACK) == 0 => Some("no ACK"),
        _ => None,
    };
    let first = kind(first)?;
    others.iter().all(|other| kind(other) == Some(first)).then_some(first)
}

/// What says that there are no such connections.
fn why(scene: &Scene<'_>, port: u16, masses: &Masses<'_>) -> Option<String> {
    let targets = masses.targets(scene);
    let heard = targets.iter().filter(|target| scene.hears(**target)).filter_map(|target| scene.view(*target));
    let resets = heard.map(|view| view.rst).sum::<u64>();
    if resets * 2 >= masses.packets {
        let resets = words::count(resets, "reset");
        return Some(format!("The answer is {resets}, and nothing else: nobody there knows of such connections."));
    }
    let sum = |column: fn(&SourceView) -> u64| masses.views.iter().map(|view| column(view)).sum::<u64>();
    let (asked, ended) = (sum(|view| view.syn), sum(|view| view.fin + view.rst));
    let all = |test: fn(&Sighting) -> bool| masses.members.iter().all(|index| test(scene.sighting(*index)));
    // Where not all is seen that leaves, a client may have held as many connections as it has ports.
    let [first, last] = scene.thresholds.backscatter.client_ports;
    let at_most = masses.views.len() as u64 * u64::from(last - first);
    let are_too_many = targets.iter().all(|target| scene.hears_all(*target)) || masses.packets > at_most;
    let begun = format!("Of their senders {} came", words::count(asked, "SYN"));
    // What answers goes to the port of a client.
    match scene.thresholds.contact.is_service(port) && asked * 4 < masses.packets {
        true if all(is_syn_ack) => Some(format!("{begun}, and they answer as if a service had asked for connections.")),
        true if ended * 2 >= masses.packets && are_too_many => {
            Some(format!("{begun}: most of what they end was never begun."))
        }
        _ => None,
    }
}
