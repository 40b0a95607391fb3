//! `pattern.decoy-scan`: many strangers ask for the same ports at the same moment; one of them is real.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::source::distinct;

use super::addresses::network;
use super::half::Half;
use super::packets::is_to_many;
use super::scan::kind::Kind;
use super::{Case, Claims, FINDINGS_MAX, Scene, words};
use crate::counters::PortProto;
use crate::finding::{Confidence, Recognition};
use crate::observation::{Moment, Sighting, SourceView};

/// Ports that are compared: the first of each source. Later ones may be missing, since samples are rationed.
const COMPARED: usize = 8;

/// What one source tried at one target.
#[derive(Clone)]
struct Attempt {
    source: IpAddr,
    members: Vec<usize>,
}

/// Finds decoy scans, one finding for each target and set of ports.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let answering = answering(scene);
    let mut groups: BTreeMap<(IpAddr, PortProto, Vec<u16>), Vec<Attempt>> = BTreeMap::new();
    let mut all: HashMap<(IpAddr, PortProto), Vec<Attempt>> = HashMap::new();
    for (source, indices) in scene.sources() {
        let mut by_target: HashMap<(IpAddr, PortProto), Vec<usize>> = HashMap::new();
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            if scene.is_probe(index) || is_stray(scene, sighting) {
                by_target.entry((sighting.destination(), PortProto::Tcp)).or_default().push(index);
            } else if is_datagram(scene, sighting) && !answering.contains(&sighting.target()) {
                by_target.entry((sighting.destination(), PortProto::Udp)).or_default().push(index);
            }
        }
        for ((target, proto), members) in by_target {
            let ports = first_ports(scene, &members);
            if is_set(scene, source, proto, &ports) {
                let attempt = Attempt { source, members };
                all.entry((target, proto)).or_default().push(attempt.clone());
                groups.entry((target, proto, ports)).or_default().push(attempt);
            }
        }
    }
    let mut found = Vec::new();
    let mut told: HashSet<(IpAddr, PortProto, IpAddr)> = HashSet::new();
    for ((target, proto, _), mut attempts) in groups {
        let is_free = |attempt: &Attempt| !told.contains(&(target, proto, attempt.source));
        attempts.retain(is_free);
        // What is told apart is bounded, and so is what is compared.
        let others = all.get(&(target, proto)).filter(|_| found.len() < FINDINGS_MAX).into_iter().flatten();
        if let Some((sources, recognition)) = together(scene, claims, attempts, others.filter(|other| is_free(other))) {
            told.extend(sources.into_iter().map(|source| (target, proto, source)));
            found.push(recognition);
        }
    }
    found
}

/// Hosts and UDP ports that were seen to send.
fn answering(scene: &Scene<'_>) -> HashSet<(IpAddr, u16)> {
    let datagrams = scene.sightings().filter(|(_, sighting)| sighting.packet.transport == Transport::Udp);
    datagrams.map(|(_, sighting)| (sighting.source(), sighting.packet.source_port)).collect()
}

/// Whether a packet is a datagram from afar to a port at which nothing is known to listen.
fn is_datagram(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    let (host, port) = sighting.target();
    packet.transport == Transport::Udp
        && !is_to_many(sighting)
        && scene.is_inbound(sighting)
        && !scene.is_from_around(sighting)
        && scene.is_listening(PortProto::Udp, host, port) != Some(true)
}

/// Whether a segment is such as scanners send to learn of a port without asking for a connection, and belongs to none.
fn is_stray(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    sighting.packet.transport == Transport::Tcp
        && Kind::of_flags(sighting.packet.tcp_flags).is_some()
        && sighting.payload_length() == 0
        && scene.is_inbound(sighting)
        && Half::of(sighting).is_some_and(|half| scene.is_out_of_connection(&half))
}

/// Whether ports that a source tries are such as only a scanner picks.
fn is_set(scene: &Scene<'_>, source: IpAddr, proto: PortProto, ports: &[u16]) -> bool {
    let limits = &scene.thresholds.decoy;
    match proto {
        PortProto::Tcp => {
            let web = &scene.thresholds.contact.web_ports;
            ports.len() >= limits.ports && !ports.iter().all(|port| web.contains(port))
        }
        // Voice and games send on.
        PortProto::Udp => {
            let most = |known: u64| scene.thresholds.scan.udp_packets_per_port * known.max(ports.len() as u64);
            let sends_on = |view: &SourceView| view.ports != u64::MAX && view.udp > most(distinct(view.ports).into());
            ports.len() >= limits.udp_ports && !scene.view(source).is_some_and(sends_on)
        }
    }
}

