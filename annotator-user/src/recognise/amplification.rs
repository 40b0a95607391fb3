//! `amplifier.hunt` and `amplifier.answers`: requests to services that answer with far more than they are asked, and such answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use annotator_common::Transport;

use super::datagram_flood::{is_in_masses, says_nothing};
use super::half::Half;
use super::packets::{NTP, is_to_many, ntp_mode, says_dns_answer};
use super::{Case, Claims, DNS, FIRST_CLIENT_PORT, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, PortPackets, Recognition, Verdict};
use crate::observation::Sighting;
use crate::quantity::number;

/// Modes of NTP (RFC 5905 §7.3): questions about the server itself, as monitoring asks them too, and those of ntpd alone.
const NTP_CONTROL: u8 = 6;
const NTP_PRIVATE: u8 = 7;
/// The question type ANY (RFC 1035 §3.2.3) in class IN.
const ANY_IN: [u8; 4] = [0, 255, 0, 1];
/// Bytes at either end of a question by which it is compared with others.
const QUESTION_PART: usize = 16;
/// Length of the number with which a DNS question begins.
const NUMBER: usize = 2;
/// Length of a DNS header.
const DNS_HEADER: usize = 12;

/// Port of CLDAP (IANA).
const LDAP: u16 = 389;

/// What asks for devices by SSDP begins so (UPnP Device Architecture §1.3.2).
const SSDP: u16 = 1900;
const SSDP_SEARCH: &[u8] = b"M-SEARCH ";
/// WS-Discovery speaks XML, perhaps behind a mark of its byte order and white space.
const WS_DISCOVERY: u16 = 3702;
const XML_BEGINS_WITHIN: usize = 8;
/// Port of DNS without servers (RFC 6762 §3).
const MDNS: u16 = 5353;
/// What Ubiquiti's devices are asked begins with the version of the protocol.
const UBIQUITI: u16 = 10001;
const UBIQUITI_VERSIONS: [u8; 2] = [1, 2];
const UBIQUITI_MOST: usize = 32;
/// A command to memcached by UDP follows its number in a frame that is the first of one (memcached's protocol.txt); some tools leave the frame out.
const MEMCACHED: u16 = 11211;
const MEMCACHED_FRAME: [u8; 6] = [0, 0, 0, 1, 0, 0];
const MEMCACHED_COMMANDS: [&[u8]; 2] = [b"get", b"stats"];

/// Finds hunts, one for each source, and answers that nobody asked for, one for each target and port.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = hunts(scene, claims);
    found.extend(answers(scene, claims));
    found
}

fn hunts(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = Vec::new();
    for (source, indices) in scene.sources() {
        let limits = &scene.thresholds.amplification;
        let in_masses = scene.view(source).is_some_and(|view| is_in_masses(scene, view));
        let asks = |i: &usize| {
            let sighting = scene.sighting(*i);
            is_question(scene, sighting) && !(in_masses && says_nothing(scene, sighting))
        };
        let questions = claims.free(indices).filter(asks);
        let (everyday, mut members): (Vec<usize>, Vec<usize>) =
            questions.partition(|i| is_everyday(scene, scene.sighting(*i)));
        let in_haste = insistent(scene, source, &everyday, limits.insistent_rate);
        let enough = match members.iter().all(|i| has_clients(scene, scene.sighting(*i))) {
            true => !insistent(scene, source, &members, limits.insistent).is_empty(),
            false => {
                (scene.targets(&members).len() >= limits.requests || members.len() >= limits.repeats)
                    && !scene.asks_in_rounds(&members)
            }
        };
        if !enough {
            members.clear();
        }
        members.extend(in_haste);
        members.sort_unstable();
        if !members.is_empty() && !is_general(scene, indices, &members) {
            let targets = scene.targets(&members).len();
            found.push(hunt(scene, members, targets));
        }
    }
    found
}

