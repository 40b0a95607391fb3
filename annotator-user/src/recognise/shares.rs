//! `netbios.worm`, `worm.file-sharing` and `worm.mssql`: what spreads from share to share, and from database to database.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::Transport;

use super::addresses::site;
use super::packets::is_to_many;
use super::scene::Outcome;
use super::{Case, Claims, Scene, words};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

const NETBIOS_NAMES: u16 = 137;
/// Where a message about names says that it is a response (RFC 1002 §4.2.1.1).
const FLAGS_AT: usize = 2;
const RESPONSE: u8 = 0x80;
const SHARES: [u16; 2] = [139, 445];
const FILE_SHARING: [u16; 3] = [80, 139, 445];
const SQL: u16 = 1433;

/// Finds share worms, one finding for each source, and the SQL worm, one finding for each target or, where few come to each, for each site.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = Vec::new();
    for (source, indices) in scene.sources() {
        let lookups = claims.free(indices).filter(|i| is_lookup(scene, *i));
        let attempts = scene.attempts(source, claims.free(indices)).into_iter();
        let shares = attempts.filter(|i| FILE_SHARING.contains(&port(scene, *i)));
        let members: BTreeSet<usize> = lookups.chain(shares).collect();
        let members: Vec<usize> = members.into_iter().collect();
        if members.is_empty() || is_general(scene, source, indices) || is_at_home(scene, &members) {
            continue;
        }
        found.extend(lookup_then_share(scene, &members).or_else(|| file_sharing(scene, members)));
    }
    found.extend(sql(scene, claims));
    found
}

/// Whether a packet looks up a name.
fn is_lookup(scene: &Scene<'_>, index: usize) -> bool {
    let sighting = scene.sighting(index);
    let packet = &sighting.packet;
    packet.transport == Transport::Udp
        && packet.destination_port == NETBIOS_NAMES
        && sighting.payload().get(FLAGS_AT).is_none_or(|flags| flags & RESPONSE == 0)
        && !is_to_many(sighting)
        && scene.is_inbound(sighting)
}

/// Whether a source tries so much else that the ports of worms are only among it.
fn is_general(scene: &Scene<'_>, source: IpAddr, indices: &[usize]) -> bool {
    let attempts = scene.attempts(source, indices.iter().copied());
    let ports: BTreeSet<u16> = attempts.into_iter().map(|i| port(scene, i)).collect();
    let of_worms = ports.iter().filter(|port| FILE_SHARING.contains(port)).count();
    (of_worms as f64) < scene.thresholds.shares.share * ports.len() as f64
}

/// Whether this is one neighbour among others, who look for each other's shares all day: by name, at 445, at 139, and at last by WebDAV at 80. A worm
/// among them does not stop at a few.
fn is_at_home(scene: &Scene<'_>, members: &[usize]) -> bool {
    let seen = || members.iter().map(|i| scene.sighting(*i));
    let hosts: BTreeSet<IpAddr> = seen().map(Sighting::destination).collect();
    hosts.len() < scene.thresholds.scan.hosts && seen().all(|sighting| scene.is_from_around(sighting))
}

fn port(scene: &Scene<'_>, index: usize) -> u16 {
    scene.sighting(index).packet.destination_port
}

fn lookup_then_share(scene: &Scene<'_>, members: &[usize]) -> Option<Recognition> {
    let is_lookup = |i: usize| scene.sighting(i).packet.transport == Transport::Udp;
    let lookup = *members.iter().find(|i| is_lookup(**i))?;
    let within = scene.thresholds.shares.within;
    let at = scene.sighting(lookup).at;
    let share = *members.iter().find(|i| {
        !is_lookup(**i) && SHARES.contains(&port(scene, **i)) && scene.sighting(**i).at.follows(at, within)
    })?;
    let ports: BTreeSet<u16> = members.iter().map(|i| port(scene, *i)).collect();
    let after = scene.sighting(share).at.seconds_since(at);
    let case = Case::new(scene, "netbios.worm", members.to_vec()).with_ports().with_ttls().evidence(format!(
        "First a NetBIOS name lookup (UDP 137), and {} later an attempt at TCP {}, where shares are.",
        words::seconds(after),
        port(scene, share)
    ));
    let case = if FILE_SHARING.iter().all(|port| ports.contains(port)) { case.also("worm.file-sharing") } else { case };
    Some(
        case.evidence("A lookup alone would be a harmless reverse resolution.")
            .fact("detail", "a name lookup, then the shares")
            .close(),
    )
}

fn file_sharing(scene: &Scene<'_>, members: Vec<usize>) -> Option<Recognition> {
    let ports: BTreeSet<u16> = members.iter().map(|i| port(scene, *i)).collect();
    if !FILE_SHARING.iter().all(|port| ports.contains(port)) {
        return None;
    }
    let answered = members.iter().filter(|i| scene.outcome(**i) == Outcome::Answered).map(|i| port(scene, *i));
    let open: BTreeSet<u16> = answered.collect();
    let came_of_it = match open.is_empty() {
        true => "none of it was answered".to_owned(),
        false => format!("only port {} answered", words::ports(open)),
    };
    Some(
        Case::new(scene, "worm.file-sharing", members)
            .with_ports()
            .with_ttls()
            .evidence(format!("Web server and file shares of the same machine, tried by one source, and {came_of_it}."))
            .fact("detail", "ports 80, 139 and 445")
            .close(),
    )
}

fn sql(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_target: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        let is_sql = sighting.packet.destination_port == SQL && scene.is_probe(index);
        if is_sql && claims.is_free(index) && !scene.is_from_around(sighting) {
            by_target.entry(sighting.destination()).or_default().push(index);
        }
    }
    let mut found = Vec::new();
    // A worm that draws its targets by lot meets each of a site's hosts with other sources. Who meets many of them sweeps the site.
    let mut by_site: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (target, members) in by_target {
        match sql_worm(scene, &members) {
            Some(worm) => found.push(worm),
            None => by_site.entry(site(target)).or_default().extend(members),
        }
    }
    for mut members in by_site.into_values() {
        let mut targets: BTreeMap<IpAddr, BTreeSet<IpAddr>> = BTreeMap::new();
        let seen = members.iter().map(|index| scene.sighting(*index));
        seen.for_each(|probe| _ = targets.entry(probe.source()).or_default().insert(probe.destination()));
        members.retain(|index| targets[&scene.sighting(*index).source()].len() < scene.thresholds.scan.own_hosts);
        members.sort_unstable();
        found.extend(sql_worm(scene, &members));
    }
    found
}

fn sql_worm(scene: &Scene<'_>, members: &[usize]) -> Option<Recognition> {
    let sources = scene.senders(members);
    if sources.len() < scene.thresholds.shares.sql_sources {
        return None;
    }
    let refused = members.iter().any(|i| scene.outcome(*i) == Outcome::Refused);
    let case = Case::new(scene, "worm.mssql", members.to_vec()).with_ttls().evidence(format!(
        "Attempts at the SQL server's port came from {}.",
        words::count(sources.len() as u64, "source")
    ));
    let case = if refused {
        case.evidence("Nothing listens there: the attempts failed.")
    } else {
        case.confidence(Confidence::Likely)
            .evidence("If a database of yours does serve the Internet there, some may be its clients.")
    };
    Some(case.fact("detail", words::count(sources.len() as u64, "source")).close())
}
