//! What a window of time holds: the values that recognisers and knowledge work on.

use std::collections::BTreeSet;
use std::net::IpAddr;

use annotator_common::classify::classify;
use annotator_common::packet::tcp;
use annotator_common::parse::parse;
use annotator_common::sample::SAMPLE_BYTES;
use annotator_common::{Family, Flag, Link, News, Packet, Settings, Transport};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::counters::{Counters, PortProto};
use crate::outbound::Outbound;
use crate::report::timestamp;

/// Bytes of a TCP header without options.
const TCP_HEADER: u32 = 20;
/// Bytes of an IPv6 header, which its length field leaves out.
const IPV6_HEADER: u32 = 40;

/// A moment, in nanoseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

impl Moment {
    /// Seconds from an earlier moment to this one; negative if it is later.
    pub fn seconds_since(self, earlier: Moment) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }

    /// Whether it is not before another moment, and within so many seconds of it.
    pub fn follows(self, earlier: Moment, within: f64) -> bool {
        (0.0..=within).contains(&self.seconds_since(earlier))
    }
}

/// As RFC 3339 has it.
impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&timestamp(*self))
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A moment as RFC 3339 has it, in UTC.", "type": "string", "format": "date-time" })
    }
}

/// How much came in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// Its beginning.
    pub from: Moment,
    /// Its length.
    pub seconds: f64,
    /// Packets in it.
    pub packets: u64,
    /// Frame bytes in it.
    pub bytes: u64,
}

/// A sampled packet, parsed again by the engine that counted it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// When it arrived.
    pub at: Moment,
    /// Why it was sampled.
    pub news: News,
    /// How its frame begins.
    pub link: Link,
    /// Length of the whole frame.
    pub frame_length: u32,
    /// Its headers, flags included.
    pub packet: Packet,
    /// Its first bytes.
    pub bytes: Box<[u8]>,
}

/// A frame of which only the beginning is at hand.
struct Beginning<'a> {
    bytes: &'a [u8],
    length: u32,
}

impl annotator_common::Frame for Beginning<'_> {
    fn len(&self) -> u32 {
        self.length
    }
    fn load<T: annotator_common::frame::Pod>(&self, offset: u32) -> Option<T> {
        self.bytes.load(offset)
    }
}

impl Sighting {
    /// Parses and classifies the first `bytes` of a frame that was `frame_length` bytes long.
    pub fn new(at: Moment, news: News, link: Link, frame_length: u32, bytes: &[u8], settings: &Settings) -> Self {
        let frame = Beginning { bytes, length: frame_length };
        let mut packet = parse(&frame, link);
        classify(&frame, &mut packet, &settings.local);
        Sighting { at, news, link, frame_length, packet, bytes: bytes.into() }
    }

    /// Source address.
    pub fn source(&self) -> IpAddr {
        self.packet.source.to_ip()
    }

    /// Destination address.
    pub fn destination(&self) -> IpAddr {
        self.packet.destination.to_ip()
    }

    /// Destination address and port.
    pub fn target(&self) -> (IpAddr, u16) {
        (self.destination(), self.packet.destination_port)
    }

    /// TCP or UDP, where its ports were read.
    pub fn port_proto(&self) -> Option<PortProto> {
        match self.packet.transport {
            Transport::Tcp => Some(PortProto::Tcp),
            Transport::Udp => Some(PortProto::Udp),
            _ => None,
        }
    }

    /// The sampled bytes between two offsets, as far as they were captured.
    fn slice(&self, from: u32, to: u32) -> &[u8] {
        let end = (to as usize).min(self.bytes.len());
        self.bytes.get(from as usize..end.max(from as usize)).unwrap_or_default()
    }

    /// What follows the TCP or UDP header (for ICMP: its 8 bytes), as far as it was sampled.
    pub fn payload(&self) -> &[u8] {
        if self.packet.transport == Transport::None {
            return &[];
        }
        self.slice(self.packet.payload_at(), self.packet.end)
    }

    /// Payload bytes that the packet had, sampled or not. Of a frame of which a capture has the beginning only, its IP header says so.
    pub fn payload_length(&self) -> u32 {
        match self.packet.transport {
            Transport::None => 0,
            _ => self.end().saturating_sub(self.packet.payload_at()),
        }
    }

