//! `tool.*`: which program sent it, by what it writes into the headers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::packet::tcp::{ACK, FIN, PSH, SYN, URG};
use annotator_common::{Family, Transport};

use super::addresses::is_private;
use super::half::Half;
use super::packets::{is_ping, is_unrouted};
use super::{Case, Claims, Scene};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

/// Tools with a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tool {
    Mirai,
    /// On a device of ours.
    MiraiHere,
    Zmap,
    ZmapNew,
    Masscan,
    Nmap,
    NmapOs,
    NmapDiscovery,
}

/// Options of a SYN as newer ZMap copies them from Linux: MSS, SACK permitted, timestamps, no operation, window scale.
const LINUX_ORDER: [u8; 5] = [2, 4, 8, 1, 3];
/// What nmap's probes T2 to T7 carry behind their window scale: no operation, a segment size of 265, timestamps, and SACK permitted (FPEngine.cc).
const NMAP_OPTIONS: [u8; 17] = [1, 2, 4, 1, 9, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 4, 2];
/// What Mirai's packets have in common.
const MIRAI_MARK: &str = "The sequence number of each SYN is the address that it was sent to.";
/// TTL from which on a packet is taken to have started at 255.
const FROM_255: u8 = 129;

/// Finds tools, one finding for each.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let (mut by_tool, mut single) = (BTreeMap::<Tool, Vec<usize>>::new(), BTreeMap::<Tool, Vec<usize>>::new());
    let mut questions = 0;
    for (source, indices) in scene.sources() {
        // What arrives with an address of ours was not sent by us.
        if scene.observations.live && scene.is_ours(source) {
            continue;
        }
        let mut marked: BTreeMap<Tool, Vec<usize>> = BTreeMap::new();
        for index in indices {
            let sighting = scene.sighting(*index);
            questions += usize::from(is_question(sighting));
            for tool in marks(scene, sighting) {
                marked.entry(tool).or_default().push(*index);
            }
        }
        marked.insert(Tool::NmapDiscovery, discoveries(scene, claims, indices));
        for (tool, members) in marked {
            let of = if is_enough(scene, tool, &members) { &mut by_tool } else { &mut single };
            of.entry(tool).or_default().extend(members);
        }
    }
    for (tool, members) in single {
        let all: Vec<usize> = by_tool.get(&tool).into_iter().flatten().chain(&members).copied().collect();
        if counts_together(scene, tool, &all, questions) {
            by_tool.entry(tool).or_default().extend(members);
        }
    }
    by_tool.into_iter().map(|(tool, members)| explain(scene, tool, members)).collect()
}

/// How many packets differ by more than their source: who forges decoys writes each packet once for all of them, and one that bears a mark by chance
/// bears it in every name.
fn distinct(scene: &Scene<'_>, indices: &[usize]) -> usize {
    let written = indices
        .iter()
        .map(|index| scene.sighting(*index))
        .map(|sighting| (sighting.target(), sighting.packet.source_port, sighting.tcp_sequence()));
    written.collect::<BTreeSet<_>>().len()
}

/// Whether a mark that several sources show once each is more than chance.
fn counts_together(scene: &Scene<'_>, tool: Tool, together: &[usize], questions: usize) -> bool {
    let limits = &scene.thresholds.tools;
    let by_chance = questions as f64 / 65_536.0;
    let is_beyond = |marks: usize| marks as f64 >= limits.beyond_chance * by_chance;
    let enough = match tool {
        // A test of 32 bits hardly ever matches by chance.
        Tool::Mirai | Tool::MiraiHere => true,
        Tool::Zmap => is_beyond(together.len()),
        Tool::Masscan => {
            let distinct = distinct(scene, together);
            distinct >= limits.marks && is_beyond(distinct)
        }
        _ => false,
    };
    enough && together.len() >= limits.marks
}

fn is_question(sighting: &Sighting) -> bool {
    sighting.packet.is_syn() || sighting.packet.transport == Transport::Udp || is_ping(sighting)
}