fn first_ports(scene: &Scene<'_>, members: &[usize]) -> Vec<u16> {
    let mut ports = BTreeSet::new();
    for index in members {
        ports.insert(scene.sighting(*index).packet.destination_port);
        if ports.len() == COMPARED {
            break;
        }
    }
    ports.into_iter().collect()
}

/// Explains attempts if they are of one scan, with those among all at the target that are of it as well. Says whose they are.
fn together<'t>(
    scene: &Scene<'_>,
    claims: &Claims,
    mut attempts: Vec<Attempt>,
    all: impl Iterator<Item = &'t Attempt>,
) -> Option<(Vec<IpAddr>, Recognition)> {
    attempts.sort_by_key(|attempt| start(scene, attempt));
    let told = |crowd: &[Attempt], one_machine: Option<&str>| {
        let mut everybody = with_likewise(scene, crowd, all);
        if one_machine.is_some() {
            add_answered(scene, claims, &mut everybody);
        }
        let sources = everybody.iter().map(|attempt| attempt.source).collect();
        (sources, explain(scene, &everybody, real_one(scene, crowd), one_machine))
    };
    let crowd = at_once(scene, &attempts)?;
    if let Some(sentence) = by_one_machine(scene, crowd) {
        return Some(told(crowd, Some(sentence)));
    }
    // Services that watch hosts ask from all over the world, and come back.
    attempts.retain(|attempt| !scene.watches(attempt.source, &attempt.members, scene.thresholds.scan.checks, false));
    let crowd = at_once(scene, &attempts)?;
    // Neighbours may well want the same.
    (networks(crowd) >= scene.thresholds.decoy.networks && is_telling(scene, crowd)).then(|| told(crowd, None))
}

/// A crowd, and what others did meanwhile, if it was mostly the same: a client whose name is used has traffic of its own, so that others of its
/// packets are sampled.
fn with_likewise<'t>(scene: &Scene<'_>, crowd: &[Attempt], all: impl Iterator<Item = &'t Attempt>) -> Vec<Attempt> {
    let packet = |index: &usize| (scene.sighting(*index).packet.destination_port, scene.sighting(*index).at);
    let (ports, times): (BTreeSet<u16>, BTreeSet<Moment>) =
        crowd.iter().flat_map(|attempt| &attempt.members).map(packet).unzip();
    let is_like = |index: &usize| {
        let (port, at) = packet(index);
        ports.contains(&port) && times.first() <= Some(&at) && Some(&at) <= times.last()
    };
    let known: HashSet<IpAddr> = crowd.iter().map(|attempt| attempt.source).collect();
    let others = all.filter(|attempt| !known.contains(&attempt.source));
    let likewise = others.filter_map(|attempt| {
        let members: Vec<usize> = attempt.members.iter().copied().filter(is_like).collect();
        (members.len() * 4 >= attempt.members.len() * 3).then_some(Attempt { source: attempt.source, members })
    });
    let mut everybody: Vec<Attempt> = crowd.iter().cloned().chain(likewise).collect();
    everybody.sort_by_key(|attempt| start(scene, attempt));
    everybody
}

/// Adds the SYNs to open ports that one machine wrote in these names: they were answered, and so are no attempts by themselves.
fn add_answered(scene: &Scene<'_>, claims: &Claims, attempts: &mut [Attempt]) {
    let first = scene.sighting(attempts[0].members[0]);
    let to_target = |source: IpAddr| {
        let syns = |index: &usize| {
            let sighting = scene.sighting(*index);
            first.packet.is_syn() && sighting.packet.is_syn() && sighting.destination() == first.destination()
        };
        claims.free(scene.from(source)).filter(syns).collect::<Vec<_>>()
    };
    let syns: Vec<Vec<usize>> = attempts.iter().map(|attempt| to_target(attempt.source)).collect();
    let sources_of = sources_by_choice(scene, syns.iter().flatten());
    for (attempt, syns) in attempts.iter_mut().zip(syns) {
        let shared = |index: &usize| choice(scene, *index).is_some_and(|choice| sources_of[&choice].len() > 1);
        attempt.members.extend(syns.into_iter().filter(shared));
    }
}

