//! `flood.syn` and `flood.forged-sources`: more connection attempts than any crowd makes, and none of them is meant.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use annotator_common::source::bit_of;

use super::clients::{BEHIND_SYN, Callers, members, rate, sent, syns};
use super::scene::network;
use super::{Case, Claims, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};
use crate::observation::SourceView;
use crate::quantity::number;

/// Who sends SYNs to a port.
#[derive(Default)]
struct Port {
    /// Those of whose connections nothing comes.
    vain: Callers,
    /// Those whose connections come about.
    clients: Callers,
    /// How many SYNs of a source were sampled that another finding explains.
    explained: HashMap<IpAddr, usize>,
}

/// SYNs of each source up to which they hardly try again.
const ONCE: f64 = 1.5;

/// Finds SYN floods, for each port one under forged addresses and one from others.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut ports: BTreeMap<u16, Port> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        let (source, port) = (sighting.source(), sighting.packet.destination_port);
        if !sighting.packet.is_syn() || !scene.is_inbound(sighting) || syns(scene, port) < scene.thresholds.flood.syn {
            continue;
        }
        let port = ports.entry(port).or_default();
        match scene.connects(source) {
            _ if !claims.is_free(index) => *port.explained.entry(source).or_default() += 1,
            true => port.clients.entry(source).or_default().push(index),
            false => port.vain.entry(source).or_default().push(index),
        }
    }
    let unsampled = Unsampled::of(scene);
    ports.into_iter().flat_map(|(port, callers)| floods(scene, port, callers, &unsampled)).collect()
}

/// What sources sent of which no packet was sampled, by the bit of their only port.
struct Unsampled {
    /// SYNs of those that end their connections.
    meant: [u64; 64],
    /// Resets of the others.
    resets: [u64; 64],
}

impl Unsampled {
    fn of(scene: &Scene<'_>) -> Self {
        let mut unsampled = Unsampled { meant: [0; 64], resets: [0; 64] };
        let is_unsampled = |view: &&SourceView| view.ports.is_power_of_two() && scene.from(view.address).is_empty();
        for view in scene.observations.sources.iter().filter(is_unsampled) {
            let bit = view.ports.trailing_zeros() as usize;
            match scene.ends_connections(view.address) {
                true => unsampled.meant[bit] += view.syn,
                false => unsampled.resets[bit] += view.rst,
            }
        }
        unsampled
    }
}

fn floods(scene: &Scene<'_>, port: u16, mut callers: Port, unsampled: &Unsampled) -> Vec<Recognition> {
    let limits = &scene.thresholds.flood;
    let count = scene.port(PortProto::Tcp, Side::Dst, port);
    let behind = count.all.packets - count.syn.packets;
    let bit = bit_of(u32::from(port.to_be())).trailing_zeros() as usize;
    let mut meant = sent(scene, &callers.clients) + unsampled.meant[bit];
    // Where less came than belongs to connections, that of clients is for show.
    if behind < BEHIND_SYN * meant {
        callers.vain.append(&mut callers.clients);
        meant = 0;
    }
    let Some(target) = main_target(scene, &callers.vain) else { return Vec::new() };
    callers.vain.values_mut().for_each(|syns| syns.retain(|index| scene.sighting(*index).destination() == target));
    callers.vain.retain(|_, syns| !syns.is_empty());
    let explained = callers.explained.iter().map(|(source, sampled)| scene.syns_like(*source, *sampled)).sum::<u64>();
    let vain = count.syn.packets.saturating_sub(meant + explained);
    let resets = callers.vain.iter().map(|(source, syns)| resets(scene, *source, syns.len())).sum::<u64>();
    let others = behind.saturating_sub(resets + unsampled.resets[bit]);
    // A connection that carries anything is three packets and more behind its SYN.
    let served = others >= 3 * count.syn.packets;

    let is_flooder = |source: &IpAddr, syns: &[usize]| is_flooder(scene, *source, syns, served);
    let (fast, mut crowd): (Callers, Callers) =
        callers.vain.into_iter().partition(|(source, syns)| is_flooder(source, syns));
    let (of_fast, mut of_crowd) = (sent(scene, &fast), vain);
    let mut found = Vec::new();
    if is_fast(scene, of_fast, &fast) {
        found.push(from_senders(scene, (target, port), &fast, of_fast));
        of_crowd = of_crowd.saturating_sub(of_fast);
    } else {
        crowd.extend(fast);
    }
    // Else so much comes that it may be of connections, unless hardly one of those who call is a client.
    let lacks_packets = others < BEHIND_SYN * (of_crowd + meant);
    let networks: BTreeSet<IpAddr> = callers.clients.keys().map(|client| network(*client)).collect();
    let lacks_clients = networks.len() >= limits.clients && crowd.len() > limits.vain * callers.clients.len();
    if (lacks_packets || lacks_clients) && is_fast(scene, of_crowd, &crowd) {
        let (crowd, of_crowd) = alike(scene, crowd, of_crowd);
        let each = sent(scene, &crowd) as f64 / crowd.len().max(1) as f64;
        let mut flood = match crowd.len() >= limits.forged_sources && each <= limits.per_source {
            true => from_forged(scene, (target, port), &crowd, of_crowd, each),
            false => from_senders(scene, (target, port), &crowd, of_crowd),
        };
        // The source table has no room for all.
        flood.unsampled.syn += of_crowd.saturating_sub(sent(scene, &crowd));
        found.push(flood);
    }
    found
}

