//! Traffic for the scenarios: frames written byte by byte, sent through the real engine, with times of the scenario's choosing.

use std::net::{IpAddr, Ipv4Addr};

use annotator::counters::{Counters, PortProto};
use annotator::finding::Recognition;
use annotator::observation::{Locality, Moment, Observations, Sighting, SourceView};
use annotator::outbound::Outbound;
use annotator::recognise::{Thresholds, recognise};
use annotator_common::ledger::Tally;
use annotator_common::settings::Budget;
use annotator_common::source::CAPACITY;
use annotator_common::{Address, Ledger, Link, Settings, Sources, observe};

/// 2003-01-25 05:30:00 UTC.
const START: i64 = 1_043_472_600_000_000_000;

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;
pub const URG: u8 = 32;

/// An IPv4 address.
pub fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// A packet under construction.
#[derive(Clone)]
pub struct Packet {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub ttl: u8,
    pub id: u16,
    pub dont_fragment: bool,
    pub fragment: u16,
    pub protocol: u8,
    pub body: Vec<u8>,
}

impl Packet {
    pub fn new(source: &str, destination: &str, protocol: u8, body: Vec<u8>) -> Self {
        let (source, destination) = (ip(source), ip(destination));
        Packet { source, destination, ttl: 52, id: 7, dont_fragment: false, fragment: 0, protocol, body }
    }

    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = (offset / 8) | (u16::from(more) << 13);
        self
    }

    pub fn dont_fragment(mut self) -> Self {
        self.dont_fragment = true;
        self
    }

    /// Sets the TCP window.
    pub fn window(mut self, window: u16) -> Self {
        self.body[14..16].copy_from_slice(&window.to_be_bytes());
        self
    }

    /// Sets the TCP sequence number.
    pub fn sequence(mut self, sequence: u32) -> Self {
        self.body[4..8].copy_from_slice(&sequence.to_be_bytes());
        self
    }

    /// Puts TCP options (a multiple of four bytes) behind the header.
    pub fn options(mut self, options: &[u8]) -> Self {
        self.body[12] = ((20 + options.len()) as u8 / 4) << 4;
        self.body.splice(20..20, options.iter().copied());
        self
    }

    /// From the IP header on.
    pub fn network(&self) -> Vec<u8> {
        let total = (20 + self.body.len()) as u16;
        let fragment = self.fragment | (u16::from(self.dont_fragment) << 14);
        let mut bytes = vec![0x45, 0];
        for word in [total, self.id, fragment] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(&self.body);
        bytes
    }

    fn frame(&self) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        bytes.extend(self.network());
        bytes
    }
}