fn start(scene: &Scene<'_>, attempt: &Attempt) -> Moment {
    scene.sighting(attempt.members[0]).at
}

/// The longest run of attempts, in order of time, that start within the window, if it is long enough.
fn at_once<'t>(scene: &Scene<'_>, attempts: &'t [Attempt]) -> Option<&'t [Attempt]> {
    let limits = &scene.thresholds.decoy;
    let (mut best, mut first) = (0..0, 0);
    for last in 0..attempts.len() {
        while !start(scene, &attempts[last]).follows(start(scene, &attempts[first]), limits.within) {
            first += 1;
        }
        if last + 1 - first > best.len() {
            best = first..last + 1;
        }
    }
    (best.len() >= limits.sources).then(|| &attempts[best])
}

fn networks(attempts: &[Attempt]) -> usize {
    attempts.iter().map(|attempt| network(attempt.source)).collect::<BTreeSet<_>>().len()
}

/// Whether the ports or the TTLs are such that clients of one host that is down would not come to them together: they want its web pages and
/// their mail, or are sent by a service that watches it and whose probes come from all over the world, to two ports or so.
fn is_telling(scene: &Scene<'_>, attempts: &[Attempt]) -> bool {
    let probes = || attempts.iter().flat_map(|attempt| &attempt.members).map(|index| &scene.sighting(*index).packet);
    let ports: BTreeSet<u16> = probes().map(|packet| packet.destination_port).collect();
    let ttls = attempts.iter().map(|attempt| scene.sighting(attempt.members[0]).packet.ttl).collect::<BTreeSet<_>>();
    let (web, mail) = (&scene.thresholds.contact.web_ports, &scene.thresholds.unreachable.mail_ports);
    let is_everyday = |port: &u16| web.contains(port) || mail.contains(port);
    ttls.len() == 1 || (ports.len() > scene.thresholds.decoy.ports && !ports.iter().all(is_everyday))
}

/// What shows that one machine wrote the packets of all sources: numbers that it should have chosen anew for each, or that it counts on.
fn by_one_machine(scene: &Scene<'_>, attempts: &[Attempt]) -> Option<&'static str> {
    let mut all: Vec<usize> = attempts.iter().flat_map(|attempt| attempt.members.iter().copied()).collect();
    all.sort_unstable();
    let sources_of = sources_by_choice(scene, &all);
    let shared: usize = sources_of.values().map(BTreeSet::len).filter(|sources| *sources > 1).sum();
    if shared * 2 > all.len() {
        return Some(if all.iter().all(|index| scene.sighting(*index).tcp_sequence().is_none()) {
            "They share source ports, which each machine chooses for itself: one machine wrote them all."
        } else {
            "They share sequence numbers and source ports, which each machine chooses for itself: one machine wrote them all."
        });
    }
    let ids: Vec<u16> = all.iter().map(|index| scene.sighting(*index).packet.identification).collect();
    let counts_on = |pair: &[u16]| (1..=scene.thresholds.dual_homed.id_gap).contains(&pair[1].wrapping_sub(pair[0]));
    let takes_turns =
        all.windows(2).filter(|pair| scene.sighting(pair[0]).source() != scene.sighting(pair[1]).source());
    (ids.windows(2).all(counts_on) && takes_turns.count() >= attempts.len()).then_some(
        "Their IP identifications count on from one source's packet to the next one's: one machine wrote them all.",
    )
}

/// Source port, destination port and sequence number of a packet, where the sender chooses the first and the last.
fn choice(scene: &Scene<'_>, index: usize) -> Option<(u16, u16, u32)> {
    let sighting = scene.sighting(index);
    let packet = &sighting.packet;
    let number = match packet.transport {
        // A datagram has no such number; its source port is chosen where it is none that programs agree on.
        Transport::Udp => (!scene.is_foreign(packet.source_port)).then_some(0),
        // Mirai writes the target there, whoever sends.
        _ => {
            sighting.tcp_sequence().filter(|number| *number != 0 && Some(*number) != number_of(sighting.destination()))
        }
    }?;
    Some((packet.source_port, packet.destination_port, number))
}

/// Who sent packets of the same choice.
fn sources_by_choice<'i>(
    scene: &Scene<'_>,
    indices: impl IntoIterator<Item = &'i usize>,
) -> HashMap<(u16, u16, u32), BTreeSet<IpAddr>> {
    let mut sources_of: HashMap<_, BTreeSet<IpAddr>> = HashMap::new();
    for index in indices {
        if let Some(choice) = choice(scene, *index) {
            sources_of.entry(choice).or_default().insert(scene.sighting(*index).source());
        }
    }
    sources_of
}