/// Whether a source tries so many other ports that those of amplifiers are only among them: it scans.
fn is_general(scene: &Scene<'_>, indices: &[usize], requests: &[usize]) -> bool {
    let ports = |indices: &[usize]| -> BTreeSet<u16> {
        let datagrams = indices.iter().map(|i| scene.sighting(*i)).filter(|s| s.packet.transport == Transport::Udp);
        datagrams.map(|sighting| sighting.packet.destination_port).collect()
    };
    (ports(requests).len() as f64) < scene.thresholds.amplification.share * ports(indices).len() as f64
}

/// Whether a packet asks a service that may serve as an amplifier.
fn is_question(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let packet = &sighting.packet;
    if packet.transport != Transport::Udp
        || is_to_many(sighting)
        || !scene.is_inbound(sighting)
        || is_answer(scene, sighting)
    {
        return false;
    }
    match packet.destination_port {
        NTP => matches!(ntp_mode(sighting), Some(NTP_CONTROL | NTP_PRIVATE)) && !is_ntp_response(sighting),
        // Neighbours without a memory for names ask for the same ones all day.
        DNS => {
            let asks = sighting.payload().len() > DNS_HEADER && !says_nothing(scene, sighting);
            asks && !scene.is_from_around(sighting)
        }
        port => scene.thresholds.amplification.hunted_ports.contains(&port),
    }
}

/// Whether a message of NTP's other modes is a response (RFC 9327 §2; of ntpd's private mode, its ntp_request.h).
fn is_ntp_response(sighting: &Sighting) -> bool {
    const RESPONSE: u8 = 0x80;
    let at = usize::from(ntp_mode(sighting) == Some(NTP_CONTROL));
    sighting.payload().get(at).is_some_and(|byte| byte & RESPONSE != 0)
}

/// Whether a packet answers a client whose port happens to be that of an amplifier: it was seen asking first, or a server's port sends what asks for nothing.
fn is_answer(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let Some(half) = Half::of(sighting) else { return false };
    let asked_first = scene.spoke_first(half.destination, half.source) && scene.is_addressed(&half);
    let limits = &scene.thresholds;
    let is_from_amplifier =
        half.source_port != half.destination_port && limits.amplification.answer_ports.contains(&half.source_port);
    let is_from_service = limits.contact.answers(half.source_port) || is_from_amplifier;
    let is_client = half.destination_port >= FIRST_CLIENT_PORT;
    // Of what begins by chance like a question about a clock, each fourth does.
    let is_by_chance = half.destination_port == NTP && is_from_amplifier && !may_ask(sighting);
    (is_client && (asked_first || (is_from_service && !may_ask(sighting)))) || is_by_chance
}

/// Whether a message is a request by NTP's other modes: of control, as long as it says and with nothing but an operation in its second byte (RFC 9327 §2), or
/// private, of an implementation that ntpd knows (ntp_request.h).
fn is_ntp_request(payload: &[u8]) -> bool {
    match (payload.first().map(|first| first & 7), payload) {
        (Some(NTP_CONTROL), [_, operation, _, _, _, _, _, _, _, _, high, low, data @ ..]) => {
            operation & 0xe0 == 0 && usize::from(u16::from_be_bytes([*high, *low])) <= data.len()
        }
        (Some(NTP_PRIVATE), [_, _, implementation, ..]) => matches!(implementation, 0 | 2 | 3),
        _ => false,
    }
}

/// Whether a packet may be a request to the service at the port that it goes to.
fn may_ask(sighting: &Sighting) -> bool {
    let payload = sighting.payload();
    let holds = |part: &[u8]| payload.windows(part.len()).any(|window| window == part);
    let is_request = match sighting.packet.destination_port {
        NTP => is_ntp_request(payload),
        SSDP => payload.get(..SSDP_SEARCH.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(SSDP_SEARCH)),
        WS_DISCOVERY => is_xml(payload),
        UBIQUITI => {
            payload.len() <= UBIQUITI_MOST && payload.first().is_some_and(|version| UBIQUITI_VERSIONS.contains(version))
        }
        MEMCACHED => holds(&MEMCACHED_FRAME) || MEMCACHED_COMMANDS.iter().any(|command| holds(command)),
        _ => true,
    };
    is_request || sighting.is_cut()
}

