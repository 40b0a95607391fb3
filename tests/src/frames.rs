//! Frames by name, hostile ones above all, with what the engine must say of each. The same table is put to the engine on the host, to the program in the
//! kernel, and onto the wire.

use std::net::{Ipv4Addr, Ipv6Addr};

use annotator_common::packet::{protocol, tcp};
use annotator_common::parse::ethertype;
use annotator_common::source::EPOCH_SHIFT;
use annotator_common::{Flag, Link, Reason, Settings, Ticks};

/// A frame and what is to be found out of it.
pub struct NamedFrame {
    /// What is special about it.
    pub name: &'static str,
    /// How it begins.
    pub link: Link,
    /// All of it.
    pub bytes: Vec<u8>,
    /// The flags that it earns under [`settings`], in the order of [`Flag::ALL`].
    pub flags: Vec<Flag>,
    /// Why it cannot be parsed to its end.
    pub reason: Option<Reason>,
}

/// An address in no special range.
pub const SOURCE: Ipv4Addr = Ipv4Addr::new(5, 6, 7, 8);
/// Another.
pub const DESTINATION: Ipv4Addr = Ipv4Addr::new(9, 10, 11, 12);
/// An address that [`settings`] calls local.
pub const LOCAL: Ipv4Addr = Ipv4Addr::new(93, 184, 0, 140);
/// The prefix that [`settings`] calls local: its broadcast addresses do not look like such.
pub const LOCAL_PREFIX: (Ipv4Addr, u8) = (Ipv4Addr::new(93, 184, 0, 128), 26);
/// The broadcast address of [`LOCAL_PREFIX`].
pub const LOCAL_BROADCAST: Ipv4Addr = Ipv4Addr::new(93, 184, 0, 191);
/// An address in no special range.
pub const SOURCE_V6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x1450, 0, 0, 0, 0, 0, 1);
/// Another.
pub const DESTINATION_V6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x1450, 0, 0, 0, 0, 0, 2);
/// An address that [`settings`] calls local.
pub const LOCAL_V6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x1450, 0, 0, 0, 0, 0, 0x99);

/// A unicast MAC address.
pub const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
/// The source of every frame.
pub const MAC_SOURCE: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
/// The broadcast MAC address.
pub const MAC_BROADCAST: [u8; 6] = [0xff; 6];

/// A minute of half of all ticks: what is news again in the next one must not depend on when a test runs.
const ENDLESS: u32 = Ticks::BITS - 1 - EPOCH_SHIFT;

/// Settings under which the expectations hold.
pub fn settings() -> Box<Settings> {
    let mut settings = Box::new(Settings::DEFAULT);
    settings.second_shift = ENDLESS;
    assert!(settings.local.add_address(std::net::IpAddr::from(LOCAL).into()));
    assert!(settings.local.add_address(std::net::IpAddr::from(LOCAL_V6).into()));
    assert!(settings.local.add_prefix(LOCAL_PREFIX.0.into(), LOCAL_PREFIX.1.into()));
    settings
}

/// An Ethernet II frame.
pub fn ethernet(destination: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&destination[..], &MAC_SOURCE, &ethertype.to_be_bytes(), payload].concat()
}

/// An EtherType of a tag, the tag, and what follows it; goes behind an Ethernet header whose EtherType is that of the tag.
pub fn vlan_tag(id: u16, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &ethertype.to_be_bytes(), payload].concat()
}

/// An IPv4 header to be.
#[derive(Clone)]
pub struct Ipv4 {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Protocol number.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// Identification.
    pub identification: u16,
    /// Whether more fragments follow.
    pub more_fragments: bool,
    /// Fragment offset, in units of eight bytes.
    pub fragment_offset: u16,
    /// Options; a multiple of four bytes.
    pub options: Vec<u8>,
    /// A length other than the true one.
    pub total_length: Option<u16>,
    /// A first byte other than the true one.
    pub version_and_length: Option<u8>,
}

impl Default for Ipv4 {
    fn default() -> Self {
        Ipv4 {
            source: SOURCE,
            destination: DESTINATION,
            protocol: protocol::UDP,
            ttl: 64,
            identification: 0x1234,
            more_fragments: false,
            fragment_offset: 0,
            options: Vec::new(),
            total_length: None,
            version_and_length: None,
        }
    }
}

impl Ipv4 {
    /// The packet, with a right header checksum.
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        assert!(self.options.len().is_multiple_of(4) && self.options.len() <= 40);
        let header = 20 + self.options.len();
        let total = self.total_length.unwrap_or((header + payload.len()) as u16);
        let fragment = u16::from(self.more_fragments) << 13 | self.fragment_offset;
        let mut bytes = vec![self.version_and_length.unwrap_or(0x40 | (header / 4) as u8), 0];
        bytes.extend(total.to_be_bytes());
        bytes.extend(self.identification.to_be_bytes());
        bytes.extend(fragment.to_be_bytes());
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(&self.options);
        let checksum = checksum(&bytes);
        bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// The packet in an Ethernet frame.
    pub fn frame(&self, payload: &[u8]) -> Vec<u8> {
        ethernet(MAC, ethertype::IPV4, &self.packet(payload))
    }
}