fn marks(scene: &Scene<'_>, sighting: &Sighting) -> Vec<Tool> {
    let packet = &sighting.packet;
    let is_v4 = packet.family == Family::V4;
    let syn = packet.is_syn();
    let source = sighting.source();
    let is_mirai = is_v4 && syn && is_mirai(scene, sighting);
    if is_mirai && (scene.is_near(source) || is_private(source)) {
        return vec![Tool::MiraiHere];
    }
    if packet.family == Family::None || !scene.is_inbound(sighting) {
        return Vec::new();
    }
    let question = is_question(sighting);
    let tests = [
        (Tool::Mirai, is_mirai),
        (Tool::Zmap, is_v4 && question && packet.identification == scene.thresholds.tools.zmap_id),
        (Tool::ZmapNew, is_v4 && syn && is_new_zmap(scene, sighting)),
        (Tool::Masscan, is_v4 && syn && is_masscan(scene, sighting)),
        // nmap writes its TCP headers alike over IPv4 and IPv6.
        (Tool::Nmap, syn && is_nmap(scene, sighting)),
        (Tool::NmapOs, os_probe(scene, sighting).is_some()),
    ];
    tests.into_iter().filter(|(_, matches)| *matches).map(|(tool, _)| tool).collect()
}

/// What nmap asks to learn whether a host from afar is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Knock {
    Ping,
    Https,
    Http,
    Timestamp,
}

fn knock(sighting: &Sighting) -> Option<Knock> {
    let packet = &sighting.packet;
    match packet.transport {
        Transport::Icmp if packet.icmp_type == 8 => Some(Knock::Ping),
        Transport::Icmp if packet.icmp_type == 13 => Some(Knock::Timestamp),
        Transport::Tcp if packet.is_syn() && packet.destination_port == 443 => Some(Knock::Https),
        Transport::Tcp if packet.tcp_flags == ACK && packet.destination_port == 80 => Some(Knock::Http),
        _ => None,
    }
}

/// What a source asks hosts in a moment that is nmap's discovery: nobody else asks for the time and for an echo, and knocks at the web server.
fn discoveries(scene: &Scene<'_>, claims: &Claims, indices: &[usize]) -> Vec<usize> {
    let mut asked: BTreeMap<IpAddr, BTreeMap<Knock, usize>> = BTreeMap::new();
    for index in claims.free(indices) {
        let sighting = scene.sighting(index);
        if let Some(knock) = knock(sighting).filter(|_| scene.is_inbound(sighting)) {
            asked.entry(sighting.destination()).or_default().entry(knock).or_insert(index);
        }
    }
    asked.retain(|_, knocks| {
        let times = || knocks.values().map(|index| scene.sighting(*index).at);
        let seconds = times().max().zip(times().min()).map_or(0.0, |(last, first)| last.seconds_since(first));
        let is_asked = |knock| knocks.contains_key(&knock);
        is_asked(Knock::Ping)
            && is_asked(Knock::Timestamp)
            && (is_asked(Knock::Https) || is_asked(Knock::Http))
            && seconds <= scene.thresholds.tools.nmap_discovery
    });
    asked.into_values().flat_map(BTreeMap::into_values).collect()
}

/// The addresses that a scanner may have aimed at: the destination, and behind address translation the public ones.
fn targets<'s>(scene: &'s Scene<'_>, sighting: &Sighting) -> impl Iterator<Item = u32> + use<'s> {
    let v4 = |address: IpAddr| match address {
        IpAddr::V4(v4) => Some(u32::from(v4)),
        IpAddr::V6(_) => None,
    };
    let ours = scene.observations.locality.addresses.iter().filter_map(move |address| v4(*address));
    v4(sighting.destination()).into_iter().chain(ours)
}

/// Whether the sequence number is the address that a SYN goes to, or may have been sent to.
pub fn is_mirai(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let sequence = sighting.tcp_sequence();
    targets(scene, sighting).any(|target| sequence == Some(target))
}

