//! The engine against an independent reader of the same bytes: whatever `etherparse` understands, the engine must understand alike.
//!
//! Frames are put together at random, so that every header is met behind every other, and then damaged at random.

use std::net::IpAddr;

use annotator_common::classify::classify;
use annotator_common::parse::parse;
use annotator_common::{
    Family, Flag, Flags, Ledger, Link, Local, Packet, Reason, Settings, Sources, Transport, observe,
};
use etherparse::{EtherType, LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice, TransportSlice};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Any flags, and often those of nearly every packet: SYN, ACK, and ACK with PSH.
fn tcp_flags() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), select(vec![0x02, 0x10, 0x18])]
}

/// A transport header with something behind it, and its protocol number.
fn transports() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let payload = vec(any::<u8>(), 0..24);
    let tcp =
        (any::<[u8; 12]>(), 0_u8..16, tcp_flags(), payload.clone()).prop_map(|(start, offset, flags, payload)| {
            let mut bytes = start.to_vec();
            bytes.extend([offset << 4, flags, 1, 0, 0, 0, 0, 0]);
            bytes.extend(payload);
            (6, bytes)
        });
    let udp = (any::<[u8; 4]>(), payload.clone()).prop_map(|(ports, payload)| {
        let mut bytes = ports.to_vec();
        bytes.extend((8 + payload.len() as u16).to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(payload);
        (17, bytes)
    });
    let other = (select(vec![1, 58, 2, 47, 50, 59, 132, 253]), vec(any::<u8>(), 0..32));
    prop_oneof![3 => tcp, 3 => udp, 2 => other]
}

/// An IPv4 packet.
fn ipv4() -> impl Strategy<Value = Vec<u8>> {
    let fragments = prop_oneof![4 => Just(0_u16), 1 => any::<u16>()];
    let options = prop_oneof![3 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..=40)];
    (transports(), fragments, options, any::<u8>(), any::<[u8; 8]>()).prop_map(
        |((protocol, transport), fragment, mut options, ttl, addresses)| {
            options.resize(options.len().next_multiple_of(4), 1);
            let header = 20 + options.len();
            let mut bytes = vec![0x40 | (header / 4) as u8, 0];
            bytes.extend(((header + transport.len()) as u16).to_be_bytes());
            bytes.extend([0, 1]);
            bytes.extend(fragment.to_be_bytes());
            bytes.extend([ttl, protocol, 0, 0]);
            bytes.extend(addresses);
            bytes.extend(options);
            bytes.extend(transport);
            bytes
        },
    )
}

/// An IPv6 packet, with up to three extension headers.
fn ipv6() -> impl Strategy<Value = Vec<u8>> {
    let extension = (select(vec![0_u8, 43, 44, 51, 60, 135, 139, 140]), 0_u8..3, any::<[u8; 2]>());
    (transports(), vec(extension, 0..4), any::<u8>(), any::<[u8; 32]>()).prop_map(
        |((protocol, transport), extensions, hop_limit, addresses)| {
            let mut next = protocol;
            let mut payload = transport;
            for (kind, length, data) in extensions.into_iter().rev() {
                let bytes = match kind {
                    44 => 8,
                    51 => (usize::from(length) + 2) * 4,
                    _ => (usize::from(length) + 1) * 8,
                };
                let mut header = vec![next, if kind == 44 { 0 } else { length }, data[0], data[1]];
                header.resize(bytes.max(4), 0);
                header.extend(payload);
                payload = header;
                next = kind;
            }
            let mut bytes = vec![0x60, 0, 0, 0];
            bytes.extend((payload.len() as u16).to_be_bytes());
            bytes.extend([next, hop_limit]);
            bytes.extend(addresses);
            bytes.extend(payload);
            bytes
        },
    )
}

/// An Ethernet frame, padded or not, whole or cut, with some bytes wrong or none.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let packet = prop_oneof![
        4 => ipv4().prop_map(|packet| (0x0800_u16, packet)),
        4 => ipv6().prop_map(|packet| (0x86dd, packet)),
        1 => (any::<u16>(), vec(any::<u8>(), 0..40)),
    ];
    let tags = vec(select(vec![0x8100_u16, 0x88a8, 0x9100]), 0..4);
    let damage = vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3);
    let cut = prop_oneof![4 => Just(None), 1 => any::<proptest::sample::Index>().prop_map(Some)];
    (any::<[u8; 12]>(), tags, packet, 0_usize..8, damage, cut).prop_map(
        |(addresses, tags, (ethertype, packet), padding, damage, cut)| {
            let mut bytes = addresses.to_vec();
            for tag in tags {
                bytes.extend(tag.to_be_bytes());
                bytes.extend([0, 7]);
            }
            bytes.extend(ethertype.to_be_bytes());
            bytes.extend(packet);
            bytes.extend(std::iter::repeat_n(0, padding));
            for (index, value) in damage {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        },
    )
}

