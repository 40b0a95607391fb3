//! `pattern.unreachable-unknown-host` and `backscatter.icmp`: complaints about packets that nobody here sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::packet::protocol;

use super::quote::Quote;
use super::{Case, Claims, DNS, FIRST_CLIENT_PORT, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};
use crate::observation::{Sighting, SourceView};

const NETBIOS: u16 = 137;

/// Finds complaints about packets that we did not send, one finding for each host that they are about.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut by_target: BTreeMap<IpAddr, Vec<(usize, Quote)>> = BTreeMap::new();
    for (index, quote) in scene.quotes() {
        let sighting = scene.sighting(*index);
        let about_us = quote.source == sighting.destination() && scene.is_inbound(sighting);
        if claims.is_free(*index) && about_us && is_unexplained(scene, quote) {
            by_target.entry(quote.destination).or_default().push((*index, *quote));
        }
    }
    by_target.values_mut().for_each(|members| leave_out_checks(scene, members));
    for (target, members) in &mut by_target {
        let asked = asked(scene, *target);
        members.retain(|(_, quote)| !asked.contains(&(quote.source, port_asked(quote.protocol, quote.source_port))));
    }
    let (mut found, mut scattered) = (Vec::new(), Vec::new());
    for (target, members) in by_target {
        // Who reads an address in a log may ask for its name, and for nothing else.
        let is_for_more = members.iter().any(|(_, quote)| !is_for_name(quote));
        match is_for_more.then(|| explain(scene, target, &members)).flatten() {
            Some(recognition) => found.push(recognition),
            None => scattered.extend(members),
        }
    }
    found.extend(many_targets(scene, scattered));
    found
}

/// Who of us was sent SYNs by a host, or datagrams, and at which port: what goes to it from there, a refusal for one, answers these, whoever forged them.
fn asked(scene: &Scene<'_>, target: IpAddr) -> BTreeSet<(IpAddr, Option<u16>)> {
    let sent = scene.from(target).iter().map(|index| scene.sighting(*index));
    let asks = |sighting: &&Sighting| sighting.packet.is_syn() || sighting.packet.transport == Transport::Udp;
    let part = |sighting: &Sighting| {
        let packet = &sighting.packet;
        (sighting.destination(), port_asked(packet.protocol, packet.destination_port))
    };
    sent.filter(asks).map(part).collect()
}

/// The port that answers must come from: datagrams are answered by the one that was asked.
fn port_asked(transport: u8, port: u16) -> Option<u16> {
    (transport == protocol::UDP).then_some(port)
}

/// Complaints about several hosts, from ports of ours at which nothing else arrives: nobody here uses them.
fn many_targets(scene: &Scene<'_>, mut members: Vec<(usize, Quote)>) -> Option<Recognition> {
    let limits = &scene.thresholds.unreachable;
    members.retain(|(_, quote)| is_idle(scene, quote) && !may_be_ours(scene, quote));
    let unsent: Vec<_> = members.iter().filter(|(_, quote)| is_unsent(scene, quote)).copied().collect();
    if unsent.iter().filter(|(index, quote)| scene.is_heard_before(quote.source, scene.sighting(*index).at)).count()
        >= limits.packets
    {
        return Some(never_sent(scene, &unsent));
    }
    members.retain(|(_, quote)| !is_for_name(quote));
    // Peers of sharing networks, at ports of their own choice, are dead half of the time.
    let well_known: BTreeSet<u16> = ports(&members).range(..FIRST_CLIENT_PORT).copied().collect();
    let from_one_port = members.len() < limits.packets || services(scene, &well_known) < limits.services;
    if from_one_port {
        members = from_silent_ports(scene, members);
    }
    if members.is_empty() {
        return None;
    }
    let case = scattered(scene, &members).confidence(Confidence::Possible);
    let case = if from_one_port {
        let own: BTreeSet<u16> = members.iter().map(|(_, quote)| quote.source_port).collect();
        case.evidence(format!(
            "They are said to come from port {} here, and none of these hosts has sent anything to it.",
            words::ports(own)
        ))
    } else {
        case
    };
    Some(case.evidence("If a program here does try such hosts, the complaints are meant for it.").close())
}

/// Complaints about several hosts, and what they quote.
fn scattered<'s, 'a>(scene: &'s Scene<'a>, members: &[(usize, Quote)]) -> Case<'s, 'a> {
    let (ports, hosts) = (ports(members), words::count(targets(members).len() as u64, "host"));
    Case::new(scene, "pattern.unreachable-unknown-host", members.iter().map(|(i, _)| *i).collect())
        .evidence(format!(
            "The quoted packets go to {} of {hosts}: {}.",
            words::count(ports.len() as u64, "port"),
            words::ports(ports)
        ))
        .fact("detail", hosts)
}

