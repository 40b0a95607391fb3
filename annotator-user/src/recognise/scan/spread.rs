//! Scans of ports and of hosts by one source.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::source::distinct;

use super::addresses;
use super::kind::{self, Kind, is_by_system};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};
use crate::observation::{Sighting, SourceView};
use crate::recognise::addresses::{network, site};
use crate::recognise::clients::syns;
use crate::recognise::half::Half;
use crate::recognise::packets::is_of_resolver;
use crate::recognise::questions::CountedPorts;
use crate::recognise::scene::Outcome;
use crate::recognise::{Case, FIRST_CLIENT_PORT, Scene, words};

/// Where old mail programs hand in their mail, and where names of NetBIOS are asked for.
const SMTP: u16 = 25;
const NETBIOS_NAMES: u16 = 137;

/// Name servers that a zone has at the most: as many as the root, whose names fit into an answer of 512 bytes (RFC 1035 §2.3.4).
const NAME_SERVERS: usize = 13;

/// What one source tried with one kind of packet.
struct Probes {
    kind: Kind,
    members: Vec<usize>,
    ports_of_host: BTreeMap<IpAddr, BTreeSet<u16>>,
    hosts_at_port: BTreeMap<u16, BTreeSet<IpAddr>>,
}

/// What shape that has.
#[derive(Clone, Copy)]
struct Shape {
    vertical: bool,
    horizontal: bool,
    slow: bool,
}

/// Whether the SYNs among some sightings of a source are a scan of ports or hosts.
pub fn is_scan(scene: &Scene<'_>, source: IpAddr, indices: impl Iterator<Item = usize>) -> bool {
    let probes = Probes::new(scene, Kind::Syn, scene.attempts(source, indices));
    let shape = probes.shape(scene, None);
    shape.vertical || shape.horizontal
}

/// Finds the scans of a source, one for each kind of packet.
pub fn recognise(scene: &Scene<'_>, source: IpAddr, indices: &[usize]) -> Vec<Recognition> {
    let attempts: HashSet<usize> = scene.attempts(source, indices.iter().copied()).into_iter().collect();
    let uninvited = kind::uninvited(scene, indices);
    let mut by_kind: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    for index in indices {
        if let Some(kind) = Kind::of(scene, *index, &attempts, &uninvited) {
            by_kind.entry(kind).or_default().push(*index);
        }
    }
    let view = scene.view(source);
    let stealthy = by_kind.contains_key(&Kind::Fin) || by_kind.contains_key(&Kind::Maimon);
    let connects = scene.fruitless(source, indices) < scene.thresholds.scan.failed;
    let uses = connects && scene.connects(source) && scene.asks_where_data_came(source);
    let is_user = uses || (!stealthy && scene.ends_connections(source) && !scene.only_touches(source, indices));
    let kinds = by_kind.len();
    let probes = by_kind.into_iter().map(|(kind, members)| Probes::new(scene, kind, members));
    probes
        .map(|probes| (probes.shape(scene, view), probes))
        // Who asks one host for many ports that are closed is no client of it, whatever else it ends.
        .filter(|(shape, probes)| !is_client(scene, source, probes, *shape, is_user && (connects || !shape.vertical)))
        .filter_map(|(shape, probes)| {
            let whole = kinds == 1 && indices.len() == probes.members.len();
            shape.any().then(|| explain(scene, source, probes, shape, whole))
        })
        .collect()
}

/// Whether the source is a client whose connections mostly came about: it ends them, too. Or one that looks for the ports of its mail server, a neighbour
/// that looks again and again whether the same ports answer, one that ends connections of its own or old ones to services, one that sends on and on to a
/// few ports, or that asks in rounds.
fn is_client(scene: &Scene<'_>, source: IpAddr, probes: &Probes, shape: Shape, is_user: bool) -> bool {
    match (probes.kind, scene.view(source)) {
        (Kind::Syn, _) => is_user || finds_mail(scene, source, probes) || checks(scene, source, probes),
        (Kind::Maimon, view) => {
            takes_leave(scene, source, probes, shape) || view.is_some_and(|view| may_have_begun(scene, view, probes))
        }
        (Kind::Ack, _) => keeps_alive(scene, probes),
        (Kind::Udp, Some(view)) => sends_on(scene, view, probes) || scene.asks_in_rounds(&probes.members),
        _ => false,
    }
}

