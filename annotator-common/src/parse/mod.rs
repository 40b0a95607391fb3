//! Headers → [`Packet`].
//!
//! Each step loads its header, checks it, notes what it learnt, and hands the next offset on. The meanings are those of
//! `docs/meanings.md`: counts are compared with other readers of the same packets, so a boundary moved here changes figures.

pub mod extensions;
pub mod options;
mod plain;

use crate::flags::rarely;
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
/// Length of an IPv4 header without options in bytes.
const IPV4_HEADER: u32 = 20;
/// First byte of such a header: version 4, five words.
const IPV4_WITHOUT_OPTIONS: u8 = 0x45;
/// RFC 791: bit 13 of the fragment field is "more fragments", the low 13 bits are the offset in units of 8 bytes.
const FRAGMENT_BITS: u16 = 0x3fff;
const FRAGMENT_OFFSET: u16 = 0x1fff;
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
/// Bits of a port as it stands in the frame, of which those from 1024 on have at least one.
const USER_PORT_BITS: u16 = 0xfc00_u16.to_be();

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
    source: [u64; 2],
    destination: [u64; 2],
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

#[derive(Clone, Copy)]
#[repr(C, packed)]
struct UdpStart {
    source: u16,
    destination: u16,
    _length: u16,
}

// SAFETY: packed structs of integers have no padding and accept any bytes.
unsafe impl Pod for Ipv4Header {}
// SAFETY: as above.
unsafe impl Pod for Ipv6Header {}
// SAFETY: as above.
unsafe impl Pod for TcpStart {}
// SAFETY: as above.
unsafe impl Pod for UdpStart {}

const _: () = assert!(size_of::<Ipv4Header>() == 20);
const _: () = assert!(size_of::<Ipv6Header>() == IPV6_HEADER as usize);
const _: () = assert!(size_of::<TcpStart>() == TCP_COUNTED as usize);

/// Parses a frame. What was learnt before parsing stopped stands; [`Packet::reason`] then says why it stopped.
#[inline(always)]
pub fn parse<F: Frame + ?Sized>(frame: &F, link: Link) -> Packet {
    parse_then(frame, link, Keep)
}

/// What is done with a parsed packet. A trait and not a closure, because closures cannot be marked for inlining.
pub trait Then {
    /// What comes of it.
    type Output;

    /// Takes the packet. Implementations are `#[inline(always)]`, see [`parse_then`].
    fn then(self, packet: Packet) -> Self::Output;
}

struct Keep;

impl Then for Keep {
    type Output = Packet;

    #[inline(always)]
    fn then(self, packet: Packet) -> Packet {
        packet
    }
}

/// Parses a frame and hands what it learnt on.
///
/// There is a call of [`Then::then`] at each end of a way through the headers, and all of them are inlined: every copy is compiled knowing
/// what its packets have in common (IPv4, TCP, no reason to stop …) and keeps only the fields that they have. With one copy for all, each way
/// has to set and to keep every field, which costs a BPF program with its ten registers more than all parsing.
#[inline(always)]
pub fn parse_then<F: Frame + ?Sized, T: Then>(frame: &F, link: Link, next: T) -> T::Output {
    let mut next = next;
    if F::CHEAP_LOADS && link == Link::Ethernet {
        match plain::plain_then(frame, next) {
            Ok(output) => return output,
            Err(unused) => next = unused,
        }
    }
    let mut flags = Flags::NONE;
    match network_start(frame, link, &mut flags) {
        Ok((ethertype::IPV4, at)) => ipv4_then(frame, at, flags, next),
        Ok((ethertype::IPV6, at)) => ipv6_then(frame, at, flags, next),
        Ok((ethertype, _)) => next.then(Packet { flags, ethertype, ..Packet::default() }),
        Err(stop) => next.then(Packet::stopped(flags, stop)),
    }
}

/// [`Reason::code`] of why parsing stopped.
#[derive(Clone, Copy)]
pub(crate) struct Stop(pub u8);

impl Stop {
    /// It did not: there is no more to be parsed.
    const PARSED: Stop = Stop(0);
}

