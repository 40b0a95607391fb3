//! `flood.udp` and `flood.icmp`: datagrams and pings that come in masses, from senders that are real, and that nothing here asked for.
//!
//! Rate alone is no sign: films, tunnels and calls come as fast. A flood goes where nothing listens, or to any port there is, or there is nothing in it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::source::distinct;

use super::addresses::site;
use super::half::Half;
use super::masses::{Masses, by_place, fast, is_as_fast, pace, port_of_site};
use super::packets::{is_ping, is_to_many};
use super::questions::counted;
use super::scene::Outcome;
use super::{Case, Claims, FIRST_CLIENT_PORT, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition, Verdict};
use crate::observation::{Sighting, SourceView};
use crate::quantity::number;

/// Ports that there are.
const ALL_PORTS: u64 = 1 << 16;
/// Bytes that show what a datagram says: protocols begin with a few that are alike.
const TELLING: usize = 32;

/// Finds floods of pings, one for each site; of datagrams to a port that cannot want them, one for each port of a site; of datagrams to any port, one for
/// each source.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let pings = by_place(
        fast(scene, claims, is_ping_to_one, |view| view.icmp),
        |view| view.icmp,
        |i| site(scene.sighting(i).destination()),
    );
    let mut found: Vec<Recognition> = pings.into_values().filter_map(|masses| ping_flood(scene, masses)).collect();
    let mut others = Vec::new();
    for (view, members) in fast(scene, claims, is_unasked_datagram, |view| view.udp) {
        match spray(scene, view, &members) {
            Some(recognition) => found.push(recognition),
            None => others.push((view, members)),
        }
    }
    let by_port = by_place(others.into_iter(), |view| view.udp, port_of_site(scene));
    found.extend(by_port.into_iter().filter_map(|((_, port), masses)| to_one_port(scene, port, masses)));
    found
}

fn is_ping_to_one(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    is_ping(sighting) && scene.is_inbound(sighting) && !is_to_many(sighting)
}

fn ping_flood(scene: &Scene<'_>, masses: Masses<'_>) -> Option<Recognition> {
    let rate = masses.rate(scene);
    let target = words::addresses(&masses.targets(scene));
    (rate >= scene.thresholds.flood.pings).then(|| {
        Case::new(scene, "flood.icmp", masses.members.clone())
            .packets(masses.packets)
            .evidence(format!("{} pings to {target}, {}.", number(masses.packets), masses.pace(rate)))
            .with_ttls()
            .alone()
            .fact("detail", format!("{target}, about {} a second", number(rate as u64)))
            .close()
    })
}

/// Whether a datagram comes from a stranger to whom nobody here was seen sending; who says nothing may well be answered, if he spoke first.
fn is_unasked_datagram(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let (here, there) = (sighting.destination(), sighting.source());
    sighting.packet.transport == Transport::Udp
        && scene.is_inbound(sighting)
        && !is_to_many(sighting)
        && !scene.is_from_around(sighting)
        && (!scene.has_sent(here, there) || (says_nothing(scene, sighting) && !scene.spoke_first(here, there)))
}

/// Whether there is nothing in a datagram but the same byte over and over, as far as enough of it was sampled, and it asks no service that answers whatever
/// comes.
pub fn says_nothing(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let payload = sighting.payload();
    payload.len() >= TELLING.min(sighting.payload_length() as usize)
        && payload.iter().all(|byte| *byte == payload[0])
        && !scene.thresholds.echo_loop.ports.contains(&sighting.packet.destination_port)
}

/// Whether a source sends datagrams in masses to few hosts, as no scan does.
pub fn is_in_masses(scene: &Scene<'_>, view: &SourceView) -> bool {
    let few = (distinct(view.destinations) as usize) < scene.thresholds.scan.hosts;
    few && is_as_fast(scene, view, view.udp, scene.thresholds.flood.datagrams)
}

/// Whether a datagram looks like the answer of a service, by its ports.
fn is_like_answer(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    scene.thresholds.contact.is_service(packet.source_port) && packet.destination_port >= FIRST_CLIENT_PORT
}

fn to_one_port(scene: &Scene<'_>, port: u16, mut masses: Masses<'_>) -> Option<Recognition> {
    let limit = scene.thresholds.flood.datagrams;
    let counted = scene.port(PortProto::Udp, Side::Dst, port).all.packets;
    masses.packets = masses.packets.min(counted);
    let together = masses.rate(scene);
    if together < limit {
        return None;
    }
    let targets = masses.targets(scene);
    // Samples are rationed, so it may not have been seen whom a busy host asked; but who wants a stream acknowledges some of it.
    let left = scene.port(PortProto::Udp, Side::Src, port).all.packets;
    if left * scene.thresholds.flood.acknowledged_part >= masses.packets
        && masses.members.iter().all(|i| is_like_answer(scene, scene.sighting(*i)))
    {
        return None;
    }
    let refused =
        masses.members.iter().filter_map(|i| Half::of(scene.sighting(*i))).any(|half| scene.is_complained_of(&half));
    // What looks closed may be passed on to somebody behind, who has several partners, but seldom one that sends so much.
    let alone = masses.views.iter().any(|view| is_as_fast(scene, view, view.udp.min(counted), limit));
    let closed = || targets.iter().all(|target| is_closed(scene, *target, port, &masses.members));
    let blank = || {
        masses.members.len() >= scene.thresholds.flood.blank
            && masses.members.iter().all(|i| says_nothing(scene, scene.sighting(*i)))
            && masses.views.iter().any(|view| is_in_masses(scene, view))
    };
    let why = match (refused, alone && closed()) {
        (true, _) => "ICMP says that the port is closed.",
        (false, true) => "Nothing listens at that port here.",
        (false, false) if blank() => {
            "There is nothing in them but one byte over and over, if that: no service is asked so."
        }
        (false, false) => return None,
    };
    let target = words::addresses(&targets);
    Some(
        Case::new(scene, "flood.udp", masses.members.clone())
            .packets(masses.packets)
            .evidence(format!(
                "{} datagrams to port {port} of {target}, {}.",
                number(masses.packets),
                masses.pace(together)
            ))
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
    // What does not listen at our addresses is hardly what others of our networks are asked for in masses.
    let listening = scene.observations.locality.listening.as_ref();
    let is_unlisted = listening.is_some_and(|listening| !listening.contains(&(PortProto::Udp, port)));
    is_unlisted
        && (scene.is_listening(PortProto::Udp, target, port) == Some(false) || scene.is_near(target))
        && scene.is_foreign(port)
        && !tunnel
        && !passed_on
        && !is_measured(scene, target, port, members)
}

/// Whether each sender called a program at the same port by TCP: iperf measures a line so, and takes the port for datagrams only meanwhile.
fn is_measured(scene: &Scene<'_>, target: IpAddr, port: u16, members: &[usize]) -> bool {
    let called = |source: &IpAddr| {
        let answered = |syn: &usize| scene.outcome(*syn) == Outcome::Answered;
        scene.syns_of(*source).iter().any(|syn| scene.sighting(*syn).target() == (target, port) && answered(syn))
    };
    let senders = || members.iter().map(|i| scene.sighting(*i).source()).collect::<BTreeSet<IpAddr>>();
    scene.thresholds.flood.measured.contains(&port) && senders().iter().all(called)
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
        pace(rate, 1)
    ));
    let case = match full || scattered.is_by_chance() {
        true => case,
        false => case.also("scan.udp").verdict(Verdict::Reconnaissance).confidence(Confidence::Possible).evidence(
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
        let few = scene.thresholds.flood.stream.max(scene.thresholds.flood.stream_part * all / ALL_PORTS);
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
