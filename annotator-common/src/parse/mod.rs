//! Headers → [`Packet`].
//!
//! Each step loads its header, checks it, notes what it learnt, and hands the next offset on. The meanings are those of
//! `docs/meanings.md`: counts are compared with other readers of the same packets, so a boundary moved here changes figures.

pub mod extensions;
pub mod options;

use crate::frame::Pod;
use crate::packet::{protocol, tcp};
use crate::{Address, Family, Flag, Flags, Frame, Link, Packet, Reason, Transport};

/// EtherTypes the engine follows (IANA / IEEE).
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// IEEE 802.1Q customer tag.
    pub const VLAN: u16 = 0x8100;
    /// IEEE 802.1ad service tag.
    pub const QINQ: u16 = 0x88a8;
    /// Service tag of devices older than 802.1ad.
    pub const QINQ_OLD: u16 = 0x9100;
    /// Below this the field is an IEEE 802.3 length.
    pub const MINIMUM: u16 = 0x0600;
}

/// Length of an Ethernet header in bytes.
pub const ETHERNET_HEADER: u32 = 14;
/// Length of a VLAN tag in bytes.
const VLAN_TAG: u32 = 4;
/// VLAN tags that are skipped; one more ends parsing.
const VLAN_DEPTH: u32 = 2;
/// Length of an IPv6 header in bytes.
const IPV6_HEADER: u32 = 40;
/// Bytes of a TCP header up to and with the flags: what counting needs.
const TCP_COUNTED: u32 = 14;
/// A TCP header without options.
const TCP_HEADER: u32 = 20;
const UDP_HEADER: u32 = 8;
const ICMP_HEADER: u32 = 8;
/// Type, code and checksum: what counting needs.
const ICMP_COUNTED: u32 = 4;
/// TTL or hop limit up to which a packet earns `low-ttl`.
const LOW_TTL: u8 = 5;
/// First source port that is not reserved.
const FIRST_USER_PORT: u16 = 1024;

#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Ipv4Header {
    version_and_length: u8,
    _service: u8,
    total_length: u16,
    identification: u16,
    fragment: u16,
    ttl: u8,
    protocol: u8,
    _checksum: u16,
    source: u32,
    destination: u32,
}

#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Ipv6Header {
    version: u8,
    _class_and_flow: [u8; 3],
    payload_length: u16,
    next: u8,
    hop_limit: u8,
    source: [u32; 4],
    destination: [u32; 4],
}

#[derive(Clone, Copy)]
#[repr(C, packed)]
struct TcpStart {
    source: u16,
    destination: u16,
    _sequence: u32,
    _acknowledgement: u32,
    data_offset: u8,
    flags: u8,
}

// SAFETY: packed structs of integers have no padding and accept any bytes.
unsafe impl Pod for Ipv4Header {}
// SAFETY: as above.
unsafe impl Pod for Ipv6Header {}
// SAFETY: as above.
unsafe impl Pod for TcpStart {}

const _: () = assert!(size_of::<Ipv4Header>() == 20);
const _: () = assert!(size_of::<Ipv6Header>() == IPV6_HEADER as usize);
const _: () = assert!(size_of::<TcpStart>() == TCP_COUNTED as usize);

/// Parses a frame. What was learnt before parsing stopped stands; [`Packet::reason`] then says why it stopped.
#[inline(always)]
pub fn parse<F: Frame + ?Sized>(frame: &F, link: Link) -> Packet {
    let mut packet = Packet { flags: Flags::from_bits(frame.settled(0)), ..Packet::default() };
    let reason = headers(frame, link, &mut packet).err();
    // All ways through the headers meet here.
    packet.reason_code = frame.settled(reason.map_or(0, Reason::code)) as u8;
    packet.flags = Flags::from_bits(frame.settled(packet.flags.bits()));
    packet.family = Family::from_number(frame.settled(packet.family as u32));
    packet.transport = Transport::from_number(frame.settled(packet.transport as u32));
    packet
}