/// A TCP packet without options or data.
pub fn tcp(source: &str, source_port: u16, destination: &str, port: u16, flags: u8) -> Packet {
    let mut body = Vec::new();
    body.extend(source_port.to_be_bytes());
    body.extend(port.to_be_bytes());
    body.extend([0, 0, 1, 1, 0, 0, 0, 0, 0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    Packet::new(source, destination, 6, body)
}

pub fn syn(source: &str, source_port: u16, destination: &str, port: u16) -> Packet {
    tcp(source, source_port, destination, port, SYN)
}

/// A UDP packet.
pub fn udp(source: &str, source_port: u16, destination: &str, port: u16, payload: &[u8]) -> Packet {
    let mut body = Vec::new();
    for word in [source_port, port, 8 + payload.len() as u16, 0] {
        body.extend(word.to_be_bytes());
    }
    body.extend(payload);
    Packet::new(source, destination, 17, body)
}

/// An ICMP packet.
pub fn icmp(source: &str, destination: &str, icmp_type: u8, code: u8, rest: &[u8]) -> Packet {
    let mut body = vec![icmp_type, code, 0, 0, 0, 0, 0, 0];
    body.extend(rest);
    Packet::new(source, destination, 1, body)
}

/// An echo request.
pub fn ping(source: &str, destination: &str) -> Packet {
    icmp(source, destination, 8, 0, &[0; 32])
}

/// An ICMP error about a packet.
pub fn error(router: &str, icmp_type: u8, code: u8, about: &Packet) -> Packet {
    let quoted = about.network();
    let end = quoted.len().min(28);
    icmp(router, &about.source.to_string(), icmp_type, code, &quoted[..end])
}

/// A stretch of traffic and what is known besides.
pub struct Scenario {
    packets: Vec<(i64, Packet)>,
    now: i64,
    pub live: bool,
    pub locality: Locality,
    pub outbound: Option<Vec<Outbound>>,
}

impl Default for Scenario {
    fn default() -> Self {
        Scenario { packets: Vec::new(), now: START, live: false, locality: Locality::default(), outbound: None }
    }
}

impl Scenario {
    /// Arriving packets only, at an interface.
    pub fn live() -> Self {
        Scenario { live: true, ..Scenario::default() }
    }

    /// A capture in which these addresses are ours.
    pub fn at(addresses: &[&str]) -> Self {
        let mut scenario = Scenario::default();
        scenario.locality.addresses = addresses.iter().map(|text| IpAddr::V4(ip(text))).collect();
        scenario
    }

    /// Says which TCP ports listen here.
    pub fn listening(mut self, ports: &[u16]) -> Self {
        self.locality.listening = Some(ports.iter().map(|port| (PortProto::Tcp, *port)).collect());
        self
    }

    /// The egress program tells of a connection that is opened now.
    pub fn open(&mut self, local: &str, remote: &str, port: u16) -> &mut Self {
        let now = Moment(self.now);
        let (local, remote) = (ip(local).into(), ip(remote).into());
        let contact = Outbound { local, remote, protocol: 6, port, first: now, last: now };
        self.outbound.get_or_insert_default().push(contact);
        self
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: f64) -> &mut Self {
        self.now += (seconds * 1e9) as i64;
        self
    }

    /// A packet now.
    pub fn send(&mut self, packet: Packet) -> &mut Self {
        self.packets.push((self.now, packet));
        self.wait(0.01)
    }

    /// A whole TCP connection: handshake, data both ways, end.
    pub fn connection(&mut self, client: &str, client_port: u16, server: &str, port: u16) -> &mut Self {
        let out = |flags| tcp(client, client_port, server, port, flags).dont_fragment();
        let back = |flags| tcp(server, port, client, client_port, flags).dont_fragment();
        self.send(out(SYN)).send(back(SYN | ACK)).send(out(ACK));
        for _ in 0..3 {
            self.send(with_data(out(PSH | ACK))).send(with_data(back(PSH | ACK)));
        }
        self.send(back(FIN | ACK)).send(out(FIN | ACK)).send(back(ACK))
    }

    /// What is recognised.
    pub fn recognise(&self) -> Vec<Recognition> {
        self.recognise_with(&Thresholds::default())
    }

    /// What is recognised with other thresholds.
    pub fn recognise_with(&self, thresholds: &Thresholds) -> Vec<Recognition> {
        let mut settings = Settings::DEFAULT;
        if self.live {
            settings.budget = Budget::LIVE;
        }
        for address in &self.locality.addresses {
            assert!(settings.add_local_address(Address::from(*address)));
        }
        // SAFETY: both consist of integers alone, for which zeros are valid.
        let mut ledger: Box<Ledger> = unsafe { Box::new_zeroed().assume_init() };
        // SAFETY: as above.
        let mut table: Box<Sources> = unsafe { Box::new_zeroed().assume_init() };
        let mut packets = self.packets.clone();
        packets.sort_by_key(|(at, _)| *at);
        let mut sightings = Vec::new();
        for (at, packet) in packets.iter().filter(|(_, packet)| !self.live || !self.is_ours(packet)) {
            let frame = packet.frame();
            let ticks = ((at - START) / 1_000_000) as u32;
            let news = observe(&frame[..], Link::Ethernet, &settings, &mut ledger, || Some((&mut table, ticks)));
            if news.any() {
                ledger.tally(Tally::Samples);
                let bytes = &frame[..frame.len().min(256)];
                sightings.push(Sighting::new(Moment(*at), news, Link::Ethernet, frame.len() as u32, bytes, &settings));
            }
        }
        let counters = Counters::from_difference(&ledger);
        let sources = views(&table);
        let observations = Observations {
            from: Moment(START),
            to: Moment(self.now),
            live: self.live,
            counters: &counters,
            rates: &[],
            sources: &sources,
            sources_dropped: 0,
            sightings: &sightings,
            locality: &self.locality,
            outbound: self.outbound.as_deref(),
        };
        recognise(&observations, thresholds)
    }

    fn is_ours(&self, packet: &Packet) -> bool {
        self.locality.addresses.contains(&IpAddr::V4(packet.source))
    }
}

/// Adds eight bytes of data to a TCP packet.
pub fn with_data(mut packet: Packet) -> Packet {
    packet.body.extend([b'x'; 8]);
    packet
}

fn views(table: &Sources) -> Vec<SourceView> {
    let moment = |ticks: u32| Moment(START + i64::from(ticks) * 1_000_000);
    let used = (0..CAPACITY).map(|index| table.entry(index)).filter(|(word, _)| word >> 8 & 0xff != 0);
    used.map(|(_, source)| SourceView {
        address: source.address.to_ip(),
        first: moment(source.first),
        last: moment(source.last),
        packets: source.packets.into(),
        syn: source.syn.into(),
        rst: source.rst.into(),
        fin: source.fin.into(),
        icmp: source.icmp.into(),
        udp: source.udp.into(),
        ports: source.ports,
        destinations: source.destinations,
        ttl_low: source.ttl_low,
        ttl_high: source.ttl_high,
        kinds: source.kinds,
    })
    .collect()
}

/// The ids found, each with the ids that it answers besides.
pub fn ids(found: &[Recognition]) -> Vec<&str> {
    found.iter().flat_map(|r| std::iter::once(&r.id).chain(&r.also)).map(String::as_str).collect()
}

/// The finding of an id.
#[track_caller]
pub fn one<'f>(found: &'f [Recognition], id: &str) -> &'f Recognition {
    let mut of_id = found.iter().filter(|r| r.id == id);
    let first = of_id.next().unwrap_or_else(|| panic!("no {id} among {found:#?}"));
    assert!(of_id.next().is_none(), "more than one {id}: {found:#?}");
    first
}

/// No finding of an id.
#[track_caller]
pub fn none(found: &[Recognition], id: &str) {
    assert!(!ids(found).contains(&id), "{id} is not expected: {found:#?}");
}