/// An IPv6 header to be.
#[derive(Clone)]
pub struct Ipv6 {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// Next header.
    pub next: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// A length other than the true one.
    pub payload_length: Option<u16>,
}

impl Default for Ipv6 {
    fn default() -> Self {
        Ipv6 {
            source: SOURCE_V6,
            destination: DESTINATION_V6,
            next: protocol::UDP,
            hop_limit: 64,
            payload_length: None,
        }
    }
}

impl Ipv6 {
    /// The packet.
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend(self.payload_length.unwrap_or(payload.len() as u16).to_be_bytes());
        bytes.extend([self.next, self.hop_limit]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(payload);
        bytes
    }

    /// The packet in an Ethernet frame.
    pub fn frame(&self, payload: &[u8]) -> Vec<u8> {
        ethernet(MAC, ethertype::IPV6, &self.packet(payload))
    }
}

/// An IPv6 extension header of `8 + 8 * length` bytes that says `next` follows, and what follows.
pub fn extension(next: u8, length: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![next, length, 4, 0];
    bytes.resize(8 + 8 * usize::from(length), 0);
    bytes.extend(payload);
    bytes
}

/// An IPv6 fragment header and what follows; `offset` in units of eight bytes.
pub fn fragment_header(next: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let field = offset << 3 | u16::from(more);
    [&[next, 0][..], &field.to_be_bytes(), &[0, 0, 0, 7], payload].concat()
}

