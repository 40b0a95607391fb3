//! The kind of a probe: which packet is sent to learn whether a port is open.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::packet::tcp::{ACK, FIN, PSH, RST, SYN, URG};

use crate::counters::{PortProto, Side};
use crate::observation::Sighting;
use crate::payload::sip_branch;
use crate::recognise::FIRST_CLIENT_PORT;
use crate::recognise::half::Half;
use crate::recognise::packets::{STUN_COOKIE, STUN_COOKIE_AT, answers_dns, is_between_peers, is_to_many};
use crate::recognise::scene::Scene;

/// TCP option kinds (IANA): what systems send and raw senders leave out.
const WINDOW_SCALE: u8 = 3;
const TIMESTAMPS: u8 = 8;

/// Where files are asked for by TFTP (RFC 1350 §4).
const TFTP: u16 = 69;
/// How data and acknowledgements of a transfer begin, and how long they are at least (RFC 1350 §5).
const TFTP_DATA: [u8; 2] = [0, 3];
const TFTP_ACK: [u8; 2] = [0, 4];
const TFTP_HEADER: usize = 4;

/// The length of the header of a STUN message (RFC 8489 §5); its attributes are padded to four bytes (§14).
const STUN_HEADER: u32 = 20;

/// How the answer to a search for devices begins (UPnP, SSDP), and where an RPC message says what it is, how it says that it is a reply (RFC 5531 §9),
/// and how long that is at least.
const SSDP_ANSWER: &[u8] = b"HTTP/1.1 200";
const RPC_KIND: usize = 4;
const RPC_REPLY: [u8; 4] = [0, 0, 0, 1];
const RPC_HEADER: u32 = 24;

/// How SIP requests begin that set up a call, and that acknowledge its answer (RFC 3261 §7.1).
const CALL: &[u8] = b"INVITE ";
const ACKNOWLEDGES: &[u8] = b"ACK ";

/// Kind of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SYN, be it made by hand or by the system's `connect`.
    Syn,
    /// FIN alone.
    Fin,
    /// No flag at all.
    Null,
    /// FIN, PSH and URG.
    Xmas,
    /// FIN and ACK out of any connection.
    Maimon,
    /// ACK out of any connection.
    Ack,
    /// A UDP datagram.
    Udp,
}

impl Kind {
    /// Id of the knowledge entry of the kind.
    pub const fn id(self) -> &'static str {
        match self {
            Kind::Syn => "scan.syn",
            Kind::Fin => "scan.fin",
            Kind::Null => "scan.null",
            Kind::Xmas => "scan.xmas",
            Kind::Maimon => "scan.maimon",
            Kind::Ack => "scan.ack",
            Kind::Udp => "scan.udp",
        }
    }

    /// The kind of a probe without SYN, by its flags.
    pub const fn of_flags(flags: u8) -> Option<Self> {
        const XMAS: u8 = FIN | PSH | URG;
        const MAIMON: u8 = FIN | ACK;
        match flags & (FIN | SYN | RST | PSH | ACK | URG) {
            0 => Some(Kind::Null),
            XMAS => Some(Kind::Xmas),
            FIN => Some(Kind::Fin),
            MAIMON => Some(Kind::Maimon),
            ACK => Some(Kind::Ack),
            _ => None,
        }
    }

    /// What a sighting is a probe of, if it may be one. SYNs are where they are among the attempts of their source, and packets from a server's port
    /// to a client's where they are among those that were not invited.
    pub fn of(scene: &Scene<'_>, index: usize, attempts: &HashSet<usize>, uninvited: &HashSet<usize>) -> Option<Kind> {
        let sighting = scene.sighting(index);
        if !scene.is_inbound(sighting) || is_to_many(sighting) {
            return None;
        }
        let half = Half::of(sighting)?;
        let packet = &sighting.packet;
        if packet.transport == Transport::Udp {
            // A transfer goes on from another port than that at which it was asked for (RFC 1350 §4).
            let request = Half { destination_port: TFTP, ..half.reverse() };
            let asked = scene.carried(&half.reverse()).datagram
                || scene.carried(&request).datagram
                || is_of_transfer(scene, sighting)
                || is_used(scene, sighting)
                || is_of_call(scene, sighting);
            return (!asked && uninvited.contains(&index)).then_some(Kind::Udp);
        }
        if packet.tcp_flags & SYN != 0 {
            return attempts.contains(&index).then_some(Kind::Syn);
        }
        let kind = Kind::of_flags(packet.tcp_flags)?;
        match kind {
            Kind::Null | Kind::Xmas => return Some(kind),
            Kind::Ack if sighting.payload_length() > 0 || is_running_unseen(scene, half) => return None,
            _ => {}
        }
        let to_service = scene.thresholds.contact.is_service(half.destination_port);
        let invited = is_server_to_client(scene, half) && !scene.only_ends(half.source) && !uninvited.contains(&index);
        (scene.is_out_of_connection(&half) && (kind == Kind::Fin || to_service || !invited)).then_some(kind)
    }
}