/// Whether nothing but its haste would tell a question from those of clients: a neighbour asks, it is answered, or it asks a name server for little.
fn is_everyday(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let normal = &scene.thresholds.amplification.answered_is_normal;
    scene.is_from_around(sighting)
        || match sighting.packet.destination_port {
            DNS => !sighting.payload().windows(ANY_IN.len()).any(|window| window == ANY_IN),
            port if normal.contains(&port) => {
                Half::of(sighting).is_some_and(|half| scene.carried(&half.reverse()).datagram)
            }
            _ => false,
        }
}

/// Whether honest clients ask the same: one such question says nothing, nor do some.
fn has_clients(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let port = sighting.packet.destination_port;
    match port {
        DNS => true,
        NTP => ntp_mode(sighting) == Some(NTP_CONTROL),
        _ => scene.thresholds.amplification.answered_is_normal.contains(&port),
    }
}

/// The questions that come over and over, so many of them within the time as no client repeats.
fn insistent(scene: &Scene<'_>, source: IpAddr, members: &[usize], count: usize) -> Vec<usize> {
    let mut alike: HashMap<(IpAddr, Question<'_>), Vec<usize>> = HashMap::new();
    for index in members {
        let sighting = scene.sighting(*index);
        // Of what is cut nobody knows whether it is the same, unless it comes from the same port, where clients take a new one each time.
        if sighting.is_cut() && sighting.packet.destination_port != DNS {
            continue;
        }
        alike.entry((sighting.destination(), Question::of(sighting))).or_default().push(*index);
    }
    alike.retain(|_, asked| is_fast(scene, source, asked, count));
    alike.into_values().flatten().collect()
}

/// Whether questions came fast at some moments or, where more of the kind were counted than sampled, all the time.
fn is_fast(scene: &Scene<'_>, source: IpAddr, asked: &[usize], count: usize) -> bool {
    let limits = &scene.thresholds.amplification;
    let at = |index: usize| scene.sighting(index).at;
    let within = |run: &[usize]| at(run[run.len() - 1]).seconds_since(at(run[0])) <= limits.insistent_within;
    let sampled = PortPackets { udp: asked.len() as u64, ..PortPackets::default() };
    let all = sampled.udp + scene.unsampled_like(source, sampled).udp;
    let seconds = scene.view(source).map_or(f64::MAX, |view| view.last.seconds_since(view.first));
    let all_fast = all as f64 >= count as f64 * (seconds / limits.insistent_within).max(1.0);
    asked.windows(count).any(within) || (asked.len() >= limits.repeats && all_fast)
}

/// What makes a question: all of it in DNS, else its beginning, where a password would be, and its end, with what is asked; not the number that it bears,
/// which DNS has at the very beginning and SNMP in the middle.
#[derive(PartialEq, Eq, Hash)]
struct Question<'a> {
    port: u16,
    /// Of a question that is cut: from where it comes.
    from: Option<u16>,
    length: u32,
    head: &'a [u8],
    end: &'a [u8],
}

impl<'a> Question<'a> {
    fn of(sighting: &'a Sighting) -> Self {
        let payload = sighting.payload();
        let port = sighting.packet.destination_port;
        let head = if port == DNS { NUMBER..payload.len() } else { NUMBER..QUESTION_PART };
        Question {
            port,
            from: sighting.is_cut().then_some(sighting.packet.source_port),
            length: sighting.payload_length(),
            head: payload.get(head).unwrap_or(payload),
            end: &payload[payload.len().saturating_sub(QUESTION_PART)..],
        }
    }
}

