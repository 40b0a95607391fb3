//! `backscatter.tcp`, `backscatter.dns` and, of echo replies, `backscatter.icmp`: answers to packets that somebody forged with our address.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use annotator_common::Transport;
use annotator_common::packet::tcp;

use super::echo_reply::is_unasked_reply;
use super::half::Half;
use super::packets::{answers_dns, is_ping, is_refusal, is_syn_ack};
use super::{Case, Claims, DNS, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

/// Finds answers that nobody asked for, one finding for each that sends them, and one for all that send too few to tell by themselves.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = Vec::new();
    let (mut few, mut few_dns, mut replies) = (Vec::new(), Vec::new(), Vec::new());
    let served = served_untracked(scene);
    let visited = visited(scene);
    let heard = heard_by_servers(scene);
    for (victim, indices) in scene.sources() {
        let (mut tcp, mut dns) = (Vec::new(), Vec::new());
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            if served.contains(&(victim, sighting.packet.source_port)) || ends_visit(scene, sighting, &visited) {
                continue;
            }
            if is_unasked_answer(scene, sighting) {
                tcp.push(index);
            } else if is_unasked_dns(scene, sighting) {
                dns.push(index);
            } else if is_unasked_reply(scene, sighting) {
                replies.push(index);
            }
        }
        let is_server = resets_visitors(scene, victim, &visited, &tcp);
        if !is_server && !is_conversation(scene, victim, &tcp) && !asks_itself(scene, victim, &tcp) {
            match is_bystander(scene, &tcp) || are_unasked(scene, &tcp) {
                true => found.push(explain_tcp(scene, &victim.to_string(), tcp)),
                false => few.extend(tcp),
            }
        }
        if is_dns_bystander(scene, &dns, &heard) {
            found.push(explain_dns(scene, &victim.to_string(), dns));
        } else {
            few_dns.extend(dns);
        }
    }
    let drawn = of_drawn_sessions(scene, &replies);
    replies.retain(|reply| drawn.contains(reply) || is_heard(scene, *reply));
    if replies.len() >= scene.thresholds.backscatter.answers {
        replies.sort_unstable();
        found.push(explain_replies(scene, replies));
    }
    if are_of_many_servers(scene, &few_dns) {
        let servers = words::count(scene.senders(&few_dns).len() as u64, "server");
        few_dns.sort_unstable();
        found.push(explain_dns(scene, &servers, few_dns));
    }
    few.sort_unstable();
    let (aborted, rest): (Vec<usize>, Vec<usize>) = few.iter().partition(|index| aborts(scene.sighting(**index)));
    // Some of those under attack write such resets, too: to any port.
    let foreign =
        aborted.iter().filter(|index| scene.is_foreign(scene.sighting(**index).packet.destination_port)).count();
    if (foreign as f64) < scene.thresholds.backscatter.foreign_share * aborted.len() as f64 {
        few = rest;
    }
    if is_bystander(scene, &few) {
        let victims = words::count(scene.senders(&few).len() as u64, "host");
        found.push(explain_tcp(scene, &victims, few));
    }
    found
}

/// Hosts and their ports that somebody asks while there are more sources than the table has room for: what they answer may be to one of whom nothing is known.
fn served_untracked(scene: &Scene<'_>) -> HashSet<(IpAddr, u16)> {
    if scene.observations.counters.packets_of_untracked_sources == 0 {
        return HashSet::new();
    }
    let asks = |sighting: &Sighting| {
        sighting.packet.is_syn()
            || (sighting.packet.transport == Transport::Udp && sighting.packet.destination_port == DNS)
    };
    scene.sightings().filter(|(_, sighting)| asks(sighting)).map(|(_, sighting)| sighting.target()).collect()
}

/// Whether a packet accepts or refuses a connection that nobody here was seen asking for, and that does not go on.
fn is_unasked_answer(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let flags = sighting.packet.tcp_flags;
    let refuses = flags & tcp::RST != 0 && flags & tcp::SYN == 0;
    let goes_on = |half: Half| scene.carried(&half).running;
    sighting.packet.transport == Transport::Tcp
        && (is_syn_ack(sighting) || refuses)
        && scene.is_inbound(sighting)
        && !Half::of(sighting).is_some_and(goes_on)
        && !scene.has_sent(sighting.destination(), sighting.source())
}

/// Whether a reset ends a connection of which its sender knows, and which may be older than the capture: it has a sequence number besides what it acknowledges.
fn aborts(sighting: &Sighting) -> bool {
    let flags = sighting.packet.tcp_flags & (tcp::SYN | tcp::RST | tcp::ACK);
    flags == tcp::RST | tcp::ACK && !is_refusal(sighting)
}

