//! `scan.distributed`: sources that share the work of one scan: neighbours, strangers whose parts make up a range, or strangers who begin together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};
use crate::recognise::addresses::site;
use crate::recognise::half::Half;
use crate::recognise::{Case, Claims, FIRST_CLIENT_PORT, Scene, words};

/// Finds scans by several sources of one site, one finding for each site.
pub fn recognise(scene: &Scene<'_>, claims: &Claims, taken: &BTreeSet<usize>) -> Vec<Recognition> {
    let mut by_site: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (source, probes) in probes(scene, claims, taken) {
        by_site.entry(site(source)).or_default().extend(probes);
    }
    by_site.into_iter().filter_map(|(site, members)| explain(scene, site, members)).collect()
}

/// What is left of the probes of each stranger from afar who is no client, and does not watch what he asks. A host around here that does more than ask in
/// vain is no stranger.
fn probes<'s>(
    scene: &'s Scene<'_>,
    claims: &'s Claims,
    taken: &'s BTreeSet<usize>,
) -> impl Iterator<Item = (IpAddr, Vec<usize>)> {
    scene.sources().filter(|(source, _)| !scene.is_near(*source)).filter_map(move |(source, indices)| {
        let does_more = indices.iter().any(|index| !scene.is_probe(*index));
        let is_afar = |index: &usize| {
            let sighting = scene.sighting(*index);
            let is_neighbour = does_more && scene.is_from_around(sighting);
            site(source) != site(sighting.destination()) && !is_neighbour
        };
        let is_free = |index: &usize| !taken.contains(index) && scene.is_probe(*index) && is_afar(index);
        let probes: Vec<usize> = claims.free(indices).filter(is_free).collect();
        let limits = &scene.thresholds.scan;
        let is_client = (scene.connects(source) && scene.fruitless(source, indices) < limits.failed)
            || scene.watches(source, &probes, limits.checks, false);
        (!is_client).then_some((source, probes))
    })
}

fn explain(scene: &Scene<'_>, site: IpAddr, members: Vec<usize>) -> Option<Recognition> {
    let limits = &scene.thresholds.scan;
    let (sources, targets) = (scene.senders(&members), scene.targets(&members));
    if sources.len() < limits.distributed_sources || targets.len() < limits.distributed_targets {
        return None;
    }
    let neighbours = neighbours(site, sources.len());
    Some(
        Case::new(scene, "scan.distributed", members)
            .with_ports()
            .with_ttls()
            .evidence(format!(
                "{neighbours} tried {} between them, so that none of them tries many.",
                words::count(targets.len() as u64, "target")
            ))
            .evidence("Clients behind one provider would want the same few ports.")
            .fact("detail", neighbours)
            .close(),
    )
}

/// Tells the scans of neighbours as one where each tries other targets than the others.
pub fn join(scene: &Scene<'_>, scans: Vec<Recognition>) -> Vec<Recognition> {
    let mut by_site: BTreeMap<(IpAddr, String), Vec<Recognition>> = BTreeMap::new();
    let mut told = Vec::new();
    for scan in scans {
        match scan.sources.first().filter(|source| !scan.subsumes && !scene.is_near(**source)) {
            Some(source) => by_site.entry((site(*source), scan.id.clone())).or_default().push(scan),
            None => told.push(scan),
        }
    }
    for ((site, _), scans) in by_site {
        match shared(scene, site, &scans) {
            Some(scan) => told.push(scan),
            None => told.extend(scans),
        }
    }
    told
}

fn shared(scene: &Scene<'_>, site: IpAddr, scans: &[Recognition]) -> Option<Recognition> {
    let members: Vec<usize> = scans.iter().flat_map(|scan| &scan.explains).copied().collect();
    let each: usize = scans.iter().map(|scan| scene.targets(&scan.explains).len()).sum();
    let (sources, targets) = (scene.senders(&members), scene.targets(&members));
    // Who tries all there is tries the same as everybody.
    let are_others = targets.len() as f64 >= scene.thresholds.scan.shared * each as f64;
    if sources.len() < scene.thresholds.scan.neighbours || !are_others {
        return None;
    }
    let neighbours = neighbours(site, sources.len());
    let case = Case::new(scene, "scan.distributed", members)
        .packets(scans.iter().map(|scan| scan.packets).sum())
        .confidence(Confidence::Likely)
        .with_ports()
        .with_ttls()
        .evidence(format!(
            "{neighbours} tried {} that were sampled, hardly one of which two of them tried.",
            words::count(targets.len() as u64, "target")
        ))
        .evidence("Each of them alone tries more than clients do.")
        .fact("detail", neighbours);
    Some(in_place_of(case, scans.iter()).close())
}

/// Answers all that some scans answer.
fn in_place_of<'s, 'a>(case: Case<'s, 'a>, scans: impl Iterator<Item = &'s Recognition>) -> Case<'s, 'a> {
    let ids: BTreeSet<&String> = scans.flat_map(|scan| std::iter::once(&scan.id).chain(&scan.also)).collect();
    ids.into_iter().fold(case, |case, id| case.also(id))
}