/// Whether ACKs keep connections with services all over the Internet alive, of which nothing else is known: each comes from a port of its own, at leisure, and
/// they are not refused. Who sweeps a network asks neighbours, and who scans a host asks it for more than a port or two.
fn keeps_alive(scene: &Scene<'_>, probes: &Probes) -> bool {
    const PORTS_OF_HOST: usize = 2;
    let mut hosts = probes.ports_of_host.keys();
    let sites: BTreeSet<IpAddr> = hosts.clone().map(|host| site(*host)).collect();
    probes.hosts() > 1
        && sites.len() * 2 > probes.hosts()
        && !hosts.any(|host| scene.is_near(*host))
        && probes.have_own_ports(scene)
        && scene.thresholds.contact.are_mostly_services(&probes.hosts_at_port.keys().copied().collect())
        && probes.ports_of_host.values().all(|ports| ports.len() <= PORTS_OF_HOST)
        && !scene.is_hasty(&probes.members)
        && !scene.are_refused(&probes.members)
}

/// Whether a source sends on and on to most ports to which it sends, as calls and games do: the ports' counters know how often something came. Where its
/// hosts are too many for the table's map, nobody knows how often to each.
fn sends_on(scene: &Scene<'_>, view: &SourceView, probes: &Probes) -> bool {
    let each = scene.thresholds.scan.udp_packets_per_port;
    let ports = probes.hosts_at_port.keys();
    let hosts = probes.hosts().max(distinct(view.destinations) as usize) as u64;
    let much = scene.thresholds.flood.stream.max(each * hosts);
    let is_busy = |port: u16| scene.port(PortProto::Udp, Side::Dst, port).all.packets > much;
    // Beside the port of each stream of a call is that on which its control comes, now and then (RFC 3550 §11).
    let is_of_stream = |port: &&u16| is_busy(**port) || (**port % 2 == 1 && is_busy(**port - 1));
    let busy = ports.clone().filter(is_of_stream);
    view.destinations != u64::MAX && view.udp > each * hosts.max(ports.len() as u64) && busy.count() * 2 > ports.len()
}

/// Whether a mail program looks for the ports of its server, or a server delivers: it tries no other ports, and goes on with some of the hosts.
fn finds_mail(scene: &Scene<'_>, source: IpAddr, probes: &Probes) -> bool {
    let mail = &scene.thresholds.unreachable.mail_ports;
    let is_mail = |port: u16| port == SMTP || mail.contains(&port);
    let is_used = |sighting: &&Sighting| {
        let there = Half::of(sighting).map(|half| scene.carried(&half)).unwrap_or_default();
        sighting.packet.is_syn() && is_mail(sighting.packet.destination_port) && there.running && !there.reset
    };
    let seen = scene.from(source).iter().map(|index| scene.sighting(*index));
    let used: BTreeSet<IpAddr> = seen.filter(is_used).map(Sighting::destination).collect();
    let vain = probes.ports_of_host.keys().filter(|host| !used.contains(host)).count();
    probes.hosts_at_port.keys().all(|port| is_mail(*port))
        && !used.is_empty()
        && used.len() * scene.thresholds.scan.mail_hosts >= used.len() + vain
}

/// Whether a neighbour looks again and again whether the same ports answer, which it learns each time, or may learn at the pace at which it comes.
fn checks(scene: &Scene<'_>, source: IpAddr, probes: &Probes) -> bool {
    let all = |test: fn(Outcome) -> bool| probes.members.iter().all(|index| test(scene.outcome(*index)));
    let learns = all(|outcome| matches!(outcome, Outcome::Answered | Outcome::Refused));
    all(|outcome| outcome != Outcome::Silent)
        && probes.seen(scene).all(|sighting| scene.is_from_around(sighting))
        && scene.watches(source, &probes.members, scene.thresholds.scan.rounds, learns)
}