fn is_unasked_dns(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    answers_dns(sighting)
        && sighting.packet.destination_port != DNS
        && scene.is_inbound(sighting)
        && !scene.has_sent(sighting.destination(), sighting.source())
}

/// Whether answers go where no client of ours was: to ports that none takes, to many of our addresses, or past one whose packets we see.
fn is_bystander(scene: &Scene<'_>, answers: &[usize]) -> bool {
    let limits = &scene.thresholds.backscatter;
    let targets = scene.targets(answers);
    let hosts: BTreeSet<IpAddr> = targets.iter().map(|(host, _)| *host).collect();
    let foreign = targets.iter().filter(|(_, port)| scene.is_foreign(*port)).count();
    let accepted = answers.iter().filter(|i| is_syn_ack(scene.sighting(**i))).count();
    let (needed, share) = match accepted {
        // Who is refused tries again: resets alone must be many before they are strange.
        0 => (limits.refusals, limits.foreign_share),
        n if n == answers.len() => (limits.answers, limits.accepted_share),
        _ => (limits.answers, limits.foreign_share),
    };
    targets.len() >= limits.answers
        && (hosts.iter().all(|host| scene.hears_all(*host))
            || hosts.len() >= limits.answers
            || (targets.len() >= needed && foreign as f64 >= share * targets.len() as f64))
}

/// Whether one host answers from several ports to most of which nobody sent anything, by the exact counters of a capture that shows what the hosts here
/// ask for.
fn are_unasked(scene: &Scene<'_>, answers: &[usize]) -> bool {
    let asks = |host: IpAddr| scene.view(host).is_some_and(|view| view.syn > 0);
    let answers = || answers.iter().map(|index| scene.sighting(*index));
    let ports: BTreeSet<u16> = answers().map(|sighting| sighting.packet.source_port).collect();
    let is_unasked = |port: &&u16| scene.port(PortProto::Tcp, Side::Dst, **port).all.packets == 0;
    ports.len() >= scene.thresholds.backscatter.answers
        && ports.iter().filter(is_unasked).count() * 2 > ports.len()
        && answers().all(|sighting| asks(sighting.destination()))
}

fn is_dns_bystander(scene: &Scene<'_>, answers: &[usize], heard: &HashSet<IpAddr>) -> bool {
    let limits = &scene.thresholds.backscatter;
    let targets = scene.targets(answers);
    let hosts: BTreeSet<IpAddr> = targets.iter().map(|(host, _)| *host).collect();
    // Resolvers ask from any port: only silence of the asker, whose other questions are heard, or several who cannot all have asked, tells.
    targets.len() >= limits.answers
        && (hosts.iter().all(|host| scene.knows_all_asked(*host, DNS))
            || (hosts.len() >= limits.answers && !are_of_resolver(scene, answers))
            || (hosts.iter().all(|host| shows_questions(scene, *host, answers.len() as u64, heard))
                && beyond_questions(scene) >= answers.len() as u64))
}

/// Whether most answers are those of a resolver that found what it was asked for (RA, and RCODE 0; RFC 1035 §4.1.1), whom many hosts of a site may ask.
fn are_of_resolver(scene: &Scene<'_>, answers: &[usize]) -> bool {
    let is_found = |index: &&usize| {
        let answer = scene.sighting(**index);
        answer.payload_length() <= scene.thresholds.backscatter.short_answer
            && answer.payload().get(3).is_some_and(|byte| byte & 0x8f == 0x80)
    };
    answers.iter().filter(is_found).count() * 2 > answers.len()
}

/// Whether a capture would show what a host asks of name servers: it shows it asking one that answers. Of a host that asks nobody it shows as many datagrams as
/// so many answers, and another's questions that are answered or, where it shows none of anybody, as many as all answers. One that was filtered may hold few.
fn shows_questions(scene: &Scene<'_>, host: IpAddr, answers: u64, heard: &HashSet<IpAddr>) -> bool {
    let count = |side| scene.port(PortProto::Udp, side, DNS).all.packets;
    let needed = match (count(Side::Dst), heard.contains(&host)) {
        (0, _) => count(Side::Src),
        (_, true) => 0,
        (_, false) if heard.is_empty() => u64::MAX,
        (_, false) => answers,
    };
    scene.hears(host) && scene.view(host).is_some_and(|view| view.udp >= needed)
}

/// Hosts that were seen asking name servers that were seen to answer.
fn heard_by_servers(scene: &Scene<'_>) -> HashSet<IpAddr> {
    let is_answered = |half: &Half| {
        half.transport == Transport::Udp && half.destination_port == DNS && scene.carried(&half.reverse()).datagram
    };
    scene
        .sightings()
        .filter_map(|(_, sighting)| Half::of(sighting))
        .filter(is_answered)
        .map(|half| half.source)
        .collect()
}