fn hunt(scene: &Scene<'_>, members: Vec<usize>, targets: usize) -> Recognition {
    let listening = members.iter().filter_map(|i| {
        let sighting = scene.sighting(*i);
        scene.is_listening(PortProto::Udp, sighting.destination(), sighting.packet.destination_port)
    });
    let listening: Vec<bool> = listening.collect();
    let requests = members.iter().map(|i| scene.sighting(*i)).filter(|sighting| may_ask(sighting));
    let is_answered = requests.filter_map(Half::of).any(|half| scene.carried(&half.reverse()).datagram);
    let repeated = targets == 1;
    let case = Case::new(scene, "amplifier.hunt", members).with_ports().with_ttls();
    let case = match (listening.is_empty(), listening.contains(&true)) {
        (true, _) => {
            case.evidence("It matters only if the service listens here; that is not known from these packets.")
        }
        (_, true) => case.confidence(Confidence::Certain).evidence("The service listens here: it may be answering."),
        (_, false) if is_answered => case.evidence("They are answered, though nothing is known to listen here."),
        (_, false) => case
            .verdict(Verdict::Background)
            .evidence("Nothing listens at these ports here: the requests come to nothing."),
    };
    let case = if repeated {
        case.evidence("The same request came again and again: the source may be forged, and the victim of the answers.")
    } else {
        case
    };
    case.fact("detail", words::count(targets as u64, "target")).alone().close()
}

fn answers(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let limits = &scene.thresholds.amplification;
    let mut groups: BTreeMap<(IpAddr, u16), Vec<usize>> = BTreeMap::new();
    for (index, sighting) in scene.sightings() {
        let port = sighting.packet.source_port;
        if sighting.packet.transport == Transport::Udp
            && limits.answer_ports.contains(&port)
            && (sighting.packet.destination_port != port || (port == NTP && is_ntp_response(sighting)))
            && claims.is_free(index)
            && scene.is_inbound(sighting)
            && !is_to_many(sighting)
            && !scene.is_from_around(sighting)
            && !scene.is_asked_for(sighting)
        {
            groups.entry((sighting.destination(), port)).or_default().push(index);
        }
    }
    groups.into_iter().filter_map(|((victim, port), members)| answered(scene, victim, port, members)).collect()
}

fn answered(scene: &Scene<'_>, victim: IpAddr, port: u16, members: Vec<usize>) -> Option<Recognition> {
    let limits = &scene.thresholds.amplification;
    let sources = scene.senders(&members);
    let count = scene.port(PortProto::Udp, Side::Src, port).all;
    let mean = mean_bytes(scene, &members, port);
    let sent = sources.iter().filter_map(|source| scene.view(*source)).map(|view| view.udp).sum::<u64>();
    let rate = scene.rate_of(sent.min(count.packets), sources.iter().copied());
    // ntpd's own questions are asked by who looks after it, of one server or two.
    let is_private = |index: &&usize| ntp_mode(scene.sighting(**index)) == Some(NTP_PRIVATE);
    let private = port == NTP && members.iter().filter(is_private).count() * 2 > members.len();
    let everyday = limits.busy_ports.contains(&port);
    let busy = everyday && !private;
    let unasked = scene.knows_all_asked(victim, port);
    let beyond = is_beyond_asking(scene, port, mean, rate, sources.len()).then_some(rate);
    // Where several answer from ports of which no client asks strangers, or one in a flood, little is as strange as much.
    let is_found = port != SSDP && scene.thresholds.contact.discovery_ports.contains(&port);
    let are_several = !is_found && sources.len() >= limits.answer_sources;
    let found = || members.iter().filter(|index| may_be_found(scene.sighting(**index))).count() * 2 > members.len();
    let is_strange = limits.lone_ports.contains(&port) && (are_several || (beyond.is_some() && found()));
    let answer_bytes = if is_strange { 0 } else { limits.answer_bytes };
    let (needed, bytes) = match (busy, unasked) {
        (true, false) => (limits.busy_answers, limits.busy_bytes),
        (true, true) => (limits.answer_sources, limits.busy_bytes),
        (false, _) => (limits.answer_sources, answer_bytes),
    };
    // One will do, where what it sends is nothing that anybody would ask for.
    let is_lone = match everyday || port == LDAP {
        true => beyond.is_some(),
        false => limits.lone_ports.contains(&port) && rate >= scene.thresholds.flood.each,
    };
    let needed = if is_lone { 1 } else { needed };
    if members.len() < limits.answers || sources.len() < needed || mean < bytes {
        return None;
    }
    let servers = words::count(sources.len() as u64, "server");
    let case = Case::new(scene, "amplifier.answers", members.clone()).evidence(format!(
        "{victim} gets answers of {servers} from UDP port {port}, with {} a frame on average; that port sent {} and {} in all.",
        words::count(mean, "byte"),
        words::count(count.packets, "packet"),
        words::count(count.bytes, "byte")
    ));
    let case = if unasked {
        case.confidence(Confidence::Likely).evidence("What that host sends is known, and it asked for none of them.")
    } else {
        case.confidence(Confidence::Possible)
            .evidence(beyond_asking(scene, port, private, &members, (beyond, mean))?)
            .evidence("If that host did ask for them, the answers are its own.")
    };
    Some(case.fact("detail", format!("UDP port {port}")).close())
}