/// Whether as many SYNs of the source, and at each port, went unsampled as FIN/ACKs were: those may be the beginnings of the connections that these end.
fn may_have_begun(scene: &Scene<'_>, view: &SourceView, probes: &Probes) -> bool {
    let sampled_to = |port| scene.questions[PortProto::Tcp as usize].sampled_to(port);
    let beyond = |port: &u16| syns(scene, *port).saturating_sub(sampled_to(*port));
    let mut ended: BTreeMap<u16, u64> = BTreeMap::new();
    probes.seen(scene).for_each(|end| *ended.entry(end.packet.destination_port).or_default() += 1);
    let there = ended.iter().map(|(port, ends)| beyond(port).min(*ends)).sum();
    view.syn.saturating_sub(scene.sampled(view.address).syn).min(there) >= probes.members.len() as u64
}

/// Whether FIN/ACKs end old connections: with clients here, whose connections go on, or that are written by a system, or that may be a server's, unless one port
/// of many is looked for; or to services here, where each comes from another port, as a system writes it, or goes where something listens.
fn takes_leave(scene: &Scene<'_>, source: IpAddr, probes: &Probes, shape: Shape) -> bool {
    let is_search = shape.horizontal && (is_hunted(scene, probes) || scene.are_refused(&probes.members));
    if !is_search && !probes.hosts_at_port.keys().any(|port| scene.is_foreign(*port)) {
        return scene.goes_on(source, &probes.members)
            || probes.seen(scene).all(is_by_system)
            || may_be_of_server(scene, probes);
    }
    let is_for_service = |sighting: &Sighting| {
        let (host, port) = sighting.target();
        scene.is_listening(PortProto::Tcp, host, port).unwrap_or_else(|| is_by_system(sighting))
    };
    probes.have_own_ports(scene)
        && probes.hosts_at_port.len() < scene.thresholds.scan.low_ports
        && probes.seen(scene).all(is_for_service)
}

/// Whether FIN/ACKs may end a server's connections, of which nothing else is known: with ports such as clients take themselves, at which nobody looks for
/// services, and which are no more than one or two programs of each client have open, or of which most are not refused and none is tried in haste: some clients
/// have been started anew. A server in the narrower sense may be in haste: it ends what a client's pool has open, if that is no larger than pools are.
fn may_be_of_server(scene: &Scene<'_>, probes: &Probes) -> bool {
    let limits = &scene.thresholds;
    let [first, last] = limits.backscatter.client_ports;
    let is_of_client = |port: &u16| (first..=last).contains(port);
    let are_few = |ports: &BTreeSet<u16>| ports.len() <= limits.late_fin.most_ports;
    let is_of_service = |end: &Sighting| limits.contact.is_service(end.packet.source_port);
    let pools = u64::from(limits.late_fin.pool) * probes.hosts() as u64;
    let is_pool = |source: IpAddr| scene.view(source).is_none_or(|view| pools >= view.fin);
    let are_of_pool = || probes.seen(scene).all(|end| is_of_service(end) && is_pool(end.source()));
    let is_hasty = || scene.is_hasty(&probes.members) && !are_of_pool();
    probes.hosts_at_port.keys().all(is_of_client)
        && !is_hunted(scene, probes)
        && (probes.ports_of_host.values().all(are_few) || !(scene.are_refused(&probes.members) || is_hasty()))
}

/// Whether somebody looks for services at one of the ports.
fn is_hunted(scene: &Scene<'_>, probes: &Probes) -> bool {
    probes.hosts_at_port.keys().any(|port| scene.thresholds.leftover.hunted_ports.contains(port))
}

impl Probes {
    fn new(scene: &Scene<'_>, kind: Kind, members: Vec<usize>) -> Self {
        let (mut ports_of_host, mut hosts_at_port) =
            (BTreeMap::<_, BTreeSet<_>>::new(), BTreeMap::<_, BTreeSet<_>>::new());
        for index in &members {
            let sighting = scene.sighting(*index);
            let (host, port) = sighting.target();
            ports_of_host.entry(host).or_default().insert(port);
            hosts_at_port.entry(port).or_default().insert(host);
        }
        Probes { kind, members, ports_of_host, hosts_at_port }
    }