/// What one source has of a range of ports.
struct Part {
    members: Vec<usize>,
    /// The scan as which it is told otherwise.
    scan: Option<usize>,
}

/// What makes sources one that share no network.
#[derive(Clone, Copy)]
enum Bond {
    /// Their ports lie side by side.
    Range,
    /// They begin together, write the same packets, and find nothing.
    Make,
}

/// Tells as one the scans and probes of sources from anywhere that each tried a part of the ports of one host, hardly a port of which two of them tried:
/// strangers who search each for himself try the same few.
pub fn parts(scene: &Scene<'_>, claims: &Claims, found: &mut Vec<Recognition>) {
    let mut parts: BTreeMap<IpAddr, BTreeMap<IpAddr, Part>> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for (number, scan) in found.iter().enumerate() {
        taken.extend(scan.explains.iter().copied());
        let ([source], [host]) = (scan.sources.as_slice(), scan.destinations.as_slice()) else { continue };
        let is_of_syns = scan.explains.iter().all(|index| scene.sighting(*index).packet.is_syn());
        if is_of_syns && !scan.subsumes && !scene.is_near(*source) {
            let part = Part { members: scan.explains.clone(), scan: Some(number) };
            parts.entry(*host).or_default().insert(*source, part);
        }
    }
    for (source, probes) in probes(scene, claims, &taken) {
        let is_used = |index: &usize| Half::of(scene.sighting(*index)).is_some_and(|half| scene.carried(&half).running);
        if scene.from(source).iter().any(is_used) {
            continue;
        }
        for index in probes {
            let part = parts.entry(scene.sighting(index).destination()).or_default().entry(source);
            part.or_insert(Part { members: Vec::new(), scan: None }).members.push(index);
        }
    }
    let shared: Vec<(Bond, Vec<Part>)> = parts.into_values().flat_map(|parts| of_host(scene, parts)).collect();
    let whole: Vec<Recognition> = shared.iter().map(|(bond, parts)| whole(scene, *bond, parts, found)).collect();
    let joined: BTreeSet<usize> = shared.iter().flat_map(|(_, parts)| parts).filter_map(|part| part.scan).collect();
    let mut numbers = 0..found.len();
    found.retain(|_| numbers.next().is_some_and(|number| !joined.contains(&number)));
    found.extend(whole);
}

/// The scans of a host that several sources share.
fn of_host(scene: &Scene<'_>, parts: BTreeMap<IpAddr, Part>) -> Vec<(Bond, Vec<Part>)> {
    let limits = &scene.thresholds.scan;
    let port = |index: &usize| scene.sighting(*index).packet.destination_port;
    let with_ports = |part: Part| (part.members.iter().map(port).collect::<BTreeSet<u16>>(), part);
    let parts = parts.into_values().map(with_ports);
    let (mut parts, mut small): (Vec<_>, Vec<_>) = parts.partition(|(ports, _)| ports.len() >= limits.range_part);
    let mut ranges = of_ranges(scene, &mut parts, limits.range_part);
    let of_makes = of_makes(scene, parts, &mut small);
    // A port or two of a range are chance, unless all begin together.
    for mut small in begun_together(scene, small) {
        ranges.extend(of_ranges(scene, &mut small, 1));
    }
    let ranges = ranges.into_iter().map(|parts| (Bond::Range, parts));
    ranges.chain(of_makes.into_iter().map(|parts| (Bond::Make, parts))).collect()
}

/// Parts by when their sources begin with them: those that do so together.
fn begun_together(scene: &Scene<'_>, mut parts: Vec<(BTreeSet<u16>, Part)>) -> Vec<Vec<(BTreeSet<u16>, Part)>> {
    let first = |part: &Part| part.members.iter().map(|index| scene.sighting(*index).at).min().unwrap_or_default();
    let within = scene.thresholds.scan.shared_within;
    let mut groups = Vec::new();
    parts.sort_by_key(|(_, part)| first(part));
    while let Some((_, earliest)) = parts.first() {
        let begin = first(earliest);
        let together = parts.partition_point(|(_, part)| first(part).follows(begin, within));
        let later = parts.split_off(together.max(1));
        groups.push(parts);
        parts = later;
    }
    groups
}

/// Whether several sources tried hardly a port that another tried, and none of them more than half of all.
fn are_shared(scene: &Scene<'_>, parts: &[(BTreeSet<u16>, Part)]) -> bool {
    let limits = &scene.thresholds.scan;
    let each = parts.iter().map(|(ports, _)| ports.len());
    let together: BTreeSet<u16> = parts.iter().flat_map(|(ports, _)| ports.iter().copied()).collect();
    let are_others = together.len() as f64 >= limits.shared * each.clone().sum::<usize>() as f64;
    // Who has more than half of it scans alone, and others happen to try some of it.
    let are_equal = each.max().is_some_and(|most| most * 2 <= together.len());
    parts.len() >= limits.distributed_sources && are_others && are_equal
}