/// Whether an ACK is one of a connection from before the capture: its sender gets data at a port that clients take, which is not sampled, of a host of which
/// everything else is.
fn is_running_unseen(scene: &Scene<'_>, half: Half) -> bool {
    half.source_port >= FIRST_CLIENT_PORT
        && !scene.thresholds.contact.is_service(half.source_port)
        && scene.hears_all(half.destination)
        && !scene.carried(&half.reverse()).reset
        && scene.unseen_at(half.source_port) > 0
}

/// What a row of packets looks like, that one port of a source sends to one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    /// Acknowledgements.
    Acks,
    /// Datagrams that each are an answer by their ports or by what they say.
    Answers,
    /// Other datagrams.
    Datagrams,
}

/// What a source sends although nobody asked for it: datagrams, unless they look like answers, and rows of what looks like answers, but such as no
/// server sends, or that are refused.
pub fn uninvited(scene: &Scene<'_>, indices: &[usize]) -> HashSet<usize> {
    let (mut hosts, mut sent) = (HashMap::<u16, HashSet<IpAddr>>::new(), HashMap::<u16, usize>::new());
    let mut said: HashMap<u16, HashSet<&[u8]>> = HashMap::new();
    // Who was sent something between two ports, and who of them something that only a peer sends.
    let mut between: HashMap<(u16, u16), [HashSet<IpAddr>; 2]> = HashMap::new();
    let sightings = || indices.iter().map(|index| scene.sighting(*index));
    // What acknowledges that a call is refused bears the branch of the call, what takes it up has another (RFC 3261 §17.1.1.3 and §13.2.2.4).
    let calls = sightings().map(Sighting::payload).filter(|payload| payload.starts_with(CALL));
    let calls: HashSet<&[u8]> = calls.filter_map(sip_branch).collect();
    let is_of_refusal = |payload: &[u8]| {
        payload.starts_with(ACKNOWLEDGES) && sip_branch(payload).is_some_and(|branch| calls.contains(branch))
    };
    for sighting in sightings() {
        let Some(half) = Half::of(sighting).filter(|half| half.transport == Transport::Udp) else { continue };
        hosts.entry(half.destination_port).or_default().insert(half.destination);
        *sent.entry(half.destination_port).or_default() += 1;
        said.entry(half.destination_port).or_default().insert(sighting.payload());
        let [peers, all] = between.entry((half.source_port, half.destination_port)).or_default();
        all.insert(half.destination);
        if is_between_peers(sighting) && !is_of_refusal(sighting.payload()) {
            peers.insert(half.destination);
        }
    }
    // Tools take the port of what they look for as their own: from service to service, to one host after the other. So do peers of tunnels and games, whose
    // programs answer by UDP alone; but these go on.
    let is_searched = |half: Half| {
        let (limits, port, asked) = (&scene.thresholds, half.destination_port, hosts[&half.destination_port].len());
        if limits.contact.is_service(port) || half.source_port != port {
            return limits.contact.answers(port) && asked >= limits.scan.own_hosts;
        }
        // A search says the same again.
        let says_more = said[&port].len() > asked && sent[&port] as f64 >= limits.scan.peer_repeats * asked as f64;
        let goes_on = says_more || sent[&port] >= 2 * asked;
        !goes_on && limits.contact.answers(port) && asked >= limits.scan.distributed_targets
    };
    let is_of_peer = |half: Half| {
        let [peers, all] = &between[&(half.source_port, half.destination_port)];
        peers.contains(&half.destination) || peers.len() * scene.thresholds.scan.peer_hosts >= all.len()
    };
    let mut rows: BTreeMap<(IpAddr, u16, Row), Vec<usize>> = BTreeMap::new();
    for index in indices {
        let sighting = scene.sighting(*index);
        let Some(half) = Half::of(sighting) else { continue };
        let is_udp = half.transport == Transport::Udp;
        let is_bare_ack = sighting.packet.tcp_flags & (FIN | SYN | RST | PSH | ACK | URG) == ACK
            && sighting.payload_length() == 0
            && scene.is_out_of_connection(&half);
        let row = match is_udp {
            true if (is_server_to_client(scene, half) || answers_dns(sighting)) && !is_searched(half) => Row::Answers,
            true if is_neighbours_answer(scene, sighting) || is_of_peer(half) => Row::Answers,
            true => Row::Datagrams,
            false if is_bare_ack => Row::Acks,
            false => continue,
        };
        if scene.is_inbound(sighting) {
            rows.entry((half.destination, half.source_port, row)).or_default().push(*index);
        }
    }
    rows.retain(|(_, _, kind), row| match kind {
        Row::Datagrams => !is_of_answers(scene, row),
        _ if ports(scene, row).len() < scene.thresholds.scan.ports => false,
        Row::Answers => {
            is_blank(scene, row) || ((asks_nobody(scene, row) || is_refused(scene, row)) && !is_dns_answer(scene, row))
        }
        Row::Acks if is_refused(scene, row) => scene.is_hasty(row) || scene.is_mostly_foreign(row),
        Row::Acks => {
            scene.is_hasty(row) && scene.is_mostly_foreign(row) && !scene.goes_on(scene.sighting(row[0]).source(), row)
        }
    });
    rows.into_values().flatten().collect()
}