#[inline(always)]
fn headers<F: Frame + ?Sized>(frame: &F, link: Link, packet: &mut Packet) -> Result<(), Reason> {
    match link {
        Link::Ethernet => {
            let (ethertype, at) = ethernet(frame, packet)?;
            network(frame, packet, ethertype, at)
        }
        Link::Decoded { offset, ethertype } => {
            if offset > frame.len() {
                return Err(Reason::LinkTruncated);
            }
            let (ethertype, at) = vlan_tags(frame, packet, ethertype, offset)?;
            network(frame, packet, ethertype, at)
        }
        Link::RawIp => {
            let first: u8 = frame.load(0).ok_or(Reason::LinkTruncated)?;
            match first >> 4 {
                4 => network(frame, packet, ethertype::IPV4, 0),
                6 => network(frame, packet, ethertype::IPV6, 0),
                _ => Err(Reason::IpVersion),
            }
        }
        Link::Unknown => Err(Reason::LinkUnknown),
    }
}

#[inline(always)]
fn ethernet<F: Frame + ?Sized>(frame: &F, packet: &mut Packet) -> Result<(u16, u32), Reason> {
    let header: [u16; 7] = frame.load(0).ok_or(Reason::LinkTruncated)?;
    if header[0].to_ne_bytes()[0] & 1 != 0 {
        let broadcast = header[0] & header[1] & header[2] == u16::MAX;
        packet.flags.insert(if broadcast { Flag::EthernetBroadcast } else { Flag::EthernetMulticast });
    }
    vlan_tags(frame, packet, u16::from_be(header[6]), ETHERNET_HEADER)
}

#[inline(always)]
const fn is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD)
}

/// Skips up to [`VLAN_DEPTH`] tags; `at` is the offset behind the EtherType.
#[inline(always)]
fn vlan_tags<F: Frame + ?Sized>(
    frame: &F,
    packet: &mut Packet,
    mut ethertype: u16,
    mut at: u32,
) -> Result<(u16, u32), Reason> {
    if is_vlan(ethertype) {
        packet.flags.insert(Flag::Vlan);
        for _ in 0..VLAN_DEPTH {
            let tag: [u16; 2] = frame.load(at).ok_or(Reason::VlanTruncated)?;
            ethertype = u16::from_be(tag[1]);
            at += VLAN_TAG;
            if !is_vlan(ethertype) {
                return Ok((ethertype, at));
            }
        }
        return Err(Reason::VlanDepth);
    }
    Ok((ethertype, at))
}

#[inline(always)]
fn network<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, ethertype: u16, at: u32) -> Result<(), Reason> {
    match ethertype {
        ethertype::IPV4 => ipv4(frame, packet, at)?,
        ethertype::IPV6 => ipv6(frame, packet, at)?,
        _ => {}
    }
    packet.ethertype = ethertype;
    Ok(())
}

#[inline(always)]
fn ipv4<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, at: u32) -> Result<(), Reason> {
    let header: Ipv4Header = frame.load(at).ok_or(Reason::Ipv4Truncated)?;
    if header.version_and_length >> 4 != 4 {
        return Err(Reason::IpVersion);
    }
    let header_length = u32::from(header.version_and_length & 0x0f) * 4;
    if header_length < 20 {
        return Err(Reason::Ipv4HeaderLength);
    }
    let room = frame.len() - at;
    if room < header_length {
        return Err(Reason::Ipv4Truncated);
    }
    let total = u32::from(u16::from_be(header.total_length));
    packet.flags.insert_if(Flag::BadLength, total != 0 && (total < header_length || total > room));
    packet.end = at + if total == 0 || total > room { room } else { total };
    packet.ethertype = ethertype::IPV4;
    packet.family = Family::V4;
    packet.network = at;
    packet.transport_at = at + header_length;
    packet.protocol = header.protocol;
    packet.has_protocol = true;
    packet.ttl = header.ttl;
    packet.flags.insert_if(Flag::LowTtl, header.ttl <= LOW_TTL);
    packet.identification = u16::from_be(header.identification);
    packet.source = Address::v4(header.source);
    packet.destination = Address::v4(header.destination);
    if header_length > 20 {
        packet.flags.insert(Flag::IpOptions);
        let found = frame.ipv4_options(at + 20, header_length - 20);
        packet.flags = packet.flags.union(found.flags());
    }

    // RFC 791: bit 13 is "more fragments", the low 13 bits are the offset in units of 8 bytes.
    let fragment = u16::from_be(header.fragment) & 0x3fff;
    if fragment == 0 {
        return transport(frame, packet, false);
    }
    packet.flags.insert(Flag::Fragment);
    match fragment & 0x1fff {
        0 => {
            packet.flags.insert(Flag::FirstFragment);
            transport(frame, packet, true)
        }
        offset => {
            packet.flags.insert_if(Flag::TinyFragment, offset == 1);
            Ok(())
        }
    }
}

