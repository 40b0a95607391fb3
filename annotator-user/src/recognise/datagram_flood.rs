//! `flood.udp` and `flood.icmp`: datagrams and pings that come in masses, from senders that are real, and that nothing here asked for.
//!
//! Rate alone is no sign: films, tunnels and calls come as fast. A flood goes where nothing listens, or to any port there is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::source::distinct;

use super::questions::counted;
use super::scene::{Half, is_ping, is_to_many};
use super::{Case, Claims, FIRST_CLIENT_PORT, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition, Verdict};
use crate::observation::{Sighting, SourceView};
use crate::quantity::number;

/// Ports that there are.
const ALL_PORTS: u64 = 1 << 16;
/// How many times what each port would get, if all got the same, makes a stream.
const STREAM_PART: u64 = 8;
/// Of so many datagrams of a stream one at least is acknowledged: QUIC does every second to tenth (RFC 9000 §13.2).
const ACKNOWLEDGED_PART: u64 = 100;

/// Finds floods of pings, one for each target; of datagrams to a closed port, one for each port; of datagrams to any port, one for each source.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = pings(scene, claims);
    let mut sprays = Vec::new();
    let mut by_target: BTreeMap<(IpAddr, u16), Vec<usize>> = BTreeMap::new();
    for (view, members) in fast(scene, claims, is_unasked_datagram, |view| view.udp) {
        match spray(scene, view, &members) {
            Some(recognition) => sprays.push(recognition),
            None => members.into_iter().for_each(|i| by_target.entry(scene.sighting(i).target()).or_default().push(i)),
        }
    }
    found.extend(sprays);
    found.extend(by_target.into_iter().filter_map(|(target, members)| to_closed_port(scene, target, members)));
    found
}

/// Sources that send more of something a second than anybody does by hand, each with its sightings of that.
pub fn fast<'s>(
    scene: &'s Scene<'_>,
    claims: &'s Claims,
    wanted: fn(&Scene<'_>, &Sighting) -> bool,
    sent: fn(&SourceView) -> u64,
) -> impl Iterator<Item = (&'s SourceView, Vec<usize>)> {
    scene.sources().filter_map(move |(source, indices)| {
        let each = scene.thresholds.flood.each;
        // Most sources sent less than that in all.
        let view = scene.view(source).filter(|view| sent(view) as f64 >= each)?;
        if scene.rate_of(sent(view), [view.address]) < each {
            return None;
        }
        let members: Vec<usize> = claims.free(indices).filter(|i| wanted(scene, scene.sighting(*i))).collect();
        (!members.is_empty()).then_some((view, members))
    })
}

fn is_ping_to_one(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    is_ping(sighting) && scene.is_inbound(sighting) && !is_to_many(sighting)
}

fn pings(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_target: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (_, members) in fast(scene, claims, is_ping_to_one, |view| view.icmp) {
        members.into_iter().for_each(|i| by_target.entry(scene.sighting(i).destination()).or_default().push(i));
    }
    by_target.into_iter().filter_map(|(target, members)| ping_flood(scene, target, members)).collect()
}

fn ping_flood(scene: &Scene<'_>, target: IpAddr, members: Vec<usize>) -> Option<Recognition> {
    let views = views(scene, &members);
    let packets = views.iter().map(|view| view.icmp).sum();
    let rate = scene.rate_of(packets, views.iter().map(|view| view.address));
    (rate >= scene.thresholds.flood.pings).then(|| {
        Case::new(scene, "flood.icmp", members)
            .packets(packets)
            .evidence(format!("{} pings to {target}, {}.", number(packets), from(&views, rate)))
            .with_ttls()
            .alone()
            .fact("detail", format!("{target}, about {} a second", number(rate as u64)))
            .close()
    })
}

/// Whether a datagram comes from a stranger to whom nobody here was seen sending.
fn is_unasked_datagram(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    sighting.packet.transport == Transport::Udp
        && scene.is_inbound(sighting)
        && !is_to_many(sighting)
        && !scene.is_from_around(sighting)
        && !scene.has_sent(sighting.destination(), sighting.source())
}

/// Whether a datagram looks like the answer of a service, by its ports.
fn is_like_answer(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    scene.thresholds.contact.is_service(packet.source_port) && packet.destination_port >= FIRST_CLIENT_PORT
}

fn to_closed_port(scene: &Scene<'_>, (target, port): (IpAddr, u16), members: Vec<usize>) -> Option<Recognition> {
    let limit = scene.thresholds.flood.datagrams;
    let views = views(scene, &members);
    let counted = scene.port(PortProto::Udp, Side::Dst, port).all.packets;
    let packets = views.iter().map(|view| view.udp).sum::<u64>().min(counted);
    let together = scene.rate_of(packets, views.iter().map(|view| view.address));
    if together < limit {
        return None;
    }
    // Samples are rationed, so it may not have been seen whom a busy host asked; but who wants a stream acknowledges some of it.
    let left = scene.port(PortProto::Udp, Side::Src, port).all.packets;
    if left * ACKNOWLEDGED_PART >= packets && members.iter().all(|i| is_like_answer(scene, scene.sighting(*i))) {
        return None;
    }
    let refused = members.iter().filter_map(|i| Half::of(scene.sighting(*i))).any(|half| scene.is_complained_of(&half));
    // What looks closed may be passed on to somebody behind, who has several partners, but seldom one that sends so much.
    let alone = views.iter().any(|view| scene.rate_of(view.udp.min(counted), [view.address]) >= limit);
    let why = match (refused, alone && is_closed(scene, target, port, &members)) {
        (true, _) => "ICMP says that the port is closed.",
        (false, true) => "Nothing listens at that port here.",
        (false, false) => return None,
    };
    Some(
        Case::new(scene, "flood.udp", members)
            .packets(packets)
            .evidence(format!("{} datagrams to port {port} of {target}, {}.", number(packets), from(&views, together)))
            .evidence(why)
            .with_ttls()
            .alone()
            .fact("detail", format!("{target} port {port}, about {} a second", number(together as u64)))
            .close(),
    )
}

