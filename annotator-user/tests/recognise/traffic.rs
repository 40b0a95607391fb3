//! Traffic for the scenarios: frames written byte by byte, sent through the real engine, with times of the scenario's choosing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use annotator::capture::{Captured, LinkType, Observer};
use annotator::counters::PortProto;
use annotator::engine::Interpreter;
use annotator::finding::{Finding, Recognition};
use annotator::observation::{Gathered, Locality, Moment, Observations, Rate, SourceView};
use annotator::outbound::Outbound;
use annotator::recognise::{Thresholds, recognise};
use annotator_common::settings::Budget;
use annotator_common::{Address, Count, Settings};

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

/// Addresses all over the Internet.
pub fn stranger(i: u32) -> String {
    let [_, b, c, d] = i.wrapping_mul(2_654_435_761).to_be_bytes();
    format!("{}.{b}.{c}.{}", 20 + i % 80, d.clamp(1, 250))
}

/// Addresses of networks where people live.
pub fn crowd(i: u32) -> String {
    let [_, b, c, d] = i.wrapping_mul(2_654_435_761).to_be_bytes();
    format!("{}.{b}.{c}.{}", [5, 31, 46, 62, 77, 81, 91, 109, 151, 178][i as usize % 10], d.clamp(1, 250))
}

/// Addresses as programs that forge them draw them: from all there are.
pub fn made_up(i: u32) -> String {
    Ipv4Addr::from(i.wrapping_add(1).wrapping_mul(2_654_435_761)).to_string()
}

/// The IPv6 address of whoever has an IPv4 address.
pub fn over_ipv6(address: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = address.octets().map(u16::from);
    Ipv6Addr::new(0x2a00, 0x1450, 0, 0, 0, 0, a << 8 | b, c << 8 | d)
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
    pub flow_label: Option<u32>,
}