/// The reason as a value that is made here and not known before: else the compiler prepares it on the way of every packet, ahead of the test.
#[inline(always)]
fn stop<F: Frame + ?Sized>(frame: &F, reason: Reason) -> Stop {
    Stop(frame.settled(reason.code()) as u8)
}

/// EtherType and offset of the network header.
#[inline(always)]
fn network_start<F: Frame + ?Sized>(frame: &F, link: Link, flags: &mut Flags) -> Result<(u16, u32), Stop> {
    match link {
        Link::Ethernet => ethernet(frame, flags),
        Link::Decoded { offset, ethertype } => {
            if offset > frame.len() {
                return Err(stop(frame, Reason::LinkTruncated));
            }
            vlan_tags(frame, flags, ethertype, offset)
        }
        Link::RawIp => {
            let first: u8 = frame.load(0).ok_or_else(|| stop(frame, Reason::LinkTruncated))?;
            match first >> 4 {
                4 => Ok((ethertype::IPV4, 0)),
                6 => Ok((ethertype::IPV6, 0)),
                _ => Err(stop(frame, Reason::IpVersion)),
            }
        }
        Link::Unknown => Err(stop(frame, Reason::LinkUnknown)),
    }
}

#[inline(always)]
fn ethernet<F: Frame + ?Sized>(frame: &F, flags: &mut Flags) -> Result<(u16, u32), Stop> {
    let header: [u16; 7] = frame.load(0).ok_or_else(|| stop(frame, Reason::LinkTruncated))?;
    if rarely(header[0].to_ne_bytes()[0] & 1 != 0) {
        let broadcast = header[0] & header[1] & header[2] == u16::MAX;
        flags.insert(if broadcast { Flag::EthernetBroadcast } else { Flag::EthernetMulticast });
    }
    // Asked first and without turning it round, because it is the answer for most packets.
    if header[6] == ethertype::IPV4.to_be() {
        return Ok((ethertype::IPV4, ETHERNET_HEADER));
    }
    vlan_tags(frame, flags, frame.host_order(header[6]), ETHERNET_HEADER)
}

#[inline(always)]
const fn is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD)
}

/// Skips up to [`VLAN_DEPTH`] tags; `at` is the offset behind the EtherType.
#[inline(always)]
fn vlan_tags<F: Frame + ?Sized>(
    frame: &F,
    flags: &mut Flags,
    mut ethertype: u16,
    mut at: u32,
) -> Result<(u16, u32), Stop> {
    if rarely(is_vlan(ethertype)) {
        flags.insert(Flag::Vlan);
        for _ in 0..VLAN_DEPTH {
            let tag: [u16; 2] = frame.load(at).ok_or_else(|| stop(frame, Reason::VlanTruncated))?;
            ethertype = frame.host_order(tag[1]);
            at += VLAN_TAG;
            if !is_vlan(ethertype) {
                return Ok((ethertype, frame.bounded(frame.settled(at), 0x7fff)));
            }
        }
        return Err(stop(frame, Reason::VlanDepth));
    }
    Ok((ethertype, at))
}

#[inline(always)]
fn ipv4_then<F: Frame + ?Sized, T: Then>(frame: &F, at: u32, mut flags: Flags, next: T) -> T::Output {
    let (header, header_length) = match ipv4_header(frame, at) {
        Ok(header) => header,
        Err(stop) => return next.then(Packet::stopped(flags, stop)),
    };
    let room = frame.len() - at;
    let total = u32::from(u16::from_be(header.total_length));
    let mut length = total;
    // Also for a total of 0, which lies below every header length and above 0.
    if rarely(total < header_length || total > room) {
        flags.insert_if(Flag::BadLength, total != 0);
        if total == 0 || total > room {
            length = room;
        }
    }
    flags.insert_if(Flag::LowTtl, header.ttl <= LOW_TTL);
    if rarely(header_length > IPV4_HEADER) {
        flags.insert(Flag::IpOptions);
        flags = flags.union(frame.ipv4_options(at + IPV4_HEADER, header_length - IPV4_HEADER).flags());
    }
    let fragment = u16::from_be(header.fragment) & FRAGMENT_BITS;
    let mut position = Position::Whole;
    if rarely(fragment != 0) {
        flags.insert(Flag::Fragment);
        position = match fragment & FRAGMENT_OFFSET {
            0 => {
                flags.insert(Flag::FirstFragment);
                Position::First
            }
            offset => {
                flags.insert_if(Flag::TinyFragment, offset == 1);
                Position::Later
            }
        };
    }
    let packet = Packet {
        flags: Flags::from_bits(frame.settled(flags.bits())),
        ethertype: ethertype::IPV4,
        family: Family::V4,
        protocol: header.protocol,
        has_protocol: true,
        ttl: header.ttl,
        identification: u16::from_be(header.identification),
        source: Address::v4(header.source),
        destination: Address::v4(header.destination),
        network: at,
        transport_at: at + header_length,
        end: at + length,
        ..Packet::default()
    };
    transport_then(frame, packet, position, next)
}