fn engine(frame: &[u8]) -> Packet {
    let mut packet = parse(frame, Link::Ethernet);
    classify(frame, &mut packet, &Local::NOTHING);
    packet
}

/// What etherparse reads that the engine leaves alone by design: MACsec, and the authentication header in IPv4.
fn out_of_scope(read: &LaxSlicedPacket<'_>) -> bool {
    let macsec = read.link_exts.iter().any(|ext| matches!(ext, LaxLinkExtSlice::Macsec(_)));
    let authenticated = matches!(&read.net, Some(LaxNetSlice::Ipv4(ip)) if ip.extensions().auth.is_some());
    macsec || authenticated || read.link_exts.len() > 2
}

/// Whether the EtherType announces one version of IP and the header's first four bits another.
fn contradicts(read: &LaxSlicedPacket<'_>) -> bool {
    let announced = match read.link_exts.last() {
        Some(LaxLinkExtSlice::Vlan(tag)) => Some(tag.ether_type()),
        _ => match &read.link {
            Some(LinkSlice::Ethernet2(header)) => Some(header.ether_type()),
            _ => None,
        },
    };
    match &read.net {
        Some(LaxNetSlice::Ipv4(_)) => announced != Some(EtherType::IPV4),
        Some(LaxNetSlice::Ipv6(_)) => announced != Some(EtherType::IPV6),
        _ => false,
    }
}

fn check_net(net: &LaxNetSlice<'_>, packet: &Packet) {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            assert_eq!(packet.family, Family::V4);
            assert_eq!(packet.source.to_ip(), IpAddr::from(header.source_addr()));
            assert_eq!(packet.destination.to_ip(), IpAddr::from(header.destination_addr()));
            assert_eq!((packet.ttl, packet.protocol), (header.ttl(), header.protocol().0));
            assert_eq!(packet.identification, header.identification());
            assert_eq!(packet.flags.contains(Flag::IpOptions), !header.options().is_empty());
            let offset = header.fragments_offset().value();
            assert_eq!(packet.flags.contains(Flag::Fragment), header.is_fragmenting_payload());
            assert_eq!(packet.flags.contains(Flag::FirstFragment), header.more_fragments() && offset == 0);
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            // The engine shows mapped addresses as IPv4; on the wire they do not belong.
            if !packet.source.is_v4() && !packet.destination.is_v4() {
                assert_eq!(packet.source.to_ip(), IpAddr::from(header.source_addr()));
                assert_eq!(packet.destination.to_ip(), IpAddr::from(header.destination_addr()));
            }
            assert_eq!((packet.family, packet.ttl), (Family::V6, header.hop_limit()));
        }
        LaxNetSlice::Arp(_) => assert_eq!((packet.family, packet.ethertype), (Family::None, 0x0806)),
    }
}

fn check_transport(transport: &TransportSlice<'_>, packet: &Packet) {
    match transport {
        TransportSlice::Tcp(tcp) => {
            assert_eq!(packet.transport, Transport::Tcp);
            assert_eq!((packet.source_port, packet.destination_port), (tcp.source_port(), tcp.destination_port()));
            let flags = [tcp.fin(), tcp.syn(), tcp.rst(), tcp.psh(), tcp.ack(), tcp.urg()];
            let bits = flags.iter().enumerate().map(|(bit, set)| u8::from(*set) << bit).sum::<u8>();
            assert_eq!(packet.tcp_flags & 0x3f, bits);
            assert_eq!(packet.tcp_payload_len() as usize, tcp.payload().len());
            let carries = tcp.syn() && !tcp.ack() && !tcp.payload().is_empty();
            assert_eq!(packet.flags.contains(Flag::SynWithPayload), carries);
        }
        TransportSlice::Udp(udp) => {
            assert_eq!(packet.transport, Transport::Udp);
            assert_eq!((packet.source_port, packet.destination_port), (udp.source_port(), udp.destination_port()));
        }
        TransportSlice::Icmpv4(icmp) if packet.family == Family::V4 => {
            assert_eq!(packet.transport, Transport::Icmp);
            assert_eq!((packet.icmp_type, packet.icmp_code), (icmp.type_u8(), icmp.code_u8()));
        }
        TransportSlice::Icmpv6(icmp) if packet.family == Family::V6 => {
            assert_eq!(packet.transport, Transport::Icmpv6);
            assert_eq!((packet.icmp_type, packet.icmp_code), (icmp.type_u8(), icmp.code_u8()));
        }
        // IGMP is a number to the engine, and so is ICMP of one family inside the other.
        TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => {
            assert_eq!(packet.transport, Transport::None)
        }
    }
}

