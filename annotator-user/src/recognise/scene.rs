//! [`Observations`], indexed once so that every recogniser can ask who talked to whom, who answered, and who never did.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use annotator_common::packet::{protocol, tcp};
use annotator_common::record::is_tracked;
use annotator_common::{Family, Packet, Transport};

use super::addresses::{is_group, is_of_link, site};
use super::clients::BEHIND_SYN;
use super::contacts::Contacts;
use super::ftp_data::CONTROL;
use super::half::{Carried, Half};
use super::packets::{is_echo_reply, is_local, is_syn_ack, is_to_many};
use super::questions::Questions;
use super::quote::Quote;
use super::{FIRST_CLIENT_PORT, Thresholds};
use crate::counters::{PortCount, PortProto, Side};
use crate::finding::PortPackets;
use crate::observation::{Moment, Observations, Sighting, SourceView};

/// What became of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The port is open: a client, as far as this goes.
    Answered,
    /// The port is known to be closed.
    Refused,
    /// The capture shows what the target sends, and it sent no answer.
    Silent,
    /// Answers cannot be seen from here.
    Unknown,
}

/// Observations and their indices.
pub struct Scene<'a> {
    /// What was observed.
    pub observations: &'a Observations<'a>,
    /// Where lines are drawn.
    pub thresholds: &'a Thresholds,
    /// With whom the hosts here talk, and at which services.
    pub contacts: Contacts,
    by_source: BTreeMap<IpAddr, Vec<usize>>,
    heard: HashSet<IpAddr>,
    sampled: HashMap<IpAddr, PortPackets>,
    tracked: HashMap<IpAddr, u64>,
    views: HashMap<IpAddr, &'a SourceView>,
    halves: HashMap<Half, Carried>,
    open: HashSet<(IpAddr, u16)>,
    closed: HashSet<(IpAddr, u16)>,
    complained: HashSet<(IpAddr, IpAddr, u16)>,
    sent: HashMap<(IpAddr, IpAddr), Moment>,
    spoken: HashSet<(IpAddr, IpAddr)>,
    addressed: HashSet<(IpAddr, IpAddr, u16)>,
    askers: HashMap<u16, HashSet<IpAddr>>,
    asked_all: HashSet<(IpAddr, u16)>,
    asked_from: HashSet<(IpAddr, u16)>,
    tcp_ports: HashSet<u16>,
    tcp_seen_at: HashMap<u16, u64>,
    first_client: u16,
    outcomes: Vec<Outcome>,
    clients: HashSet<IpAddr>,
    /// How many ICMP errors quote packets to each TCP port.
    quoted: HashMap<u16, u64>,
    /// The SYNs to each TCP port, and from whom to whom they go, if that is one and the same.
    opened: HashMap<u16, (Option<(IpAddr, IpAddr)>, u64)>,
    wanted: HashSet<(IpAddr, u16)>,
    /// Clients and servers of FTP whose control connections are used.
    commanded: HashSet<(IpAddr, IpAddr)>,
    quotes: Vec<(usize, Quote)>,
    /// SYNs and datagrams by where they go.
    pub(super) questions: [Questions; 2],
    ours: BTreeSet<IpAddr>,
    /// Which part of the FINs is of sources that do more than end connections.
    pub(super) used_ends: f64,
}