    fn shape(&self, scene: &Scene<'_>, view: Option<&SourceView>) -> Shape {
        let limits = &scene.thresholds.scan;
        let needed = match self.kind {
            Kind::Syn | Kind::Udp => limits.ports,
            Kind::Fin => limits.fin,
            Kind::Null => limits.null,
            Kind::Xmas => limits.xmas,
            Kind::Maimon => limits.maimon,
            Kind::Ack => limits.ack,
        };
        let is_from_afar = self.kind == Kind::Syn && !self.seen(scene).any(|sighting| scene.is_from_around(sighting));
        let is_vertical = |ports: &BTreeSet<u16>| {
            let low = ports.range(..FIRST_CLIENT_PORT).count();
            let points = low * limits.low_port_points + (ports.len() - low);
            let is_mixed = is_from_afar && points >= limits.low_ports * limits.low_port_points;
            ports.len() >= needed || low >= limits.low_ports.min(needed) || is_mixed
        };
        let vertical = self.ports_of_host.values().any(is_vertical) || self.counted(scene) >= limits.ports;
        let is_horizontal = |hosts: &BTreeSet<IpAddr>| {
            hosts.len() >= limits.hosts || (hosts.len() >= limits.own_hosts && scene.are_all_of_ours(hosts))
        };
        let is_popular = |port: &u16| scene.askers(*port) >= limits.hosts;
        let mut ports = self.hosts_at_port.iter();
        let horizontal = ports
            .any(|(port, hosts)| is_horizontal(hosts) && !self.is_at_service(scene, *port, hosts, is_popular(port)));
        let [span, span_of_others] = limits.slow_span;
        let span = if vertical || horizontal { span_of_others } else { span };
        let is_client = self.asks_far(scene);
        Shape { vertical, horizontal: horizontal && !is_client, slow: !is_client && self.is_slow(scene, view, span) }
    }

    /// How many ports of one host SYNs went to, by the counters: of a scan that goes on, hardly any is news. As long as all that is sampled of the source is.
    fn counted(&self, scene: &Scene<'_>) -> usize {
        let limits = &scene.thresholds.scan;
        let source = || Some(scene.sighting(*self.members.first()?).source());
        let is_one = self.kind == Kind::Syn && self.hosts() == 1;
        let Some(view) = source().filter(|_| is_one).and_then(|source| scene.view(source)) else { return 0 };
        let syns = scene.sampled(view.address).syn as usize;
        let may_be = (view.syn as usize).min(distinct(view.ports) as usize) >= limits.ports;
        if syns > self.members.len() || !may_be {
            return 0;
        }
        match scene.counted_ports(view.address, PortProto::Tcp) {
            Some(CountedPorts::All(ports)) => ports.len(),
            Some(CountedPorts::AtLeast(ports)) => ports,
            None => 0,
        }
    }

    /// Whether datagrams go to a service here, whose answers need not be seen: something listens there or, where that is not known, it is popular, a
    /// neighbour asks for it, or a resolver does of as many servers as have a zone, and is not refused.
    fn is_at_service(&self, scene: &Scene<'_>, port: u16, hosts: &BTreeSet<IpAddr>, is_popular: bool) -> bool {
        if self.kind != Kind::Udp {
            return false;
        }
        let listening = hosts.iter().filter_map(|host| scene.is_listening(PortProto::Udp, *host, port));
        let mut asked = self.seen(scene).filter(|sighting| sighting.packet.destination_port == port);
        listening.max().unwrap_or_else(|| {
            let is_near = asked.clone().any(|sighting| scene.is_from_around(sighting));
            let is_of_zone = hosts.len() <= NAME_SERVERS && asked.clone().all(is_of_resolver);
            (is_near || is_popular || is_of_zone) && !asked.any(|sighting| scene.is_refused(sighting))
        })
    }

    /// Whether datagrams go to servers all over the Internet, none of which is known to be ours, most of them also at a port where clients ask far and wide; or
    /// to peers there, most of which answer.
    fn asks_far(&self, scene: &Scene<'_>) -> bool {
        let limits = &scene.thresholds.scan;
        let hosts = || self.ports_of_host.keys();
        let networks: BTreeSet<IpAddr> = hosts().map(|host| network(*host)).collect();
        let is_server = |ports: &&BTreeSet<u16>| ports.iter().any(|port| limits.asked_far.contains(port));
        self.kind == Kind::Udp
            && self.hosts() >= limits.hosts
            && networks.len() * 2 >= self.hosts()
            && (self.ports_of_host.values().filter(is_server).count() * 2 > self.hosts() || self.is_by_peer(scene))
            && !hosts().any(|host| scene.is_near(*host))
    }

