//! `flood.forged-sources` over any protocol and any ports: more strangers a second than any crowd brings, each of them seen once, and signs that
//! their addresses are made up. SYNs to one port that carries nothing else are told by [`super::flood`].

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use annotator_common::packet::tcp;
use annotator_common::{Flag, Transport};

use super::addresses::{network, site};
use super::half::Half;
use super::packets::{is_headless, is_to_many};
use super::questions::counted;
use super::quote::Quote;
use super::{Case, Claims, Scene, clients, words};
use crate::counters::PortProto;
use crate::finding::{Confidence, PortPackets, Recognition};
use crate::observation::{Observations, Sighting, SourceView};
use crate::quantity::number;

/// Addresses that a sentence lists.
const LISTED: usize = 6;
/// Seconds within which strangers are counted.
const SECOND: f64 = 1.0;
/// Segments of a client, at the most, of which the source table takes note beside its SYN: one that acknowledges the answer, one that ends the connection, and
/// one that acknowledges that it is ended.
const SEGMENTS_TRACKED: u64 = 3;

/// Finds floods from forged sources, one finding for each site that is flooded.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let strangers = scene.sightings().filter(|(_, sighting)| is_of_stranger(scene, sighting));
    let mut strangers: Vec<usize> = strangers.map(|(index, _)| index).collect();
    if strangers.is_empty() {
        return Vec::new();
    }
    let counted = Counted::of(scene);
    if counted.segments_are_of_visitors(scene) {
        leave_out_visitors(scene, &mut strangers);
    }
    let mut by_site: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for index in claims.free(&strangers) {
        by_site.entry(site(scene.sighting(index).destination())).or_default().push(index);
    }
    let floods: Vec<Flood> = by_site.into_values().filter_map(|members| Flood::of(scene, members)).collect();
    let Some(unsampled) = Unsampled::of(scene, counted, &floods, &strangers) else { return Vec::new() };
    floods.into_iter().map(|flood| flood.tell(scene, &unsampled)).collect()
}

/// Leaves out segments without SYNs before them at ports where no more came than belongs to connections that ended there.
fn leave_out_visitors(scene: &Scene<'_>, strangers: &mut Vec<usize>) {
    let segment = |index: &usize| {
        let packet = &scene.sighting(*index).packet;
        (packet.transport == Transport::Tcp && !packet.is_syn()).then_some(packet.destination_port)
    };
    let mut segments: BTreeMap<u16, u64> = BTreeMap::new();
    strangers.iter().filter_map(segment).for_each(|port| *segments.entry(port).or_default() += 1);
    segments.retain(|port, segments| *segments <= SEGMENTS_TRACKED * clients::ended(scene, *port));
    strangers.retain(|index| segment(index).is_none_or(|port| !segments.contains_key(&port)));
}

/// Whether a packet comes from somebody who hardly sent more than this, and with whom nobody here had to do.
fn is_of_stranger(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let (source, destination) = (sighting.source(), sighting.destination());
    let seldom = |packets: u64| packets as f64 <= scene.thresholds.flood.per_source;
    scene.is_inbound(sighting)
        && !is_to_many(sighting)
        && !is_headless(sighting)
        && !scene.is_near(source)
        && seldom(scene.from(source).len() as u64)
        && scene.view(source).is_none_or(|view| seldom(view.packets))
        && Quote::of(sighting).is_none()
        && !scene.connects(source)
        && !scene.has_spoken(destination, source)
        && !scene.contacts.any(destination, source)
}