/// How many more answers of name servers there are than questions, by the exact counters.
fn beyond_questions(scene: &Scene<'_>) -> u64 {
    let count = |side| scene.port(PortProto::Udp, side, DNS).all.packets;
    count(Side::Src).saturating_sub(count(Side::Dst))
}

/// Whether a host that has visitors resets what may be data of connections that are older than what it knows, and of which no SYN is in the capture: as much
/// came to its ports that was not sampled, and they go to ports that clients take.
fn resets_visitors(scene: &Scene<'_>, host: IpAddr, visited: &HashSet<(IpAddr, u16)>, answers: &[usize]) -> bool {
    let is_reset = |sighting: &Sighting| sighting.packet.tcp_flags & (tcp::SYN | tcp::RST | tcp::ACK) == tcp::RST;
    let mut resets: BTreeMap<u16, u64> = BTreeMap::new();
    let answers = || answers.iter().map(|index| scene.sighting(*index));
    answers().for_each(|sighting| *resets.entry(sighting.packet.source_port).or_default() += 1);
    let foreign = answers().filter(|sighting| scene.is_foreign(sighting.packet.destination_port)).count();
    answers().all(is_reset)
        && (foreign as f64) < scene.thresholds.backscatter.foreign_share * answers().count() as f64
        && resets.iter().all(|(port, resets)| visited.contains(&(host, *port)) && scene.unseen_at(*port) >= *resets)
}

/// Whether a reset is that of a visitor who gives up a connection, with a service of ours that others use as well: no refusal, from a port that clients take.
fn ends_visit(scene: &Scene<'_>, sighting: &Sighting, visited: &HashSet<(IpAddr, u16)>) -> bool {
    let packet = &sighting.packet;
    packet.tcp_flags & (tcp::SYN | tcp::RST) == tcp::RST
        && !is_refusal(sighting)
        && scene.is_foreign(packet.destination_port)
        && !scene.is_foreign(packet.source_port)
        && visited.contains(&sighting.target())
}

/// Hosts and their TCP ports to which somebody sends more than resets.
fn visited(scene: &Scene<'_>) -> HashSet<(IpAddr, u16)> {
    let is_visit = |sighting: &Sighting| {
        sighting.packet.transport == Transport::Tcp
            && sighting.packet.tcp_flags & tcp::RST == 0
            && !is_syn_ack(sighting)
    };
    scene.sightings().filter(|(_, sighting)| is_visit(sighting)).map(|(_, sighting)| sighting.target()).collect()
}

/// Whether a source goes on with connections, or ends them, which it must have had then.
fn is_conversation(scene: &Scene<'_>, source: IpAddr, answers: &[usize]) -> bool {
    scene.view(source).is_some_and(|view| view.fin > 0) || scene.goes_on(source, answers)
}

/// Whether a source sends SYNs as well, which its resets take back then: it scans, and hangs up where it is answered.
fn asks_itself(scene: &Scene<'_>, source: IpAddr, answers: &[usize]) -> bool {
    scene.view(source).is_some_and(|view| view.syn * 2 >= answers.len() as u64)
}

fn explain_tcp(scene: &Scene<'_>, victims: &str, members: Vec<usize>) -> Recognition {
    let mut by_port: BTreeMap<u16, usize> = BTreeMap::new();
    let mut accepted = 0;
    for index in &members {
        let packet = &scene.sighting(*index).packet;
        *by_port.entry(packet.source_port).or_default() += 1;
        accepted += usize::from(packet.tcp_flags & tcp::SYN != 0);
    }
    let refused = members.len() - accepted;
    let heard = members.iter().all(|i| scene.hears_all(scene.sighting(*i).destination()));
    let ports = words::ports(by_port.keys().copied());
    let port = if by_port.len() == 1 { "port" } else { "ports" };
    // More may have been counted than sampled, so what is all of one kind has no number.
    let answers = match (accepted, refused) {
        (_, 0) => "SYN-ACKs".to_owned(),
        (0, _) => "Resets".to_owned(),
        (accepted, refused) => {
            let (accepted, refused) = (words::count(accepted as u64, "SYN-ACK"), words::count(refused as u64, "reset"));
            format!("Of those sampled {accepted} and {refused}")
        }
    };
    let asked = if heard {
        "and the capture shows that nobody here asked for them"
    } else {
        "and go where no client here is likely to have asked"
    };
    Case::new(scene, "backscatter.tcp", members)
        .confidence(if heard { Confidence::Likely } else { Confidence::Possible })
        .evidence(format!("{answers} come from {port} {ports} of {victims}, {asked}."))
        .with_ports()
        .evidence("Data behind the answers, or SYNs of ours before them, would make it ordinary traffic.")
        .fact("detail", format!("{victims}, {port} {ports}"))
        .close()
}