fn ports(members: &[(usize, Quote)]) -> BTreeSet<u16> {
    members.iter().map(|(_, quote)| quote.destination_port).collect()
}

fn targets(members: &[(usize, Quote)]) -> BTreeSet<IpAddr> {
    members.iter().map(|(_, quote)| quote.destination).collect()
}

/// Whether the capture, which shows what the host here sends by the same protocol, shows that nothing left the port that a packet is said to come from: of
/// TCP that no connection was begun there, and that none to that port goes on unsampled.
fn is_unsent(scene: &Scene<'_>, quote: &Quote) -> bool {
    let sends = |view: &SourceView| if quote.protocol == protocol::TCP { view.syn > 0 } else { view.udp > 0 };
    scene.hears_all(quote.source)
        && scene.view(quote.source).is_some_and(sends)
        && scene.port(quote.port_proto(), Side::Src, quote.source_port).all.packets == 0
        && !scene.may_be_unseen(quote)
}

fn never_sent(scene: &Scene<'_>, members: &[(usize, Quote)]) -> Recognition {
    scattered(scene, members)
        .confidence(Confidence::Likely)
        .evidence(
            "The capture shows what is sent here, and nothing of this left the ports that these packets are said to come from.",
        )
        .close()
}

/// Those complaints that quote one port of ours with many hosts and with changing ports: a program asks so only where somebody answers.
fn from_silent_ports(scene: &Scene<'_>, members: Vec<(usize, Quote)>) -> Vec<(usize, Quote)> {
    let limits = &scene.thresholds.unreachable;
    let mut by_port: BTreeMap<(u8, IpAddr, u16), Vec<(usize, Quote)>> = BTreeMap::new();
    for (index, quote) in members {
        by_port.entry((quote.protocol, quote.source, quote.source_port)).or_default().push((index, quote));
    }
    let is_silent = |members: &Vec<(usize, Quote)>| {
        let targets: BTreeSet<IpAddr> = members.iter().map(|(_, quote)| quote.destination).collect();
        let ports: BTreeSet<u16> = members.iter().map(|(_, quote)| quote.destination_port).collect();
        targets.len() >= limits.hosts && ports.len() >= limits.ports
    };
    by_port.into_values().filter(is_silent).flatten().collect()
}

/// How many services ports stand for that one client would not ask for together. Who browses or reads mail fails at dead hosts, too.
fn services(scene: &Scene<'_>, ports: &BTreeSet<u16>) -> usize {
    let (mail, others): (Vec<u16>, Vec<u16>) =
        ports.iter().partition(|port| scene.thresholds.unreachable.mail_ports.contains(port));
    let others = others.iter().filter(|port| !scene.thresholds.contact.web_ports.contains(port)).count();
    others + usize::from(!mail.is_empty())
}

/// Whether we may well have sent what is quoted: some of what we sent was not looked at, or others answer us from the same port.
fn may_be_ours(scene: &Scene<'_>, quote: &Quote) -> bool {
    let answers = scene.port(quote.port_proto(), Side::Src, quote.destination_port).all.packets;
    if scene.hears(quote.source) { !scene.saw_all_of(quote.source) } else { answers > 0 }
}

/// Whether nothing arrives at the port that a quoted packet is said to come from.
fn is_idle(scene: &Scene<'_>, quote: &Quote) -> bool {
    scene.port(quote.port_proto(), Side::Dst, quote.source_port).all.packets == 0
}

/// Whether a quoted packet has no everyday cause: no answer of a name server, no name lookup, no traceroute, no conversation.
fn is_unexplained(scene: &Scene<'_>, quote: &Quote) -> bool {
    let limits = &scene.thresholds.traceroute;
    matches!(quote.protocol, protocol::TCP | protocol::UDP)
        && quote.source_port != DNS
        && !quote.is_udp_to(limits.first_port, limits.last_port)
        && !scene.has_sent(quote.source, quote.destination)
        && !scene.contacts.any(quote.source, quote.destination)
}

/// Leaves out complaints about the checks of a call, which looks for a better way to its other end as long as it goes on (RFC 8445). A scan tries more ports.
fn leave_out_checks(scene: &Scene<'_>, members: &mut Vec<(usize, Quote)>) {
    let mut ports: BTreeMap<u16, BTreeSet<u16>> = BTreeMap::new();
    for (_, quote) in members.iter() {
        ports.entry(quote.source_port).or_default().insert(quote.destination_port);
    }
    // Who is served here may be many behind one address, at ports that clients have.
    let is_served = |quote: &Quote| {
        let ports = &ports[&quote.source_port];
        if ports.range(..FIRST_CLIENT_PORT).count() * scene.thresholds.scan.ports > ports.len() {
            return false;
        }
        let listening = scene.is_listening(PortProto::Udp, quote.source, quote.source_port);
        listening.unwrap_or_else(|| scene.thresholds.contact.answers(quote.source_port))
    };
    let are_few = |quote: &Quote| ports[&quote.source_port].len() < scene.thresholds.scan.ports;
    members.retain(|(_, quote)| !(is_in_use(scene, quote) && (is_served(quote) || are_few(quote))));
}