/// Whether a port is known to be closed, and is none at which those behind a gateway would be reached: programs that ask take a port for themselves among the
/// upper ones, tunnels have the same at either end, and some services are passed on.
fn is_closed(scene: &Scene<'_>, target: IpAddr, port: u16, members: &[usize]) -> bool {
    let live = scene.observations.live;
    let passed_on = live && (!scene.is_ours(target) || scene.thresholds.flood.passed_on.contains(&port));
    let tunnel = members.iter().all(|i| scene.sighting(*i).packet.source_port == port);
    scene.is_listening(PortProto::Udp, target, port) == Some(false) && scene.is_foreign(port) && !tunnel && !passed_on
}

/// Datagrams of one source to any port there is.
fn spray(scene: &Scene<'_>, view: &SourceView, members: &[usize]) -> Option<Recognition> {
    let limits = &scene.thresholds.flood;
    let rate = scene.rate_of(view.udp, [view.address]);
    let tried = u64::from(distinct(view.ports));
    if rate < limits.datagrams || tried < limits.ports {
        return None;
    }
    let scattered = Scattered::of(scene);
    // A name server answers to any port, and too late where nobody waits any more.
    let unlike_answers = members.iter().copied().filter(|i| !is_like_answer(scene, scene.sighting(*i)));
    let members: Vec<usize> = unlike_answers.collect();
    let seen = || members.iter().map(|i| scene.sighting(*i));
    let bytes = seen().map(|sighting| u64::from(sighting.payload_length())).sum::<u64>();
    let bytes = bytes.checked_div(members.len() as u64)?;
    let full = bytes >= limits.bytes;
    // Less, and with hardly anything in it, is a scan.
    let much = full || view.udp > scene.thresholds.scan.udp_packets_per_port * tried;
    if !much || !scattered.is_most_of(scene, view.udp) {
        return None;
    }
    let targets: BTreeSet<IpAddr> = seen().map(Sighting::destination).collect();
    let case = Case::new(scene, "flood.udp", members.clone()).packets(view.udp).evidence(format!(
        "{} datagrams to ports all over the range, with {} on average, {}.",
        number(view.udp),
        words::count(bytes, "byte"),
        from(&[view], rate)
    ));
    let case = match full || scattered.is_by_chance() {
        true => case,
        false => case.verdict(Verdict::Reconnaissance).confidence(Confidence::Possible).evidence(
            "There is hardly anything in them, and it is not chance that chose the ports: a scan of all ports in a hurry.",
        ),
    };
    let detail = format!("{}, any port, about {} a second", words::list(&targets, 2), number(rate as u64));
    Some(case.with_ttls().alone().fact("detail", detail).close())
}

/// Datagrams to ports that get few. Calls and films go on at one port; what is sent to any port hardly ever meets the same.
struct Scattered {
    /// To so many ports.
    ports: u64,
    /// All of them.
    packets: u64,
    /// Those to ports that no client here takes.
    foreign: u64,
    /// And those to ports that get more.
    in_streams: u64,
}

impl Scattered {
    fn of(scene: &Scene<'_>) -> Self {
        let all: u64 = counted(scene, PortProto::Udp).map(|(_, packets)| packets).sum();
        let few = scene.thresholds.flood.stream.max(STREAM_PART * all / ALL_PORTS);
        let mut scattered = Scattered { ports: 0, packets: 0, foreign: 0, in_streams: 0 };
        for (port, packets) in counted(scene, PortProto::Udp) {
            if packets >= few {
                scattered.in_streams += packets;
                continue;
            }
            scattered.ports += 1;
            scattered.packets += packets;
            scattered.foreign += if scene.is_foreign(port) { packets } else { 0 };
        }
        scattered
    }

    /// Whether they are most of what one source sent, even if all that others sent is among them, and go to ports of services as well as of clients.
    fn is_most_of(&self, scene: &Scene<'_>, sent: u64) -> bool {
        let others = (self.packets + self.in_streams).saturating_sub(sent);
        self.packets.saturating_sub(others) * 2 >= sent
            && self.foreign as f64 >= scene.thresholds.backscatter.foreign_share * self.packets as f64
    }

    /// Whether as many of them go where one went before as do if chance draws each port; a scan goes everywhere once, or as often as it repeats itself.
    fn is_by_chance(&self) -> bool {
        let (packets, all) = (self.packets as f64, ALL_PORTS as f64);
        let expected = packets - all * (1.0 - (-packets / all).exp());
        let again = (self.packets - self.ports) as f64;
        (0.5 * expected..=1.5 * expected).contains(&again)
    }
}

/// The rows of those who sent some sightings.
pub fn views<'a>(scene: &Scene<'a>, members: &[usize]) -> Vec<&'a SourceView> {
    let sources: BTreeSet<IpAddr> = members.iter().map(|i| scene.sighting(*i).source()).collect();
    sources.into_iter().filter_map(|source| scene.view(source)).collect()
}

/// How fast it comes, and from how many.
pub fn from(views: &[&SourceView], rate: f64) -> String {
    format!("about {} a second, from {}", number(rate as u64), words::count(views.len() as u64, "source"))
}