impl<'a> Scene<'a> {
    /// Indexes the observations.
    pub fn new(observations: &'a Observations<'a>, thresholds: &'a Thresholds) -> Self {
        let mut scene = Scene {
            observations,
            thresholds,
            contacts: Contacts::default(),
            by_source: BTreeMap::new(),
            heard: HashSet::new(),
            sampled: HashMap::new(),
            tracked: HashMap::new(),
            views: observations.sources.iter().map(|view| (view.address, view)).collect(),
            halves: HashMap::new(),
            open: HashSet::new(),
            closed: HashSet::new(),
            complained: HashSet::new(),
            sent: HashMap::new(),
            spoken: HashSet::new(),
            addressed: HashSet::new(),
            askers: HashMap::new(),
            asked_all: HashSet::new(),
            asked_from: HashSet::new(),
            tcp_ports: HashSet::new(),
            tcp_seen_at: HashMap::new(),
            first_client: thresholds.backscatter.client_ports[0],
            outcomes: Vec::new(),
            clients: HashSet::new(),
            quoted: HashMap::new(),
            opened: HashMap::new(),
            wanted: HashSet::new(),
            commanded: HashSet::new(),
            quotes: Vec::new(),
            questions: Default::default(),
            ours: observations.locality.addresses.iter().copied().collect(),
            used_ends: used_ends(observations.sources),
        };
        if let Some(outbound) = observations.outbound {
            scene.contacts.remember(outbound, &thresholds.contact);
            for contact in outbound {
                let first = scene.sent.entry((contact.local, contact.remote)).or_insert(contact.first);
                *first = contact.first.min(*first);
            }
            scene.spoken.extend(outbound.iter().map(|contact| (contact.local, contact.remote)));
            scene.addressed.extend(outbound.iter().map(|contact| (contact.local, contact.remote, contact.port)));
            let to_all =
                outbound.iter().filter(|contact| contact.protocol == protocol::UDP && is_group(contact.remote));
            scene.asked_all.extend(to_all.map(|contact| (contact.local, contact.port)));
        }
        for (index, sighting) in observations.sightings.iter().enumerate() {
            if sighting.packet.family != Family::None {
                scene.add(index, sighting);
            }
        }
        scene.learn_contacts();
        scene.first_client = scene.first_client();
        scene.questions = [PortProto::Tcp, PortProto::Udp].map(|proto| Questions::of(&scene, proto));
        scene.clients = scene.by_source.keys().copied().filter(|source| scene.uses_connections(*source)).collect();
        scene.wanted = scene.find_wanted();
        scene.commanded = scene.find_commanded();
        scene.outcomes = observations.sightings.iter().map(|sighting| scene.find_outcome(sighting)).collect();
        scene
    }

    fn add(&mut self, index: usize, sighting: &Sighting) {
        self.by_source.entry(sighting.source()).or_default().push(index);
        if !is_to_many(sighting) {
            self.heard.insert(sighting.source());
        }
        self.sampled.entry(sighting.source()).or_default().note(sighting);
        if is_tracked(&sighting.packet) {
            *self.tracked.entry(sighting.source()).or_default() += 1;
        }
        if let Some(half) = Half::of(sighting) {
            if half.transport == Transport::Udp {
                self.askers.entry(half.destination_port).or_default().insert(half.source);
            } else {
                self.tcp_ports.extend([half.source_port, half.destination_port]);
                *self.tcp_seen_at.entry(half.destination_port).or_default() += 1;
            }
            if sighting.packet.is_syn() {
                let ends = Some((half.source, half.destination));
                let (between, syns) = self.opened.entry(half.destination_port).or_insert((ends, 0));
                *between = between.filter(|_| *between == ends);
                *syns += 1;
            }
            let carried = self.halves.entry(half).or_default();
            carried.note(sighting);
            let listener = (half.source, half.source_port);
            if is_syn_ack(sighting) {
                self.open.insert(listener);
            } else if sighting.packet.tcp_flags & tcp::RST != 0 {
                self.closed.insert(listener);
            }
            if half.transport == Transport::Udp && is_to_many(sighting) {
                self.asked_all.insert((half.source, half.destination_port));
                self.asked_from.insert((half.source, half.source_port));
            }
        }
        if let Some(quote) = Quote::of(sighting) {
            let kind = (sighting.packet.family, sighting.packet.icmp_type, sighting.packet.icmp_code);
            if matches!(kind, (Family::V4, 3, 3) | (Family::V6, 1, 4)) {
                self.complained.insert((quote.source, quote.destination, quote.destination_port));
            }
            if quote.protocol == protocol::TCP {
                *self.quoted.entry(quote.destination_port).or_default() += 1;
            }
            self.quotes.push((index, quote));
        } else if sighting.packet.tcp_flags & tcp::RST == 0 {
            let (host, port) = sighting.target();
            self.sent.entry((sighting.source(), host)).or_insert(sighting.at);
            if !is_echo_reply(sighting) {
                self.spoken.insert((sighting.source(), host));
            }
            self.addressed.insert((sighting.source(), host, port));
        }
    }

