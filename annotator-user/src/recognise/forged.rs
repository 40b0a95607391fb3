//! `flood.forged-sources` over any protocol and any ports: more strangers a second than any crowd brings, each of them seen once, and signs that
//! their addresses are made up. SYNs to one port are told by [`super::flood`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::packet::tcp;
use annotator_common::{Flag, Transport};

use super::flood::is_swamped;
use super::quote::Quote;
use super::scene::{Half, is_to_many, network, site};
use super::{Case, Claims, Scene, words};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;
use crate::quantity::number;

/// Addresses that a sentence lists.
const LISTED: usize = 6;
/// Seconds within which strangers are counted.
const SECOND: f64 = 1.0;

/// Finds floods from forged sources, one finding for each site that is flooded.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_site: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        if claims.is_free(index) && is_of_stranger(scene, sighting) {
            by_site.entry(site(sighting.destination())).or_default().push(index);
        }
    }
    by_site.into_values().filter_map(|members| flood(scene, crowded(scene, &members))).collect()
}

/// Whether a packet comes from somebody who hardly sent more than this, and with whom nobody here had to do.
fn is_of_stranger(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let (source, destination) = (sighting.source(), sighting.destination());
    let packet = &sighting.packet;
    let seldom = |packets: u64| packets as f64 <= scene.thresholds.flood.per_source;
    scene.is_inbound(sighting)
        && !is_to_many(sighting)
        && !scene.is_near(source)
        && seldom(scene.from(source).len() as u64)
        && scene.view(source).is_none_or(|view| seldom(view.packets))
        && Quote::of(sighting).is_none()
        && !(packet.is_syn() && is_swamped(scene, packet.destination_port))
        && !scene.has_sent(destination, source)
        && !scene.contacts.any(destination, source)
}

/// Those that came at the rate of a flood: what came in quieter seconds has reasons of its own.
fn crowded(scene: &Scene<'_>, members: &[usize]) -> Vec<usize> {
    let crowd = scene.thresholds.flood.strangers.max(1);
    let (mut kept, mut done) = (Vec::new(), 0);
    for (start, run) in members.windows(crowd).enumerate() {
        let [first, last] = [run[0], run[crowd - 1]].map(|index| scene.sighting(index).at);
        if last.seconds_since(first) <= SECOND {
            kept.extend(&members[done.max(start)..start + crowd]);
            done = start + crowd;
        }
    }
    kept
}

fn flood(scene: &Scene<'_>, members: Vec<usize>) -> Option<Recognition> {
    let seen: Vec<&Sighting> = members.iter().map(|index| scene.sighting(*index)).collect();
    let sources: BTreeSet<IpAddr> = seen.iter().map(|sighting| sighting.source()).collect();
    let targets: BTreeSet<IpAddr> = seen.iter().map(|sighting| sighting.destination()).collect();
    let signs =
        [empty_networks(scene, &sources), one_place(scene, &seen), any_port(scene, &seen), unanswered(scene, &targets)];
    let signs: Vec<String> = signs.into_iter().flatten().collect();
    if signs.is_empty() {
        return None;
    }
    let target = targets.first()?;
    let target = match targets.len() {
        1 => target.to_string(),
        n => format!("{} from {target} on", words::count(n as u64, "address")),
    };
    let packets = packets(scene, &seen);
    let syns = seen.iter().filter(|sighting| sighting.packet.is_syn()).count();
    let case = Case::new(scene, "flood.forged-sources", members).confidence(Confidence::Likely).evidence(format!(
        "{} of {} sent to {target}, hardly one of them twice, and none that had to do with it before: {}.",
        words::count(sources.len() as u64, "source"),
        words::count(networks(sources.iter().copied()) as u64, "network"),
        kinds(&seen)
    ));
    let case = if syns * 2 > seen.len() { case.also("flood.syn") } else { case };
    let case = signs.into_iter().fold(case, Case::evidence);
    Some(case.packets(packets).alone().fact("detail", target).close())
}

fn networks(sources: impl Iterator<Item = IpAddr>) -> usize {
    sources.map(network).collect::<BTreeSet<_>>().len()
}

/// Sources in networks without hosts, which no crowd has. One such network may be in private use; several are not.
fn empty_networks(scene: &Scene<'_>, sources: &BTreeSet<IpAddr>) -> Option<String> {
    let limits = &scene.thresholds.flood;
    let empty: Vec<IpAddr> = sources.iter().copied().filter(|source| limits.empty_networks.contains(*source)).collect();
    let enough = empty.len() as f64 >= limits.empty_share * sources.len() as f64
        && networks(empty.iter().copied()) >= limits.empty_count;
    enough.then(|| {
        let number = number(empty.len() as u64);
        format!("{number} of the sources lie in networks without hosts: {}.", words::list(empty, LISTED))
    })
}

