//! `pattern.late-fin`: a server still tries to end connections that are long over here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::packet::tcp;
use annotator_common::source::distinct;

use super::half::Half;
use super::packets::is_refusal;
use super::{Case, Claims, FIRST_CLIENT_PORT, Scene, scan, words};
use crate::finding::{Confidence, Recognition};
use crate::observation::{Moment, Sighting};

/// Finds late ends of connections: one finding for each server port and client where nothing else was seen of the connections, one for each
/// client where they were seen.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let after_silence = ends_after_silence(scene);
    let mut found = Vec::new();
    let mut of_known: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (server, indices) in scene.sources() {
        let mut groups: BTreeMap<(u16, IpAddr, bool), Vec<usize>> = BTreeMap::new();
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            let known = after_silence.contains(&index);
            if known || is_end_of_unseen(scene, sighting) {
                let key = (sighting.packet.source_port, sighting.destination(), known);
                groups.entry(key).or_default().push(index);
            }
        }
        if scene.view(server).is_some_and(|view| scene.ends_in_haste(server, view)) {
            continue;
        }
        if groups.is_empty() || scan::is_by_scanner(scene, claims, server, |_| false) {
            continue;
        }
        for ((_, client, known), members) in groups {
            if known {
                if is_series(scene, &members, true) {
                    of_known.entry(client).or_default().extend(members);
                }
            // Who tries services, by whatever packets, does not tidy up at the ports beside them.
            } else if !tries_services(scene, indices, &members) && !is_to_services(scene, &members) {
                found.extend(unseen(scene, members));
            }
        }
    }
    found.extend(of_known.into_values().filter_map(|members| seen_before(scene, members)));
    found
}

/// What was seen of a connection, in order of time.
struct Connection {
    last: Moment,
    closed_here: bool,
    ended_late: bool,
}

/// Ends of connections that were seen and of which nothing came for a while: the client had ended them, or what it sends is not seen.
fn ends_after_silence(scene: &Scene<'_>) -> HashSet<usize> {
    let limits = &scene.thresholds.late_fin;
    let mut late = HashSet::new();
    let mut connections: HashMap<Half, Connection> = HashMap::new();
    for (index, sighting) in scene.sightings().filter(|(_, sighting)| sighting.packet.transport == Transport::Tcp) {
        let Some(half) = Half::of(sighting) else { continue };
        let from_server = is_to_client(scene, &half);
        let half = if from_server { half } else { half.reverse() };
        let at = sighting.at;
        let connection = connections.get_mut(&half);
        if from_server && is_end(sighting) {
            let Some(connection) = connection else { continue };
            let silent =
                at.seconds_since(connection.last) >= limits.after && at.follows(connection.last, limits.within);
            connection.ended_late |= silent && (connection.closed_here || !scene.hears_all(half.destination));
            if connection.ended_late {
                late.insert(index);
            } else {
                connection.last = at;
            }
            continue;
        }
        let opens = sighting.packet.tcp_flags & tcp::SYN != 0;
        match connection {
            // What answers a late end is part of it.
            Some(connection) if connection.ended_late && !opens => {}
            Some(connection) => {
                connection.closed_here = !opens && (connection.closed_here || (!from_server && is_end(sighting)));
                connection.ended_late = false;
                connection.last = at;
            }
            None => {
                let closed_here = !from_server && is_end(sighting);
                connections.insert(half, Connection { last: at, closed_here, ended_late: false });
            }
        }
    }
    late
}

fn is_to_client(scene: &Scene<'_>, half: &Half) -> bool {
    scene.thresholds.contact.is_service(half.source_port) && half.destination_port >= FIRST_CLIENT_PORT
}

/// Whether a packet ends a connection. Where it refuses a SYN, there was nothing to end.
fn is_end(sighting: &Sighting) -> bool {
    let flags = sighting.packet.tcp_flags;
    sighting.packet.transport == Transport::Tcp
        && flags & (tcp::FIN | tcp::RST) != 0
        && flags & tcp::URG == 0
        && !is_refusal(sighting)
}

/// Whether a packet ends a connection between a server's port and a client's, of which nothing else was seen.
fn is_end_of_unseen(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let Some(half) = Half::of(sighting).filter(|half| is_end(sighting) && is_to_client(scene, half)) else {
        return false;
    };
    scene.is_out_of_connection(&half)
}

/// Whether the source of some ends tried services of the same host from the same port, too, with segments that carry nothing and belong to no connection.
fn tries_services(scene: &Scene<'_>, indices: &[usize], members: &[usize]) -> bool {
    let Some(first) = members.first().map(|index| scene.sighting(*index)) else { return false };
    indices.iter().map(|index| scene.sighting(*index)).any(|sighting| {
        let packet = &sighting.packet;
        sighting.payload_length() == 0
            && packet.source_port == first.packet.source_port
            && packet.destination_port < FIRST_CLIENT_PORT
            && sighting.destination() == first.destination()
            && Half::of(sighting).is_some_and(|half| scene.is_out_of_connection(&half))
    })
}

/// Whether most ends go to ports at which servers answer: a client has one of these by chance.
fn is_to_services(scene: &Scene<'_>, members: &[usize]) -> bool {
    scene.thresholds.contact.are_mostly_services(&ports_of(scene, members).into_iter().collect())
}

fn ports_of(scene: &Scene<'_>, members: &[usize]) -> Vec<u16> {
    members.iter().map(|index| scene.sighting(*index).packet.destination_port).collect()
}

