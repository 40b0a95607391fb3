//! Header bytes → the fields that they are: what each is called and what it says.
//!
//! Where the headers lie is the engine's answer; the tables here give their fields names.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use annotator_common::parse::extensions::is_extension;
use annotator_common::parse::{ethertype, parse};
use annotator_common::{Family, Link, Packet, Transport};

use crate::counters::{IcmpKey, PortProto};
use crate::example::{Example, tcp_flags};
use crate::names;
use crate::quantity::count;

/// A header.
#[derive(Debug)]
pub struct Header<'a> {
    /// What it is called.
    pub name: Cow<'static, str>,
    /// Its fields in order; together they are all of its bytes.
    pub fields: Vec<Field<'a>>,
}

/// A field.
#[derive(Debug)]
pub struct Field<'a> {
    /// What it is called.
    pub name: Cow<'static, str>,
    /// What it says.
    pub value: String,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A row of a header's table: the name of a field, its length in bytes, what it says.
type Row = (&'static str, usize, fn(&[u8]) -> String);

const ETHERNET: &[Row] = &[("destination", 6, mac), ("source", 6, mac), ("type", 2, ether_type)];

/// IEEE 802.1Q, behind the EtherType that announces it.
const VLAN: &[Row] = &[("priority and VLAN", 2, vlan), ("type", 2, ether_type)];

const ARP_TYPE: u16 = 0x0806;
/// RFC 826, for Ethernet and IPv4.
const ARP: &[Row] = &[
    ("hardware type", 2, number),
    ("protocol type", 2, ether_type),
    ("hardware address length", 1, number),
    ("protocol address length", 1, number),
    ("operation", 2, arp_operation),
    ("sender's hardware address", 6, mac),
    ("sender's address", 4, ipv4),
    ("target's hardware address", 6, mac),
    ("target's address", 4, ipv4),
];

/// RFC 791.
const IPV4: &[Row] = &[
    ("version and header length", 1, version_and_length),
    ("DSCP and ECN", 1, service),
    ("total length", 2, length),
    ("identification", 2, hexadecimal),
    ("flags and fragment offset", 2, ipv4_fragment),
    ("time to live", 1, number),
    ("protocol", 1, ip_protocol),
    ("header checksum", 2, hexadecimal),
    ("source", 4, ipv4),
    ("destination", 4, ipv4),
];

/// RFC 8200.
const IPV6: &[Row] = &[
    ("version, traffic class, flow label", 4, ipv6_start),
    ("payload length", 2, length),
    ("next header", 1, ip_protocol),
    ("hop limit", 1, number),
    ("source", 16, ipv6),
    ("destination", 16, ipv6),
];
const IPV6_FRAGMENT: &[Row] = &[
    ("next header", 1, ip_protocol),
    ("reserved", 1, number),
    ("offset and more-fragments flag", 2, ipv6_fragment),
    ("identification", 4, hexadecimal),
];
const IPV6_ROUTING: &[Row] = &[
    ("next header", 1, ip_protocol),
    ("header length", 1, in_eights),
    ("routing type", 1, number),
    ("segments left", 1, number),
];
const IPV6_EXTENSION: &[Row] = &[("next header", 1, ip_protocol), ("header length", 1, in_eights)];
/// RFC 4302.
const IPV6_AUTHENTICATION: &[Row] = &[("next header", 1, ip_protocol), ("header length", 1, in_fours)];

/// RFC 9293.
const TCP: &[Row] = &[
    ("source port", 2, tcp_port),
    ("destination port", 2, tcp_port),
    ("sequence number", 4, number),
    ("acknowledgement number", 4, number),
    ("header length", 1, data_offset),
    ("flags", 1, |bytes| tcp_flags(bytes[0])),
    ("window", 2, number),
    ("checksum", 2, hexadecimal),
    ("urgent pointer", 2, number),
];

/// RFC 768.
const UDP: &[Row] = &[
    ("source port", 2, udp_port),
    ("destination port", 2, udp_port),
    ("length", 2, length),
    ("checksum", 2, hexadecimal),
];

/// RFC 792 and RFC 4443: how every message begins.
const ICMP: &[Row] = &[("type", 1, number), ("code", 1, number), ("checksum", 2, hexadecimal)];
const ICMP_ECHO: &[Row] = &[("identifier", 2, number), ("sequence number", 2, number)];
const ICMP_NEXT_HOP_MTU: &[Row] = &[("unused", 2, number), ("next-hop MTU", 2, length)];
const ICMP_GATEWAY: &[Row] = &[("gateway", 4, ipv4)];
const ICMPV6_MTU: &[Row] = &[("MTU", 4, length)];
const ICMPV6_POINTER: &[Row] = &[("pointer", 4, number)];
const ICMP_REST: &[Row] = &[("rest of the header", 4, hexadecimal)];

/// IPv4 options (IANA IP option numbers).
const IPV4_OPTIONS: &[(u8, &str)] = &[
    (7, "record route"),
    (68, "timestamp"),
    (130, "security"),
    (131, "loose source route"),
    (133, "extended security"),
    (134, "commercial security"),
    (136, "stream identifier"),
    (137, "strict source route"),
    (148, "router alert"),
];

/// TCP options (IANA TCP option kinds).
const TCP_OPTIONS: &[(u8, &str)] = &[
    (2, "maximum segment size"),
    (3, "window scale"),
    (4, "SACK permitted"),
    (5, "SACK"),
    (8, "timestamps"),
    (19, "MD5 signature"),
    (28, "user timeout"),
    (29, "authentication"),
    (30, "multipath TCP"),
    (34, "fast open cookie"),
];

/// The headers of a packet, in the order of its bytes.
pub fn headers(example: &Example) -> Vec<Header<'_>> {
    let packet = parse(&*example.bytes, example.link);
    let mut reader = Reader { bytes: &example.bytes, headers: Vec::new() };
    if example.link == Link::Ethernet {
        reader.link();
    }
    match packet.family {
        Family::V4 => reader.ipv4(&packet),
        Family::V6 => reader.ipv6(&packet),
        Family::None if packet.ethertype == ARP_TYPE => reader.header("ARP", ARP),
        Family::None => {}
    }
    match packet.transport {
        Transport::Tcp => reader.tcp(&packet),
        Transport::Udp => reader.header("UDP", UDP),
        Transport::Icmp | Transport::Icmpv6 => reader.icmp(&packet),
        Transport::None => {}
    }
    reader.rest();
    reader.headers
}

