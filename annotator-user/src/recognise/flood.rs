//! `flood.syn` and `flood.forged-sources`: more connection attempts than any crowd makes, and none of them is meant.
//!
//! Where only they are seen, their rate tells. Where the answers are seen as well, it is how many connections they keep half-open: that fills a backlog
//! however slowly they come.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use super::addresses::{network, site};
use super::clients::{BEHIND_SYN, Callers, ended, members, most_within, rate, sent, syns, unended};
use super::forged::are_repeated;
use super::half::Half;
use super::silent::silent;
use super::{Case, Claims, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};
use crate::quantity::number;

/// Who sends SYNs to a port.
#[derive(Default)]
struct Port {
    /// Those of whose connections nothing comes.
    vain: Callers,
    /// Those whose connections come about.
    clients: Callers,
    /// Those whose SYNs do not come to us, or are explained by another finding.
    others: Callers,
}

/// Where a flood goes.
struct Target {
    hosts: BTreeSet<IpAddr>,
    port: u16,
    /// How many connections came about there besides.
    used: u64,
}

/// Finds SYN floods, for each port one under forged addresses and one from others.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut ports: BTreeMap<u16, Port> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        let (source, port) = (sighting.source(), sighting.packet.destination_port);
        if !sighting.packet.is_syn() || syns(scene, port) < scene.thresholds.flood.syn {
            continue;
        }
        let port = ports.entry(port).or_default();
        match scene.connects(source) {
            _ if !scene.is_inbound(sighting) || !claims.is_free(index) => {
                port.others.entry(source).or_default().push(index)
            }
            true => port.clients.entry(source).or_default().push(index),
            false => port.vain.entry(source).or_default().push(index),
        }
    }
    ports.into_iter().flat_map(|(port, callers)| floods(scene, port, callers)).collect()
}

fn floods(scene: &Scene<'_>, port: u16, mut callers: Port) -> Vec<Recognition> {
    let limits = &scene.thresholds.flood;
    let count = scene.port(PortProto::Tcp, Side::Dst, port);
    let behind = count.all.packets - count.syn.packets;
    let (mut meant, mut used) = (sent(scene, &callers.clients), ended(scene, port) + unended(scene, &callers.clients));
    // Where less came than belongs to connections, that of clients is for show.
    if behind < BEHIND_SYN * meant && !scene.are_ended_there(&scene.targets(&members(&callers.clients))) {
        callers.vain.append(&mut callers.clients);
        (meant, used) = (0, 0);
    }
    let (vain, sweepers) = callers.vain.into_iter().partition(|(source, syns)| !sweeps(scene, *source, syns));
    callers.vain = vain;
    callers.others.extend(sweepers);
    let Some(hosts) = main_targets(scene, &callers.vain) else { return Vec::new() };
    let target = Target { hosts, port, used };
    let is_meant = |index: &usize| target.hosts.contains(&scene.sighting(*index).destination());
    callers.vain.values_mut().for_each(|syns| syns.retain(is_meant));
    callers.vain.retain(|_, syns| !syns.is_empty());
    let vain = count.syn.packets.saturating_sub(meant + sent(scene, &callers.others));
    // The same without the visitors of whom nothing was sampled.
    let mut counted = count.syn.packets.saturating_sub(used + unended(scene, &callers.others));
    let resets = callers.vain.iter().map(|(source, syns)| resets(scene, *source, syns.len())).sum::<u64>();
    let behind = behind.saturating_sub(resets);
    // A connection that carries anything is three packets and more behind its SYN.
    let served = behind >= 3 * count.syn.packets;

    let is_flooder = |source: &IpAddr, syns: &[usize]| is_flooder(scene, *source, syns, served);
    let (fast, mut crowd): (Callers, Callers) =
        callers.vain.into_iter().partition(|(source, syns)| is_flooder(source, syns));
    let (mut of_fast, mut of_crowd) = (sent(scene, &fast), vain);
    // Where nobody else calls, the counter knows better what came than the samples of what they sent to any port.
    if crowd.is_empty() {
        let all: u64 = fast.keys().filter_map(|source| scene.view(*source)).map(|view| view.syn).sum();
        of_fast = of_fast.max(counted.min(all));
    }
    let mut found = Vec::new();
    if is_fast(scene, of_fast, &fast, target.hosts.len()) {
        found.push(from_senders(scene, &target, &fast, of_fast));
        of_crowd = of_crowd.saturating_sub(of_fast);
        counted = counted.saturating_sub(of_fast);
    } else {
        crowd.extend(fast);
    }
    // Else so much comes that it may be of connections, unless hardly one of those who call is a client.
    let lacks_packets = behind < BEHIND_SYN * (of_crowd + meant);
    let networks: BTreeSet<IpAddr> = callers.clients.keys().map(|client| network(*client)).collect();
    let lacks_clients = networks.len() >= limits.clients && crowd.len() > limits.vain * callers.clients.len();
    if !lacks_packets && !lacks_clients {
        (crowd, of_crowd) = silent(scene, target.port, &target.hosts, crowd, of_crowd);
        counted = of_crowd;
    }
    let is_flood = is_fast(scene, of_crowd, &crowd, target.hosts.len()) || half_open(scene, &target, &crowd).is_some();
    if is_flood {
        let counted = counted.min(of_crowd).max(sent(scene, &crowd));
        let (crowd, of_crowd) = alike(scene, crowd, counted);
        let each = sent(scene, &crowd) as f64 / crowd.len().max(1) as f64;
        let mut flood = match crowd.len() >= limits.forged_sources && each <= limits.per_source {
            true => from_forged(scene, &target, &crowd, of_crowd, each),
            false => from_senders(scene, &target, &crowd, of_crowd),
        };
        // The source table has no room for all.
        flood.unsampled.syn += of_crowd.saturating_sub(sent(scene, &crowd));
        found.push(flood);
    }
    found
}