    /// Learns who talks with which server, when it is known what came of each packet.
    fn learn_contacts(&mut self) {
        let mut contacts = std::mem::take(&mut self.contacts);
        for sighting in self.observations.sightings {
            if let Some(half) = Half::of(sighting)
                && (sighting.packet.is_syn() || self.may_be_answer(&half))
            {
                contacts.note(sighting, half, &self.thresholds.contact);
            }
        }
        self.contacts = contacts;
    }

    /// Whether who gets packets of a conversation may have begun it: it was seen to take part or, where all is known of what it sends, may have done so
    /// among what was only counted. Who did nothing but refuse has not.
    fn may_be_answer(&self, half: &Half) -> bool {
        let back = self.carried(&half.reverse());
        if back.syn || back.running || self.is_addressed(half) {
            return true;
        }
        let egress_is_known = self.observations.outbound.is_some() && self.is_ours(half.destination);
        !back.reset && !egress_is_known && (!self.hears_all(half.destination) || self.unseen_at(half.source_port) > 0)
    }

    /// How many TCP packets to a port were counted and not sampled.
    pub fn unseen_at(&self, port: u16) -> u64 {
        let seen = self.tcp_seen_at.get(&port).copied().unwrap_or_default();
        self.port(PortProto::Tcp, Side::Dst, port).all.packets.saturating_sub(seen)
    }

    /// Whether the packets to a TCP port about which somebody complains may be among those that were counted and not sampled.
    pub fn may_be_unseen(&self, quote: &Quote) -> bool {
        let complaints = self.quoted.get(&quote.destination_port).copied().unwrap_or_default();
        quote.protocol == protocol::TCP && self.unseen_at(quote.destination_port) >= complaints
    }

    /// Whether a capture held packets of a host some seconds before a moment, and not only long before it: it may have begun later, or be one of several.
    pub fn is_heard_before(&self, host: IpAddr, at: Moment) -> bool {
        let limits = &self.thresholds.unreachable;
        let ago = |index: &usize| at.seconds_since(self.sighting(*index).at);
        let sent = self.from(host);
        let before = &sent[..sent.partition_point(|index| ago(index) >= limits.answered_within)];
        before.last().is_some_and(|index| ago(index) <= limits.pauses_for)
    }