/// The address to which most of the SYNs go: a flood has one target, a sweep has many.
fn main_target(scene: &Scene<'_>, callers: &Callers) -> Option<IpAddr> {
    let mut targets: HashMap<IpAddr, usize> = HashMap::new();
    callers.values().flatten().for_each(|i| *targets.entry(scene.sighting(*i).destination()).or_default() += 1);
    let all: usize = targets.values().sum();
    let (most, target) = targets.into_iter().map(|(address, n)| (n, address)).max()?;
    (most as f64 >= scene.thresholds.flood.one_target * all as f64).then_some(target)
}

/// How many resets of a source belong to some of its SYNs.
fn resets(scene: &Scene<'_>, source: IpAddr, sampled: usize) -> u64 {
    let all = scene.sampled(source).syn.max(1);
    scene.view(source).map_or(0, |view| view.rst * sampled as u64 / all)
}

/// Whether so many SYNs of some sources make a flood.
pub fn is_fast(scene: &Scene<'_>, syn: u64, callers: &Callers) -> bool {
    let limits = &scene.thresholds.flood;
    !callers.is_empty() && syn >= limits.syn && rate(scene, syn, callers) >= limits.rate
}

/// Whether a source alone sends more SYNs than a client. Where the port carries connections these may be its own, so it takes a sign that they are not.
fn is_flooder(scene: &Scene<'_>, source: IpAddr, syns: &[usize], served: bool) -> bool {
    let limits = &scene.thresholds.flood;
    let sent = scene.syns_like(source, syns.len());
    sent as f64 >= limits.each
        && rate(scene, sent, &Callers::from([(source, syns.to_vec())])) >= limits.each
        && (!served || scene.disowns(source) || are_bare(scene, syns))
}

/// Whether nearly all of some SYNs are without options.
fn are_bare(scene: &Scene<'_>, syns: &[usize]) -> bool {
    let bare = syns.iter().filter(|index| scene.sighting(**index).is_bare_syn()).count();
    bare as f64 >= scene.thresholds.flood.bare * syns.len() as f64
}

/// The sources without those that fall out of line: where nearly all SYNs are without options, the others are of clients.
fn alike(scene: &Scene<'_>, callers: Callers, sent_by_all: u64) -> (Callers, u64) {
    if !are_bare(scene, &members(&callers)) {
        return (callers, sent_by_all);
    }
    let (alike, others): (Callers, Callers) = callers.into_iter().partition(|(_, syns)| are_bare(scene, syns));
    let left = sent_by_all.saturating_sub(sent(scene, &others));
    (alike, left)
}

fn open<'s, 'a>(
    scene: &'s Scene<'a>,
    id: &str,
    (target, port): (IpAddr, u16),
    callers: &Callers,
    syn: u64,
) -> Case<'s, 'a> {
    let rate = rate(scene, syn, callers);
    let case = Case::new(scene, id, members(callers)).packets(syn).evidence(format!(
        "{} SYNs to port {port} of {target}, about {} a second, and no connections behind them.",
        number(syn),
        number(rate as u64)
    ));
    let case = match are_bare(scene, &members(callers)) {
        true => case.evidence("The SYNs have no options, which those of every system have: a tool made them."),
        false => case,
    };
    case.fact("detail", format!("{target} port {port}"))
}

fn from_forged(scene: &Scene<'_>, target: (IpAddr, u16), callers: &Callers, syn: u64, each: f64) -> Recognition {
    let networks: BTreeSet<IpAddr> = callers.keys().map(|source| network(*source)).collect();
    let (confidence, says) = match each < ONCE {
        true => (Confidence::Likely, ": clients that exist would try again"),
        false => (Confidence::Possible, ""),
    };
    let case = open(scene, "flood.forged-sources", target, callers, syn)
        .also("flood.syn")
        .alone()
        .confidence(confidence)
        .evidence(format!(
            "{} in {} networks were seen, with {each:.1} SYNs each{says}.",
            words::count(callers.len() as u64, "source"),
            networks.len()
        ));
    let ttls = case.ttls();
    let case = match ttls.len() {
        1 => case.evidence(format!(
            "All have a TTL of {}: they come from the same place, whatever their addresses say.",
            words::range(&ttls)
        )),
        n if n <= scene.thresholds.flood.ttls => case.evidence(format!(
            "They have {n} different TTLs, {}: the ways of a crowd differ more in length.",
            words::range(&ttls)
        )),
        _ => case.evidence("A crowd of real clients would complete its connections."),
    };
    case.close()
}

fn from_senders(scene: &Scene<'_>, target: (IpAddr, u16), callers: &Callers, syn: u64) -> Recognition {
    let case = open(scene, "flood.syn", target, callers, syn);
    let case = match callers.keys().all(|source| scene.disowns(*source)) {
        true => case.evidence("Whoever sends them resets what is answered: no program there knows of a connection."),
        false => case,
    };
    case.with_ttls()
        .evidence(format!(
            "{} took part; connections that complete would make it a crowd of clients.",
            words::count(callers.len() as u64, "source")
        ))
        .close()
}