impl Packet {
    pub fn new(source: &str, destination: &str, protocol: u8, body: Vec<u8>) -> Self {
        let (source, destination) = (ip(source), ip(destination));
        Packet {
            source,
            destination,
            ttl: 52,
            id: 7,
            dont_fragment: false,
            fragment: 0,
            protocol,
            body,
            flow_label: None,
        }
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

    /// The port that it comes from, of TCP and UDP.
    pub fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.body[0], self.body[1]])
    }

    /// The port that it goes to.
    pub fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.body[2], self.body[3]])
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

    /// Sends it over IPv6.
    pub fn over_ipv6(mut self, flow_label: u32) -> Self {
        self.flow_label = Some(flow_label);
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

    fn network_v6(&self, flow_label: u32) -> Vec<u8> {
        let mut bytes = (6 << 28 | flow_label).to_be_bytes().to_vec();
        bytes.extend((self.body.len() as u16).to_be_bytes());
        bytes.extend([self.protocol, self.ttl]);
        for address in [self.source, self.destination] {
            bytes.extend(over_ipv6(address).octets());
        }
        bytes.extend(&self.body);
        bytes
    }

    fn frame(&self) -> Vec<u8> {
        let (ethertype, network) = match self.flow_label {
            None => ([0x08, 0x00], self.network()),
            Some(label) => ([0x86, 0xdd], self.network_v6(label)),
        };
        [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &ethertype, &network].concat()
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

/// What a datagram of a stream may carry: no two are the same.
pub fn content(number: u32, bytes: usize) -> Vec<u8> {
    number.to_be_bytes().into_iter().chain((0..=u8::MAX).cycle()).take(bytes).collect()
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

/// Makes traffic.
pub type Fill = fn(&mut Scenario);

/// A stretch of traffic and what is known besides.
pub struct Scenario {
    packets: Vec<(i64, Packet)>,
    pub now: i64,
    pub live: bool,
    pub behind_much: bool,
    pub locality: Locality,
    pub outbound: Option<Vec<Outbound>>,
}

impl Default for Scenario {
    fn default() -> Self {
        Scenario {
            packets: Vec::new(),
            now: START,
            live: false,
            behind_much: false,
            locality: Locality::default(),
            outbound: None,
        }
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

    /// Arriving packets only, at an interface with these addresses.
    pub fn live_at(addresses: &[&str]) -> Self {
        Scenario { live: true, ..Scenario::at(addresses) }
    }

    /// Behind so many other packets of the capture that it is not sampled whole.
    pub fn behind_much(self) -> Self {
        Scenario { behind_much: true, ..self }
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
        recognise(&self.observations(&self.gather(&self.frames(), self.now, settings())), thresholds)
    }

    /// What is recognised in an interface's window of so many seconds: of the time before, the source table remembers when a source came first, and its maps,
    /// and what was news then is sampled no more.
    pub fn recognise_last(&self, seconds: f64) -> Vec<Recognition> {
        let mut frames = self.frames();
        let whole = self.gather(&frames, self.now, settings());
        frames.retain(|(at, _)| whole.to.seconds_since(Moment(*at)) < seconds);
        let mut gathered = self.gather(&frames, self.now, settings());
        gathered.from = Moment(whole.to.0 - (seconds * 1e9) as i64);
        gathered.sightings = whole.sightings;
        gathered.sightings.retain(|sighting| sighting.at >= gathered.from);
        for view in &mut gathered.sources {
            let known = whole.sources.iter().find(|known| known.address == view.address).expect("it is in the whole");
            *view = SourceView { first: known.first, ports: known.ports, destinations: known.destinations, ..*view };
        }
        recognise(&self.observations(&gathered), &Thresholds::default())
    }

    /// What is recognised by an agent that reports seldom: all is one stretch of time, of which the busiest second is known.
    pub fn recognise_seldom(&self) -> Vec<Recognition> {
        let mut gathered = self.gather(&self.frames(), self.now, settings());
        let (from, seconds) = (gathered.from, gathered.to.seconds_since(gathered.from));
        let Count { packets, bytes } = gathered.counters.total();
        let fine = std::mem::replace(&mut gathered.rates, vec![Rate { from, seconds, packets, bytes }]);
        gathered.busiest = fine.into_iter().max_by_key(|rate| rate.packets).into_iter().collect();
        recognise(&self.observations(&gathered), &Thresholds::default())
    }

    /// What is recognised where there is room for one sample in so many.
    pub fn recognise_of_few(&self, one_in: usize) -> Vec<Recognition> {
        let mut gathered = self.gather(&self.frames(), self.now, settings());
        gathered.sightings = gathered.sightings.into_iter().step_by(one_in).collect();
        recognise(&self.observations(&gathered), &Thresholds::default())
    }

    /// What a report would say.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings_of(&self.frames(), self.now)
    }

    /// What a report would say of some of the frames, made at some moment.
    pub fn findings_of(&self, frames: &[(i64, Vec<u8>)], now: i64) -> Vec<Finding> {
        static INTERPRETER: LazyLock<Interpreter> =
            LazyLock::new(|| Interpreter::load(&[]).expect("the built-in knowledge is good"));
        let mut settings = settings();
        INTERPRETER.prepare(&mut settings);
        INTERPRETER.findings(&self.observations(&self.gather(frames, now, settings)))
    }

    /// The frames as they are captured, in order of time: at an interface those that arrive.
    pub fn frames(&self) -> Vec<(i64, Vec<u8>)> {
        let captured = self.packets.iter().filter(|(_, packet)| !self.live || !self.is_ours(packet));
        let mut frames: Vec<_> = captured.map(|(at, packet)| (*at, packet.frame())).collect();
        frames.sort_by_key(|(at, _)| *at);
        frames
    }

    /// The frames that an address does not send itself.
    pub fn arriving(&self, address: &str) -> Vec<(i64, Vec<u8>)> {
        let mut frames = self.frames();
        frames.retain(|(_, frame)| frame[26..30] != ip(address).octets());
        frames
    }

    fn gather(&self, frames: &[(i64, Vec<u8>)], now: i64, mut settings: Box<Settings>) -> Gathered {
        if self.live {
            settings.budget = Budget::LIVE;
        }
        for address in &self.locality.addresses {
            assert!(settings.local.add_address(Address::from(*address)));
        }
        let observer = Observer::new(settings);
        let mut observer = if self.live || self.behind_much { observer } else { observer.begin_whole() };
        for (at, frame) in frames {
            observer.observe(Captured { at: Some(Moment(*at)), link_type: LinkType::Ethernet, frame });
        }
        let mut gathered = observer.finish();
        gathered.to = gathered.to.max(Moment(now));
        gathered
    }

    fn observations<'a>(&'a self, gathered: &'a Gathered) -> Observations<'a> {
        Observations { outbound: self.outbound.as_deref(), ..gathered.observations(self.live, &self.locality) }
    }

    fn is_ours(&self, packet: &Packet) -> bool {
        self.locality.addresses.contains(&IpAddr::V4(packet.source))
    }
}

/// Frames of which a capture holds so many bytes.
pub fn cut(mut frames: Vec<(i64, Vec<u8>)>, length: usize) -> Vec<(i64, Vec<u8>)> {
    frames.iter_mut().for_each(|(_, frame)| frame.truncate(length));
    frames
}

/// Adds eight bytes of data to a TCP packet.
pub fn with_data(mut packet: Packet) -> Packet {
    packet.body.extend([b'x'; 8]);
    packet
}

/// Without a seed of its own, so that the same packets are sampled each time.
fn settings() -> Box<Settings> {
    Box::new(Settings::DEFAULT)
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