    /// Whether a capture holds less of the packet than a sample would.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < SAMPLE_BYTES.min(self.end() as usize)
    }

    /// Whether these bytes stand at an offset of the payload, as far as a capture that is cut holds them.
    pub fn may_hold(&self, at: usize, bytes: &[u8]) -> bool {
        let held = self.payload().get(at..).unwrap_or_default();
        let is_long = self.payload_length() as usize >= at + bytes.len();
        held.starts_with(bytes) || (self.is_cut() && is_long && bytes.starts_with(held))
    }

    /// Length of the frame as it was sent, as far as its IP header tells.
    pub fn sent_length(&self) -> u32 {
        self.frame_length.max(self.end())
    }

    /// Where the packet ended, captured or not.
    fn end(&self) -> u32 {
        self.packet.end.max(self.end_sent().unwrap_or(0))
    }

    /// Where a packet ended that goes beyond its frame.
    fn end_sent(&self) -> Option<u32> {
        let packet = &self.packet;
        let (field, header) = if packet.family == Family::V4 { (2, 0) } else { (4, IPV6_HEADER) };
        let length = self.bytes.get(packet.network as usize + field..)?.first_chunk()?;
        let is_cut = packet.flags.contains(Flag::BadLength);
        is_cut.then(|| packet.network + header + u32::from(u16::from_be_bytes(*length)))
    }

    /// The transport header and all behind it, as far as it was sampled.
    pub fn transport_bytes(&self) -> &[u8] {
        if self.packet.family == Family::None { &[] } else { self.slice(self.packet.transport_at, self.packet.end) }
    }

    /// TCP sequence number.
    pub fn tcp_sequence(&self) -> Option<u32> {
        self.tcp_field(4).map(u32::from_be_bytes)
    }

    /// TCP acknowledgement number, where it counts.
    pub fn tcp_acknowledgement(&self) -> Option<u32> {
        let counts = self.packet.tcp_flags & (tcp::ACK | tcp::SYN | tcp::RST) == tcp::ACK;
        self.tcp_field(8).filter(|_| counts).map(u32::from_be_bytes)
    }

    /// TCP window as it stands in the header.
    pub fn tcp_window(&self) -> Option<u16> {
        self.tcp_field(14).map(u16::from_be_bytes)
    }

    /// TCP options, as far as they were sampled.
    pub fn tcp_options(&self) -> &[u8] {
        if self.packet.transport != Transport::Tcp {
            return &[];
        }
        let end = self.packet.payload_at().min(self.packet.end);
        self.slice(self.packet.transport_at + TCP_HEADER, end)
    }

    /// Whether it is a SYN without any option: every system tells at least how long its segments may be (RFC 9293 §3.7.1), simple tools do not.
    pub fn is_bare_syn(&self) -> bool {
        self.packet.is_syn() && u32::from(self.packet.tcp_header) <= TCP_HEADER
    }

    /// The TCP options one by one: each one's kind and, where its length is there as well, as much of its contents as is.
    pub fn tcp_option_list(&self) -> impl Iterator<Item = (u8, Option<&[u8]>)> {
        const END: u8 = 0;
        const NO_OPERATION: u8 = 1;
        let mut options = self.tcp_options();
        std::iter::from_fn(move || {
            let (&kind, rest) = options.split_first().filter(|(kind, _)| **kind != END)?;
            let length =
                if kind == NO_OPERATION { Some(1) } else { rest.first().map(|length| usize::from(*length).max(2)) };
            let (option, rest) = options.split_at(length.unwrap_or(1).min(options.len()));
            options = rest;
            Some((kind, length.map(|_| option.get(2..).unwrap_or_default())))
        })
    }

    fn tcp_field<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        if self.packet.transport != Transport::Tcp {
            return None;
        }
        self.transport_bytes().get(at..at + N)?.try_into().ok()
    }

    /// IPv6 flow label.
    pub fn flow_label(&self) -> Option<u32> {
        let word = self.bytes.get(self.packet.network as usize..)?.first_chunk()?;
        (self.packet.family == Family::V6).then_some(u32::from_be_bytes(*word) & 0xf_ffff)
    }

    /// The IPv4 don't-fragment bit.
    pub fn dont_fragment(&self) -> bool {
        self.packet.family == Family::V4
            && self.bytes.get(self.packet.network as usize + 6).is_some_and(|byte| byte & 0x40 != 0)
    }
}

/// A source over the window, merged over CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Its address.
    pub address: IpAddr,
    /// First packet.
    pub first: Moment,
    /// Last packet.
    pub last: Moment,
    /// Packets, without established TCP data.
    pub packets: u64,
    /// SYNs without ACK.
    pub syn: u64,
    /// The same a second, at the least when most came at once.
    pub syn_rate: u64,
    /// Packets with RST.
    pub rst: u64,
    /// Packets with FIN.
    pub fin: u64,
    /// ICMP packets.
    pub icmp: u64,
    /// UDP packets.
    pub udp: u64,
    /// Map of destination ports; [`annotator_common::source::distinct`] reads it.
    pub ports: u64,
    /// Map of destination addresses, likewise.
    pub destinations: u64,
    /// Lowest TTL seen.
    pub ttl_low: u8,
    /// Highest TTL seen.
    pub ttl_high: u8,
    /// What it was seen doing, see [`annotator_common::source::kinds`].
    pub kinds: u8,
}