    /// Whether datagrams come from one port, from which the source sends to many hosts, most of which answer there, and to changing ports, or none of a service
    /// that is looked for.
    fn is_by_peer(&self, scene: &Scene<'_>) -> bool {
        let Some(first) = self.seen(scene).next() else { return false };
        let (limits, own_port) = (scene.thresholds, first.packet.source_port);
        let sent = scene.from(first.source()).iter().map(|index| scene.sighting(*index)).filter_map(Half::of);
        let (mut answers, mut ports) = (BTreeMap::<IpAddr, bool>::new(), BTreeSet::new());
        for half in sent.filter(|half| half.transport == Transport::Udp && half.source_port == own_port) {
            *answers.entry(half.destination).or_default() |= scene.carried(&half.reverse()).datagram;
            ports.insert(half.destination_port);
        }
        self.seen(scene).all(|sighting| sighting.packet.source_port == own_port)
            && (ports.len() >= limits.scan.ports
                || !self.hosts_at_port.keys().any(|port| limits.contact.is_service(*port)))
            && answers.values().filter(|answers| **answers).count() * 2 > answers.len()
    }

    /// Whether it takes its time, so many seconds at least: by the sightings, or by the table where that remembers more. Its pace is that within the
    /// window, and a pace is slow at which the window does not see many ports.
    fn is_slow(&self, scene: &Scene<'_>, view: Option<&SourceView>, least: f64) -> bool {
        let limits = &scene.thresholds.scan;
        let mut tried = self.hosts_at_port.clone();
        tried.retain(|port, hosts| !self.is_at_service(scene, *port, hosts, false));
        let seen: usize = tried.values().map(BTreeSet::len).sum();
        let at = |index: Option<&usize>| index.map_or(Default::default(), |i| scene.sighting(*i).at);
        let mut span: f64 = at(self.members.last()).seconds_since(at(self.members.first()));
        let mut packets = self.members.len() as u64;
        if let Some(view) = view {
            span = span.max(view.last.seconds_since(view.first));
            packets = packets.max(view.packets);
        }
        // The maps of the table are of all that the source sent: they tell of probes where it sent little else, and uses no service here.
        let is_of_probes =
            |view: &&SourceView| tried.len() == self.hosts_at_port.len() && sent(self.kind, view) * 2 > view.packets;
        let known = view.filter(is_of_probes).map_or(0, |view| distinct(view.ports).max(distinct(view.destinations)));
        let known = known as usize;
        let window = scene.window();
        let gap = limits.slow_gap.min(window / limits.ports as f64);
        seen.max(known) >= limits.slow_events && span >= least && span.min(window) / packets as f64 >= gap
    }

    /// Whether each conversation comes from a port of its own, as a system takes them.
    fn have_own_ports(&self, scene: &Scene<'_>) -> bool {
        let halves: HashSet<Half> = self.seen(scene).filter_map(Half::of).collect();
        let ports: HashSet<u16> = halves.iter().map(|half| half.source_port).collect();
        ports.len() == halves.len()
    }

    fn seen<'s>(&self, scene: &Scene<'s>) -> impl Iterator<Item = &'s Sighting> + Clone {
        self.members.iter().map(|index| scene.sighting(*index))
    }

    fn hosts(&self) -> usize {
        self.ports_of_host.len()
    }
}

impl Shape {
    fn any(self) -> bool {
        self.vertical || self.horizontal || self.slow
    }

    /// Ids of the shapes, the most telling first.
    fn ids(self) -> impl Iterator<Item = &'static str> {
        let shapes = [(self.slow, "scan.slow"), (self.horizontal, "scan.horizontal"), (self.vertical, "scan.vertical")];
        shapes.into_iter().filter(|(is, _)| *is).map(|(_, id)| id)
    }
}