/// Whether a quoted datagram comes from a port of ours to which others send on and on.
fn is_in_use(scene: &Scene<'_>, quote: &Quote) -> bool {
    let arrived = scene.port(quote.port_proto(), Side::Dst, quote.source_port).all.packets;
    quote.protocol == protocol::UDP && arrived >= scene.thresholds.flood.stream
}

fn is_for_name(quote: &Quote) -> bool {
    quote.destination_port == NETBIOS
}

fn explain(scene: &Scene<'_>, target: IpAddr, members: &[(usize, Quote)]) -> Option<Recognition> {
    let limits = &scene.thresholds.unreachable;
    let mut known = BTreeSet::new();
    let ports: Vec<u16> = members.iter().map(|(_, q)| q.destination_port).filter(|port| known.insert(*port)).collect();
    if members.len() < limits.packets {
        return None;
    }
    let distinct = ports.iter().copied().collect();
    if ports.len() >= limits.ports
        && (scene.hears_all(members[0].1.source) || services(scene, &distinct) >= limits.services)
    {
        return Some(decoy(scene, target, members, &ports));
    }
    is_backscatter(scene, members).then(|| flood_elsewhere(scene, target, members, ports[0]))
}

fn decoy(scene: &Scene<'_>, target: IpAddr, members: &[(usize, Quote)], ports: &[u16]) -> Recognition {
    let ours = members[0].1.source;
    let case = Case::new(scene, "pattern.unreachable-unknown-host", members.iter().map(|(i, _)| *i).collect())
        .evidence(format!(
            "The quoted packets go from {ours} to {} of {target}, in this order: {}.",
            words::count(ports.len() as u64, "port"),
            words::ports(ports.iter().copied())
        ))
        .fact("detail", format!("{target} is the one who is scanned"));
    let case = if scene.hears_all(ours) {
        case.confidence(Confidence::Likely)
            .evidence(format!("The capture shows what {ours} sends, and it sent nothing to {target}."))
    } else {
        case.confidence(Confidence::Possible).evidence(format!(
            "What {ours} sends cannot be seen from here: if it did scan {target}, the complaints are deserved."
        ))
    };
    case.close()
}

/// Whether complaints about one port are answers to forged packets, rather than to ours that failed.
fn is_backscatter(scene: &Scene<'_>, members: &[(usize, Quote)]) -> bool {
    let limits = &scene.thresholds.backscatter;
    let hosts: BTreeSet<IpAddr> = members.iter().map(|(_, q)| q.source).collect();
    let flows: BTreeSet<(IpAddr, u16)> = members.iter().map(|(_, q)| (q.source, q.source_port)).collect();
    // Resolvers ask from any port.
    let is_question = |quote: &Quote| (quote.protocol, quote.destination_port) == (protocol::UDP, DNS);
    let told = members.iter().filter(|(_, quote)| !is_question(quote));
    let told: BTreeSet<(IpAddr, u16)> = told.map(|(_, quote)| (quote.source, quote.source_port)).collect();
    let foreign = told.iter().filter(|(_, port)| scene.is_foreign(*port)).count();
    let may_run = members.iter().any(|(_, quote)| scene.may_be_unseen(quote));
    let seen_sending = !may_run && hosts.iter().any(|host| scene.hears_all(*host));
    flows.len() >= limits.answers
        && (seen_sending
            || hosts.len() >= limits.answers
            || (foreign > 0 && foreign as f64 >= limits.foreign_share * told.len() as f64))
}

fn flood_elsewhere(scene: &Scene<'_>, target: IpAddr, members: &[(usize, Quote)], port: u16) -> Recognition {
    let transport = if members[0].1.protocol == protocol::TCP { Transport::Tcp } else { Transport::Udp };
    let name = if transport == Transport::Tcp { "TCP" } else { "UDP" };
    Case::new(scene, "backscatter.icmp", members.iter().map(|(i, _)| *i).collect())
        .evidence(format!(
            "The quoted packets go to {name} port {port} of {target}, and nobody here was seen sending them."
        ))
        .evidence(
            "If somebody here does talk to that host, these are ordinary complaints about a connection that fails.",
        )
        .fact("detail", format!("{target} is flooded at {name} port {port}"))
        .close()
}