impl SourceView {
    /// Packets that no other column of a kind counts: all of TCP but SYNs, and other protocols.
    pub fn others(&self) -> u64 {
        self.packets.saturating_sub(self.syn + self.udp + self.icmp)
    }
}

/// An address prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// An address of it.
    pub address: IpAddr,
    /// Its length in bits.
    pub bits: u8,
}

impl Prefix {
    /// Whether an address lies in the prefix.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits.min(32))).unwrap_or(0);
                u32::from(a) & mask == u32::from(b) & mask
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits.min(128))).unwrap_or(0);
                u128::from(a) & mask == u128::from(b) & mask
            }
            _ => false,
        }
    }
}

/// What is ours.
#[derive(Clone, Debug, Default)]
pub struct Locality {
    /// Our addresses: the interface's, or those given by `--local-address`.
    pub addresses: Vec<IpAddr>,
    /// Our prefixes: the interface's, or those given by `--local`.
    pub prefixes: Vec<Prefix>,
    /// Ports on which something listens here, where that is known.
    pub listening: Option<BTreeSet<(PortProto, u16)>>,
}

impl Locality {
    /// Whether an address of ours is known that is of the family of this one: who names his IPv4 address says nothing of IPv6.
    pub fn knows_ours_like(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|ours| ours.is_ipv6() == address.is_ipv6())
    }

    /// Whether an address is ours or lies in a prefix of ours.
    pub fn is_near(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address) || self.prefixes.iter().any(|prefix| prefix.contains(address))
    }
}

/// All that is known of a window of time.
#[derive(Clone, Copy, Debug)]
pub struct Observations<'a> {
    /// Its beginning.
    pub from: Moment,
    /// Its end.
    pub to: Moment,
    /// Whether it comes from an interface (arriving packets only) or from a capture (often both directions).
    pub live: bool,
    /// Exact counts.
    pub counters: &'a Counters,
    /// Packets over time, oldest first; stretches without any are left out.
    pub rates: &'a [Rate],
    /// Seconds of those stretches in which most packets came, where that is known.
    pub busiest: &'a [Rate],
    /// Sources in the table.
    pub sources: &'a [SourceView],
    /// Sources that were let go again for want of memory.
    pub sources_dropped: u64,
    /// Sampled packets in order of time.
    pub sightings: &'a [Sighting],
    /// What is ours.
    pub locality: &'a Locality,
    /// Whom the hosts here contacted, also before the window; `None` where what leaves is not watched.
    pub outbound: Option<&'a [Outbound]>,
}

impl Observations<'_> {
    /// Whether something listens at a port of ours, where that is known.
    pub fn is_listening(&self, proto: PortProto, address: IpAddr, port: u16) -> Option<bool> {
        let is_listed = self.locality.listening.as_ref()?.contains(&(proto, port));
        let here = self.live || !self.locality.knows_ours_like(address) || self.locality.addresses.contains(&address);
        here.then_some(is_listed)
    }
}

/// Everything that was gathered of a stretch of time: what [`Observations`] look at.
pub struct Gathered {
    /// Its beginning.
    pub from: Moment,
    /// Its end.
    pub to: Moment,
    /// Exact counts.
    pub counters: Counters,
    /// Packets over time, oldest first; stretches without any are left out.
    pub rates: Vec<Rate>,
    /// Seconds of those stretches in which most packets came, where that is known.
    pub busiest: Vec<Rate>,
    /// Sources in order of their first packet.
    pub sources: Vec<SourceView>,
    /// Sources for which there was no room.
    pub sources_dropped: u64,
    /// Sampled packets in order of time.
    pub sightings: Vec<Sighting>,
}

impl Gathered {
    /// A look at it; `live` as in [`Observations::live`].
    pub fn observations<'a>(&'a self, live: bool, locality: &'a Locality) -> Observations<'a> {
        Observations {
            from: self.from,
            to: self.to,
            live,
            counters: &self.counters,
            rates: &self.rates,
            busiest: &self.busiest,
            sources: &self.sources,
            sources_dropped: self.sources_dropped,
            sightings: &self.sightings,
            locality,
            outbound: None,
        }
    }
}