/// An IPv4 address as a number.
fn number_of(address: IpAddr) -> Option<u32> {
    match address {
        IpAddr::V4(address) => Some(address.into()),
        IpAddr::V6(_) => None,
    }
}

fn explain(scene: &Scene<'_>, attempts: &[Attempt], real: Option<IpAddr>, one_machine: Option<&str>) -> Recognition {
    let networks = networks(attempts);
    let members: Vec<usize> = attempts.iter().flat_map(|attempt| attempt.members.iter().copied()).collect();
    let flags = members.iter().map(|index| scene.sighting(*index).packet.tcp_flags);
    let kinds: BTreeSet<Kind> = flags.filter_map(Kind::of_flags).collect();
    let case = Case::new(scene, "pattern.decoy-scan", members);
    let case = kinds.into_iter().fold(case, |case, kind| case.also(kind.id()));
    let case = case.with_ports().evidence(format!(
        "{} in {} tried the same ports, the first and the last of them starting {} apart.",
        words::count(attempts.len() as u64, "source"),
        words::count(networks as u64, "network"),
        words::seconds(spread(scene, attempts))
    ));
    let (mut case, mut detail) = by_ttl(scene, case, attempts, networks);
    if let Some(sentence) = one_machine {
        case = case.confidence(Confidence::Likely).evidence(sentence);
        detail = "one machine wrote them all: forged".into();
    }
    let case = match real {
        Some(real) => {
            case.evidence(format!("{real} was also seen in other traffic with the target: look at it first."))
        }
        None => case,
    };
    case.fact("detail", detail).close()
}

fn spread(scene: &Scene<'_>, attempts: &[Attempt]) -> f64 {
    let at = |attempt: Option<&Attempt>| attempt.map_or(Default::default(), |attempt| start(scene, attempt));
    at(attempts.last()).seconds_since(at(attempts.first()))
}

fn by_ttl<'s, 'a>(
    scene: &Scene<'_>,
    case: Case<'s, 'a>,
    attempts: &[Attempt],
    networks: usize,
) -> (Case<'s, 'a>, String) {
    let mut by_ttl: BTreeMap<u8, Vec<IpAddr>> = BTreeMap::new();
    for attempt in attempts {
        by_ttl.entry(scene.sighting(attempt.members[0]).packet.ttl).or_default().push(attempt.source);
    }
    let odd: Vec<IpAddr> = by_ttl.values().filter(|sources| sources.len() == 1).map(|sources| sources[0]).collect();
    let ttls = words::range(&by_ttl.keys().copied().collect());
    match (by_ttl.len(), odd.as_slice()) {
        (1, _) if networks == 1 => (case.evidence(format!("All arrived with TTL {ttls}.")), String::new()),
        (1, _) => (
            case.confidence(Confidence::Likely).evidence(format!(
                "All arrived with TTL {ttls}, although their addresses are far apart: they are forged by one machine."
            )),
            "equal TTLs: forged".into(),
        ),
        (2, [one]) => (
            case.confidence(Confidence::Likely)
                .evidence(format!("All but {one} arrived with the same TTL (all: {ttls}): that one may be the real one.")),
            format!("{one} stands out by its TTL"),
        ),
        _ => (
            case.evidence(format!(
                "They arrived with TTLs {ttls}. Ping each source and compare: where the TTL of the answer does not fit, the address is forged."
            )),
            "different TTLs: compare them with those of answers to a ping".into(),
        ),
    }
}

/// The source that had a conversation, whose handshake was seen to be answered, if exactly one had: who lends his name may be sent anything.
fn real_one(scene: &Scene<'_>, attempts: &[Attempt]) -> Option<IpAddr> {
    let talks = |attempt: &&Attempt| {
        scene.from(attempt.source).iter().any(|i| {
            let half = Half::of(scene.sighting(*i));
            half.is_some_and(|half| scene.came_about(&half))
        })
    };
    let mut real = attempts.iter().filter(talks);
    let first = real.next()?.source;
    real.next().is_none().then_some(first)
}