fn is_masscan(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    // Its packets may be fragmented, those of systems may not.
    let Some(sequence) = sighting.tcp_sequence().filter(|_| !sighting.dont_fragment()) else { return false };
    let port = u32::from(sighting.packet.destination_port);
    let id = sighting.packet.identification;
    targets(scene, sighting).any(|target| (target ^ port ^ sequence) as u16 == id)
}

fn is_new_zmap(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let limits = &scene.thresholds.tools;
    sighting.tcp_window() == Some(65_535)
        && !sighting.dont_fragment()
        && sighting.packet.ttl <= 64
        && (limits.zmap_source_first..=limits.zmap_source_last).contains(&sighting.packet.source_port)
        && option_kinds(sighting) == LINUX_ORDER
}

fn is_nmap(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let limits = &scene.thresholds.tools;
    sighting.tcp_window().is_some_and(|window| limits.nmap_windows.contains(&window))
        && !sighting.dont_fragment()
        && sighting.packet.ttl <= limits.nmap_highest_ttl
        && (option_kinds(sighting) == [2] || (sighting.is_bare_syn() && !is_masscan(scene, sighting)))
}

/// Which probe of nmap's OS detection a packet is: by its flags and window or, where it is no TCP, by the flow label that all of them have over IPv6.
fn os_probe(scene: &Scene<'_>, sighting: &Sighting) -> Option<(Transport, u8, u16)> {
    let packet = &sighting.packet;
    match packet.transport {
        Transport::Tcp => os_probe_by_tcp(sighting).map(|(flags, window)| (Transport::Tcp, flags, window)),
        Transport::Udp | Transport::Icmpv6 => (sighting.flow_label() == Some(scene.thresholds.tools.nmap_flow_label))
            .then_some((packet.transport, packet.icmp_type, packet.icmp_code.into())),
        _ => None,
    }
}

fn os_probe_by_tcp(sighting: &Sighting) -> Option<(u8, u16)> {
    let window = sighting.tcp_window()?;
    let flags = sighting.packet.tcp_flags & 0x3f;
    let crafted = !sighting.tcp_options().is_empty();
    let is_probe = match (flags, window) {
        (SYN, 1 | 3 | 4 | 16 | 63 | 512) => true,
        (0, 128) => true,
        (SYN, 31337) => true,
        (ACK, 1024 | 32768) => crafted,
        (f, 256) => f == FIN | SYN | URG | PSH,
        (f, 65_535) => f == FIN | PSH | URG,
        _ => false,
    };
    is_probe.then_some((flags, window))
}

/// Whether the options are those of nmap's probes T2 to T7, but for the window scale.
fn has_nmap_options(sighting: &Sighting) -> bool {
    matches!(sighting.tcp_options(), [3, 3, _, rest @ ..] if rest == NMAP_OPTIONS)
}

fn option_kinds(sighting: &Sighting) -> Vec<u8> {
    sighting.tcp_option_list().filter_map(|(kind, contents)| contents.map(|_| kind)).collect()
}

fn is_enough(scene: &Scene<'_>, tool: Tool, members: &[usize]) -> bool {
    let limits = &scene.thresholds.tools;
    let seen = || members.iter().map(|i| scene.sighting(*i));
    let targets = || scene.targets(members).len();
    match tool {
        Tool::Mirai | Tool::MiraiHere | Tool::Zmap | Tool::Masscan => members.len() >= limits.marks,
        Tool::ZmapNew => targets() >= limits.zmap_new_marks,
        Tool::NmapDiscovery => !members.is_empty(),
        Tool::Nmap => targets() >= limits.nmap_marks,
        Tool::NmapOs => {
            // Options that nobody else writes say as much as another probe: of a source that scans before, only the oddest packets are sampled.
            let probes = seen().filter_map(|sighting| Some((os_probe(scene, sighting)?, has_nmap_options(sighting))));
            let marks =
                probes.flat_map(|(probe, has_options)| [Some((probe, false)), has_options.then_some((probe, true))]);
            marks.flatten().collect::<BTreeSet<_>>().len() >= limits.os_detection_marks
        }
    }
}

