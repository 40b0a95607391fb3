//! [`Packet`] → counters, source table, and whether it is news.

use crate::flags::rarely;
use crate::ledger::{Journal, Tally, Types};
use crate::packet::tcp;
use crate::parse::ethertype;
use crate::settings::PAYLOAD_ENDS;
use crate::source::{EPOCH_SHIFT, Place, bit_of, kinds, protocol_bit, recent_bit};
use crate::{Cell, Family, Flag, Frame, News, Packet, Settings, Source, Sources, Ticks, Transport};

/// Counts a classified packet.
#[inline(always)]
pub fn count<'t>(packet: &Packet, bytes: u32, journal: &mut Journal, types: impl FnOnce() -> Option<&'t mut Types>) {
    let one = Cell::packet(bytes);
    if packet.has_protocol {
        journal.count_ip(packet.family, packet.protocol, one);
        match packet.transport {
            Transport::None => {}
            Transport::Tcp => journal.count_tcp(packet, one),
            Transport::Udp => journal.count_udp(packet, one),
            Transport::Icmp | Transport::Icmpv6 => {
                if let Some(types) = types() {
                    types.count_icmp(packet.family, packet.icmp_type, packet.icmp_code, one);
                }
            }
        }
    } else if packet.reason_code != 0 {
        journal.count_without_protocol(one);
    } else if packet.ethertype < ethertype::MINIMUM {
        journal.count_ieee_802_3(one);
    } else if let Some(types) = types() {
        types.count_ethertype(packet.ethertype, one);
    }
    if rarely(packet.reason_code != 0) {
        journal.count_reason(packet.reason_code, one);
    }
    if rarely(!packet.flags.is_empty()) {
        journal.count_flags(packet.flags, one);
        if packet.transport as u8 == Transport::Tcp as u8 && packet.flags.contains(Flag::LowSourcePort) {
            journal.count_tcp_low_source(packet, one);
        }
    }
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
    packet.wire_source_port != packet.wire_destination_port && (packet.tcp_header > 20 || packet.tcp_payload_len() > 0)
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

/// The class of payload that can be read in this packet, 0 for none. Where [`PAYLOAD_ENDS`] says so, the end of a connection belongs to its payload: it
/// acknowledges what was given.
#[inline(always)]
pub fn payload_class(packet: &Packet, settings: &Settings) -> u8 {
    match packet.transport {
        Transport::Tcp => {
            let bare = packet.tcp_payload_len() == 0;
            if bare && packet.tcp_flags & tcp::FIN == 0 {
                return 0;
            }
            let class = settings.payload_tcp[packet.wire_destination_port as usize];
            if bare && class & PAYLOAD_ENDS == 0 {
                return 0;
            }
            class & !PAYLOAD_ENDS
        }
        Transport::Udp => {
            let class = settings.payload_udp[packet.wire_destination_port as usize];
            if class != 0 { class } else { settings.payload_udp[packet.wire_source_port as usize] }
        }
        _ => 0,
    }
}

/// Notes the packet in the source table. Returns why it is news, and whether it may be sampled as far as its source is concerned.
#[inline(always)]
pub fn note<F: Frame + ?Sized>(
    frame: &F,
    packet: &Packet,
    settings: &Settings,
    sources: &mut Sources,
    journal: &mut Journal,
    now: Ticks,
) -> (News, bool) {
    if rarely(packet.is_fin()) {
        journal.count_tcp_fin(packet);
    }
    let epoch = (settings.second(now) >> EPOCH_SHIFT) as u8;
    let mut fresh = false;
    let slot = match sources.place(&packet.source, &settings.seed, now, epoch) {
        Place::Known(slot) => slot,
        Place::Fresh(slot) => {
            journal.tally(Tally::SourcesTracked);
            fresh = true;
            slot
        }
        Place::Refused => {
            journal.tally(Tally::SourcesNotTracked);
            let (news, _) = of_itself(packet, settings);
            let news = News(frame.settled(news.0));
            return (news, news.any());
        }
    };
    let (mut news, kind) = of_itself(packet, settings);
    if rarely(fresh) {
        learn(frame, &mut news, News::SOURCE);
    }
    slot.packets = slot.packets.wrapping_add(1);
    slot.last = now;
    let (transport_kind, sent) = transport_kind(packet, slot);
    slot.kinds |= transport_kind | kind;
    // Counts of 16 bits are at their beginning again and again; the first packets are not.
    let first = sent <= settings.budget.first_packets && slot.packets <= u16::MAX as u32;
    if rarely(first) {
        learn(frame, &mut news, News::FIRST);
    }
    note_distinct(frame, packet, slot, &mut news);
    if slot.sampled_epoch != epoch {
        slot.sampled_epoch = epoch;
        slot.sampled = 0;
        slot.recent = 0;
    }
    if settings.budget.each_minute != 0 {
        note_recent(frame, packet, slot, &mut news);
    }
    if !rarely(news.any()) {
        return (news, false);
    }
    // What a source begins is seen, whatever it did before in this minute, and takes nothing from what it does next.
    (news, first || grant(slot, settings.budget.per_source))
}

/// Why a packet is news whoever sent it, and what its flags say of [`Source::kinds`].
#[inline(always)]
fn of_itself(packet: &Packet, settings: &Settings) -> (News, u8) {
    let (mut news, mut kind) = (News::NONE, 0);
    if rarely(!packet.flags.is_empty()) {
        if packet.flags.intersects(settings.rare_flags()) {
            news.insert(News::RARE_FLAG);
            kind |= kinds::RARE;
        }
        if packet.flags.contains(Flag::Fragment) {
            kind |= kinds::FRAGMENT;
        }
    }
    news.insert_if(News::ICMP_ERROR, is_icmp_error(packet));
    (news, kind)
}

/// Counts the packet under its transport; says what kind of [`Source::kinds`] it is, and how many of its kind the source has sent: SYNs, datagrams, ICMP
/// messages, and others. These are one kind, so that the end of a connection is not news without its beginning.
#[inline(always)]
fn transport_kind(packet: &Packet, slot: &mut Source) -> (u8, u32) {
    match packet.transport {
        Transport::Tcp => {
            if packet.tcp_flags & tcp::RST != 0 {
                slot.rst = slot.rst.wrapping_add(1);
            }
            if packet.tcp_flags & tcp::FIN != 0 {
                slot.fin = slot.fin.wrapping_add(1);
            }
            let kind = match packet.tcp_flags & (tcp::SYN | tcp::ACK) {
                tcp::SYN => kinds::SYN,
                SYN_ACK => kinds::SYN_ACK,
                _ => kinds::TCP,
            };
            if packet.is_syn() {
                slot.syn = slot.syn.wrapping_add(1);
                return (kind, slot.syn);
            }
            (kind, others(slot))
        }
        Transport::Udp => {
            slot.udp = slot.udp.wrapping_add(1);
            (kinds::UDP, slot.udp as u32)
        }
        Transport::Icmp | Transport::Icmpv6 => {
            slot.icmp = slot.icmp.wrapping_add(1);
            (kinds::ICMP, slot.icmp as u32)
        }
        Transport::None => (kinds::OTHER, others(slot)),
    }
}

/// Packets that no other count of a source knows.
#[inline(always)]
fn others(slot: &Source) -> u32 {
    slot.packets.wrapping_sub(slot.syn).wrapping_sub(slot.icmp as u32 + slot.udp as u32)
}

const SYN_ACK: u8 = tcp::SYN | tcp::ACK;

/// Adds a reason, and settles what is known of them all, or the BPF verifier would go through what follows for each combination of reasons.
#[inline(always)]
fn learn<F: Frame + ?Sized>(frame: &F, news: &mut News, reason: News) {
    *news = News(frame.settled(news.0 | reason.0));
}

/// Notes what is new about the packet: written only then, because most packets of a source are like those before.
#[inline(always)]
fn note_distinct<F: Frame + ?Sized>(frame: &F, packet: &Packet, slot: &mut Source, news: &mut News) {
    let destination = bit_of(packet.destination.low_word());
    if rarely(slot.destinations & destination == 0) {
        slot.destinations |= destination;
        learn(frame, news, News::DESTINATION);
    }
    if rarely(packet.ttl < slot.ttl_low) {
        slot.ttl_low = packet.ttl;
        learn(frame, news, News::TTL);
    }
    if rarely(packet.ttl > slot.ttl_high) {
        slot.ttl_high = packet.ttl;
        learn(frame, news, News::TTL);
    }
    if matches!(packet.transport, Transport::Tcp | Transport::Udp) {
        let port = bit_of(packet.wire_destination_port as u32);
        if rarely(slot.ports & port == 0) {
            slot.ports |= port;
            learn(frame, news, News::PORT);
        }
    }
    if rarely(packet.transport as u8 == Transport::None as u8) {
        let protocol = protocol_bit(packet.protocol);
        if rarely(slot.protocols & protocol == 0) {
            slot.protocols |= protocol;
            learn(frame, news, News::PROTOCOL);
        }
    }
}

/// Notes what the source has not done in this minute, be it new or not.
#[inline(always)]
fn note_recent<F: Frame + ?Sized>(frame: &F, packet: &Packet, slot: &mut Source, news: &mut News) {
    let recent = recent_bit(packet.wire_destination_port as u32, packet.destination.low_word());
    if rarely(slot.recent & recent == 0) {
        slot.recent |= recent;
        learn(frame, news, News::AGAIN);
    }
}

/// Takes a sample from this minute's budget of a source.
#[inline(always)]
fn grant(slot: &mut Source, limit: u32) -> bool {
    let granted = (slot.sampled as u32) < limit;
    slot.sampled = slot.sampled.wrapping_add(granted as u8);
    granted
}

/// Whether the source table takes note of a packet.
#[inline(always)]
pub fn is_tracked(packet: &Packet) -> bool {
    packet.family as u8 != Family::None as u8 && !is_established(packet)
}