/// Whether a datagram may be what a service that is searched for says, as far as it was captured: a NAT gives its port to others as well.
fn may_be_found(sighting: &Sighting) -> bool {
    let payload = sighting.payload();
    match sighting.packet.source_port {
        _ if payload.len() < NUMBER + 1 => true,
        MDNS => says_dns_answer(payload),
        WS_DISCOVERY => is_xml(payload),
        _ => true,
    }
}

/// Whether something begins like XML.
fn is_xml(payload: &[u8]) -> bool {
    payload.iter().take(XML_BEGINS_WITHIN).any(|byte| *byte == b'<')
}

/// Why answers are not what a host here will have asked for, although what it sends is not known. Where they are too many, so many come a
/// second.
fn beyond_asking(
    scene: &Scene<'_>,
    port: u16,
    private: bool,
    members: &[usize],
    (beyond, mean): (Option<f64>, u64),
) -> Option<String> {
    let limits = &scene.thresholds.amplification;
    if private || !limits.asked_far.contains(&port) {
        return Some("No client asks strangers for this service.".into());
    }
    let mut servers_at: BTreeMap<u16, BTreeSet<IpAddr>> = BTreeMap::new();
    for sighting in members.iter().map(|i| scene.sighting(*i)) {
        servers_at.entry(sighting.packet.destination_port).or_default().insert(sighting.source());
    }
    let (asker, alike) =
        servers_at.into_iter().map(|(asker, servers)| (asker, servers.len())).max_by_key(|(_, n)| *n)?;
    if asker < limits.first_client_port && alike >= limits.answer_sources {
        return Some(format!("They go to port {asker}, from which no client asks."));
    }
    // Clients look for a directory near by, and it tells them little.
    let is_far = port == LDAP && mean >= limits.flood_dns_bytes;
    if (limits.busy_ports.contains(&port) || is_far) && alike >= limits.busy_answers {
        let servers = words::count(alike as u64, "server");
        return Some(format!("{servers} answer the same port {asker}: who asks takes a new one for each question."));
    }
    beyond.map(|rate| format!("About {} answers a second are more than anybody asks for.", number(rate.round() as u64)))
}

/// Whether the answers of some servers are too many, and too long for everyday ones.
fn is_beyond_asking(scene: &Scene<'_>, port: u16, mean: u64, rate: f64, servers: usize) -> bool {
    let limits = &scene.thresholds.amplification;
    let count = scene.port(PortProto::Udp, Side::Src, port).all;
    let long = port != DNS || mean >= limits.flood_dns_bytes;
    long && rate >= limits.flood_rate && count.packets as f64 >= limits.flood_per_source * servers as f64
}

/// How long the frames from a port are on average: the counters say it, unless a capture holds their beginnings alone.
fn mean_bytes(scene: &Scene<'_>, members: &[usize], port: u16) -> u64 {
    let count = scene.port(PortProto::Udp, Side::Src, port).all;
    let sampled = || members.iter().map(|index| scene.sighting(*index));
    if sampled().any(Sighting::is_cut) {
        sampled().map(|sighting| u64::from(sighting.sent_length())).sum::<u64>() / members.len() as u64
    } else {
        count.bytes / count.packets.max(1)
    }
}