/// The IPv4 header and its length, if the frame has all of it.
#[inline(always)]
fn ipv4_header<F: Frame + ?Sized>(frame: &F, at: u32) -> Result<(Ipv4Header, u32), Stop> {
    let header: Ipv4Header = frame.load(at).ok_or_else(|| stop(frame, Reason::Ipv4Truncated))?;
    if header.version_and_length == IPV4_WITHOUT_OPTIONS {
        return Ok((header, IPV4_HEADER));
    }
    if header.version_and_length >> 4 != 4 {
        return Err(stop(frame, Reason::IpVersion));
    }
    let length = u32::from(header.version_and_length & 0x0f) * 4;
    if length < IPV4_HEADER {
        return Err(stop(frame, Reason::Ipv4HeaderLength));
    }
    if frame.len() - at < length {
        return Err(stop(frame, Reason::Ipv4Truncated));
    }
    Ok((header, length))
}

#[inline(always)]
fn ipv6_then<F: Frame + ?Sized, T: Then>(frame: &F, at: u32, mut flags: Flags, next: T) -> T::Output {
    let header = match ipv6_header(frame, at) {
        Ok(header) => header,
        Err(stop) => return next.then(Packet::stopped(flags, stop)),
    };
    let room = frame.len() - at - IPV6_HEADER;
    let mut payload = u32::from(u16::from_be(header.payload_length));
    if rarely(payload == 0 || payload > room) {
        flags.insert_if(Flag::BadLength, payload != 0);
        payload = room;
    }
    flags.insert_if(Flag::LowTtl, header.hop_limit <= LOW_TTL);
    let mut packet = Packet {
        flags: Flags::from_bits(frame.settled(flags.bits())),
        ethertype: ethertype::IPV6,
        family: Family::V6,
        protocol: header.next,
        has_protocol: true,
        ttl: header.hop_limit,
        source: Address::v6(header.source),
        destination: Address::v6(header.destination),
        network: at,
        transport_at: at + IPV6_HEADER,
        end: at + IPV6_HEADER + payload,
        ..Packet::default()
    };
    let mut position = Position::Whole;
    if rarely(extensions::is_extension(header.next)) {
        position = extended(frame, &mut packet);
    }
    transport_then(frame, packet, position, next)
}

#[inline(always)]
fn ipv6_header<F: Frame + ?Sized>(frame: &F, at: u32) -> Result<Ipv6Header, Stop> {
    let header: Ipv6Header = frame.load(at).ok_or_else(|| stop(frame, Reason::Ipv6Truncated))?;
    if header.version >> 4 == 6 { Ok(header) } else { Err(stop(frame, Reason::IpVersion)) }
}

/// Goes on behind the IPv6 extension headers.
#[inline(always)]
fn extended<F: Frame + ?Sized>(frame: &F, packet: &mut Packet) -> Position {
    let chain = extensions::single(frame, packet.protocol, packet.transport_at, packet.end)
        .unwrap_or_else(|| frame.ipv6_extensions(packet.protocol, packet.transport_at, packet.end));
    packet.flags = packet.flags.union(chain.flags());
    if let Some(reason) = chain.reason() {
        packet.has_protocol = false;
        packet.reason_code = reason.code() as u8;
        return Position::Later;
    }
    packet.protocol = chain.next();
    packet.transport_at = chain.offset();
    if chain.is_later_fragment() {
        Position::Later
    } else if chain.flags().contains(Flag::FirstFragment) {
        Position::First
    } else {
        Position::Whole
    }
}