/// Explains probes, which are the whole of what was sampled of the source, or a part.
fn explain(scene: &Scene<'_>, source: IpAddr, probes: Probes, shape: Shape, whole: bool) -> Recognition {
    let kind_id = match probes.kind {
        Kind::Syn if is_by_connect(scene, &probes.members) => "scan.connect",
        kind => kind.id(),
    };
    // Plain SYNs are told by their shape, and so are datagrams to one port of many hosts; other packets are told by what they are.
    let mut ids: Vec<&str> = shape.ids().collect();
    match probes.kind {
        Kind::Syn => ids.push(kind_id),
        Kind::Udp if shape.horizontal && !shape.vertical => ids.push(kind_id),
        _ => ids.insert(0, kind_id),
    }
    let (hosts, members) = (addresses(scene, source, probes.hosts()), probes.members.clone());
    let hangs_up = probes.kind == Kind::Syn && scene.hangs_up(source, &members);
    let case = Case::new(scene, ids[0], members).with_ports();
    let mut case = if hangs_up { case } else { case.in_vain() };
    for id in &ids[1..] {
        case = case.also(id);
    }
    if probes.kind == Kind::Udp && shape.horizontal && is_for_amplifiers(scene, &probes) {
        case = case.also("amplifier.hunt");
    }
    if let Some(view) = scene.view(source).filter(|view| shape.slow && view.first < scene.observations.from) {
        case = case.evidence(longer(view));
    }
    if probes.hosts() > 1 {
        case = case.evidence(format!("It tried {hosts}."));
    }
    if let Some(order) = order(&case.ports()) {
        case = case.evidence(order);
    }
    let sampled = case.ports().len();
    let known = scene.view(source).map_or(0, |view| distinct(view.ports) as usize);
    let counted = counted_proto(probes.kind).and_then(|proto| scene.counted_ports(source, proto));
    let (ports, case) = match counted {
        Some(CountedPorts::All(counted)) if counted.len() > sampled => {
            let ports = words::count(counted.len() as u64, "port");
            let list = words::port_ranges(&counted);
            let sentence =
                format!("The ports above are those of sampled packets; by the counters it tried {ports}: {list}.");
            (ports, case.evidence(sentence))
        }
        Some(CountedPorts::AtLeast(counted)) if counted > sampled && counted > known => {
            let ports = format!("at least {}", words::count(counted as u64, "port"));
            let sentence = format!(
                "The ports above are those of sampled packets; by the counters it tried {ports}, since others cannot have sent all that was not sampled."
            );
            (ports, case.evidence(sentence))
        }
        Some(CountedPorts::All(_)) => (words::count(sampled as u64, "port"), case),
        _ => {
            let ports = port_count(sampled, scene.view(source), probes.kind, whole);
            let estimated = ports.contains("about") || ports.contains("more");
            let sentence = format!(
                "The ports listed are those of sampled packets, so there were at least these; by the source table it tried {ports}."
            );
            let case = if estimated { case.evidence(sentence) } else { case };
            (ports, case)
        }
    };
    let detail = format!("{ports} of {hosts}");
    let case = case.with_ttls().evidence(doubt(scene, source, &probes, hangs_up)).fact("detail", detail);
    // What a UDP scanner sends to a port is what its service would answer to.
    let case = if probes.kind == Kind::Udp { case.subsuming() } else { case };
    let is_of_names = |sighting: &Sighting| {
        (sighting.packet.source_port, sighting.packet.destination_port) == (NETBIOS_NAMES, NETBIOS_NAMES)
    };
    let case = match probes.kind == Kind::Udp && probes.seen(scene).all(is_of_names) {
        true => case.confidence(Confidence::Possible).evidence(
            "From port 137 to port 137 Windows also asks for the names behind addresses that it reads in a log: each three times, 1.5 s apart.",
        ),
        false => case,
    };
    case.close()
}

/// Whether all ports that datagrams go to are those of amplifiers.
fn is_for_amplifiers(scene: &Scene<'_>, probes: &Probes) -> bool {
    let limits = &scene.thresholds.amplification;
    probes.hosts_at_port.keys().all(|port| limits.hunted_ports.contains(port) || limits.answer_ports.contains(port))
}

/// What the table remembers of a source that came before what this looks at.
fn longer(view: &SourceView) -> String {
    let (time, ports) = (words::seconds(view.last.seconds_since(view.first)), distinct(view.ports));
    let ports = match view.ports {
        u64::MAX => format!("more than {} ports", ports / 50 * 50),
        _ => format!("about {}", words::count(ports.into(), "port")),
    };
    format!("It has come for {time}, longer than this looks back; by the source table it tried {ports} in that time.")
}