/// Whether a source sends to more hosts than the table can tell, and few of its samples are of this port: where it sends most to, nobody knows.
fn sweeps(scene: &Scene<'_>, source: IpAddr, syns: &[usize]) -> bool {
    scene.view(source).is_some_and(|view| view.destinations == u64::MAX)
        && syns.len() as u64 * scene.thresholds.flood.elsewhere < scene.sampled(source).syn
}

/// The address to which most of the SYNs go or, if there is none, the addresses of the site: a flood has one target, a sweep sends little to each.
fn main_targets(scene: &Scene<'_>, callers: &Callers) -> Option<BTreeSet<IpAddr>> {
    let mut targets: BTreeMap<IpAddr, usize> = BTreeMap::new();
    callers.values().flatten().for_each(|i| *targets.entry(scene.sighting(*i).destination()).or_default() += 1);
    let mut sites: BTreeMap<IpAddr, usize> = BTreeMap::new();
    targets.iter().for_each(|(target, n)| *sites.entry(site(*target)).or_default() += n);
    let all: usize = targets.values().sum();
    let main = |counts: &BTreeMap<IpAddr, usize>| {
        let (most, which) = counts.iter().map(|(address, n)| (*n, *address)).max()?;
        (most as f64 >= scene.thresholds.flood.one_target * all as f64).then_some(which)
    };
    let of_site = |main: IpAddr| targets.keys().copied().filter(|target| site(*target) == main).collect();
    main(&targets).map(|target| BTreeSet::from([target])).or_else(|| main(&sites).map(of_site))
}

/// How many resets of a source belong to some of its SYNs.
fn resets(scene: &Scene<'_>, source: IpAddr, sampled: usize) -> u64 {
    let all = scene.sampled(source).syn.max(1);
    scene.view(source).map_or(0, |view| view.rst * sampled as u64 / all)
}

/// Whether so many SYNs of some sources make a flood of each of so many hosts.
pub fn is_fast(scene: &Scene<'_>, syn: u64, callers: &Callers, hosts: usize) -> bool {
    let limits = &scene.thresholds.flood;
    !callers.is_empty() && syn >= limits.syn * hosts as u64 && rate(scene, syn, callers) >= limits.rate * hosts as f64
}

