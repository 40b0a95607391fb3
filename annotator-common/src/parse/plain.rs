//! The straight way for what most packets are: TCP or UDP in IPv4 without options, whole, right behind an Ethernet header.
//!
//! With constant offsets parsing costs a BPF program half as much. Nothing is decided here that the general way does not decide alike, and a packet
//! with anything special about its headers is left to it.

use super::{
    ETHERNET_HEADER, FRAGMENT_BITS, IPV4_HEADER, IPV4_WITHOUT_OPTIONS, LOW_TTL, TCP_HEADER, TcpStart, Then, UDP_HEADER,
    ethertype, ports, tcp_header,
};
use crate::frame::Pod;
use crate::packet::{protocol, tcp};
use crate::{Address, Family, Flags, Frame, Packet, Transport};

/// Ethernet and IPv4 header, and the ports behind them.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Start {
    ethernet_destination: u8,
    _ethernet: [u8; 11],
    /// EtherType, version and header length, type of service.
    kind: u32,
    total_length: u16,
    identification: u16,
    fragment: u16,
    ttl: u8,
    protocol: u8,
    _checksum: u16,
    source: u32,
    destination: u32,
    source_port: u16,
    destination_port: u16,
}

// SAFETY: a packed struct of integers has no padding and accepts any bytes.
unsafe impl Pod for Start {}

const TRANSPORT: u32 = ETHERNET_HEADER + IPV4_HEADER;
const _: () = assert!(size_of::<Start>() == TRANSPORT as usize + 4);

/// What `kind` of [`Start`] is but for the type of service.
const KIND: [u8; 4] = {
    let [high, low] = ethertype::IPV4.to_be_bytes();
    [high, low, IPV4_WITHOUT_OPTIONS, 0]
};
const KIND_MASK: [u8; 4] = [0xff, 0xff, 0xff, 0];

/// Parses such a packet and hands it on; else gives `next` back.
#[inline(always)]
pub(super) fn plain_then<F: Frame + ?Sized, T: Then>(frame: &F, next: T) -> Result<T::Output, T> {
    let Some(mut packet) = start(frame) else { return Err(next) };
    if packet.protocol == protocol::UDP && TRANSPORT + UDP_HEADER <= packet.end {
        let (source, destination) = (packet.wire_source_port, packet.wire_destination_port);
        ports(frame, &mut packet, source, destination);
        packet.transport = Transport::Udp;
        return Ok(next.then(packet));
    }
    if packet.protocol != protocol::TCP || TRANSPORT + TCP_HEADER > packet.end {
        return Err(next);
    }
    let Some(mut header) = frame.load::<TcpStart>(TRANSPORT) else { return Err(next) };
    // Both say of the flags no more than they are: so the compiler knows them in all that follows.
    if header.flags == tcp::SYN {
        header.flags = tcp::SYN;
        tcp_header(frame, &mut packet, &header);
        return Ok(next.then(packet));
    }
    if header.flags & !tcp::PSH == tcp::ACK {
        header.flags = header.flags & tcp::PSH | tcp::ACK;
        tcp_header(frame, &mut packet, &header);
        return Ok(next.then(packet));
    }
    Err(next)
}

/// The headers up to the ports.
#[inline(always)]
fn start<F: Frame + ?Sized>(frame: &F) -> Option<Packet> {
    let start: Start = frame.load(0)?;
    let end = ETHERNET_HEADER + u32::from(u16::from_be(start.total_length));
    if start.ethernet_destination & 1 != 0
        || start.kind & u32::from_ne_bytes(KIND_MASK) != u32::from_ne_bytes(KIND)
        || start.fragment & FRAGMENT_BITS.to_be() != 0
        || start.ttl <= LOW_TTL
        || end > frame.len()
    {
        return None;
    }
    Some(Packet {
        flags: Flags::from_bits(frame.settled(0)),
        ethertype: ethertype::IPV4,
        family: Family::V4,
        protocol: start.protocol,
        has_protocol: true,
        ttl: start.ttl,
        identification: u16::from_be(start.identification),
        source: Address::v4(start.source),
        destination: Address::v4(start.destination),
        network: ETHERNET_HEADER,
        transport_at: TRANSPORT,
        end,
        wire_source_port: start.source_port,
        wire_destination_port: start.destination_port,
        ..Packet::default()
    })
}