/// Which part of a packet a frame holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// All of it.
    Whole,
    /// The first fragment.
    First,
    /// A part without transport header.
    Later,
}

#[inline(always)]
fn transport_then<F: Frame + ?Sized, T: Then>(frame: &F, mut packet: Packet, position: Position, next: T) -> T::Output {
    if position != Position::Later {
        let first = position == Position::First;
        match (packet.family, packet.protocol) {
            (_, protocol::TCP) => match tcp(frame, &mut packet, first) {
                Ok(()) => return next.then(packet),
                Err(stop) => packet.reason_code = stop.0,
            },
            (_, protocol::UDP) => match udp(frame, &mut packet, first) {
                Ok(()) => return next.then(packet),
                Err(stop) => packet.reason_code = stop.0,
            },
            (Family::V4, protocol::ICMP) => icmp(frame, &mut packet, first, Transport::Icmp),
            (Family::V6, protocol::ICMPV6) => icmp(frame, &mut packet, first, Transport::Icmpv6),
            _ => {}
        }
    }
    next.then(packet)
}

/// Whether the packet goes on for the `counted` bytes of its transport header that counting needs; notes if it has not the `whole` header.
#[inline(always)]
fn reaches<F: Frame + ?Sized>(
    frame: &F,
    packet: &mut Packet,
    whole: u32,
    counted: u32,
    first_fragment: bool,
) -> Result<(), Stop> {
    if rarely(packet.transport_at + whole > packet.end) {
        packet.flags.insert_if(Flag::TinyFragment, first_fragment);
        if packet.transport_at + counted > packet.end {
            // A first fragment may end early.
            return Err(if first_fragment { Stop::PARSED } else { stop(frame, Reason::L4Truncated) });
        }
    }
    Ok(())
}

#[inline(always)]
fn tcp<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, first_fragment: bool) -> Result<(), Stop> {
    reaches(frame, packet, TCP_HEADER, TCP_COUNTED, first_fragment)?;
    let header: TcpStart = frame.load(packet.transport_at).ok_or_else(|| stop(frame, Reason::L4Truncated))?;
    tcp_header(frame, packet, &header);
    Ok(())
}

#[inline(always)]
fn tcp_header<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, header: &TcpStart) {
    ports(frame, packet, header.source, header.destination);
    packet.transport = Transport::Tcp;
    packet.tcp_flags = header.flags;
    let length = (header.data_offset >> 4) * 4;
    packet.tcp_header = if length < TCP_HEADER as u8 { TCP_HEADER as u8 } else { length };
    tcp_flags(packet);
}

#[inline(always)]
fn udp<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, first_fragment: bool) -> Result<(), Stop> {
    reaches(frame, packet, UDP_HEADER, UDP_HEADER, first_fragment)?;
    let header: UdpStart = frame.load(packet.transport_at).ok_or_else(|| stop(frame, Reason::L4Truncated))?;
    ports(frame, packet, header.source, header.destination);
    packet.transport = Transport::Udp;
    Ok(())
}

#[inline(always)]
fn ports<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, source: u16, destination: u16) {
    packet.wire_source_port = frame.wire_order(source);
    packet.wire_destination_port = frame.wire_order(destination);
    packet.source_port = frame.host_order(source);
    packet.destination_port = frame.host_order(destination);
    packet.flags.insert_if(Flag::LowSourcePort, source & USER_PORT_BITS == 0);
}

#[inline(always)]
fn icmp<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, first_fragment: bool, transport: Transport) {
    if let Err(stop) = reaches(frame, packet, ICMP_HEADER, ICMP_COUNTED, first_fragment) {
        packet.reason_code = stop.0;
        return;
    }
    let Some([icmp_type, code]) = frame.load::<[u8; 2]>(packet.transport_at) else {
        packet.reason_code = stop(frame, Reason::L4Truncated).0;
        return;
    };
    packet.icmp_type = icmp_type;
    packet.icmp_code = code;
    packet.transport = transport;
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
