//! [`Packet`] → counters, source table, and whether it is news.

use crate::packet::tcp;
use crate::source::{EPOCH_SHIFT, Place, bit_of, kinds};
use crate::{Family, Flag, Ledger, News, Packet, Settings, Sources, Ticks, Transport};

/// Counts a classified packet.
#[inline(always)]
pub fn count(packet: &Packet, bytes: u32, ledger: &mut Ledger) {
    match packet.transport {
        Transport::None => {}
        Transport::Tcp => ledger.count_tcp(packet.source_port, packet.destination_port, packet.is_syn(), bytes),
        Transport::Udp => ledger.count_udp(packet.source_port, packet.destination_port, bytes),
        Transport::Icmp | Transport::Icmpv6 => {
            ledger.count_icmp(packet.family, packet.icmp_type, packet.icmp_code, bytes);
        }
    }
    if packet.has_protocol {
        ledger.count_ip(packet.family, packet.protocol, bytes);
    } else if packet.reason_code == 0 {
        ledger.count_ethertype(packet.ethertype, bytes);
    } else {
        ledger.count_without_protocol(bytes);
    }
    if packet.reason_code != 0 {
        ledger.count_reason(packet.reason_code, bytes);
    }
    ledger.count_flags(packet.flags, bytes);
}

/// Whether the packet is data or a plain acknowledgement of a running TCP connection, of which the source table takes no note.
///
/// Kept in view, because scanners send them too: an acknowledgement without data whose two ports are equal (sscan) or
/// that has neither data nor options (an ACK scan; also ordinary acknowledgements of systems without TCP timestamps).
#[inline(always)]
fn is_established(packet: &Packet) -> bool {
    if packet.transport as u8 != Transport::Tcp as u8
        || packet.tcp_flags & (tcp::SYN | tcp::FIN | tcp::RST | tcp::ACK) != tcp::ACK
    {
        return false;
    }
    packet.source_port != packet.destination_port && (packet.tcp_header > 20 || packet.tcp_payload_len() > 0)
}

/// Whether an ICMP or ICMPv6 packet is an error, which carries the packet that it is about.
#[inline(always)]
pub const fn is_icmp_error(packet: &Packet) -> bool {
    match packet.transport {
        Transport::Icmp => matches!(packet.icmp_type, 3 | 4 | 5 | 11 | 12),
        Transport::Icmpv6 => packet.icmp_type < 128,
        _ => false,
    }
}

/// The class of payload that can be read in this packet, 0 for none.
#[inline(always)]
pub fn payload_class(packet: &Packet, settings: &Settings) -> u8 {
    match packet.transport {
        Transport::Tcp => {
            let class = settings.payload_tcp[packet.destination_port as usize];
            if class != 0 && packet.tcp_payload_len() > 0 { class } else { 0 }
        }
        Transport::Udp => {
            let class = settings.payload_udp[packet.destination_port as usize];
            if class != 0 { class } else { settings.payload_udp[packet.source_port as usize] }
        }
        _ => 0,
    }
}

/// Notes the packet in the source table. Returns why it is news, and whether its source may still be sampled this minute.
#[inline(always)]
pub fn note(packet: &Packet, settings: &Settings, sources: &mut Sources, now: Ticks) -> Noted {
    let mut news = News::NONE;
    news.insert_if(News::RARE_FLAG, packet.flags.intersects(settings.rare_flags()));
    news.insert_if(News::ICMP_ERROR, is_icmp_error(packet));
    let epoch = (now >> (settings.second_shift + EPOCH_SHIFT)) as u8;
    let (slot, fresh) = match sources.place(&packet.source, &settings.seed, now, epoch) {
        Place::Tracked(slot, fresh) => (slot, fresh),
        Place::Refused => return Noted { news, place: Placed::Refused },
    };
    let packets = slot.packets.wrapping_add(1);
    slot.packets = packets;
    slot.last = now;
    news.insert_if(News::SOURCE, fresh);
    news.insert_if(News::FIRST, packets <= settings.budget.first_packets);

    let destination = bit_of(packet.destination.low_word());
    if slot.destinations & destination == 0 {
        slot.destinations |= destination;
        news.insert_if(News::DESTINATION, true);
    }
    if packet.ttl < slot.ttl_low {
        slot.ttl_low = packet.ttl;
        news.insert_if(News::TTL, true);
    }
    if packet.ttl > slot.ttl_high {
        slot.ttl_high = packet.ttl;
        news.insert_if(News::TTL, true);
    }
    let kind = match packet.transport {
        Transport::Tcp => {
            if packet.is_syn() {
                slot.syn = slot.syn.wrapping_add(1);
            }
            if packet.tcp_flags & tcp::RST != 0 {
                slot.rst = slot.rst.wrapping_add(1);
            }
            if packet.tcp_flags & tcp::FIN != 0 {
                slot.fin = slot.fin.wrapping_add(1);
            }
            match packet.tcp_flags & (tcp::SYN | tcp::ACK) {
                tcp::SYN => kinds::SYN,
                0x12 => kinds::SYN_ACK,
                _ => kinds::TCP,
            }
        }
        Transport::Udp => {
            slot.udp = slot.udp.wrapping_add(1);
            kinds::UDP
        }
        Transport::Icmp | Transport::Icmpv6 => {
            slot.icmp = slot.icmp.wrapping_add(1);
            kinds::ICMP
        }
        Transport::None => kinds::OTHER,
    };
    let rare = if news.has(News::RARE_FLAG) { kinds::RARE } else { 0 };
    let fragment = if packet.flags.contains(Flag::Fragment) { kinds::FRAGMENT } else { 0 };
    slot.kinds |= kind | rare | fragment;
    if matches!(packet.transport, Transport::Tcp | Transport::Udp) {
        let port = bit_of(packet.destination_port as u32);
        if slot.ports & port == 0 {
            slot.ports |= port;
            news.insert_if(News::PORT, true);
        }
    }

    if news.any() {
        if slot.sampled_epoch != epoch {
            slot.sampled_epoch = epoch;
            slot.sampled = 0;
        }
        if (slot.sampled as u32) < settings.budget.per_source {
            slot.sampled = slot.sampled.wrapping_add(1);
        } else {
            return Noted { news, place: Placed::Exhausted { fresh } };
        }
    }
    Noted { news, place: Placed::Tracked { fresh } }
}

/// Where [`note`] put a packet's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// In the table, and it may be sampled.
    Tracked {
        /// Whether the slot is new.
        fresh: bool,
    },
    /// In the table, with its samples of this minute used up.
    Exhausted {
        /// Whether the slot is new.
        fresh: bool,
    },
    /// Not in the table.
    Refused,
}

/// What [`note`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Why the packet is news.
    pub news: News,
    /// What became of its source.
    pub place: Placed,
}

/// Whether the source table takes note of a packet.
#[inline(always)]
pub fn is_tracked(packet: &Packet) -> bool {
    packet.family as u8 != Family::None as u8 && !is_established(packet)
}