    /// A sighting.
    pub fn sighting(&self, index: usize) -> &'a Sighting {
        &self.observations.sightings[index]
    }

    /// All sightings with their indices.
    pub fn sightings(&self) -> impl Iterator<Item = (usize, &'a Sighting)> + use<'a> {
        self.observations.sightings.iter().enumerate()
    }

    /// Every source seen, with its sightings in order of time.
    pub fn sources(&self) -> impl Iterator<Item = (IpAddr, &[usize])> {
        self.by_source.iter().map(|(address, indices)| (*address, indices.as_slice()))
    }

    /// The hosts and ports to which some sightings go.
    pub fn targets(&self, indices: &[usize]) -> BTreeSet<(IpAddr, u16)> {
        indices.iter().map(|index| self.sighting(*index).target()).collect()
    }

    /// Who sent some sightings.
    pub fn senders(&self, indices: &[usize]) -> BTreeSet<IpAddr> {
        indices.iter().map(|index| self.sighting(*index).source()).collect()
    }

    /// How far back this looks, in seconds.
    pub fn window(&self) -> f64 {
        self.observations.to.seconds_since(self.observations.from)
    }

    /// The sightings of one source.
    pub fn from(&self, source: IpAddr) -> &[usize] {
        self.by_source.get(&source).map_or(&[], Vec::as_slice)
    }

    /// How many packets of a source were sampled.
    pub fn sampled(&self, source: IpAddr) -> PortPackets {
        self.sampled.get(&source).copied().unwrap_or_default()
    }

    /// The ICMP errors seen, with what they quote.
    pub fn quotes(&self) -> &[(usize, Quote)] {
        &self.quotes
    }

    /// The row of a source in the source table.
    pub fn view(&self, source: IpAddr) -> Option<&'a SourceView> {
        self.views.get(&source).copied()
    }

    /// Whether everything that a source sent, as far as the table counts it, is among the sightings.
    pub fn saw_all_of(&self, source: IpAddr) -> bool {
        self.view(source).is_some_and(|view| self.unsampled(view) == 0)
    }

    /// How many sources sent datagrams to a port.
    pub fn askers(&self, port: u16) -> usize {
        self.askers.get(&port).map_or(0, HashSet::len)
    }

    /// Whether an address is one of ours, as far as that was said.
    pub fn is_ours(&self, address: IpAddr) -> bool {
        self.ours.contains(&address)
    }

    /// Whether some addresses are all that we have of their family.
    pub fn are_all_of_ours(&self, addresses: &BTreeSet<IpAddr>) -> bool {
        let is_v4 = addresses.iter().all(IpAddr::is_ipv4);
        let mut ours = self.ours.iter().filter(|ours| ours.is_ipv4() == is_v4 && !is_of_link(**ours)).peekable();
        ours.peek().is_some() && ours.all(|address| addresses.contains(address))
    }

    /// Whether an address is ours or lies in a prefix of ours.
    pub fn is_near(&self, address: IpAddr) -> bool {
        self.observations.locality.is_near(address)
    }

    /// Why a connection that was known by its answers alone is not certain to have been opened from here.
    pub fn unopened(&self) -> &'static str {
        match (self.observations.live, self.observations.outbound) {
            (false, _) => "Who opened that connection is not in the capture.",
            (true, None) => {
                "Who opened that connection was not seen: `annotator run --egress` remembers what this host opens."
            }
            (true, Some(_)) => {
                "It was not seen to be opened from here: it is older than this run, or the answers are forged."
            }
        }
    }

    /// Whether a packet comes to us: on an interface all do; in a capture those that are not ours, and go to an address of ours
    /// where one of their family is known.
    pub fn is_inbound(&self, sighting: &Sighting) -> bool {
        if self.observations.live || !self.observations.locality.knows_ours_like(sighting.destination()) {
            return true;
        }
        !self.is_ours(sighting.source()) && (self.is_near(sighting.destination()) || is_to_many(sighting))
    }

    /// What was seen in one direction of a conversation.
    pub fn carried(&self, half: &Half) -> Carried {
        self.halves.get(half).copied().unwrap_or_default()
    }

    /// Whether either direction of a conversation was seen to answer the other: a handshake to its end, or datagrams both ways.
    pub fn came_about(&self, half: &Half) -> bool {
        let [there, back] = [half, &half.reverse()].map(|half| self.carried(half));
        let opened = |client: Carried, server: Carried| client.running && server.syn_ack;
        opened(there, back) || opened(back, there) || (there.datagram && back.datagram)
    }

    /// Whether a TCP packet belongs to no connection that was seen.
    pub fn is_out_of_connection(&self, half: &Half) -> bool {
        let (there, back) = (self.carried(half), self.carried(&half.reverse()));
        !there.syn && !there.syn_ack && !back.syn && !back.syn_ack && !back.running
    }

    /// Whether conversations with a TCP port are known by their count alone: data of running connections is not sampled.
    pub fn is_used_unseen(&self, port: u16) -> bool {
        let asked = !self.observations.live && self.port(PortProto::Tcp, Side::Dst, port).all.packets > 0;
        let answered = self.port(PortProto::Tcp, Side::Src, port).all.packets > 0;
        (asked || answered) && !self.tcp_ports.contains(&port)
    }

    /// Whether more came to the ports to which a source sends, and to most of them, than what it is known to have sent besides data: its conversations go on.
    pub fn goes_on(&self, source: IpAddr, sent: &[usize]) -> bool {
        let Some(view) = self.view(source) else { return false };
        let ports: BTreeSet<u16> = sent.iter().map(|index| self.sighting(*index).packet.destination_port).collect();
        let unseen = ports.iter().map(|port| self.unseen_at(*port));
        // Some of the ports are those of others, too.
        unseen.clone().filter(|unseen| *unseen > 0).count() * 2 > ports.len()
            && unseen.sum::<u64>() > self.unsampled(view) + ports.len() as u64 / 2
    }

    /// How many packets of a source the table counts that are not among the sightings.
    pub fn unsampled(&self, view: &SourceView) -> u64 {
        view.packets.saturating_sub(self.tracked.get(&view.address).copied().unwrap_or_default())
    }

    /// Whether no client here takes a port for itself, by the custom of today's systems, or by what is seen of them.
    pub fn is_foreign(&self, port: u16) -> bool {
        let [_, last] = self.thresholds.backscatter.client_ports;
        !(self.first_client..=last).contains(&port)
    }

    /// The first of the ports from which clients here have conversations: those of today's systems, those of all clients or, behind a translator of addresses
    /// that takes any, those of privileged programs and all there are. Ports for which somebody asks are those of services; and programs that mount files
    /// take low ports, too, without any translator, so below 1024 what was fetched from the web tells.
    fn first_client(&self) -> u16 {
        let [usual, _] = self.thresholds.backscatter.client_ports;
        let mut ports = BTreeSet::new();
        for (source, indices) in self.sources() {
            let is_answer = |sighting: &Sighting| {
                let (from, to) = (sighting.packet.source_port, sighting.packet.destination_port);
                is_syn_ack(sighting)
                    && to < usual
                    && (to >= FIRST_CLIENT_PORT || self.thresholds.contact.web_ports.contains(&from))
                    && self.port(PortProto::Tcp, Side::Dst, to).syn.packets == 0
            };
            let answers: Vec<usize> =
                indices.iter().copied().filter(|index| is_answer(self.sighting(*index))).collect();
            if self.goes_on(source, &answers) {
                ports.extend(answers.iter().map(|index| self.sighting(*index).packet.destination_port));
            }
        }
        let bounds = [1, self.thresholds.amplification.first_client_port, FIRST_CLIENT_PORT, usual];
        let are_many = |range: &&[u16]| {
            range[0] < range[1] && ports.range(range[0]..range[1]).count() >= self.thresholds.backscatter.answers
        };
        bounds.windows(2).find(are_many).map_or(usual, |range| range[0])
    }

    /// Whether the capture shows packets that an address sent to somebody: what it calls to everybody arrives at others, too.
    pub fn hears(&self, address: IpAddr) -> bool {
        !self.observations.live && self.heard.contains(&address)
    }

    /// Whether an address was seen sending something to another, apart from refusals, complaints and answers to pings.
    pub fn has_spoken(&self, source: IpAddr, destination: IpAddr) -> bool {
        self.spoken.contains(&(source, destination))
    }

    /// Whether an address was seen sending something to another, apart from refusals and complaints.
    pub fn has_sent(&self, source: IpAddr, destination: IpAddr) -> bool {
        self.sent.contains_key(&(source, destination))
    }

    /// Whether an address was seen sending something to another before that sent anything.
    pub fn spoke_first(&self, source: IpAddr, destination: IpAddr) -> bool {
        let sent = self.sent.get(&(source, destination)).zip(self.view(destination));
        sent.is_some_and(|(at, view)| *at <= view.first)
    }

    /// Whether who gets packets of a conversation was seen sending something to the port that they come from, apart from refusals.
    pub fn is_addressed(&self, half: &Half) -> bool {
        self.addressed.contains(&(half.destination, half.source, half.source_port))
    }

    /// Whether who gets a packet was seen to refuse what comes so.
    pub fn is_refused(&self, sighting: &Sighting) -> bool {
        Half::of(sighting).is_some_and(|half| self.carried(&half.reverse()).reset || self.is_complained_of(&half))
    }

    /// Whether most of some packets are refused.
    pub fn are_refused(&self, packets: &[usize]) -> bool {
        packets.iter().filter(|index| self.is_refused(self.sighting(**index))).count() * 2 > packets.len()
    }

    /// Whether who gets a packet was seen sending something to its source, or asking everybody around for the service that it comes from.
    pub fn is_asked_for(&self, sighting: &Sighting) -> bool {
        let asker = sighting.destination();
        self.has_sent(asker, sighting.source()) || self.asked_all.contains(&(asker, sighting.packet.source_port))
    }

    /// Whether a neighbour's packet comes to who was seen asking everybody around for the service that it comes from, or from the port that it goes to.
    pub fn is_searched_for(&self, sighting: &Sighting) -> bool {
        let (asker, port) = sighting.target();
        let is_asked =
            self.asked_all.contains(&(asker, sighting.packet.source_port)) || self.asked_from.contains(&(asker, port));
        is_asked && self.is_from_around(sighting)
    }

    /// Whether a packet comes from around here, by its addresses.
    pub fn is_from_around(&self, sighting: &Sighting) -> bool {
        is_local(sighting, self.observations.locality) || site(sighting.source()) == site(sighting.destination())
    }

    /// Whether the capture shows all that an address sent, apart from data of running connections. Only then is what it is not seen
    /// sending known not to have been sent: samples are rationed.
    pub fn hears_all(&self, address: IpAddr) -> bool {
        self.hears(address) && self.saw_all_of(address)
    }

    /// Whether it is known whom an address asked at a UDP port: by the capture, which shows its questions to some, or by word of what leaves this host.
    pub fn knows_all_asked(&self, address: IpAddr, port: u16) -> bool {
        let asks = || self.askers.get(&port).is_some_and(|askers| askers.contains(&address));
        (self.hears_all(address) && asks()) || (self.observations.outbound.is_some() && self.is_ours(address))
    }

    /// Exact count of packets to or from a port.
    pub fn port(&self, proto: PortProto, side: Side, port: u16) -> PortCount {
        self.observations.counters.port(proto, side, port).copied().unwrap_or_default()
    }

    /// Whether a capture holds no TCP packets but SYNs, as one does that was filtered for them. What follows them is not known then.
    pub fn holds_only_syns(&self) -> bool {
        let ports = &self.observations.counters.ports;
        let mut sent = ports.iter().filter(|(key, _)| (key.proto, key.side) == (PortProto::Tcp, Side::Dst));
        !self.observations.live && sent.all(|(_, count)| count.all == count.syn)
    }

    /// Whether so much comes to a TCP port for which one source asks one host, and nobody else, that its connections are used, though nothing of what they
    /// carry is sampled.
    pub fn is_used_by_one(&self, port: u16) -> bool {
        let count = self.port(PortProto::Tcp, Side::Dst, port);
        let is_alone =
            |(between, syns): &(Option<(IpAddr, IpAddr)>, u64)| between.is_some() && *syns == count.syn.packets;
        self.opened.get(&port).is_some_and(is_alone)
            && count.all.packets >= self.thresholds.scan.used * count.syn.packets
    }

    /// Whether more comes to a TCP port behind each SYN than three packets: who looks what a service says acknowledges the connection and what is said, and
    /// gives it up.
    fn carries_beyond(&self, port: u16) -> bool {
        let count = self.port(PortProto::Tcp, Side::Dst, port);
        count.all.packets.saturating_sub(count.syn.packets) > (BEHIND_SYN + 1) * count.syn.packets
    }

    /// Whether at least one packet more comes to a TCP port behind each SYN.
    fn carries_on(&self, port: u16) -> bool {
        let count = self.port(PortProto::Tcp, Side::Dst, port);
        count.all.packets >= 2 * count.syn.packets
    }

    /// Whether a TCP port carries connections, by its counter: a connection is three packets and more behind each SYN, a probe is one
    /// at most. A scanner may send as many, and the counter is that of all hosts, so somebody else must have asked this one for it.
    pub fn is_served(&self, (host, port): (IpAddr, u16)) -> bool {
        let count = self.port(PortProto::Tcp, Side::Dst, port);
        let syn = count.syn.packets;
        self.wanted.contains(&(host, port)) && syn > 0 && count.all.packets - syn >= 3 * syn
    }

    /// Hosts and their TCP ports for which somebody asked who is a client, or who wants too little to be a scanner.
    fn find_wanted(&self) -> HashSet<(IpAddr, u16)> {
        let mut wanted = HashSet::new();
        for source in self.by_source.keys().copied() {
            let targets = self.targets(&self.syns_of(source));
            if self.connects(source) || targets.len() < self.thresholds.scan.hosts {
                wanted.extend(targets);
            }
        }
        wanted
    }

    /// Clients of FTP that were seen to say something to the server's port, or where more came there than who only looks sends.
    fn find_commanded(&self) -> HashSet<(IpAddr, IpAddr)> {
        let is_used = self.carries_beyond(CONTROL);
        let is_control = |(half, carried): &(&Half, &Carried)| {
            half.transport == Transport::Tcp && half.destination_port == CONTROL && (is_used || carried.said)
        };
        self.halves.iter().filter(is_control).map(|(half, _)| (half.source, half.destination)).collect()
    }

    /// Whether a client asks for a port at which an FTP server may offer it a file.
    pub fn may_fetch_file(&self, half: &Half) -> bool {
        half.destination_port >= FIRST_CLIENT_PORT && self.commanded.contains(&(half.source, half.destination))
    }

    /// Whether a source does nothing but end connections, and such as nobody here can have had with it: too many of them, or at wrong ports.
    pub fn only_ends(&self, source: IpAddr) -> bool {
        let too_many = |view: &SourceView| {
            view.fin > self.thresholds.late_fin.most_ports as u64 && !self.ends_in_order(self.from(source))
        };
        let only_ends = |view: &&SourceView| view.fin == view.packets;
        self.view(source).filter(only_ends).is_some_and(|view| too_many(view) || self.ends_in_haste(source, view))
    }

    /// Whether a source that does nothing else ends connections at once at ports most of which no client here takes for itself, and of which nothing
    /// else was seen.
    pub fn ends_in_haste(&self, source: IpAddr, view: &SourceView) -> bool {
        let sent = self.from(source);
        let ports: BTreeSet<u16> = sent.iter().map(|index| self.sighting(*index).packet.destination_port).collect();
        let seconds = view.last.seconds_since(view.first);
        view.fin == view.packets
            && ports.len() >= self.thresholds.scan.maimon
            && self.is_mostly_foreign(sent)
            && view.fin as f64 > 1.0 + self.thresholds.late_fin.rate * seconds
            && !sent.iter().any(|index| self.is_opened(self.sighting(*index)))
            && !self.goes_on(source, sent)
            && !self.ends_in_order(sent)
    }

    /// Whether packets end connections of a web server with a pool's worth of ports of one client, one after the other as the client took them: who searches
    /// goes to the ports of services, or by chance.
    pub fn ends_in_order(&self, sent: &[usize]) -> bool {
        let limits = &self.thresholds.late_fin;
        let packets = || sent.iter().map(|index| &self.sighting(*index).packet);
        let Some(first) = packets().next() else { return false };
        let ports: Vec<u16> = packets().map(|packet| packet.destination_port).collect();
        let is_of_pair = |packet: &Packet| {
            (packet.source_port, packet.destination) == (first.source_port, first.destination)
                && packet.tcp_flags & (tcp::FIN | tcp::RST) != 0
        };
        self.thresholds.contact.web_ports.contains(&first.source_port)
            && packets().all(is_of_pair)
            && ports.iter().all(|port| *port >= FIRST_CLIENT_PORT)
            && ports.windows(2).all(|pair| pair[1] >= pair[0] && pair[1] - pair[0] <= limits.gap)
            && ports.len() as u64 <= limits.pool.into()
            && (ports.len() <= limits.most_ports
                || packets().all(|packet| packet.tcp_flags & (tcp::ACK | tcp::RST) != 0))
            && !self.is_faster(sent, limits.ordered_rate)
    }

    /// Whether some packets come faster, one after the other, than a server tidies up.
    pub fn is_hasty(&self, sent: &[usize]) -> bool {
        self.is_faster(sent, self.thresholds.late_fin.rate)
    }

    /// Whether more of some packets come a second, on average, one after the other.
    pub fn is_faster(&self, sent: &[usize], rate: f64) -> bool {
        let at = |index: Option<&usize>| index.map_or(Default::default(), |index| self.sighting(*index).at);
        let seconds = at(sent.last()).seconds_since(at(sent.first()));
        sent.len() as f64 > 1.0 + rate * seconds
    }

    /// Whether most ports to which some packets go are such as no client here takes for itself.
    pub fn is_mostly_foreign(&self, sent: &[usize]) -> bool {
        let ports: BTreeSet<u16> = sent.iter().map(|index| self.sighting(*index).packet.destination_port).collect();
        ports.iter().filter(|port| self.is_foreign(**port)).count() * 2 > ports.len()
    }

    /// Whether most connections that a source asks for, as far as it was sampled, come about: it uses them, ends them, or gives them up itself.
    pub fn connects(&self, source: IpAddr) -> bool {
        self.clients.contains(&source)
    }

    /// Whether the receiver of a packet was seen opening connections to the port that it comes from.
    pub fn is_opened(&self, sighting: &Sighting) -> bool {
        let (client, server, port) = (sighting.destination(), sighting.source(), sighting.packet.source_port);
        self.contacts.with(client, server, &[port], sighting.at, f64::MAX).is_some_and(|contact| contact.opened)
    }

    /// Whether a port was seen to answer a SYN.
    pub fn is_open(&self, host: IpAddr, port: u16) -> bool {
        self.open.contains(&(host, port))
    }

    /// What became of a SYN. Other packets have no outcome: it is unknown.
    pub fn outcome(&self, index: usize) -> Outcome {
        self.outcomes[index]
    }

    fn find_outcome(&self, sighting: &Sighting) -> Outcome {
        let Some(half) = Half::of(sighting).filter(|_| sighting.packet.is_syn()) else { return Outcome::Unknown };
        let target = (half.destination, half.destination_port);
        let back = self.carried(&half.reverse());
        let is_refused = back.refused || (back.reset && self.saw_all_of(half.destination));
        let goes_on = self.carried(&half).is_used() && !is_refused;
        if back.syn_ack || goes_on || self.open.contains(&target) {
            return Outcome::Answered;
        }
        if back.reset || self.closed.contains(&target) || self.is_complained_of(&half) {
            return Outcome::Refused;
        }
        match self.is_listening(PortProto::Tcp, half.destination, half.destination_port) {
            Some(true) => Outcome::Answered,
            // A port that was served for a while, or for somebody behind this host, is in no list.
            _ if self.is_served(target) => Outcome::Answered,
            Some(false) => Outcome::Refused,
            None if self.hears_all(half.destination) => Outcome::Silent,
            None if self.is_used_by_one(half.destination_port) => Outcome::Answered,
            None if self.hears(half.destination) => Outcome::Silent,
            None if self.may_fetch_file(&half) && self.carries_on(half.destination_port) => Outcome::Answered,
            None => Outcome::Unknown,
        }
    }

    /// Whether ICMP told the sender that the port is closed.
    pub fn is_complained_of(&self, half: &Half) -> bool {
        self.complained.contains(&(half.source, half.destination, half.destination_port))
    }

    /// Whether something listens at a port of ours, where that is known.
    pub fn is_listening(&self, proto: PortProto, address: IpAddr, port: u16) -> Option<bool> {
        self.observations.is_listening(proto, address, port)
    }

    /// Whether a sighting is a SYN that came to nothing, as far as can be told.
    pub fn is_probe(&self, index: usize) -> bool {
        let sighting = self.sighting(index);
        sighting.packet.is_syn() && self.outcome(index) != Outcome::Answered && self.is_inbound(sighting)
    }
}

/// Which part of the FINs is of sources that do more than end connections.
fn used_ends(sources: &[SourceView]) -> f64 {
    let (mut used, mut all) = (0, 0);
    for view in sources {
        all += view.fin;
        used += if view.fin < view.packets { view.fin } else { 0 };
    }
    if all > 0 { used as f64 / all as f64 } else { 1.0 }
}