fn ports(scene: &Scene<'_>, row: &[usize]) -> BTreeSet<u16> {
    row.iter().map(|index| scene.sighting(*index).packet.destination_port).collect()
}

/// Whether most datagrams carry nothing: no server answers so.
fn is_blank(scene: &Scene<'_>, row: &[usize]) -> bool {
    row.iter().filter(|index| scene.sighting(**index).payload_length() == 0).count() * 2 > row.len()
}

/// Whether datagrams go to a host that sends none, by a capture that shows all that it sends.
fn asks_nobody(scene: &Scene<'_>, row: &[usize]) -> bool {
    let host = scene.sighting(row[0]).destination();
    scene.hears_all(host) && scene.view(host).is_some_and(|view| view.udp == 0)
}

/// Whether most packets are refused, of a source that was not seen to be asked at that port.
fn is_refused(scene: &Scene<'_>, row: &[usize]) -> bool {
    let asked = |index: &usize| {
        let sighting = scene.sighting(*index);
        scene.is_searched_for(sighting) || Half::of(sighting).is_some_and(|half| scene.is_addressed(&half))
    };
    scene.are_refused(row) && !row.iter().any(asked)
}

/// Whether datagrams are what a service that is asked now and then sends back, each time to another port that a client took: at its pace, and with
/// something in them. Where it is known who was asked, that decides.
fn is_of_answers(scene: &Scene<'_>, row: &[usize]) -> bool {
    let first = scene.sighting(row[0]);
    let Some(view) = scene.view(first.source()) else { return false };
    let pace = scene.thresholds.late_fin.slow_rate * view.last.seconds_since(view.first);
    let ports = ports(scene, row);
    ports.len() > 1
        && !ports.iter().any(|port| scene.is_foreign(*port))
        && view.udp as f64 <= 1.0 + pace
        && !scene.knows_all_asked(first.destination(), first.packet.source_port)
        && !is_blank(scene, row)
        && !is_refused(scene, row)
}