fn explain(scene: &Scene<'_>, tool: Tool, members: Vec<usize>) -> Recognition {
    let (id, mark) = match tool {
        Tool::Mirai => ("tool.mirai", MIRAI_MARK),
        Tool::MiraiHere => ("tool.mirai.from-here", MIRAI_MARK),
        Tool::Zmap => ("tool.zmap", "The IP identification is 54321 in each packet."),
        Tool::ZmapNew => (
            "tool.zmap-4.1",
            "Window 65535 without the don't-fragment bit, with options in the order of Linux, which itself sets that bit.",
        ),
        Tool::Masscan => {
            ("tool.masscan", "The IP identification is made of destination address, port and sequence number.")
        }
        Tool::Nmap => (
            "tool.nmap",
            "Few fixed windows, a segment size as the only option if any, no don't-fragment bit, and a TTL below 60.",
        ),
        Tool::NmapOs => ("tool.nmap-os-detection", "Combinations of flags and windows that only these probes have."),
        Tool::NmapDiscovery => (
            "tool.nmap-discovery",
            "A ping, a request for the time, and knocks at the web server come in the same moment.",
        ),
    };
    let detail = version(scene, tool, &members);
    let is_bare = members.iter().any(|index| scene.sighting(*index).is_bare_syn());
    let is_here = members.iter().any(|index| is_from_here(scene, scene.sighting(*index)));
    let case = Case::new(scene, id, members)
        .evidence(mark)
        .evidence(format!("This applies to {detail}."))
        .with_ports()
        .with_ttls();
    let case = match tool {
        Tool::Nmap if is_bare => case
            .confidence(Confidence::Possible)
            .evidence("nmap itself tells a segment size; something on the way may have taken it off, or another tool writes so."),
        Tool::ZmapNew => case.confidence(Confidence::Possible),
        Tool::MiraiHere if !is_here => case.confidence(Confidence::Possible).evidence(
            "Routers took something of the TTL, and the address was not seen to answer: it may be forged, and the packets from elsewhere.",
        ),
        _ => case,
    };
    let case = case.fact("detail", detail);
    match tool {
        // Mirai is what it wants, and odd packets that ask for the system mean nothing else; the other tools are only the means.
        Tool::Mirai | Tool::MiraiHere => case.close(),
        Tool::NmapOs | Tool::NmapDiscovery => case.alone().close(),
        _ => case.close_open(),
    }
}

/// Whether a packet comes from a host here, and not only from its address: this machine sent it, no router passed it on, or the host goes on where it
/// is answered.
fn is_from_here(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    is_unrouted(sighting)
        || (scene.is_ours(sighting.source()) && !scene.observations.live)
        || Half::of(sighting).is_some_and(|half| scene.came_about(&half))
}

fn version(scene: &Scene<'_>, tool: Tool, members: &[usize]) -> String {
    match tool {
        Tool::Mirai | Tool::MiraiHere => "Mirai and its descendants, since 2016".into(),
        Tool::Zmap => "ZMap before 4.1.0 (2024), and tools that copied its mark".into(),
        Tool::ZmapNew => "ZMap from 4.1.0 (2024) on; the evidence is weak".into(),
        Tool::Masscan => masscan_version(scene, members).into(),
        Tool::Nmap => "nmap's SYN scan, all versions of the last twenty years".into(),
        Tool::NmapDiscovery => "nmap's host discovery, as it is for hosts far away unless it is told otherwise".into(),
        Tool::NmapOs => {
            "nmap's second generation of OS detection, since 4.20 (2006), over IPv6 since 6.00 (2012)".into()
        }
    }
}

fn masscan_version(scene: &Scene<'_>, members: &[usize]) -> &'static str {
    let all = |test: fn(&Sighting) -> bool| members.iter().all(|i| test(scene.sighting(*i)));
    if all(|s| s.packet.ttl >= FROM_255 && s.tcp_window() == Some(1024) && s.tcp_options().is_empty()) {
        "masscan up to 1.3.2"
    } else if all(|s| s.tcp_window() == Some(1025) && option_kinds(s) == [2]) {
        "masscan since late 2023"
    } else {
        "masscan, with changed settings"
    }
}
