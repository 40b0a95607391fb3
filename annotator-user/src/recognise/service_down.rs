//! `pattern.service-down`: clients of a service here that refuses them, or does not answer. Their SYNs are as many as those of a flood, and none is hostile.
//!
//! Each alone could be forged; that they try again as systems do, and only so fast, is what a flood does not take the time for.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::clients::{Callers, members, rate, sent, syns};
use super::flood::is_fast;
use super::forged::signs;
use super::half::{Carried, Half};
use super::{Case, Claims, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};
use crate::observation::{Moment, Sighting};
use crate::quantity::number;

/// What a service does with those who call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reaction {
    /// It refuses them, or nothing listens there.
    Refuses,
    /// The capture shows what is sent from here, and it answers none.
    Silent,
    /// Something listens there; what it answers is not seen.
    Listens,
    /// Nothing is known of it.
    Unseen,
}

/// Finds services that are down, one finding for each.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_target: BTreeMap<(IpAddr, u16), Callers> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        if sighting.packet.is_syn() && !sighting.is_bare_syn() && claims.is_free(index) && scene.is_inbound(sighting) {
            by_target.entry(sighting.target()).or_default().entry(sighting.source()).or_default().push(index);
        }
    }
    by_target.into_iter().filter_map(|(target, callers)| explain(scene, target, callers)).collect()
}

fn explain(scene: &Scene<'_>, target: (IpAddr, u16), mut callers: Callers) -> Option<Recognition> {
    let limits = &scene.thresholds;
    callers.retain(|source, syns| !scene.connects(*source) && is_slow(scene, *source, syns));
    let reaction = reaction(scene, target, &callers)?;
    let (again, once): (Vec<&Vec<usize>>, Vec<&Vec<usize>>) =
        callers.values().partition(|syns| tries_again(scene, syns, reaction));
    // Who came last has not had the time yet.
    let end = scene.observations.sightings.last()?.at;
    let is_late = |syns: &&&Vec<usize>| end.seconds_since(scene.sighting(syns[0]).at) < limits.service_down.patience;
    let asked = callers.len() - once.iter().filter(is_late).count();
    let again = again.len();
    let (syn, members) = (sent(scene, &callers), members(&callers));
    let enough = again > 0
        && again as f64 >= limits.service_down.again * asked as f64
        && is_fast(scene, syn, &callers, 1)
        && rate(scene, syn, &callers) < most_together(scene, &callers)
        && signs(scene, &members).is_empty();
    enough.then(|| tell(scene, target, &callers, (syn, again), reaction, members))
}

/// Whether a source asks no faster than programs do that try again; nearby, those which do not wait in between are fast.
fn is_slow(scene: &Scene<'_>, source: IpAddr, syns: &[usize]) -> bool {
    let limits = &scene.thresholds;
    let near = scene.is_from_around(scene.sighting(syns[0]));
    let most = if near { limits.service_down.near_rate } else { limits.flood.rate };
    rate(scene, scene.syns_like(source, syns.len()), &Callers::from([(source, syns.to_vec())])) < most
}

/// SYNs a second of all callers from which on they are too many for clients.
fn most_together(scene: &Scene<'_>, callers: &Callers) -> f64 {
    let limits = &scene.thresholds.service_down;
    let near = callers.values().all(|syns| scene.is_from_around(scene.sighting(syns[0])));
    if near { limits.near_rate } else { limits.rate }
}

/// `None` where the port is not down: it is seen to answer some of the callers, sends as much as it is asked, and refuses nothing.
fn reaction(scene: &Scene<'_>, (host, port): (IpAddr, u16), callers: &Callers) -> Option<Reaction> {
    let asked = callers.values().flatten().filter_map(|index| Half::of(scene.sighting(*index)));
    let got: Vec<Carried> = asked.map(|half| scene.carried(&half.reverse())).collect();
    let answers = scene.port(PortProto::Tcp, Side::Src, port).all.packets;
    Some(match scene.is_listening(PortProto::Tcp, host, port) {
        _ if got.iter().any(|back| back.reset) => Reaction::Refuses,
        Some(false) => Reaction::Refuses,
        _ if got.iter().any(|back| back.syn_ack) && answers * 2 >= syns(scene, port) => return None,
        _ if scene.hears_all(host) => Reaction::Silent,
        Some(true) => Reaction::Listens,
        None => Reaction::Unseen,
    })
}

/// Whether a source does what systems do where no connection comes about: it repeats a SYN after a pause or, where it is refused, takes the next port
/// of those that systems give to clients.
fn tries_again(scene: &Scene<'_>, syns: &[usize], reaction: Reaction) -> bool {
    let limits = &scene.thresholds.service_down;
    let seen = || syns.iter().map(|index| scene.sighting(*index));
    let mut ports: Vec<u16> = seen().map(|sighting| sighting.packet.source_port).collect();
    ports.dedup();
    let [first, last] = scene.thresholds.backscatter.client_ports;
    let is_own = |port: &u16| (first..=last).contains(port);
    let steps = || ports.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    let rises = steps().filter(|step| (1..=limits.gap).contains(step)).count() * 2 > steps().count();
    let may_refuse = matches!(reaction, Reaction::Refuses | Reaction::Unseen);
    let renewed = may_refuse && rises && ports.iter().all(is_own);
    renewed || repetitions(seen()).iter().any(|pause| *pause >= limits.pause)
}

/// The pauses after which a source repeats a SYN.
fn repetitions<'s>(syns: impl Iterator<Item = &'s Sighting>) -> Vec<f64> {
    let mut known: HashMap<(u16, Option<u32>), Moment> = HashMap::new();
    let mut pauses = Vec::new();
    for syn in syns {
        if let Some(before) = known.insert((syn.packet.source_port, syn.tcp_sequence()), syn.at) {
            pauses.push(syn.at.seconds_since(before));
        }
    }
    pauses
}

fn tell(
    scene: &Scene<'_>,
    (host, port): (IpAddr, u16),
    callers: &Callers,
    (syn, again): (u64, usize),
    reaction: Reaction,
    members: Vec<usize>,
) -> Recognition {
    let rate = rate(scene, syn, callers);
    let (short, what) = match reaction {
        Reaction::Refuses => ("refuses", "The port refuses them: nothing listens there."),
        Reaction::Silent => {
            ("does not answer", "The capture shows what is sent from here, and the port does not answer.")
        }
        Reaction::Listens => ("does not answer", "Something listens there, and no connection comes about."),
        Reaction::Unseen => {
            ("refuses or does not answer", "What the port answers is not in the capture; no connection comes about.")
        }
    };
    Case::new(scene, "pattern.service-down", members)
        .packets(syn)
        .confidence(match reaction {
            Reaction::Refuses | Reaction::Silent => Confidence::Likely,
            Reaction::Listens | Reaction::Unseen => Confidence::Possible,
        })
        .evidence(format!(
            "{} SYNs to port {port} of {host}, up to about {} a second, from {}.",
            number(syn),
            number(rate as u64),
            words::count(callers.len() as u64, "source")
        ))
        .evidence(what)
        .evidence(format!(
            "{} of them try again as clients do: with the same SYN after a pause, or from the next port of their own.",
            number(again as u64)
        ))
        .evidence("Their SYNs have the options of real systems, which those of simple tools do not have.")
        .alone()
        .fact("detail", format!("port {port} of {host} {short}"))
        .close()
}
