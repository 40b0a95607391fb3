//! Addresses → [`Flags`]: the special ranges (RFC 6890 and its registries) and what is local.

use crate::flags::rarely;
use crate::settings::{LOCAL_MAX, Local, local_bit};
use crate::{Family, Flag, Flags, Frame, Packet};

/// Adds to the packet the flags of its addresses.
#[inline(always)]
pub fn classify<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, local: &Local) {
    match packet.family {
        Family::V4 => {
            source_v4(frame, packet, local);
            destination_v4(packet, local);
            packet.flags.insert_if(Flag::Land, packet.source.low_word() == packet.destination.low_word());
        }
        Family::V6 => {
            addresses_v6(frame, packet, local);
            packet.flags.insert_if(Flag::Land, packet.source == packet.destination);
        }
        Family::None => {}
    }
}

#[inline(always)]
fn source_v4<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, local: &Local) {
    let word = packet.source.low_word();
    let octets = word.to_ne_bytes();
    if !rarely(local.notable_octets[octets[0] as usize] != 0) {
        return;
    }
    let flag = match octets {
        [0, 0, 0, 0] => Some(Flag::ZeroSource),
        [0, ..] => Some(Flag::ReservedSource),
        [10, ..] => Some(Flag::PrivateSource),
        [100, second, ..] if second & 0xc0 == 64 => Some(Flag::SharedSource),
        [127, ..] => Some(Flag::LoopbackSource),
        [169, 254, ..] => Some(Flag::LinkLocalSource),
        [172, second, ..] if second & 0xf0 == 16 => Some(Flag::PrivateSource),
        [192, 168, ..] => Some(Flag::PrivateSource),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some(Flag::DocumentationSource),
        [first, ..] if first >= 224 => Some(Flag::ReservedSource),
        _ => None,
    };
    if let Some(flag) = flag {
        packet.flags.insert(flag);
    }
    if rarely(local.bits & local_bit(word) != 0) {
        // A copy, so that the BPF verifier learns nothing of the address itself, and does not go through what follows for each of ours.
        let word = frame.settled(word);
        for i in 0..LOCAL_MAX {
            if i as u32 >= local.v4_count {
                break;
            }
            if local.v4[i] == word {
                packet.flags.insert(Flag::SelfSource);
                break;
            }
        }
    }
}

#[inline(always)]
fn destination_v4(packet: &mut Packet, local: &Local) {
    let word = packet.destination.low_word();
    let octets = word.to_ne_bytes();
    if rarely(octets[0] >= 224) {
        if octets[0] < 240 {
            packet.flags.insert(Flag::Multicast);
            return;
        }
        if word == u32::MAX {
            packet.flags.insert(Flag::LimitedBroadcast);
            return;
        }
    }
    // 255 and 0 are the two values that adding one takes to 0 and 1.
    if rarely(octets[3].wrapping_add(1) <= 1) {
        packet.flags.insert_if(Flag::DirectedBroadcast, word != 0);
        return;
    }
    let address = u32::from_be(word);
    let narrow = local.narrowest_host_mask;
    if narrow != 0 && rarely(address & narrow == 0 || address & narrow == narrow) {
        for i in 0..LOCAL_MAX {
            if i as u32 >= local.prefix_count {
                break;
            }
            let prefix = local.prefixes[i];
            let host = address & prefix.host_mask;
            if address & !prefix.host_mask == prefix.network && (host == 0 || host == prefix.host_mask) {
                packet.flags.insert(Flag::DirectedBroadcast);
                break;
            }
        }
    }
}

#[inline(always)]
fn addresses_v6<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, local: &Local) {
    let words = packet.source.words();
    let [first, second, third, fourth] = words[0].to_ne_bytes();
    let flag = match first {
        0x00 if words[0] | words[1] | words[2] == 0 => match u32::from_be(words[3]) {
            0 => Some(Flag::ZeroSource),
            1 => Some(Flag::LoopbackSource),
            _ => None,
        },
        0x20 if [second, third, fourth] == [0x01, 0x0d, 0xb8] => Some(Flag::DocumentationSource),
        0x3f if second == 0xff && third & 0xf0 == 0 => Some(Flag::DocumentationSource),
        0xfc | 0xfd => Some(Flag::PrivateSource),
        0xfe if second & 0xc0 == 0x80 => Some(Flag::LinkLocalSource),
        0xff => Some(Flag::ReservedSource),
        _ => None,
    };
    if let Some(flag) = flag {
        packet.flags.insert(flag);
    }
    if rarely(local.bits & local_bit(words[3]) != 0) {
        // As above.
        let words = words.map(|word| frame.settled(word));
        for i in 0..LOCAL_MAX {
            if i as u32 >= local.v6_count {
                break;
            }
            if local.v6[i] == words {
                packet.flags.insert(Flag::SelfSource);
                break;
            }
        }
    }
    packet.flags.insert_if(Flag::Multicast, packet.destination.words()[0].to_ne_bytes()[0] == 0xff);
}

/// Flags that say something of the source address.
pub const SOURCE_FLAGS: Flags = Flags::of(&[
    Flag::PrivateSource,
    Flag::SharedSource,
    Flag::LoopbackSource,
    Flag::LinkLocalSource,
    Flag::ZeroSource,
    Flag::DocumentationSource,
    Flag::ReservedSource,
    Flag::SelfSource,
]);