/// Which counters know the ports of a kind by themselves.
fn counted_proto(kind: Kind) -> Option<PortProto> {
    match kind {
        Kind::Syn => Some(PortProto::Tcp),
        Kind::Udp => Some(PortProto::Udp),
        _ => None,
    }
}

/// How many ports, by the sightings or by the table's map of 64 bits, which knows no more than "many" when it is full. It may hold ports of
/// other packets of the source, and is inexact by a fifth.
fn port_count(seen: usize, view: Option<&SourceView>, kind: Kind, whole: bool) -> String {
    let Some(view) = view else { return words::count(seen as u64, "port") };
    let known = distinct(view.ports) as usize;
    let estimate = known.min(sent(kind, view) as usize);
    let least = if whole { seen } else { seen + seen / 4 };
    match estimate > least {
        true if view.ports == u64::MAX && estimate == known => format!("more than {} ports", estimate / 50 * 50),
        true => format!("about {}", words::count(estimate as u64, "port")),
        false => words::count(seen as u64, "port"),
    }
}

/// How many packets of a kind the table counts of a source, at most.
fn sent(kind: Kind, view: &SourceView) -> u64 {
    match kind {
        Kind::Syn => view.syn,
        Kind::Udp => view.udp,
        _ => view.others(),
    }
}

/// Whether SYNs were made by the system's `connect`: they have its options, or it goes on where a port answers, which who writes SYNs himself does not.
fn is_by_connect(scene: &Scene<'_>, members: &[usize]) -> bool {
    let of_system = members.iter().filter(|index| is_by_system(scene.sighting(**index))).count();
    let halves = members.iter().filter_map(|index| Half::of(scene.sighting(*index)));
    let goes_on = |half: &Half| scene.carried(half).running;
    let (answered, used) = halves
        .filter(|half| goes_on(half) || scene.carried(&half.reverse()).syn_ack)
        .fold((0, 0), |(answered, used), half| (answered + 1, used + usize::from(goes_on(&half))));
    of_system * 2 > members.len() || (used > 0 && used * 2 > answered)
}

fn order(ports: &[u16]) -> Option<String> {
    let pairs = ports.windows(2).count();
    let up = ports.windows(2).filter(|pair| pair[1] > pair[0]).count();
    let down = pairs - up;
    let next = ports.windows(2).filter(|pair| pair[1].wrapping_sub(pair[0]) == 1).count();
    match pairs {
        0..=3 => None,
        _ if next * 5 >= pairs * 4 => Some("The ports were tried one after the other.".into()),
        _ if up * 5 >= pairs * 4 => Some("The ports were tried in rising order.".into()),
        _ if down * 5 >= pairs * 4 => Some("The ports were tried in falling order.".into()),
        _ => Some("The ports were tried in no apparent order.".into()),
    }
}

fn doubt(scene: &Scene<'_>, source: IpAddr, probes: &Probes, hangs_up: bool) -> Cow<'static, str> {
    let answered = |index: &&usize| scene.outcome(**index) == Outcome::Answered;
    let port = |index: &usize| scene.sighting(*index).packet.destination_port;
    let open: BTreeSet<u16> = probes.members.iter().filter(answered).map(port).collect();
    let text = match probes.kind {
        Kind::Syn if !open.is_empty() => {
            let open = words::port_ranges(&open);
            let client = match hangs_up {
                true => "It hung up at once, where a client would have used what is open",
                false if scene.only_touches(source, &probes.members) => {
                    "It said nothing to them, where a client would have used what is open"
                }
                false => "A client would hardly ask for as many that are not open",
            };
            return format!("Open among the sampled: {open}. {client}.").into();
        }
        Kind::Syn => "No connection came of these attempts, as far as was seen; one that did would be a client's.",
        Kind::Fin | Kind::Maimon => {
            "From a server's port to client ports, the same packets would be late ends of connections."
        }
        Kind::Null | Kind::Xmas => "No system sends such packets by itself.",
        Kind::Ack => "ACKs of connections that are older than the window look like this, but go to one port.",
        Kind::Udp => "None of these was seen to be an answer.",
    };
    text.into()
}