#[inline(always)]
fn ipv6<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, at: u32) -> Result<(), Reason> {
    let header: Ipv6Header = frame.load(at).ok_or(Reason::Ipv6Truncated)?;
    if header.version >> 4 != 6 {
        return Err(Reason::IpVersion);
    }
    let room = frame.len() - at - IPV6_HEADER;
    let payload = u32::from(u16::from_be(header.payload_length));
    packet.flags.insert_if(Flag::BadLength, payload > room);
    packet.end = at + IPV6_HEADER + if payload == 0 || payload > room { room } else { payload };
    packet.ethertype = ethertype::IPV6;
    packet.family = Family::V6;
    packet.network = at;
    packet.ttl = header.hop_limit;
    packet.flags.insert_if(Flag::LowTtl, header.hop_limit <= LOW_TTL);
    packet.source = Address::v6(header.source);
    packet.destination = Address::v6(header.destination);
    packet.transport_at = at + IPV6_HEADER;
    packet.protocol = header.next;
    if !extensions::is_extension(header.next) {
        packet.has_protocol = true;
        return transport(frame, packet, false);
    }

    let chain = frame.ipv6_extensions(header.next, at + IPV6_HEADER, packet.end);
    packet.flags = packet.flags.union(chain.flags());
    if let Some(reason) = chain.reason() {
        return Err(reason);
    }
    packet.protocol = chain.next();
    packet.has_protocol = true;
    packet.transport_at = chain.offset();
    if chain.is_later_fragment() {
        Ok(())
    } else {
        transport(frame, packet, packet.flags.contains(Flag::FirstFragment))
    }
}

#[inline(always)]
fn transport<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, first_fragment: bool) -> Result<(), Reason> {
    let (kind, whole, counted) = match (packet.family, packet.protocol) {
        (_, protocol::TCP) => (Transport::Tcp, TCP_HEADER, TCP_COUNTED),
        (_, protocol::UDP) => (Transport::Udp, UDP_HEADER, UDP_HEADER),
        (Family::V4, protocol::ICMP) => (Transport::Icmp, ICMP_HEADER, ICMP_COUNTED),
        (Family::V6, protocol::ICMPV6) => (Transport::Icmpv6, ICMP_HEADER, ICMP_COUNTED),
        _ => return Ok(()),
    };
    let at = packet.transport_at;
    if at + whole > packet.end {
        packet.flags.insert_if(Flag::TinyFragment, first_fragment);
        if at + counted > packet.end {
            return if first_fragment { Ok(()) } else { Err(Reason::L4Truncated) };
        }
    }
    match kind {
        Transport::Tcp => {
            let header: TcpStart = frame.load(at).ok_or(Reason::L4Truncated)?;
            packet.source_port = u16::from_be(header.source);
            packet.destination_port = u16::from_be(header.destination);
            packet.tcp_flags = header.flags;
            let length = (header.data_offset >> 4) * 4;
            packet.tcp_header = if length < TCP_HEADER as u8 { TCP_HEADER as u8 } else { length };
            tcp_flags(packet);
        }
        Transport::Udp => {
            let ports: [u16; 2] = frame.load(at).ok_or(Reason::L4Truncated)?;
            packet.source_port = u16::from_be(ports[0]);
            packet.destination_port = u16::from_be(ports[1]);
        }
        _ => {
            let [icmp_type, code]: [u8; 2] = frame.load(at).ok_or(Reason::L4Truncated)?;
            packet.icmp_type = icmp_type;
            packet.icmp_code = code;
        }
    }
    if matches!(kind, Transport::Tcp | Transport::Udp) {
        packet.flags.insert_if(Flag::LowSourcePort, packet.source_port < FIRST_USER_PORT);
    }
    packet.transport = kind;
    Ok(())
}

#[inline(always)]
fn tcp_flags(packet: &mut Packet) {
    use tcp::{ACK, FIN, PSH, RST, SYN, URG};
    let flags = packet.tcp_flags & (FIN | SYN | RST | PSH | ACK | URG);
    if flags & SYN != 0 {
        packet.flags.insert_if(Flag::SynFin, flags & FIN != 0);
        packet.flags.insert_if(Flag::SynWithPayload, flags & ACK == 0 && packet.tcp_payload_len() > 0);
    } else if flags & ACK == 0 {
        packet.flags.insert_if(Flag::NullScan, flags == 0);
        packet.flags.insert_if(Flag::XmasScan, flags == FIN | PSH | URG);
    }
}