/// Takes headers from the front of what is left.
struct Reader<'a> {
    bytes: &'a [u8],
    headers: Vec<Header<'a>>,
}

impl<'a> Reader<'a> {
    /// Up to `length` bytes.
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, left) = self.bytes.split_at(length.min(self.bytes.len()));
        self.bytes = left;
        taken
    }

    /// Begins a header; [`Reader::fields`] adds to it.
    fn header(&mut self, name: impl Into<Cow<'static, str>>, rows: &[Row]) {
        self.headers.push(Header { name: name.into(), fields: Vec::new() });
        self.fields(rows);
    }

    fn fields(&mut self, rows: &[Row]) {
        for (name, length, say) in rows {
            let bytes = self.take(*length);
            let value = if bytes.len() == *length { say(bytes) } else { "cut short".into() };
            self.field(*name, value, bytes);
        }
    }

    fn field(&mut self, name: impl Into<Cow<'static, str>>, value: String, bytes: &'a [u8]) {
        if let (false, Some(header)) = (bytes.is_empty(), self.headers.last_mut()) {
            header.fields.push(Field { name: name.into(), value, bytes });
        }
    }

    /// Ethernet and its VLAN tags.
    fn link(&mut self) {
        self.header("Ethernet", ETHERNET);
        while let Some(ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD) = self.last_field() {
            self.header("VLAN tag", VLAN);
        }
    }

    /// The field before what is left, if it has two bytes.
    fn last_field(&self) -> Option<u16> {
        let field = self.headers.last()?.fields.last()?;
        field.bytes.try_into().ok().map(u16::from_be_bytes)
    }

    fn ipv4(&mut self, packet: &Packet) {
        self.header("IPv4", IPV4);
        self.options(packet.transport_at - packet.network - 20, IPV4_OPTIONS);
    }

    fn ipv6(&mut self, packet: &Packet) {
        let whole = self.bytes;
        self.header("IPv6", IPV6);
        let mut next = whole.get(6).copied().unwrap_or_default();
        let chain_end = (packet.transport_at - packet.network) as usize;
        while is_extension(next) && whole.len() - self.bytes.len() < chain_end {
            next = self.extension(next);
        }
    }

    /// An IPv6 extension header; returns what follows it.
    fn extension(&mut self, kind: u8) -> u8 {
        let [next, units] = [0, 1].map(|at| self.bytes.get(at).copied().unwrap_or_default());
        let before = self.bytes.len();
        let (name, rows, length, body) = match kind {
            44 => ("Fragment header", IPV6_FRAGMENT, 8, ""),
            43 => ("Routing header", IPV6_ROUTING, (usize::from(units) + 1) * 8, "route"),
            51 => ("Authentication header", IPV6_AUTHENTICATION, (usize::from(units) + 2) * 4, "authentication data"),
            0 => ("Hop-by-hop options", IPV6_EXTENSION, (usize::from(units) + 1) * 8, "options"),
            60 => ("Destination options", IPV6_EXTENSION, (usize::from(units) + 1) * 8, "options"),
            _ => ("Extension header", IPV6_EXTENSION, (usize::from(units) + 1) * 8, "data"),
        };
        self.header(name, rows);
        let body_bytes = self.take(length.saturating_sub(before - self.bytes.len()));
        self.field(body, hexadecimal(body_bytes), body_bytes);
        next
    }

    fn tcp(&mut self, packet: &Packet) {
        self.header("TCP", TCP);
        self.options(u32::from(packet.tcp_header) - 20, TCP_OPTIONS);
    }

    fn icmp(&mut self, packet: &Packet) {
        let key = IcmpKey { family: packet.family, icmp_type: packet.icmp_type, code: packet.icmp_code };
        let protocol = if packet.family == Family::V6 { "ICMPv6" } else { "ICMP" };
        let name = match names::icmp(key) {
            Some(name) => Cow::Owned(format!("{protocol} {name}")),
            None => Cow::Borrowed(protocol),
        };
        self.header(name, ICMP);
        self.fields(match (packet.family, packet.icmp_type, packet.icmp_code) {
            (Family::V4, 0 | 8 | 13..=18, _) | (Family::V6, 128 | 129, _) => ICMP_ECHO,
            (Family::V4, 3, 4) => ICMP_NEXT_HOP_MTU,
            (Family::V4, 5, _) => ICMP_GATEWAY,
            (Family::V6, 2, _) => ICMPV6_MTU,
            (Family::V6, 4, _) => ICMPV6_POINTER,
            _ => ICMP_REST,
        });
    }

    /// IPv4 or TCP options: 0 ends them, 1 is padding, all others have their length, which counts kind and length, behind the kind.
    fn options(&mut self, length: u32, known: &[(u8, &'static str)]) {
        let mut options = self.take(length as usize);
        while let Some(kind) = options.first() {
            let (name, length) = match kind {
                0 => (Cow::Borrowed("end of options"), options.len()),
                1 => (Cow::Borrowed("no operation"), 1),
                _ => {
                    let name = known.iter().find(|(number, _)| number == kind);
                    let name = name.map_or_else(|| format!("option {kind}").into(), |(_, name)| Cow::Borrowed(*name));
                    (name, options.get(1).map_or(1, |length| usize::from(*length).max(2)))
                }
            };
            let (bytes, rest) = options.split_at(length.min(options.len()));
            let value = bytes.get(2..).filter(|_| *kind > 1).map(option_value).unwrap_or_default();
            self.field(name, value, bytes);
            options = rest;
        }
    }

    /// What no header above accounts for.
    fn rest(&mut self) {
        if !self.bytes.is_empty() {
            self.header("Not decoded", &[]);
            let bytes = self.take(self.bytes.len());
            self.field("bytes", count(bytes.len() as u64, "byte"), bytes);
        }
    }
}

/// What an option carries: a number where that is how it is read.
fn option_value(bytes: &[u8]) -> String {
    if (1..=2).contains(&bytes.len()) { number(bytes) } else { hexadecimal(bytes) }
}

fn integer(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn number(bytes: &[u8]) -> String {
    integer(bytes).to_string()
}

fn hexadecimal(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    bytes.iter().fold(String::from("0x"), |text, byte| format!("{text}{byte:02x}"))
}

fn length(bytes: &[u8]) -> String {
    count(integer(bytes), "byte")
}

fn in_eights(bytes: &[u8]) -> String {
    count((integer(bytes) + 1) * 8, "byte")
}

fn in_fours(bytes: &[u8]) -> String {
    count((integer(bytes) + 2) * 4, "byte")
}

fn mac(bytes: &[u8]) -> String {
    let parts: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

fn ipv4(bytes: &[u8]) -> String {
    Ipv4Addr::from_bits(integer(bytes) as u32).to_string()
}

fn ipv6(bytes: &[u8]) -> String {
    let bits = bytes.iter().fold(0, |value, byte| value << 8 | u128::from(*byte));
    Ipv6Addr::from_bits(bits).to_string()
}

fn ether_type(bytes: &[u8]) -> String {
    let value = integer(bytes) as u16;
    match value {
        ethertype::IPV4 => "IPv4".into(),
        ethertype::IPV6 => "IPv6".into(),
        ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD => "VLAN tag".into(),
        length if length < ethertype::MINIMUM => format!("802.3, {}", count(length.into(), "byte")),
        other => names::ethertype(other).into_owned(),
    }
}

fn vlan(bytes: &[u8]) -> String {
    let tag = integer(bytes);
    format!("VLAN {}, priority {}", tag & 0xfff, tag >> 13)
}

fn arp_operation(bytes: &[u8]) -> String {
    match integer(bytes) {
        1 => "request".into(),
        2 => "reply".into(),
        other => other.to_string(),
    }
}

fn version_and_length(bytes: &[u8]) -> String {
    format!("version {}, {}", bytes[0] >> 4, count(u64::from(bytes[0] & 0xf) * 4, "byte"))
}

fn service(bytes: &[u8]) -> String {
    format!("DSCP {}, ECN {}", bytes[0] >> 2, bytes[0] & 3)
}

fn ipv4_fragment(bytes: &[u8]) -> String {
    let field = integer(bytes);
    let mut parts = Vec::new();
    if field & 0x4000 != 0 {
        parts.push("don't fragment".to_owned());
    }
    if field & 0x2000 != 0 {
        parts.push("more fragments".to_owned());
    }
    parts.push(format!("offset {}", (field & 0x1fff) * 8));
    parts.join(", ")
}

fn ipv6_start(bytes: &[u8]) -> String {
    let field = integer(bytes);
    format!("version {}, class {}, flow {:#07x}", field >> 28, field >> 20 & 0xff, field & 0xf_ffff)
}

fn ipv6_fragment(bytes: &[u8]) -> String {
    let field = integer(bytes);
    let more = if field & 1 != 0 { ", more fragments" } else { "" };
    format!("offset {}{more}", field & !7)
}

fn ip_protocol(bytes: &[u8]) -> String {
    format!("{} ({})", names::ip_protocol(bytes[0]), bytes[0])
}

fn tcp_port(bytes: &[u8]) -> String {
    names::port(PortProto::Tcp, integer(bytes) as u16)
}

fn udp_port(bytes: &[u8]) -> String {
    names::port(PortProto::Udp, integer(bytes) as u16)
}

fn data_offset(bytes: &[u8]) -> String {
    count(u64::from(bytes[0] >> 4) * 4, "byte")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Moment;

    fn example(link: Link, bytes: &[u8]) -> Example {
        Example { at: Moment(0), headers: String::new(), link, length: bytes.len() as u32, bytes: bytes.into() }
    }

    /// `header: field = value` lines; and all bytes have to be in some field.
    fn told(link: Link, bytes: &[u8]) -> Vec<String> {
        let example = example(link, bytes);
        let headers = headers(&example);
        let fields = || headers.iter().flat_map(|header| header.fields.iter().map(move |field| (header, field)));
        let marked: Vec<u8> = fields().flat_map(|(_, field)| field.bytes.iter().copied()).collect();
        assert_eq!(marked, bytes);
        fields().map(|(header, field)| format!("{}: {} = {}", header.name, field.name, field.value)).collect()
    }

    fn ethernet(ethertype: u16) -> Vec<u8> {
        [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &ethertype.to_be_bytes()].concat()
    }

    fn ipv4(first: u8, protocol: u8) -> Vec<u8> {
        vec![first, 0, 0, 60, 0xab, 0xcd, 0x40, 0, 52, protocol, 1, 2, 198, 51, 100, 3, 192, 0, 2, 10]
    }

    #[test]
    fn tagged_tcp_with_options_of_both_kinds() {
        let mut frame = ethernet(ethertype::VLAN);
        frame.extend([0x60, 42, 8, 0]);
        frame.extend(ipv4(0x47, 6));
        frame.extend([131, 7, 4, 10, 0, 0, 1, 0]);
        frame.extend([0x9c, 0x40, 0, 22, 0, 0, 0, 7, 0, 0, 0, 0, 0x70, 0x02, 0x04, 0, 0, 0, 0, 0]);
        frame.extend([2, 4, 0x05, 0xb4, 1, 3, 3, 7]);
        let told = told(Link::Ethernet, &frame);
        for line in [
            "Ethernet: source = 02:00:00:00:00:02",
            "Ethernet: type = VLAN tag",
            "VLAN tag: priority and VLAN = VLAN 42, priority 3",
            "VLAN tag: type = IPv4",
            "IPv4: version and header length = version 4, 28 bytes",
            "IPv4: identification = 0xabcd",
            "IPv4: flags and fragment offset = don't fragment, offset 0",
            "IPv4: time to live = 52",
            "IPv4: protocol = tcp (6)",
            "IPv4: source = 198.51.100.3",
            "IPv4: loose source route = 0x040a000001",
            "IPv4: end of options = ",
            "TCP: source port = 40000",
            "TCP: destination port = 22 (ssh)",
            "TCP: header length = 28 bytes",
            "TCP: flags = SYN",
            "TCP: window = 1024",
            "TCP: maximum segment size = 1460",
            "TCP: no operation = ",
            "TCP: window scale = 7",
        ] {
            assert!(told.contains(&line.to_owned()), "{line} is missing: {told:#?}");
        }
    }

    #[test]
    fn ipv6_with_extensions_to_udp() {
        let mut packet = vec![0x60, 0x0a, 0xbc, 0xde, 0, 32, 0, 64];
        packet.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        packet.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        packet.extend([43, 0, 5, 2, 0, 0, 1, 0]);
        packet.extend([44, 0, 0, 0, 0, 0, 0, 0]);
        packet.extend([17, 0, 0, 1, 0, 0, 0, 9]);
        packet.extend([0x14, 0xe9, 0x14, 0xe9, 0, 8, 0, 0]);
        let told = told(Link::RawIp, &packet);
        for line in [
            "IPv6: version, traffic class, flow label = version 6, class 0, flow 0xabcde",
            "IPv6: next header = hopopt (0)",
            "IPv6: source = 2001:db8::1",
            "IPv6: destination = ff02::1",
            "Hop-by-hop options: options = 0x050200000100",
            "Routing header: segments left = 0",
            "Routing header: route = 0x00000000",
            "Fragment header: offset and more-fragments flag = offset 0, more fragments",
            "UDP: destination port = 5353 (mdns)",
            "UDP: length = 8 bytes",
        ] {
            assert!(told.contains(&line.to_owned()), "{line} is missing: {told:#?}");
        }
    }

    #[test]
    fn icmp_and_arp() {
        let mut frame = ethernet(ethertype::IPV4);
        frame.extend(ipv4(0x45, 1));
        frame.extend([3, 4, 0, 0, 0, 0, 5, 0x78]);
        let message = told(Link::Ethernet, &frame);
        assert!(message.contains(&"ICMP fragmentation-needed: next-hop MTU = 1,400 bytes".into()), "{message:#?}");

        let mut frame = ethernet(ARP_TYPE);
        frame.extend([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 7]);
        frame.extend([0; 18]);
        let request = told(Link::Ethernet, &frame);
        assert!(request.contains(&"ARP: operation = request".into()), "{request:#?}");
        assert!(request.contains(&"ARP: target's address = 192.0.2.7".into()), "{request:#?}");
        assert!(request.contains(&"Not decoded: bytes = 18 bytes".into()), "{request:#?}");
    }

    #[test]
    fn whatever_is_cut_keeps_all_of_its_bytes() {
        let mut frame = ethernet(ethertype::VLAN);
        frame.extend([0, 1, 8, 0]);
        frame.extend(ipv4(0x46, 6));
        frame.extend([7, 200, 4, 0]);
        frame.extend([0, 1, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 8, 0, 1]);
        for length in 0..=frame.len() {
            told(Link::Ethernet, &frame[..length]);
        }
        for first in 0..=255 {
            told(Link::RawIp, &[first; 60]);
        }
    }
}