/// The flags that an Ethernet header earns.
const ETHERNET_FLAGS: Flags = Flags::of(&[Flag::EthernetBroadcast, Flag::EthernetMulticast]);

/// So many cases; a failure is printed and not written into the source tree.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn what_another_reader_understands_is_understood_alike(frame in frames()) {
        let packet = engine(&frame);
        let Ok(read) = LaxSlicedPacket::from_ethernet(&frame) else {
            prop_assert_eq!(packet.reason(), Some(Reason::LinkTruncated));
            return Ok(());
        };
        if out_of_scope(&read) {
            return Ok(());
        }
        if !read.link_exts.is_empty() {
            prop_assert!(packet.flags.contains(Flag::Vlan));
        }
        // It believes the version field, the engine believes neither field when they contradict each other.
        if contradicts(&read) {
            prop_assert!(matches!(packet.reason(), Some(Reason::IpVersion | Reason::Ipv4Truncated | Reason::Ipv6Truncated)));
            return Ok(());
        }
        if let Some(net) = &read.net {
            check_net(net, &packet);
        }
        // Where lengths contradict each other, readers may differ in which they believe.
        if packet.flags.contains(Flag::BadLength) {
            return Ok(());
        }
        if let Some(transport) = &read.transport {
            check_transport(transport, &packet);
            prop_assert_eq!(packet.reason(), None);
        }
        // It follows fewer kinds of extension headers, and no transport into a first fragment.
        let further = packet.flags.contains(Flag::Ipv6Extension) || packet.flags.contains(Flag::Fragment);
        if read.stop_err.is_none() && read.transport.is_none() && !further {
            prop_assert_eq!(packet.transport, Transport::None);
        }
    }
}

proptest! {
    #![proptest_config(cases(50_000))]

    #[test]
    fn the_straight_way_is_no_other_than_the_general_one(frame in frames()) {
        if frame.len() < 14 {
            return Ok(());
        }
        let mut straight = parse(&frame[..], Link::Ethernet);
        // A link header that is already decoded is never taken for an ordinary packet's.
        let ethertype = u16::from_be_bytes([frame[12], frame[13]]);
        let general = parse(&frame[..], Link::Decoded { offset: 14, ethertype });
        straight.flags = Flags::from_bits(straight.flags.bits() & !ETHERNET_FLAGS.bits());
        prop_assert_eq!(straight, general);
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn every_frame_is_counted_once(frames in vec(frames(), 1..8)) {
        // SAFETY: both are made of integers; zero is valid.
        let (mut ledger, mut sources): (Box<Ledger>, Box<Sources>) =
            unsafe { (Box::new_zeroed().assume_init(), Box::new_zeroed().assume_init()) };
        for frame in &frames {
            let Ledger { journal, types } = &mut *ledger;
            let books = (journal, &mut *sources);
            observe(&frame[..], Link::Ethernet, (&Settings::DEFAULT, &Local::NOTHING), books, || Some(types), || 0);
        }
        let rows = (0..=255)
            .flat_map(|number| [ledger.protocol(Family::V4, number), ledger.protocol(Family::V6, number)])
            .chain((0..=u16::MAX).map(|number| ledger.ethertype(number)))
            .chain([ledger.ieee_802_3(), ledger.without_protocol()])
            .fold(annotator_common::Count::default(), |sum, count| sum + count);
        prop_assert_eq!(rows.packets, frames.len() as u64);
        prop_assert_eq!(rows.bytes, frames.iter().map(|frame| frame.len() as u64).sum::<u64>());
        let ends: u64 = (0..=u16::MAX).map(|port| ledger.tcp_fin(port)).sum();
        prop_assert_eq!(ends, frames.iter().filter(|frame| engine(frame).is_fin()).count() as u64);
        for flag in Flag::ALL {
            let expected = frames.iter().filter(|frame| engine(frame).flags.contains(*flag)).count();
            prop_assert_eq!(ledger.flag(*flag).packets, expected as u64, "{}", flag.name());
        }
        for reason in Reason::ALL {
            let expected = frames.iter().filter(|frame| engine(frame).reason() == Some(*reason)).count();
            prop_assert_eq!(ledger.reason(*reason).packets, expected as u64, "{}", reason.name());
        }
    }
}