/// Whether several servers answer what nobody here asked, by a capture that shows all questions: more of them than are asked at one address and answer from
/// another.
fn are_of_many_servers(scene: &Scene<'_>, answers: &[usize]) -> bool {
    let limits = &scene.thresholds.backscatter;
    let all = scene.port(PortProto::Udp, Side::Src, DNS).all.packets;
    let is_asked_late = |index: &&usize| {
        let answer = scene.sighting(**index);
        scene.is_heard_before(answer.destination(), answer.at)
    };
    // What was asked before the capture began, or in a gap of it, is answered in it.
    let late: Vec<usize> = answers.iter().filter(is_asked_late).copied().collect();
    scene.senders(&late).len() >= limits.servers
        && late.len() as f64 >= limits.unasked_share * all as f64
        && answers.iter().all(|index| scene.knows_all_asked(scene.sighting(*index).destination(), DNS))
}

/// Whether an echo reply comes to a host whose packets a capture shows, and which pings nobody: who pings everybody, or a router, is answered by others.
fn is_heard(scene: &Scene<'_>, reply: usize) -> bool {
    let host = scene.sighting(reply).destination();
    scene.hears_all(host) && !scene.from(host).iter().any(|index| is_ping(scene.sighting(*index)))
}

/// The echo replies of hosts that answer many pings, hardly two of which have an identifier or a number in common: who pings keeps the one, and counts the
/// other up from the beginning.
fn of_drawn_sessions(scene: &Scene<'_>, replies: &[usize]) -> HashSet<usize> {
    let mut of_host: BTreeMap<(IpAddr, IpAddr), Vec<usize>> = BTreeMap::new();
    for reply in replies {
        let sighting = scene.sighting(*reply);
        of_host.entry((sighting.source(), sighting.destination())).or_default().push(*reply);
    }
    let field = |reply: &usize, at: usize| scene.sighting(*reply).transport_bytes().get(at..at + 2);
    of_host.retain(|_, replies| {
        let differ =
            |at| replies.iter().map(|reply| field(reply, at)).collect::<BTreeSet<_>>().len() * 2 > replies.len();
        // Several who ping behind one address come slower, and go on counting, each for himself.
        let telling = scene.thresholds.flood.telling;
        let is_fast = |run: &[usize]| scene.is_faster(run, scene.thresholds.broadcast.flood_rate);
        let number = |reply: &usize| Some(u16::from_be_bytes(*field(reply, 6)?.first_chunk()?));
        let numbers: Vec<u16> = replies.iter().filter_map(number).collect();
        differ(4) && differ(6) && replies.windows(telling).any(is_fast) && !are_of_several(&numbers)
    });
    of_host.into_values().flatten().collect()
}

/// Whether numbers, in order of arrival, are those of several who count on: most are followed by one close behind, but seldom at once.
fn are_of_several(numbers: &[u16]) -> bool {
    /// By how much one counts on who pings other hosts as well.
    const STEPS: RangeInclusive<u16> = 1..=3;
    /// Of how many numbers, drawn by chance, hardly any has another so close behind it.
    const MANY: usize = 1 << 12;
    let all: HashSet<u16> = numbers.iter().copied().collect();
    let is_followed = |number: &&u16| STEPS.into_iter().any(|step| all.contains(&number.wrapping_add(step)));
    let followed = all.iter().filter(is_followed).count();
    let at_once = numbers.windows(2).filter(|pair| STEPS.contains(&pair[1].wrapping_sub(pair[0]))).count();
    followed * 2 >= all.len() && at_once * 2 <= all.len() && all.len() <= MANY
}

fn explain_replies(scene: &Scene<'_>, members: Vec<usize>) -> Recognition {
    let hosts = match scene.senders(&members).iter().collect::<Vec<_>>()[..] {
        [host] => host.to_string(),
        ref hosts => words::count(hosts.len() as u64, "host"),
    };
    let are_heard = members.iter().all(|reply| is_heard(scene, *reply));
    let why = match are_heard {
        true => "the capture shows what is sent here, and nobody pings",
        false => "hardly two of them are of the same session, as those of a program that pings are",
    };
    let case = Case::new(scene, "backscatter.icmp", members).with_ttls();
    let case = if are_heard { case } else { case.confidence(Confidence::Possible) };
    case.evidence(format!("Echo replies of {hosts}; {why}."))
        .fact("detail", format!("pings in your name are answered by {hosts}"))
        .close()
}

fn explain_dns(scene: &Scene<'_>, victim: &str, members: Vec<usize>) -> Recognition {
    Case::new(scene, "backscatter.dns", members)
        .with_ports()
        .evidence("Answers of a name server to questions that nobody here was seen asking.")
        .fact("detail", format!("{victim} is asked in your name"))
        .close()
}