/// Those that came at the rate of a flood: what came in quieter seconds has reasons of its own.
fn crowded(scene: &Scene<'_>, members: &[usize]) -> Vec<usize> {
    let crowd = scene.thresholds.flood.strangers;
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

/// A sign that addresses are made up.
pub struct Sign {
    says: String,
    shows: Shows,
}

/// Which packets show it.
enum Shows {
    All,
    Ttls(BTreeSet<u8>),
    Bare,
}

impl Sign {
    fn is_shown_by(&self, sighting: &Sighting) -> bool {
        match &self.shows {
            Shows::All => true,
            Shows::Ttls(ttls) => ttls.contains(&sighting.packet.ttl),
            Shows::Bare => sighting.is_bare_syn(),
        }
    }
}

impl Shows {
    /// What is like some packets: it came the ways that they came, where these are few, and not by chance.
    fn like<'s>(scene: &Scene<'_>, packets: impl Iterator<Item = &'s Sighting> + Clone) -> Self {
        let enough = packets.clone().count() >= scene.thresholds.flood.telling;
        let ttls = few_ttls(scene, packets.map(|sighting| sighting.packet.ttl));
        ttls.filter(|_| enough).map_or(Shows::All, Shows::Ttls)
    }
}

/// Signs in packets of strangers, apart from what becomes of them.
pub fn signs(scene: &Scene<'_>, members: &[usize]) -> Vec<Sign> {
    let seen: Vec<&Sighting> = members.iter().map(|index| scene.sighting(*index)).collect();
    let sources: BTreeSet<IpAddr> = seen.iter().map(|sighting| sighting.source()).collect();
    let clients = of_clients(scene);
    let signs = [
        empty_networks(scene, &seen, &sources),
        one_place(scene, &seen, &clients),
        any_port(scene, &seen),
        bare(scene, members, &clients),
    ];
    signs.into_iter().flatten().collect()
}

/// Packets of strangers to one site that show signs of being made up, in order of time.
struct Flood {
    members: Vec<usize>,
    signs: Vec<Sign>,
    /// To whom.
    target: String,
}

impl Flood {
    fn of(scene: &Scene<'_>, mut members: Vec<usize>) -> Option<Self> {
        let crowd = crowded(scene, &members);
        let since = scene.sighting(*crowd.first()?).at;
        let mut signs = signs(scene, &crowd);
        signs.extend(unanswered(scene, &crowd));
        // Once the table is full, few are sampled: the rest of a flood does not come as a crowd.
        let is_rest = |sighting: &Sighting| sighting.at >= since && scene.view(sighting.source()).is_none();
        members.retain(|index| {
            let sighting = scene.sighting(*index);
            let belongs = is_rest(sighting) || crowd.binary_search(index).is_ok();
            belongs && signs.iter().any(|sign| sign.is_shown_by(sighting))
        });
        let targets: BTreeSet<IpAddr> = members.iter().map(|index| scene.sighting(*index).destination()).collect();
        (!targets.is_empty()).then(|| Flood { members, signs, target: words::addresses(&targets) })
    }

    fn columns(&self, scene: &Scene<'_>) -> Columns {
        columns(self.members.iter().map(|index| scene.sighting(*index)))
    }

    fn tell(self, scene: &Scene<'_>, unsampled: &Unsampled) -> Recognition {
        let sampled = self.columns(scene);
        let Flood { members, signs, target } = self;
        let seen: Vec<&Sighting> = members.iter().map(|index| scene.sighting(*index)).collect();
        let sources: BTreeSet<IpAddr> = seen.iter().map(|sighting| sighting.source()).collect();
        let unsampled = unsampled.share_of(sampled);
        let (sum, [syn, udp, _, rest]) = (unsampled.iter().sum::<u64>(), unsampled);
        let is_segment =
            |sighting: &&&Sighting| column(sighting) == REST && sighting.packet.transport == Transport::Tcp;
        let other_tcp = rest * seen.iter().filter(is_segment).count() as u64 / sampled[REST].max(1);
        let of_which = if sum > 0 { " in the samples" } else { "" };
        let case = Case::new(scene, "flood.forged-sources", members).confidence(Confidence::Likely).evidence(format!(
            "{} of {} sent to {target}{of_which}, hardly one of them twice, and none that had to do with it before: {}.",
            words::count(sources.len() as u64, "source"),
            words::count(networks(sources.iter().copied()) as u64, "network"),
            kinds(&seen)
        ));
        let case = if sampled[0] * 2 > seen.len() as u64 { case.also("flood.syn") } else { case };
        let case = signs.into_iter().fold(case, |case, sign| case.evidence(sign.says));
        let mut flood = case.packets(seen.len() as u64 + sum).alone().fact("detail", target).close();
        flood.unsampled += PortPackets { syn, other_tcp, udp };
        flood
    }
}