/// Packets from all over the world that all come the same way. Answers, and questions that servers get from strangers, are left out: where TTLs are
/// rewritten on the way, a crowd of these would look the same. So are strangers at a service whose clients are seen to come that way, too.
fn one_place(scene: &Scene<'_>, seen: &[&Sighting]) -> Option<String> {
    let limits = &scene.thresholds.flood;
    let of_clients = ttl_of_clients(scene);
    let is_client = |sighting: &Sighting| {
        Some(sighting.packet.ttl) == of_clients
            && sighting.packet.transport == Transport::Tcp
            && scene.is_served(sighting.packet.destination_port)
    };
    let telling: Vec<&&Sighting> =
        seen.iter().filter(|sighting| !is_everyday(scene, sighting) && !is_client(sighting)).collect();
    let (ttl, of_ttl) = most_frequent(telling.iter().map(|sighting| sighting.packet.ttl))?;
    let (_, of_service) = most_frequent(telling.iter().map(|sighting| sighting.packet.source_port))?;
    let datagrams = telling.iter().any(|sighting| sighting.packet.transport == Transport::Udp);
    let networks = networks(telling.iter().map(|sighting| sighting.source()));
    // Servers that were all asked at once answer from the same port.
    let answers = datagrams && of_service * 2 > telling.len();
    let enough = telling.len() >= limits.strangers
        && of_ttl as f64 >= limits.one_ttl * telling.len() as f64
        && networks * 2 >= telling.len()
        && !answers;
    enough.then(|| format!("They come with a TTL of {ttl}: from the same place, whatever their addresses say."))
}

/// The TTL with which clients come whose connections came about, where these are many and it is one.
fn ttl_of_clients(scene: &Scene<'_>) -> Option<u8> {
    let limits = &scene.thresholds.flood;
    let came_about = |source: IpAddr, sighting: &&Sighting| {
        let ends = || scene.view(source).is_some_and(|view| view.fin > 0);
        let runs = || Half::of(sighting).is_some_and(|half| scene.carried(&half).running);
        sighting.packet.is_syn() && scene.is_inbound(sighting) && (runs() || ends())
    };
    let clients: Vec<&Sighting> = scene
        .sources()
        .filter_map(|(source, indices)| {
            indices.iter().map(|index| scene.sighting(*index)).find(|sighting| came_about(source, sighting))
        })
        .collect();
    let (ttl, of_ttl) = most_frequent(clients.iter().map(|sighting| sighting.packet.ttl))?;
    let enough = networks(clients.iter().map(|sighting| sighting.source())) >= limits.clients
        && of_ttl as f64 >= limits.one_ttl * clients.len() as f64;
    enough.then_some(ttl)
}

/// The value that occurs most often, and how often.
fn most_frequent<T: Ord>(values: impl Iterator<Item = T>) -> Option<(T, usize)> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count)
}

/// Whether a packet is an answer of a server, or a question as name and time servers get them from strangers.
fn is_everyday(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    let question = packet.transport == Transport::Udp
        && scene.thresholds.amplification.busy_ports.contains(&packet.destination_port)
        && sighting.payload_length() > 0;
    let answer = Half::of(sighting).is_some_and(|half| scene.thresholds.contact.is_service(half.source_port));
    question || answer
}

/// Connections wanted at every port there is: a crowd wants the same few.
fn any_port(scene: &Scene<'_>, seen: &[&Sighting]) -> Option<String> {
    let syns = || seen.iter().filter(|sighting| sighting.packet.is_syn());
    let ports: BTreeSet<u16> = syns().map(|sighting| sighting.packet.destination_port).collect();
    let enough = syns().count() >= scene.thresholds.flood.strangers && ports.len() * 2 >= syns().count();
    enough
        .then(|| format!("Their SYNs go to {}: a crowd wants the same few.", words::count(ports.len() as u64, "port")))
}

/// What is asked and never answers.
fn unanswered(scene: &Scene<'_>, targets: &BTreeSet<IpAddr>) -> Option<String> {
    let silent = targets.iter().all(|target| scene.hears_all(*target));
    silent.then(|| "The capture shows what is sent from here, and none of them was answered.".into())
}

/// What the packets are, most frequent first.
fn kinds(seen: &[&Sighting]) -> String {
    let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for sighting in seen {
        *by_kind.entry(kind(sighting)).or_default() += 1;
    }
    let mut by_kind: Vec<_> = by_kind.into_iter().collect();
    by_kind.sort_by_key(|(_, packets)| std::cmp::Reverse(*packets));
    words::list(by_kind.into_iter().map(|(kind, packets)| format!("{} {kind}", number(packets as u64))), LISTED)
}

fn kind(sighting: &Sighting) -> &'static str {
    let packet = &sighting.packet;
    match packet.transport {
        _ if packet.flags.contains(Flag::Fragment) => "fragments",
        Transport::Tcp if packet.is_syn() => "SYNs",
        Transport::Tcp if packet.tcp_flags & tcp::RST != 0 => "TCP resets",
        Transport::Tcp => "TCP segments without connection",
        Transport::Udp => "UDP datagrams",
        Transport::Icmp | Transport::Icmpv6 => "ICMP messages",
        Transport::None => "packets of other protocols",
    }
}

/// How many packets it was: those of all sources of the kind that came in that time, sampled or not, and of those for which the table had no room.
fn packets(scene: &Scene<'_>, seen: &[&Sighting]) -> u64 {
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return 0 };
    let during = first.at..=last.at;
    let views = scene.observations.sources.iter().filter(|view| during.contains(&view.first));
    let seldom = views.map(|view| view.packets).filter(|packets| *packets as f64 <= scene.thresholds.flood.per_source);
    seldom.sum::<u64>() + scene.observations.counters.packets_of_untracked_sources
}