/// To how many ports a source that sends nothing else sent ends, by the source table, where not all are sampled.
fn ports_of_ends(scene: &Scene<'_>, source: IpAddr, sampled: usize) -> usize {
    let Some(view) = scene.view(source).filter(|view| view.fin == view.packets && !scene.saw_all_of(source)) else {
        return 0;
    };
    let ports = u64::from(distinct(view.ports));
    // That count is rough. Where each end was repeated, as it is until it is acknowledged, the samples know better, unless it says far more.
    if view.packets >= 2 * ports && ports * 2 <= 3 * sampled as u64 { 0 } else { view.packets.min(ports) as usize }
}

/// Whether ends go to several ports and, where the connections are not known, to no more of them than clients had open; or to more in their order, one now and
/// then.
fn is_series(scene: &Scene<'_>, members: &[usize], known: bool) -> bool {
    let limits = &scene.thresholds.late_fin;
    let [first, .., last] = members else { return false };
    let (first, last) = (scene.sighting(*first), scene.sighting(*last));
    let ports = ports_of(scene, members);
    let distinct = ports.iter().collect::<BTreeSet<_>>().len();
    let tried = distinct.max(ports_of_ends(scene, first.source(), distinct));
    // What lies between may not have been sampled.
    let gap = usize::from(limits.gap) + (tried - distinct);
    let in_order = ports.windows(2).all(|pair| pair[1] >= pair[0] && usize::from(pair[1] - pair[0]) <= gap);
    let slow = tried as f64 <= 1.0 + limits.slow_rate * last.at.seconds_since(first.at);
    distinct >= limits.ports
        && (known
            || tried <= limits.most_ports
            || (in_order && slow)
            || (tried == distinct && scene.ends_in_order(members)))
        && members.windows(2).all(|pair| scene.sighting(pair[1]).at.follows(scene.sighting(pair[0]).at, limits.within))
}

/// Ends of connections that were seen, at one client.
fn seen_before(scene: &Scene<'_>, members: Vec<usize>) -> Option<Recognition> {
    let ends = || members.iter().map(|index| scene.sighting(*index));
    let opened = ends().all(|end| scene.is_opened(end));
    let mut servers: BTreeMap<IpAddr, usize> = BTreeMap::new();
    ends().for_each(|end| *servers.entry(end.source()).or_default() += 1);
    let ports = ends().map(|end| (end.source(), end.packet.destination_port)).collect::<BTreeSet<_>>().len();
    let ports = words::count(ports as u64, "client port");
    let detail = match (servers.len(), ends().next()?) {
        (1, first) => format!("from port {} to {ports}", first.packet.source_port),
        (servers, _) => format!("from {servers} servers to {ports}"),
    };
    // Of each server as many as it sent, where they were late as far as they were sampled.
    let counted = |(server, late): (&IpAddr, &usize)| {
        let sampled = scene.from(*server).iter().filter(|index| is_end(scene.sighting(**index))).count();
        let view = scene.view(*server).filter(|_| *late == sampled);
        view.map_or(*late as u64, |view| view.fin + view.rst)
    };
    let packets = servers.iter().map(counted).sum();
    let case = Case::new(scene, "pattern.late-fin", members.clone()).packets(packets).with_ports().evidence(format!(
        "These connections were seen before; the server ended them {} and longer after the last packet of each that was sampled.",
        words::seconds(scene.thresholds.late_fin.after)
    ));
    let case = if opened {
        case.confidence(Confidence::Certain)
            .evidence("The client was seen opening connections to this port of the server before.")
    } else {
        case.confidence(Confidence::Likely)
            .evidence("The server answered at these ports of the client before: a scan is not told of them.")
    };
    Some(case.fact("detail", detail).close())
}

/// Ends of connections of which nothing else was seen, from one server port to one client.
fn unseen(scene: &Scene<'_>, members: Vec<usize>) -> Option<Recognition> {
    if !is_series(scene, &members, false) {
        return None;
    }
    let limits = &scene.thresholds.late_fin;
    let ends = || members.iter().map(|index| scene.sighting(*index));
    let first = scene.sighting(*members.first()?);
    let ports = ports_of(scene, &members);
    let distinct = ports.iter().collect::<BTreeSet<_>>().len();
    let fins = ends().filter(|end| end.packet.tcp_flags & tcp::FIN != 0).count();
    let down = ports.windows(2).filter(|pair| pair[1] < pair[0]).count();
    // A server that is late sends one FIN after the other as their time comes; only one that hangs up properly does so at once.
    let plain = ends().filter(|end| end.packet.tcp_flags & (tcp::FIN | tcp::ACK) == tcp::FIN).count();
    let rushes = scene.is_hasty(&members);
    let in_order = scene.ends_in_order(&members);
    let rising = in_order || (down * 4 <= ports.len() && !(rushes && plain * 2 >= members.len()));
    let opened = scene.is_opened(first);
    // Resets to ports up and down the range answer forged packets; FINs without ACK are sent by no system of today.
    let acknowledges = ends().all(|end| end.packet.tcp_flags & (tcp::ACK | tcp::RST) != 0);
    if !(opened || rising || (acknowledges && fins * 2 >= members.len())) {
        return None;
    }
    let port = first.packet.source_port;
    let case = Case::new(scene, "pattern.late-fin", members.clone())
        .with_ports()
        .evidence(format!(
            "All come from server port {port}, none opens a connection, and nothing else of these connections was seen at that time."
        ))
        .fact("detail", format!("from port {port} to {distinct} client ports"));
    let case = if opened {
        case.confidence(Confidence::Certain)
            .evidence("The client was seen opening connections to this port of the server before.")
    } else {
        let sure = if rising && distinct <= limits.most_ports { Confidence::Likely } else { Confidence::Possible };
        case.confidence(sure)
            .evidence("If nobody here used that server in the last minutes, it is a FIN scan from a borrowed port.")
    };
    Some(case.close())
}