fn networks(sources: impl Iterator<Item = IpAddr>) -> usize {
    sources.map(network).collect::<BTreeSet<_>>().len()
}

/// Sources in networks without hosts, which no crowd has. One such network may be in private use; several are not.
fn empty_networks(scene: &Scene<'_>, seen: &[&Sighting], sources: &BTreeSet<IpAddr>) -> Option<Sign> {
    let limits = &scene.thresholds.flood;
    let is_empty = |source: &IpAddr| limits.empty_networks.contains(*source);
    let empty: Vec<IpAddr> = sources.iter().copied().filter(is_empty).collect();
    let enough = empty.len() as f64 >= limits.empty_share * sources.len() as f64
        && networks(empty.iter().copied()) >= limits.empty_count;
    enough.then(|| {
        let number = number(empty.len() as u64);
        let says = format!("{number} of the sources lie in networks without hosts: {}.", words::list(empty, LISTED));
        Sign { says, shows: Shows::like(scene, seen.iter().copied().filter(|sighting| is_empty(&sighting.source()))) }
    })
}

/// Packets from all over the world that all come the same way, or a few ways. Answers, and questions that servers get from strangers, are left out:
/// where TTLs are rewritten on the way, a crowd of these would look the same. So are strangers at a service whose clients are seen to come that way, too.
fn one_place(scene: &Scene<'_>, seen: &[&Sighting], clients: &[&Sighting]) -> Option<Sign> {
    let limits = &scene.thresholds.flood;
    let of_clients = few_ttls(scene, clients.iter().map(|sighting| sighting.packet.ttl));
    let is_client = |sighting: &Sighting| {
        of_clients.as_ref().is_some_and(|ttls| ttls.contains(&sighting.packet.ttl))
            && sighting.packet.transport == Transport::Tcp
            && scene.is_served(sighting.target())
    };
    let telling: Vec<&&Sighting> =
        seen.iter().filter(|sighting| !is_everyday(scene, sighting) && !is_client(sighting)).collect();
    let ttls = few_ttls(scene, telling.iter().map(|sighting| sighting.packet.ttl))?;
    let (_, of_service) = most_frequent(telling.iter().map(|sighting| sighting.packet.source_port))?;
    let datagrams = telling.iter().any(|sighting| sighting.packet.transport == Transport::Udp);
    // However many are forged, a few /8 have no more networks than hundreds; but real clients live together in theirs.
    let networks = networks(telling.iter().map(|sighting| sighting.source()));
    let sites: BTreeSet<IpAddr> = telling.iter().map(|sighting| site(sighting.source())).collect();
    let scattered = networks * 2 >= limits.strangers && sites.len() * 2 >= telling.len();
    // Servers that were all asked at once answer from the same port.
    let answers = datagrams && of_service * 2 > telling.len();
    let enough = telling.len() >= limits.strangers && scattered && !answers;
    let says = match ttls.len() {
        1 => {
            format!(
                "They come with a TTL of {}: from the same place, whatever their addresses say.",
                words::range(&ttls)
            )
        }
        n => format!("They come with {n} different TTLs: the ways of a crowd differ more in length."),
    };
    enough.then_some(Sign { says, shows: Shows::Ttls(ttls) })
}

/// The first SYN of each client whose connections come about, where these are many.
fn of_clients<'a>(scene: &Scene<'a>) -> Vec<&'a Sighting> {
    let is_question = |sighting: &&Sighting| sighting.packet.is_syn() && scene.is_inbound(sighting);
    let clients: Vec<&Sighting> = scene
        .sources()
        .filter(|(source, _)| scene.connects(*source))
        .filter_map(|(_, indices)| indices.iter().map(|index| scene.sighting(*index)).find(is_question))
        .collect();
    let enough = networks(clients.iter().map(|sighting| sighting.source())) >= scene.thresholds.flood.clients;
    if enough { clients } else { Vec::new() }
}