/// Whether a neighbour answers who searched the network, or called a procedure of his.
fn is_neighbours_answer(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let (from, to) = (sighting.packet.source_port, sighting.packet.destination_port);
    let is_discovery = scene.thresholds.contact.discovery_ports.contains(&from);
    let is_answer = sighting.may_hold(0, SSDP_ANSWER);
    let is_of_search = scene.is_searched_for(sighting)
        || (is_discovery && (!scene.is_foreign(to) || (is_answer && to >= FIRST_CLIENT_PORT)))
        || (is_answer && !scene.is_foreign(to));
    let is_of_call = sighting.may_hold(RPC_KIND, &RPC_REPLY) && sighting.payload_length() >= RPC_HEADER;
    (is_of_search || is_of_call) && scene.is_from_around(sighting)
}

/// Whether most datagrams are answers by DNS, which others may have asked for in our name.
fn is_dns_answer(scene: &Scene<'_>, row: &[usize]) -> bool {
    row.iter().filter(|index| answers_dns(scene.sighting(**index))).count() * 2 > row.len()
}

/// Whether a datagram is part of a transfer by TFTP, for which both sides take ports of clients. Where it is known who was asked, that decides.
fn is_of_transfer(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let (packet, payload) = (&sighting.packet, sighting.payload());
    let is_between_clients = packet.source_port >= FIRST_CLIENT_PORT && packet.destination_port >= FIRST_CLIENT_PORT;
    let is_data = payload.len() >= TFTP_HEADER && payload.starts_with(&TFTP_DATA);
    let is_acknowledgement = payload.len() == TFTP_HEADER && payload.starts_with(&TFTP_ACK);
    is_between_clients && (is_data || is_acknowledgement) && !scene.hears_all(sighting.destination())
}

/// Whether as much left the port that a datagram goes to as came there, of a host of which not everything was sampled.
fn is_used(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let (host, port) = sighting.target();
    let count = |side| scene.port(PortProto::Udp, side, port).all.packets;
    scene.hears(host) && !scene.saw_all_of(host) && count(Side::Src) >= count(Side::Dst)
}

/// Whether a datagram is one of those by which browsers find a way to each other (ICE, RFC 8445): a STUN message (RFC 8489 §5) to a client's port, which
/// comes again. Where the answers are known, they decide.
fn is_of_call(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let (host, port) = sighting.target();
    let length = sighting.payload_length();
    let is_whole = match sighting.payload() {
        [0..=0x3f, _, high, low, ..] => length == STUN_HEADER + u32::from(u16::from_be_bytes([*high, *low])),
        payload => payload.is_empty() && length.is_multiple_of(4),
    };
    let is_stun = is_whole && length >= STUN_HEADER && sighting.may_hold(STUN_COOKIE_AT, &STUN_COOKIE);
    is_stun
        && !scene.is_foreign(port)
        && !scene.hears_all(host)
        && !scene.is_refused(sighting)
        && scene.port(PortProto::Udp, Side::Dst, port).all.packets > 1
}

/// Whether ports are those of a server that sends to its client.
fn is_server_to_client(scene: &Scene<'_>, half: Half) -> bool {
    let contact = &scene.thresholds.contact;
    let is_server = match half.transport {
        Transport::Udp => contact.answers(half.source_port),
        _ => contact.is_service(half.source_port),
    };
    is_server && half.destination_port >= FIRST_CLIENT_PORT
}

/// Whether a SYN was made by an operating system's `connect`: those carry window scaling or timestamps.
pub fn is_by_system(sighting: &Sighting) -> bool {
    sighting.tcp_option_list().any(|(kind, _)| matches!(kind, WINDOW_SCALE | TIMESTAMPS))
}
