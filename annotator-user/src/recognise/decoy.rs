//! `pattern.decoy-scan`: many strangers ask for the same ports at the same moment; one of them is real.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::scene::{Half, follows, network};
use super::{Case, Claims, Scene, words};
use crate::finding::{Confidence, Recognition};

/// Ports that are compared: the first of each source. Later ones may be missing, since samples are rationed.
const COMPARED: usize = 8;

/// What one source tried at one target.
struct Attempt {
    source: IpAddr,
    members: Vec<usize>,
}

/// Finds decoy scans, one finding for each target and set of ports.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut groups: BTreeMap<(IpAddr, Vec<u16>), Vec<Attempt>> = BTreeMap::new();
    for (source, indices) in scene.sources() {
        let mut by_target: HashMap<IpAddr, Vec<usize>> = HashMap::new();
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            if scene.is_probe(index) {
                by_target.entry(sighting.destination()).or_default().push(index);
            }
        }
        for (target, members) in by_target {
            let ports = first_ports(scene, &members);
            let web = &scene.thresholds.contact.web_ports;
            if ports.len() >= scene.thresholds.decoy.ports && !ports.iter().all(|port| web.contains(port)) {
                groups.entry((target, ports)).or_default().push(Attempt { source, members });
            }
        }
    }
    groups.into_values().filter_map(|attempts| together(scene, attempts)).collect()
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

fn together(scene: &Scene<'_>, mut attempts: Vec<Attempt>) -> Option<Recognition> {
    let limits = &scene.thresholds.decoy;
    let start = |attempt: &Attempt| scene.sighting(attempt.members[0]).at;
    attempts.sort_by_key(start);
    // The longest run of attempts that start within the window.
    let (mut best, mut first) = (0..0, 0);
    for last in 0..attempts.len() {
        while !follows(start(&attempts[last]), start(&attempts[first]), limits.within) {
            first += 1;
        }
        if last + 1 - first > best.len() {
            best = first..last + 1;
        }
    }
    let attempts = &attempts[best];
    let networks: BTreeSet<IpAddr> = attempts.iter().map(|attempt| network(attempt.source)).collect();
    (attempts.len() >= limits.sources && networks.len() >= limits.networks)
        .then(|| explain(scene, attempts, networks.len()))
}

fn explain(scene: &Scene<'_>, attempts: &[Attempt], networks: usize) -> Recognition {
    let members = attempts.iter().flat_map(|attempt| attempt.members.iter().copied()).collect();
    let case = Case::new(scene, "pattern.decoy-scan", members).with_ports().evidence(format!(
        "{} in {networks} networks tried the same ports, the first and the last of them starting {} apart.",
        words::count(attempts.len() as u64, "source"),
        words::seconds(spread(scene, attempts))
    ));
    let (case, detail) = by_ttl(scene, case, attempts);
    let case = match real_one(scene, attempts) {
        Some(real) => {
            case.evidence(format!("{real} was also seen in other traffic with the target: look at it first."))
        }
        None => case,
    };
    case.fact("detail", detail).close()
}

fn spread(scene: &Scene<'_>, attempts: &[Attempt]) -> f64 {
    let at = |attempt: Option<&Attempt>| attempt.map_or(Default::default(), |a| scene.sighting(a.members[0]).at);
    at(attempts.last()).seconds_since(at(attempts.first()))
}

fn by_ttl<'s, 'a>(scene: &Scene<'_>, case: Case<'s, 'a>, attempts: &[Attempt]) -> (Case<'s, 'a>, String) {
    let mut by_ttl: BTreeMap<u8, Vec<IpAddr>> = BTreeMap::new();
    for attempt in attempts {
        by_ttl.entry(scene.sighting(attempt.members[0]).packet.ttl).or_default().push(attempt.source);
    }
    let odd: Vec<IpAddr> = by_ttl.values().filter(|sources| sources.len() == 1).map(|sources| sources[0]).collect();
    let ttls = words::range(&by_ttl.keys().copied().collect());
    match (by_ttl.len(), odd.as_slice()) {
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

/// The source that had a conversation with the target, if exactly one had.
fn real_one(scene: &Scene<'_>, attempts: &[Attempt]) -> Option<IpAddr> {
    let talks = |attempt: &&Attempt| {
        scene.from(attempt.source).iter().any(|i| {
            let half = Half::of(scene.sighting(*i));
            half.is_some_and(|half| scene.carried(&half).running)
        })
    };
    let mut real = attempts.iter().filter(talks);
    let first = real.next()?.source;
    real.next().is_none().then_some(first)
}