/// The TTLs that nearly all packets have, where they are fewer than those of a crowd.
fn few_ttls(scene: &Scene<'_>, ttls: impl Iterator<Item = u8>) -> Option<BTreeSet<u8>> {
    let limits = &scene.thresholds.flood;
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    ttls.for_each(|ttl| *counts.entry(ttl).or_default() += 1);
    let all: usize = counts.values().sum();
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, packets)| std::cmp::Reverse(*packets));
    let (mut few, mut of_few) = (BTreeSet::new(), 0);
    for (ttl, packets) in counts.into_iter().take(limits.ttls) {
        few.insert(ttl);
        of_few += packets;
        if of_few as f64 >= limits.one_ttl * all as f64 {
            return Some(few);
        }
    }
    None
}

/// SYNs as only tools make them, as many a second as a crowd. Where something on the way takes the options off, clients have none either.
fn bare(scene: &Scene<'_>, members: &[usize], clients: &[&Sighting]) -> Option<Sign> {
    let bare: Vec<usize> = members.iter().copied().filter(|index| scene.sighting(*index).is_bare_syn()).collect();
    let usual = clients.iter().filter(|sighting| sighting.is_bare_syn()).count() * 2 > clients.len();
    (!usual && !crowded(scene, &bare).is_empty()).then(|| {
        let number = words::count(bare.len() as u64, "SYN");
        let says = format!("{number} without options, which those of every system have: a tool made them.");
        Sign { says, shows: Shows::Bare }
    })
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
fn any_port(scene: &Scene<'_>, seen: &[&Sighting]) -> Option<Sign> {
    let syns = || seen.iter().filter(|sighting| sighting.packet.is_syn());
    let ports: BTreeSet<u16> = syns().map(|sighting| sighting.packet.destination_port).collect();
    let enough = syns().count() >= scene.thresholds.flood.strangers && ports.len() * 2 >= syns().count();
    enough.then(|| {
        let says =
            format!("Their SYNs go to {}: a crowd wants the same few.", words::count(ports.len() as u64, "port"));
        Sign { says, shows: Shows::like(scene, syns().copied()) }
    })
}

/// What is asked and never answers, though those who ask do not ask again.
fn unanswered(scene: &Scene<'_>, members: &[usize]) -> Option<Sign> {
    let is_silent = |sighting: &Sighting| {
        scene.hears_all(sighting.destination()) && !scene.has_sent(sighting.destination(), sighting.source())
    };
    let silent = members.iter().all(|index| is_silent(scene.sighting(*index)));
    (silent && !are_repeated(scene, members)).then(|| {
        let says = "The capture shows what is sent from here, and none of them was answered.".into();
        Sign { says, shows: Shows::All }
    })
}

/// Whether so many sources send the same segment twice, as a system does where none is acknowledged, that they exist.
pub fn are_repeated(scene: &Scene<'_>, members: &[usize]) -> bool {
    let mut sources: BTreeSet<IpAddr> = BTreeSet::new();
    let mut repeated: BTreeSet<IpAddr> = BTreeSet::new();
    let mut known = HashSet::new();
    for sighting in members.iter().map(|index| scene.sighting(*index)) {
        sources.insert(sighting.source());
        if let (Some(half), Some(sequence)) = (Half::of(sighting), sighting.tcp_sequence())
            && !known.insert((half, sequence))
        {
            repeated.insert(sighting.source());
        }
    }
    repeated.len() as f64 >= scene.thresholds.service_down.again * sources.len() as f64
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

/// SYNs, datagrams, ICMP messages, and the rest, of which no counter knows.
type Columns = [u64; 4];

const REST: usize = 3;

fn column(sighting: &Sighting) -> usize {
    match sighting.packet.transport {
        Transport::Tcp if sighting.packet.is_syn() => 0,
        Transport::Udp => 1,
        Transport::Icmp | Transport::Icmpv6 => 2,
        _ => REST,
    }
}

fn columns<'s>(sightings: impl Iterator<Item = &'s Sighting>) -> Columns {
    let mut columns = Columns::default();
    sightings.for_each(|sighting| columns[column(sighting)] += 1);
    columns
}

/// Whether a source sent so little that it may be made up.
fn is_seldom(scene: &Scene<'_>, view: &SourceView) -> bool {
    view.packets as f64 <= scene.thresholds.flood.per_source
}

/// What is known of all that came, whoever sent it.
struct Counted {
    /// By the counters.
    all: Columns,
    /// How many connections ended at any port.
    ended: u64,
    /// The rest of the packets for which the source table had no room: those in the counters are none of it.
    untracked_rest: u64,
    /// How many segments belong, at the most, to visitors of whom the source table has lost the beginning.
    of_visitors: u64,
}

impl Counted {
    fn of(scene: &Scene<'_>) -> Self {
        let Observations { counters, sources, .. } = scene.observations;
        let (mut all, mut ended) = (Columns::default(), 0);
        for (port, packets) in counted(scene, PortProto::Tcp) {
            all[0] += packets;
            ended += clients::ended(scene, port);
        }
        all[1] = counted(scene, PortProto::Udp).map(|(_, packets)| packets).sum();
        all[2] = counters.icmp.values().map(|count| count.packets).sum();
        let syn: u64 = sources.iter().map(|view| view.syn).sum();
        let tracked = syn + sources.iter().map(|view| view.udp + view.icmp).sum::<u64>();
        let untracked = all.iter().sum::<u64>().saturating_sub(tracked);
        let untracked_rest = counters.packets_of_untracked_sources.saturating_sub(untracked);
        let lost = all[0].saturating_sub(syn);
        Counted { all, ended, untracked_rest, of_visitors: SEGMENTS_TRACKED * ended.min(lost) }
    }

    /// Whether no more segments without SYNs before them came than those.
    fn segments_are_of_visitors(&self, scene: &Scene<'_>) -> bool {
        let without_syn = scene.observations.sources.iter().filter(|view| view.syn == 0 && is_seldom(scene, view));
        let segments = without_syn.map(SourceView::others).sum::<u64>() + self.untracked_rest;
        segments <= self.of_visitors
    }
}

/// What strangers sent that was not sampled.
struct Unsampled {
    packets: Columns,
    /// How much was, while floods went on.
    sampled: Columns,
}

impl Unsampled {
    fn of(scene: &Scene<'_>, counted: Counted, floods: &[Flood], strangers: &[usize]) -> Option<Self> {
        let seen = || floods.iter().flat_map(|flood| &flood.members).map(|index| scene.sighting(*index).at);
        let during = seen().min()?..=seen().max()?;
        // What others than strangers sent, and what is known of either.
        let Counted { all: mut packets, ended, untracked_rest: mut rest, of_visitors } = counted;
        let mut others = [ended, 0, 0, 0];
        for view in scene.observations.sources {
            if !is_seldom(scene, view) || scene.connects(view.address) {
                others[0] += view.syn.saturating_sub(view.fin);
                others[1] += view.udp;
                others[2] += view.icmp;
            } else if view.syn == 0 && during.contains(&view.first) {
                rest += view.others();
            }
        }

        let strangers = || strangers.iter().map(|index| scene.sighting(*index));
        let mut known = columns(strangers());
        let mut sampled = columns(strangers().filter(|sighting| during.contains(&sighting.at)));
        let of_floods = floods.iter().map(|flood| flood.columns(scene)[REST]).sum::<u64>();
        // As far as visitors account for all that is not of the floods.
        if of_visitors > known[REST].saturating_sub(of_floods) {
            (known[REST], sampled[REST], others[REST]) = (of_floods, of_floods, of_visitors);
        }
        packets[REST] = rest;
        for column in 0..packets.len() {
            packets[column] = packets[column].saturating_sub(others[column] + known[column]);
        }
        Some(Unsampled { packets, sampled })
    }

    /// What belongs to some that were sampled: which flood each of the others was of, nobody knows.
    fn share_of(&self, members: Columns) -> Columns {
        std::array::from_fn(|i| (self.packets[i] * members[i]).checked_div(self.sampled[i]).unwrap_or_default())
    }
}