/// A TCP segment without options. The checksum is zero: nothing here looks at it.
pub fn tcp_segment(source: u16, destination: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(source.to_be_bytes());
    bytes.extend(destination.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

/// A UDP datagram without a checksum.
pub fn udp_datagram(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    [&source.to_be_bytes()[..], &destination.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

/// An ICMP or ICMPv6 message whose checksum is zero.
pub fn icmp_message(icmp_type: u8, code: u8, payload: &[u8]) -> Vec<u8> {
    [&[icmp_type, code, 0, 0, 0, 0, 0, 1][..], payload].concat()
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Collects frames.
#[derive(Default)]
struct Table(Vec<NamedFrame>);

impl Table {
    fn add(&mut self, name: &'static str, bytes: Vec<u8>, flags: &[Flag]) {
        self.push(name, Link::Ethernet, bytes, flags, None);
    }

    fn fails(&mut self, name: &'static str, bytes: Vec<u8>, flags: &[Flag], reason: Reason) {
        self.push(name, Link::Ethernet, bytes, flags, Some(reason));
    }

    fn push(&mut self, name: &'static str, link: Link, bytes: Vec<u8>, flags: &[Flag], reason: Option<Reason>) {
        assert!(self.0.iter().all(|other| other.name != name), "{name} twice");
        let mut flags = flags.to_vec();
        flags.sort_unstable();
        self.0.push(NamedFrame { name, link, bytes, flags, reason });
    }
}

/// All frames.
pub fn all() -> Vec<NamedFrame> {
    let mut table = Table::default();
    links(&mut table);
    vlans(&mut table);
    not_ip(&mut table);
    addresses_v4(&mut table);
    addresses_v6(&mut table);
    lengths_v4(&mut table);
    options_v4(&mut table);
    fragments_v4(&mut table);
    transports(&mut table);
    tcp_flags(&mut table);
    headers_v6(&mut table);
    chains_v6(&mut table);
    fragments_v6(&mut table);
    table.0
}

/// A UDP datagram between ports that earn no flag.
fn plain() -> Vec<u8> {
    udp_datagram(40_000, 4_000, b"payload!")
}

/// As TCP.
fn plain_tcp() -> Vec<u8> {
    tcp_segment(40_000, 4_000, tcp::ACK, b"data")
}

fn links(table: &mut Table) {
    let packet = Ipv4::default().packet(&plain());
    let packet_v6 = Ipv6::default().packet(&plain());
    table.add("udp", Ipv4::default().frame(&plain()), &[]);
    table.add("udp over ipv6", Ipv6::default().frame(&plain()), &[]);
    table.add("ethernet broadcast", ethernet(MAC_BROADCAST, ethertype::IPV4, &packet), &[Flag::EthernetBroadcast]);
    table.add(
        "ethernet multicast",
        ethernet([0x01, 0x00, 0x5e, 0, 0, 1], ethertype::IPV4, &packet),
        &[Flag::EthernetMulticast],
    );
    table.add(
        "ethernet broadcast but for one bit",
        ethernet([0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], ethertype::IPV4, &packet),
        &[Flag::EthernetMulticast],
    );
    table.fails("empty frame", Vec::new(), &[], Reason::LinkTruncated);
    table.fails("one byte", vec![0xff], &[], Reason::LinkTruncated);
    table.fails("13 bytes of a broadcast", vec![0xff; 13], &[], Reason::LinkTruncated);
    table.fails("header alone", ethernet(MAC, ethertype::IPV4, &[]), &[], Reason::Ipv4Truncated);
    table.push("raw ipv4", Link::RawIp, packet.clone(), &[], None);
    table.push("raw ipv6", Link::RawIp, packet_v6.clone(), &[], None);
    table.push("raw, empty", Link::RawIp, Vec::new(), &[], Some(Reason::LinkTruncated));
    table.push("raw, version 5", Link::RawIp, vec![0x55; 60], &[], Some(Reason::IpVersion));
    let cooked = [&[0; 16][..], &packet].concat();
    let link = Link::Decoded { offset: 16, ethertype: ethertype::IPV4 };
    table.push("cooked", link, cooked.clone(), &[], None);
    table.push("cooked, header cut", link, cooked[..15].to_vec(), &[], Some(Reason::LinkTruncated));
    table.push("cooked, header alone", link, cooked[..16].to_vec(), &[], Some(Reason::Ipv4Truncated));
    table.push("unknown family", Link::Unknown, vec![7, 0, 0, 0], &[], Some(Reason::LinkUnknown));
}

fn vlans(table: &mut Table) {
    let packet = Ipv4::default().packet(&plain());
    let one = vlan_tag(5, ethertype::IPV4, &packet);
    for (name, kind) in
        [("customer tag", ethertype::VLAN), ("service tag", ethertype::QINQ), ("old service tag", ethertype::QINQ_OLD)]
    {
        table.add(name, ethernet(MAC, kind, &one), &[Flag::Vlan]);
    }
    let two = vlan_tag(6, ethertype::VLAN, &one);
    table.add("two tags", ethernet(MAC, ethertype::QINQ, &two), &[Flag::Vlan]);
    let three = vlan_tag(7, ethertype::VLAN, &two);
    table.fails("three tags", ethernet(MAC, ethertype::QINQ, &three), &[Flag::Vlan], Reason::VlanDepth);
    let cut = Reason::VlanTruncated;
    table.fails("tag cut", ethernet(MAC, ethertype::VLAN, &[0, 5, 8]), &[Flag::Vlan], cut);
    table.fails("tag missing", ethernet(MAC, ethertype::VLAN, &[]), &[Flag::Vlan], cut);
    let second_cut = vlan_tag(6, ethertype::VLAN, &[0, 5]);
    table.fails("second tag cut", ethernet(MAC, ethertype::QINQ, &second_cut), &[Flag::Vlan], cut);
    table.add("tag before 802.3", ethernet(MAC, ethertype::VLAN, &vlan_tag(5, 3, &[0x42, 0x42, 3])), &[Flag::Vlan]);
    table.add(
        "tag before arp to all",
        ethernet(MAC_BROADCAST, ethertype::VLAN, &vlan_tag(5, 0x0806, &[0; 28])),
        &[Flag::Vlan, Flag::EthernetBroadcast],
    );
}

fn not_ip(table: &mut Table) {
    table.add("arp", ethernet(MAC_BROADCAST, 0x0806, &[0; 28]), &[Flag::EthernetBroadcast]);
    table.add("arp, nothing behind the header", ethernet(MAC, 0x0806, &[]), &[]);
    table.add("lldp", ethernet([0x01, 0x80, 0xc2, 0, 0, 0x0e], 0x88cc, &[0; 20]), &[Flag::EthernetMulticast]);
    table.add("mpls", ethernet(MAC, 0x8847, &Ipv4::default().packet(&plain())), &[]);
    table.add("802.3", ethernet(MAC, 38, &[0x42; 38]), &[]);
    table.add("longest 802.3 length", ethernet(MAC, 0x05ff, &[0; 46]), &[]);
    table.add("smallest ethertype", ethernet(MAC, 0x0600, &[0; 46]), &[]);
    table.add("ethertype ffff", ethernet(MAC, 0xffff, &[0; 46]), &[]);
}

fn addresses_v4(table: &mut Table) {
    let mut from = |name, octets: [u8; 4], flags: &[Flag]| {
        table.add(name, Ipv4 { source: octets.into(), ..Ipv4::default() }.frame(&plain()), flags);
    };
    from("from 10/8", [10, 255, 0, 1], &[Flag::PrivateSource]);
    from("from 172.16/12", [172, 16, 0, 1], &[Flag::PrivateSource]);
    from("from the end of 172.16/12", [172, 31, 255, 254], &[Flag::PrivateSource]);
    from("from before 172.16/12", [172, 15, 255, 254], &[]);
    from("from behind 172.16/12", [172, 32, 0, 1], &[]);
    from("from 192.168/16", [192, 168, 1, 1], &[Flag::PrivateSource]);
    from("from 192.167", [192, 167, 1, 1], &[]);
    from("from 100.64/10", [100, 64, 0, 1], &[Flag::SharedSource]);
    from("from the end of 100.64/10", [100, 127, 255, 254], &[Flag::SharedSource]);
    from("from behind 100.64/10", [100, 128, 0, 1], &[]);
    from("from 127/8", [127, 1, 2, 3], &[Flag::LoopbackSource]);
    from("from 169.254/16", [169, 254, 9, 9], &[Flag::LinkLocalSource]);
    from("from 169.253", [169, 253, 9, 9], &[]);
    from("from 0.0.0.0", [0, 0, 0, 0], &[Flag::ZeroSource]);
    from("from 0/8", [0, 0, 0, 1], &[Flag::ReservedSource]);
    from("from 192.0.2/24", [192, 0, 2, 1], &[Flag::DocumentationSource]);
    from("from 198.51.100/24", [198, 51, 100, 1], &[Flag::DocumentationSource]);
    from("from 203.0.113/24", [203, 0, 113, 1], &[Flag::DocumentationSource]);
    from("from a group", [224, 0, 0, 5], &[Flag::ReservedSource]);
    from("from 240/4", [240, 0, 0, 1], &[Flag::ReservedSource]);
    from("from 255.255.255.255", [255, 255, 255, 255], &[Flag::ReservedSource]);
    from("from us", LOCAL.octets(), &[Flag::SelfSource]);
    from("from one beside us", [93, 184, 0, 204], &[]);
    from("land", DESTINATION.octets(), &[Flag::Land]);

    let mut to = |name, octets: [u8; 4], flags: &[Flag]| {
        table.add(name, Ipv4 { destination: octets.into(), ..Ipv4::default() }.frame(&plain()), flags);
    };
    to("to 255.255.255.255", [255, 255, 255, 255], &[Flag::LimitedBroadcast]);
    to("to .255", [9, 10, 11, 255], &[Flag::DirectedBroadcast]);
    to("to .0", [9, 10, 11, 0], &[Flag::DirectedBroadcast]);
    to("to .254", [9, 10, 11, 254], &[]);
    to("to .1", [9, 10, 11, 1], &[]);
    to("to 0.0.0.0", [0, 0, 0, 0], &[]);
    to("to 0.0.0.255", [0, 0, 0, 255], &[Flag::DirectedBroadcast]);
    to("to 240/4 .255", [250, 0, 0, 255], &[Flag::DirectedBroadcast]);
    to("to a group", [224, 0, 0, 1], &[Flag::Multicast]);
    to("to the last group", [239, 255, 255, 255], &[Flag::Multicast]);
    to("to our broadcast address", LOCAL_BROADCAST.octets(), &[Flag::DirectedBroadcast]);
    to("to our network address", LOCAL_PREFIX.0.octets(), &[Flag::DirectedBroadcast]);
    to("to a like end elsewhere", [93, 184, 1, 191], &[]);
}

fn addresses_v6(table: &mut Table) {
    let mut from = |name, address: &str, flags: &[Flag]| {
        let source = address.parse().expect("an address");
        table.add(name, Ipv6 { source, ..Ipv6::default() }.frame(&plain()), flags);
    };
    from("from fc00::/7", "fd12:3456::1", &[Flag::PrivateSource]);
    from("from the start of fc00::/7", "fc00::1", &[Flag::PrivateSource]);
    from("from fe00::", "fe00::1", &[]);
    from("from fe80::/10", "fe80::1", &[Flag::LinkLocalSource]);
    from("from the end of fe80::/10", "febf::1", &[Flag::LinkLocalSource]);
    from("from fec0::", "fec0::1", &[]);
    from("from ::", "::", &[Flag::ZeroSource]);
    from("from ::1", "::1", &[Flag::LoopbackSource]);
    from("from ::2", "::2", &[]);
    from("from 2001:db8::/32", "2001:db8::1", &[Flag::DocumentationSource]);
    from("from 2001:db9::", "2001:db9::1", &[]);
    from("from 3fff::/20", "3fff:fff::1", &[Flag::DocumentationSource]);
    from("from 3fff:1000::", "3fff:1000::1", &[]);
    from("from ff02::", "ff02::1", &[Flag::ReservedSource]);
    from("from our ipv6 address", "2a00:1450::99", &[Flag::SelfSource]);
    from("land over ipv6", "2a00:1450::2", &[Flag::Land]);
    let group = "ff02::fb".parse().expect("an address");
    table.add("to ff00::/8", Ipv6 { destination: group, ..Ipv6::default() }.frame(&plain()), &[Flag::Multicast]);
}

fn lengths_v4(table: &mut Table) {
    let whole = Ipv4::default().frame(&plain());
    let bad = &[Flag::BadLength];
    table.fails("ipv4 header cut", whole[..33].to_vec(), &[], Reason::Ipv4Truncated);
    table.fails("ipv4 header cut after its first byte", whole[..15].to_vec(), &[], Reason::Ipv4Truncated);
    let with = |change: fn(&mut Ipv4)| {
        let mut header = Ipv4::default();
        change(&mut header);
        header.frame(&plain())
    };
    table.fails(
        "ipv4 in name, version 6",
        with(|header| header.version_and_length = Some(0x65)),
        &[],
        Reason::IpVersion,
    );
    for (name, word) in [("header length 0", 0x40), ("header length 16", 0x44)] {
        let header = Ipv4 { version_and_length: Some(word), ..Ipv4::default() };
        table.fails(name, header.frame(&plain()), &[], Reason::Ipv4HeaderLength);
    }
    table.fails(
        "header longer than the frame",
        with(|header| header.version_and_length = Some(0x4f)),
        &[],
        Reason::Ipv4Truncated,
    );
    table.add("total length 0", with(|header| header.total_length = Some(0)), &[]);
    table.add("total length beyond the frame", with(|header| header.total_length = Some(37)), bad);
    table.add("total length 65535", with(|header| header.total_length = Some(65_535)), bad);
    table.fails(
        "total length inside the header",
        with(|header| header.total_length = Some(19)),
        bad,
        Reason::L4Truncated,
    );
    table.fails(
        "total length ends with the header",
        with(|header| header.total_length = Some(20)),
        &[],
        Reason::L4Truncated,
    );
    table.fails(
        "total length ends inside udp",
        with(|header| header.total_length = Some(27)),
        &[],
        Reason::L4Truncated,
    );
    table.add("padded to 60 bytes", [Ipv4::default().frame(&plain()), vec![0; 10]].concat(), &[]);
    table.add("ttl 5", with(|header| header.ttl = 5), &[Flag::LowTtl]);
    table.add("ttl 6", with(|header| header.ttl = 6), &[]);
    table.add("ttl 0", with(|header| header.ttl = 0), &[Flag::LowTtl]);
}

fn options_v4(table: &mut Table) {
    let mut with = |name, options: &[u8], flags: &[Flag]| {
        let mut options = options.to_vec();
        options.resize(options.len().next_multiple_of(4), 0);
        let flags = [&[Flag::IpOptions][..], flags].concat();
        table.add(name, Ipv4 { options, ..Ipv4::default() }.frame(&plain()), &flags);
    };
    let route = [131, 7, 4, 1, 2, 3, 4];
    let strict = [137, 7, 4, 1, 2, 3, 4];
    let record = [7, 7, 4, 0, 0, 0, 0];
    with("loose source route", &route, &[Flag::SourceRoute]);
    with("strict source route", &strict, &[Flag::SourceRoute]);
    with("record route", &record, &[Flag::RecordRoute]);
    with("both routes", &[&route[..], &record].concat(), &[Flag::SourceRoute, Flag::RecordRoute]);
    with("router alert", &[148, 4, 0, 0], &[]);
    with("timestamp", &[68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[]);
    with("no-operations alone", &[1; 40], &[]);
    with("source route behind 33 no-operations", &[&[1; 33][..], &route].concat(), &[Flag::SourceRoute]);
    with("source route behind the end of the list", &[&[0][..], &route].concat(), &[]);
    with("route option that is cut", &[1, 1, 1, 131], &[Flag::SourceRoute]);
    with("route option of length 0", &[131, 0, 4, 0], &[Flag::SourceRoute]);
    with("route option of length 1", &[137, 1, 4, 0], &[Flag::SourceRoute]);
    with("route option longer than the list", &[131, 200, 4, 0], &[Flag::SourceRoute]);
    with("source route behind a broken option", &[&[68, 0][..], &route].concat(), &[]);
    with("source route inside another option", &[148, 8, 131, 7, 4, 0, 0, 0], &[]);
    with("twenty empty options", &[30, 2].repeat(20), &[]);
    with("option that ends with the list", &[148, 40].into_iter().chain([0; 38]).collect::<Vec<_>>(), &[]);
}

fn fragments_v4(table: &mut Table) {
    let fragment = |protocol, more_fragments, fragment_offset, payload: &[u8]| {
        Ipv4 { protocol, more_fragments, fragment_offset, ..Ipv4::default() }.frame(payload)
    };
    let first = [Flag::Fragment, Flag::FirstFragment];
    let tiny = [Flag::Fragment, Flag::FirstFragment, Flag::TinyFragment];
    table.add("first fragment", fragment(protocol::UDP, true, 0, &plain()), &first);
    table.add("later fragment", fragment(protocol::UDP, true, 185, &plain()), &[Flag::Fragment]);
    table.add("last fragment", fragment(protocol::UDP, false, 185, &plain()), &[Flag::Fragment]);
    table.add("last fragment without a byte", fragment(protocol::UDP, false, 185, &[]), &[Flag::Fragment]);
    table.add("fragment at the highest offset", fragment(protocol::UDP, false, 0x1fff, &[0; 8]), &[Flag::Fragment]);
    let overlap = [Flag::Fragment, Flag::TinyFragment];
    table.add("fragment at offset 1", fragment(protocol::TCP, false, 1, &[0; 16]), &overlap);
    table.add("fragment at offset 1 of gre", fragment(47, true, 1, &[0; 16]), &overlap);
    let syn = tcp_segment(40_000, 4_000, tcp::SYN, &[]);
    table.add("first fragment with all of tcp", fragment(protocol::TCP, true, 0, &syn), &first);
    table.add("first fragment with 19 bytes of tcp", fragment(protocol::TCP, true, 0, &syn[..19]), &tiny);
    table.add("first fragment with 14 bytes of tcp", fragment(protocol::TCP, true, 0, &syn[..14]), &tiny);
    table.add("first fragment with 8 bytes of tcp", fragment(protocol::TCP, true, 0, &syn[..8]), &tiny);
    table.add("first fragment with no byte of tcp", fragment(protocol::TCP, true, 0, &[]), &tiny);
    table.add("first fragment with 7 bytes of udp", fragment(protocol::UDP, true, 0, &plain()[..7]), &tiny);
    let echo = icmp_message(8, 0, b"");
    table.add("first fragment with 7 bytes of icmp", fragment(protocol::ICMP, true, 0, &echo[..7]), &tiny);
    table.add("first fragment with 3 bytes of icmp", fragment(protocol::ICMP, true, 0, &echo[..3]), &tiny);
    table.add("first fragment with all of icmp", fragment(protocol::ICMP, true, 0, &echo), &first);
    table.add("first fragment of gre, empty", fragment(47, true, 0, &[]), &first);
    let ends = Ipv4 { protocol: protocol::TCP, more_fragments: true, total_length: Some(28), ..Ipv4::default() };
    table.add("first fragment that its length ends", ends.frame(&syn), &tiny);
}

fn transports(table: &mut Table) {
    let with = |protocol, payload: &[u8]| Ipv4 { protocol, ..Ipv4::default() }.frame(payload);
    let low = &[Flag::LowSourcePort];
    table.add("tcp data", with(protocol::TCP, &plain_tcp()), &[]);
    table.add("tcp syn", with(protocol::TCP, &tcp_segment(40_000, 80, tcp::SYN, &[])), &[]);
    table.add("tcp syn-ack", with(protocol::TCP, &tcp_segment(80, 40_000, tcp::SYN | tcp::ACK, &[])), low);
    table.add("tcp from port 1023", with(protocol::TCP, &tcp_segment(1023, 4_000, tcp::ACK, &[])), low);
    table.add("tcp from port 1024", with(protocol::TCP, &tcp_segment(1024, 4_000, tcp::ACK, &[])), &[]);
    table.add("udp from port 0", with(protocol::UDP, &udp_datagram(0, 0, &[])), low);
    table.add("udp from port 53", with(protocol::UDP, &udp_datagram(53, 53, b"dns")), low);
    table.add("udp to port 65535", with(protocol::UDP, &udp_datagram(65_535, 65_535, &[])), &[]);
    table.add("tcp of 19 bytes", with(protocol::TCP, &plain_tcp()[..19]), &[]);
    table.add("tcp of 14 bytes", with(protocol::TCP, &plain_tcp()[..14]), &[]);
    table.fails("tcp of 13 bytes", with(protocol::TCP, &plain_tcp()[..13]), &[], Reason::L4Truncated);
    table.fails("tcp of no byte", with(protocol::TCP, &[]), &[], Reason::L4Truncated);
    table.fails("udp of 7 bytes", with(protocol::UDP, &plain()[..7]), &[], Reason::L4Truncated);
    table.add("udp of 8 bytes", with(protocol::UDP, &plain()[..8]), &[]);
    table.add("echo request", with(protocol::ICMP, &icmp_message(8, 0, b"ping")), &[]);
    table.add("port unreachable", with(protocol::ICMP, &icmp_message(3, 3, &Ipv4::default().packet(&plain()))), &[]);
    table.add("icmp 255/255", with(protocol::ICMP, &icmp_message(255, 255, b"")), &[]);
    table.add("icmp of 4 bytes", with(protocol::ICMP, &[11, 0, 0, 0]), &[]);
    table.fails("icmp of 3 bytes", with(protocol::ICMP, &[11, 0, 0]), &[], Reason::L4Truncated);
    for (name, number) in [
        ("protocol 0 over ipv4", 0),
        ("igmp", 2),
        ("gre", 47),
        ("esp", 50),
        ("icmpv6 over ipv4", 58),
        ("sctp", 132),
        ("protocol 255", 255),
    ] {
        table.add(name, with(number, &[0; 16]), &[]);
    }
    table.add("gre without a byte", with(47, &[]), &[]);
}

fn tcp_flags(table: &mut Table) {
    use tcp::{ACK, FIN, PSH, RST, SYN, URG};
    let mut with = |name, flags: u8, payload: &[u8], earned: &[Flag]| {
        let segment = tcp_segment(40_000, 4_000, flags, payload);
        table.add(name, Ipv4 { protocol: protocol::TCP, ..Ipv4::default() }.frame(&segment), earned);
    };
    with("syn and fin", SYN | FIN, &[], &[Flag::SynFin]);
    with("syn, fin and ack", SYN | FIN | ACK, &[], &[Flag::SynFin]);
    with("no tcp flag", 0, &[], &[Flag::NullScan]);
    with("only the congestion flags", 0xc0, &[], &[Flag::NullScan]);
    with("fin, psh and urg", FIN | PSH | URG, &[], &[Flag::XmasScan]);
    with("fin, psh, urg and congestion flags", FIN | PSH | URG | 0xc0, &[], &[Flag::XmasScan]);
    with("fin, psh, urg and ack", FIN | PSH | URG | ACK, &[], &[]);
    with("fin, psh, urg and rst", FIN | PSH | URG | RST, &[], &[]);
    with("all tcp flags", 0x3f, &[], &[Flag::SynFin]);
    with("fin alone", FIN, &[], &[]);
    with("rst", RST, &[], &[]);
    with("syn with data", SYN, b"x", &[Flag::SynWithPayload]);
    with("syn, fin and data", SYN | FIN, b"x", &[Flag::SynFin, Flag::SynWithPayload]);
    with("syn-ack with data", SYN | ACK, b"x", &[]);

    let tcp = |segment: &[u8]| Ipv4 { protocol: protocol::TCP, ..Ipv4::default() }.frame(segment);
    let mut segment = tcp_segment(40_000, 4_000, SYN, &[0; 4]);
    segment[12] = 0x60;
    table.add("syn whose options fill it", tcp(&segment), &[]);
    segment[12] = 0x40;
    table.add("syn with data offset 4 and data", tcp(&segment), &[Flag::SynWithPayload]);
    segment[12] = 0xf0;
    table.add("syn with a data offset beyond its end", tcp(&segment), &[]);
    let padded = [tcp(&tcp_segment(40_000, 4_000, SYN, &[])), vec![0; 6]].concat();
    table.add("syn padded to 60 bytes", padded, &[]);
}

fn headers_v6(table: &mut Table) {
    let whole = Ipv6::default().frame(&plain());
    table.fails("ipv6 header cut", whole[..53].to_vec(), &[], Reason::Ipv6Truncated);
    table.fails("ipv6 header alone", whole[..54].to_vec(), &[Flag::BadLength], Reason::L4Truncated);
    let mut version = whole.clone();
    version[14] = 0x45;
    table.fails("ipv6 in name, version 4", version, &[], Reason::IpVersion);
    let length = |payload_length| Ipv6 { payload_length: Some(payload_length), ..Ipv6::default() }.frame(&plain());
    table.add("payload length 0", length(0), &[]);
    table.add("payload length beyond the frame", length(17), &[Flag::BadLength]);
    table.fails("payload length ends inside udp", length(7), &[], Reason::L4Truncated);
    table.add("hop limit 5", Ipv6 { hop_limit: 5, ..Ipv6::default() }.frame(&plain()), &[Flag::LowTtl]);
    table.add("hop limit 6", Ipv6 { hop_limit: 6, ..Ipv6::default() }.frame(&plain()), &[]);
    let next = |next, payload: &[u8]| Ipv6 { next, ..Ipv6::default() }.frame(payload);
    table.add("tcp over ipv6", next(protocol::TCP, &tcp_segment(40_000, 443, tcp::SYN, &[])), &[]);
    table.add("echo request over ipv6", next(protocol::ICMPV6, &icmp_message(128, 0, b"ping")), &[]);
    table.add("router advertisement", next(protocol::ICMPV6, &icmp_message(134, 0, &[0; 8])), &[]);
    table.fails("icmpv6 of 3 bytes", next(protocol::ICMPV6, &[1, 0, 0]), &[], Reason::L4Truncated);
    table.add("icmp over ipv6", next(protocol::ICMP, &icmp_message(8, 0, b"")), &[]);
    table.add("no next header", next(59, &[]), &[]);
    table.add("esp over ipv6", next(50, &[0; 16]), &[]);
}

fn chains_v6(table: &mut Table) {
    let next = |next, payload: &[u8]| Ipv6 { next, ..Ipv6::default() }.frame(payload);
    let found = &[Flag::Ipv6Extension];
    for (name, kind) in [
        ("hop-by-hop", 0),
        ("routing header", 43),
        ("authentication header", 51),
        ("destination options", 60),
        ("mobility header", 135),
        ("hip", 139),
        ("shim6", 140),
    ] {
        let mut chain = extension(protocol::UDP, 0, &plain());
        if kind == 51 {
            // Its length counts four-byte words, less two.
            chain = [&[protocol::UDP, 4][..], &[0; 22], &plain()].concat();
        }
        table.add(name, next(kind, &chain), found);
    }
    let mut route = extension(protocol::UDP, 2, &plain());
    route[2] = 0;
    table.add("routing header of type 0", next(43, &route), &[Flag::Ipv6Extension, Flag::RoutingHeader0]);
    let cut = Reason::Ipv6ExtensionTruncated;
    table.fails("extension of 7 bytes", next(60, &extension(17, 0, &[])[..7]), found, cut);
    table.fails("extension missing", next(0, &[]), found, cut);
    table.fails("extension longer than the packet", next(60, &extension(17, 3, &[])[..24]), found, cut);
    let mut type_0 = extension(protocol::UDP, 9, &[]);
    type_0[2] = 0;
    table.fails(
        "routing header of type 0 that is cut",
        next(43, &type_0[..16]),
        &[Flag::Ipv6Extension, Flag::RoutingHeader0],
        cut,
    );
    table.fails("transport missing behind an extension", next(60, &extension(17, 0, &[])), found, Reason::L4Truncated);
    let chain = |depth| {
        let mut bytes = extension(protocol::UDP, 0, &plain());
        for _ in 1..depth {
            bytes = extension(60, 0, &bytes);
        }
        next(60, &bytes)
    };
    table.add("eight extensions", chain(8), found);
    table.fails("nine extensions", chain(9), found, Reason::Ipv6ExtensionDepth);
    table.fails("forty extensions", chain(40), found, Reason::Ipv6ExtensionDepth);
    let long = extension(60, 255, &extension(protocol::UDP, 255, &plain()));
    table.add("two extensions of 2048 bytes", next(60, &long), found);
    table.add("protocol unknown behind an extension", next(60, &extension(253, 0, &[0; 8])), found);
}

fn fragments_v6(table: &mut Table) {
    let with = |payload: &[u8]| Ipv6 { next: 44, ..Ipv6::default() }.frame(payload);
    let whole = &[Flag::Ipv6Extension];
    let first = [Flag::Ipv6Extension, Flag::Fragment, Flag::FirstFragment];
    let later = [Flag::Ipv6Extension, Flag::Fragment];
    let tiny = [Flag::Ipv6Extension, Flag::Fragment, Flag::FirstFragment, Flag::TinyFragment];
    table.add("atomic fragment", with(&fragment_header(protocol::UDP, 0, false, &plain())), whole);
    table.add("first fragment over ipv6", with(&fragment_header(protocol::UDP, 0, true, &plain())), &first);
    table.add("later fragment over ipv6", with(&fragment_header(protocol::UDP, 181, true, &plain())), &later);
    table.add(
        "fragment at offset 1 over ipv6",
        with(&fragment_header(protocol::TCP, 1, false, &[0; 8])),
        &[Flag::Ipv6Extension, Flag::Fragment, Flag::TinyFragment],
    );
    table.add("tiny first fragment over ipv6", with(&fragment_header(protocol::TCP, 0, true, &[0; 8])), &tiny);
    table.add("first fragment over ipv6 without a byte", with(&fragment_header(58, 0, true, &[])), &tiny);
    table.fails(
        "atomic fragment that is cut",
        with(&fragment_header(17, 0, false, &[])[..7]),
        whole,
        Reason::Ipv6ExtensionTruncated,
    );
    let behind = fragment_header(60, 0, true, &extension(protocol::UDP, 0, &plain()));
    table.add("extension behind a first fragment", with(&behind), &first);
    let later_extension = fragment_header(60, 50, true, &extension(protocol::UDP, 0, &plain()));
    table.add("extension named by a later fragment", with(&later_extension), &later);
}

#[cfg(test)]
mod tests {
    use annotator_common::classify::classify;
    use annotator_common::parse::parse;

    use super::*;

    #[test]
    fn every_frame_earns_what_it_should() {
        let settings = settings();
        for frame in all() {
            let mut packet = parse(&frame.bytes[..], frame.link);
            classify(&frame.bytes[..], &mut packet, &settings.local);
            assert_eq!(packet.flags.iter().collect::<Vec<_>>(), frame.flags, "{}", frame.name);
            assert_eq!(packet.reason(), frame.reason, "{}", frame.name);
        }
    }

    #[test]
    fn every_flag_and_every_reason_occurs() {
        let frames = all();
        for flag in Flag::ALL {
            assert!(frames.iter().any(|frame| frame.flags.contains(flag)), "{}", flag.name());
        }
        for reason in Reason::ALL {
            assert!(frames.iter().any(|frame| frame.reason == Some(*reason)), "{}", reason.name());
        }
    }
}