/// The parts of strangers who write their SYNs alike, begin together and try ports at which nothing but SYNs and resets arrives from anybody: no client
/// of a program whose ports are allotted side by side is among them. The others are left over.
fn of_makes(
    scene: &Scene<'_>,
    parts: Vec<(BTreeSet<u16>, Part)>,
    others: &mut Vec<(BTreeSet<u16>, Part)>,
) -> Vec<Vec<Part>> {
    let limits = &scene.thresholds.scan;
    let mut of_make: BTreeMap<Vec<u8>, Vec<(BTreeSet<u16>, Part)>> = BTreeMap::new();
    for (ports, part) in parts {
        let Some(index) = part.members.first() else { continue };
        let make = scene.sighting(*index).tcp_option_list().map(|(kind, _)| kind).collect();
        of_make.entry(make).or_default().push((ports, part));
    }
    let mut shared = Vec::new();
    for parts in of_make.into_values().flat_map(|parts| begun_together(scene, parts)) {
        let ports: BTreeSet<u16> = parts.iter().flat_map(|(ports, _)| ports.iter().copied()).collect();
        let vain = ports.iter().filter(|port| is_in_vain(scene, **port)).count();
        let are_many = ports.len() >= limits.shared_ports && vain as f64 >= limits.shared * ports.len() as f64;
        // Where a capture holds nothing but SYNs, every port is in vain; clients have asked at one first which ports they may use.
        let each: usize = parts.iter().map(|(ports, _)| ports.len()).sum();
        let is_divided = ports.len() == each || !scene.holds_only_syns();
        if are_many && is_divided && are_shared(scene, &parts) {
            shared.push(parts.into_iter().map(|(_, part)| part).collect());
        } else {
            others.extend(parts);
        }
    }
    shared
}

/// Whether hardly anything but SYNs and resets comes to a port, by its counter.
fn is_in_vain(scene: &Scene<'_>, port: u16) -> bool {
    let count = scene.port(PortProto::Tcp, Side::Dst, port);
    count.all.packets <= 2 * count.syn.packets
}

/// The parts, of so many ports at the least, of each range of ports of a host that several sources tried. It begins among the ports of services: side by side
/// further up lie those that a program allots, to files by FTP or to containers, and that clients and monitors of it try.
fn of_ranges(scene: &Scene<'_>, parts: &mut Vec<(BTreeSet<u16>, Part)>, least: usize) -> Vec<Vec<Part>> {
    let limits = &scene.thresholds.scan;
    let all: BTreeSet<u16> = parts.iter().flat_map(|(ports, _)| ports.iter().copied()).collect();
    let all: Vec<u16> = all.into_iter().collect();
    let (mut ranges, mut others) = (Vec::new(), Vec::new());
    for run in all.chunk_by(|port, next| next - port <= limits.range_gap) {
        let (first, last) = (run[0], run[run.len() - 1]);
        let is_dense = run.len() * 2 > usize::from(last - first);
        let of_services = run.partition_point(|port| *port < FIRST_CLIENT_PORT);
        if of_services < limits.range_ports || !is_dense {
            continue;
        }
        let is_part = |(ports, _): &mut (BTreeSet<u16>, Part)| {
            let within = ports.range(first..=last).count();
            within >= least && within * 2 > ports.len()
        };
        let of_range: Vec<(BTreeSet<u16>, Part)> = parts.extract_if(.., is_part).collect();
        if are_shared(scene, &of_range) {
            ranges.push(of_range.into_iter().map(|(_, part)| part).collect());
        } else {
            others.extend(of_range);
        }
    }
    parts.extend(others);
    ranges
}

fn whole(scene: &Scene<'_>, bond: Bond, parts: &[Part], found: &[Recognition]) -> Recognition {
    let scans = || parts.iter().filter_map(|part| part.scan).map(|number| &found[number]);
    let members: Vec<usize> = parts.iter().flat_map(|part| part.members.iter().copied()).collect();
    let ports: BTreeSet<u16> = members.iter().map(|index| scene.sighting(*index).packet.destination_port).collect();
    let sources = words::count(parts.len() as u64, "source");
    let case = Case::new(scene, "scan.distributed", members)
        .with_ports()
        .with_ttls()
        .evidence(format!(
            "{sources} of any networks tried {} of one host that were sampled, hardly one of which two of them tried{}.",
            words::count(ports.len() as u64, "port"),
            match bond {
                Bond::Range => ", and which lie side by side",
                Bond::Make => "; they began together, write the same TCP options, and nobody uses these ports",
            }
        ))
        .evidence(match bond {
            Bond::Range => "Strangers who search each for himself try the same few ports, or such as lie far apart.",
            Bond::Make => "Strangers who search each for himself try the same few ports.",
        })
        .fact("detail", sources);
    let case = if scans().count() == parts.len() { case.confidence(Confidence::Likely) } else { case };
    in_place_of(case, scans()).close()
}

fn neighbours(site: IpAddr, sources: usize) -> String {
    let prefix = if site.is_ipv4() { 24 } else { 64 };
    format!("{} of {site}/{prefix}", words::count(sources as u64, "source"))
}