/// How many connections some sources keep half-open at once, where these fill the backlogs: the port is seen to answer, and to answer again, and nothing
/// comes of it. Clients that do not get the answers ask again, too.
fn half_open(scene: &Scene<'_>, target: &Target, callers: &Callers) -> Option<u64> {
    let limits = &scene.thresholds.flood;
    let answers = scene.port(PortProto::Tcp, Side::Src, target.port).all.packets;
    let asked = syns(scene, target.port);
    if !target.hosts.iter().all(|host| scene.is_open(*host, target.port))
        || (answers as f64) < limits.answers * asked as f64
    {
        return None;
    }
    let mut left = callers.clone();
    left.retain(|source, _| scene.view(*source).is_none_or(|view| (view.fin + view.rst) * 2 < view.syn));
    if are_repeated(scene, &members(&left)) {
        return None;
    }
    // Of one source few are sampled.
    let of_source = |(source, syns): (&IpAddr, &Vec<usize>)| {
        let seconds = scene.view(*source).map_or(0.0, |view| view.last.seconds_since(view.first));
        (scene.syns_like(*source, syns.len()) as f64 * (limits.half_open / seconds).min(1.0)) as u64
    };
    let most = left.iter().map(of_source).max().unwrap_or_default();
    let mut known = HashSet::new();
    let mut sampled = members(&left);
    sampled.retain(|index| known.insert(Half::of(scene.sighting(*index))));
    let backlogs = limits.syn * target.hosts.len() as u64;
    Some(most.max(most_within(scene, sampled, limits.half_open) as u64)).filter(|half_open| *half_open >= backlogs)
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

/// Whether nothing tells visitors of a busy server from a flood: the SYNs are a system's, and the capture holds no other packets.
fn is_blind(scene: &Scene<'_>, callers: &Callers) -> bool {
    scene.holds_only_syns() && !are_bare(scene, &members(callers))
}

/// The sources without those that fall out of line: where nearly all SYNs are without options, the others are of clients.
fn alike(scene: &Scene<'_>, callers: Callers, sent_by_all: u64) -> (Callers, u64) {
    if !are_bare(scene, &members(&callers)) {
        return (callers, sent_by_all);
    }
    let (alike, others): (Callers, Callers) = callers.into_iter().partition(|(_, syns)| are_bare(scene, syns));
    let left = sent_by_all.saturating_sub(unended(scene, &others)).max(sent(scene, &alike));
    (alike, left)
}

fn open<'s, 'a>(scene: &'s Scene<'a>, id: &str, target: &Target, callers: &Callers, syn: u64) -> Case<'s, 'a> {
    let rate = rate(scene, syn, callers);
    let (hosts, port) = (words::addresses(&target.hosts), target.port);
    let about = if target.used > 0 && syn > sent(scene, callers) { "About " } else { "" };
    let case = Case::new(scene, id, members(callers)).packets(syn).evidence(format!(
        "{about}{} SYNs to port {port} of {hosts}, up to about {} a second, and no connections behind them.",
        number(syn),
        number(rate as u64)
    ));
    let case = match target.used {
        0 => case,
        used => case.evidence(format!(
            "{} to that port came about as well, and are not counted.",
            words::count(used, "connection")
        )),
    };
    let case = match half_open(scene, target, callers) {
        Some(half_open) => case.evidence(format!(
            "{} connections at the least were half-open at once: the port answered, answered again, and was not heard.",
            number(half_open)
        )),
        None => case,
    };
    let case = match are_bare(scene, &members(callers)) {
        true => case.evidence("The SYNs have no options, which those of every system have: a tool made them."),
        false if is_blind(scene, callers) => case.confidence(Confidence::Possible).evidence(
            "The capture holds no TCP packets but SYNs: if it was filtered for them, any busy server looks so.",
        ),
        false => case,
    };
    case.fact("detail", format!("{hosts} port {port}"))
}

fn from_forged(scene: &Scene<'_>, target: &Target, callers: &Callers, syn: u64, each: f64) -> Recognition {
    let networks: BTreeSet<IpAddr> = callers.keys().map(|source| network(*source)).collect();
    let (confidence, says) = match each < scene.thresholds.flood.once && !is_blind(scene, callers) {
        true => (Confidence::Likely, ": clients that exist would try again"),
        false => (Confidence::Possible, ""),
    };
    let case = open(scene, "flood.forged-sources", target, callers, syn)
        .also("flood.syn")
        .alone()
        .confidence(confidence)
        .evidence(format!(
            "{} in {} were seen, with {each:.1} SYNs each{says}.",
            words::count(callers.len() as u64, "source"),
            words::count(networks.len() as u64, "network")
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

fn from_senders(scene: &Scene<'_>, target: &Target, callers: &Callers, syn: u64) -> Recognition {
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
