//! `fragments.overlap` and `fragments.incomplete`: datagrams whose pieces lie over each other, or never all come.

use std::collections::BTreeMap;
use std::net::IpAddr;

use annotator_common::packet::protocol;
use annotator_common::{Count, Family, Flag};

use super::{Case, Claims, Scene, words};
use crate::counters::{Protocol, Side};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

/// IPv6 extension headers that may come before a fragment header (RFC 8200 §4.1): hop-by-hop, routing, destination options.
const BEFORE_FRAGMENT: [u8; 3] = [0, 43, 60];
/// Next header of an IPv6 fragment header.
const FRAGMENT: u8 = 44;
const IPV6_HEADER: usize = 40;

/// A piece of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    from: u32,
    to: u32,
    more: bool,
    identification: u32,
    index: usize,
}

/// Finds broken fragmentation, one finding of each kind for a source.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = Vec::new();
    let lacking = lacking(scene);
    for (source, indices) in scene.sources() {
        let mut datagrams: BTreeMap<(IpAddr, u8, u32), Vec<Piece>> = BTreeMap::new();
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            if let Some(piece) = piece(index, sighting) {
                let key = (sighting.destination(), sighting.packet.protocol, piece.identification);
                datagrams.entry(key).or_default().push(piece);
            }
        }
        if datagrams.is_empty() {
            continue;
        }
        let (whole_view, all) = (scene.saw_all_of(source), datagrams.len());
        let (mut overlapping, mut incomplete) = (Vec::new(), Vec::new());
        for mut pieces in datagrams.into_values() {
            pieces.sort_unstable();
            if overlaps(scene, &pieces) {
                overlapping.push(pieces);
            } else if !is_complete(&pieces) && has_timed_out(scene, &pieces) {
                incomplete.push(pieces);
            }
        }
        found.extend(explain_overlap(scene, &overlapping));
        if whole_view {
            found.extend(explain_incomplete(scene, &incomplete, None));
        } else if incomplete.len() <= lacking && mostly(incomplete.len(), all) {
            found.extend(explain_incomplete(scene, &incomplete, Some(lacking)));
        }
    }
    found
}

/// How many datagrams of all sources lack pieces at the least, by the counters: a first piece is counted at its port or ICMP type, the others by their
/// protocol alone, and each first one needs another.
fn lacking(scene: &Scene<'_>) -> usize {
    let counters = scene.observations.counters;
    let pieces = counters.flags.get(&Flag::Fragment).map_or(0, |count| count.packets);
    let carried = |(row, count): (&Protocol, &Count)| match row {
        Protocol::Ip(_, protocol::TCP | protocol::UDP | protocol::ICMP | protocol::ICMPV6) => count.packets,
        _ => 0,
    };
    let by_protocol: u64 = counters.protocols.iter().map(carried).sum();
    let at_ports = counters.ports.iter().filter(|(key, _)| key.side == Side::Dst).map(|(_, count)| count.all.packets);
    let begun = at_ports.chain(counters.icmp.values().map(|count| count.packets)).sum();
    let later = by_protocol.saturating_sub(begun);
    let first = pieces.saturating_sub(later);
    first.saturating_sub(later) as usize
}

/// Whether some are nearly all.
fn mostly(some: usize, all: usize) -> bool {
    some * 5 >= all * 4
}

fn piece(index: usize, sighting: &Sighting) -> Option<Piece> {
    let packet = &sighting.packet;
    if !packet.flags.contains(Flag::Fragment) {
        return None;
    }
    let bytes = sighting.bytes.get(packet.network as usize..)?;
    let (offset, more, identification, data_at) = if packet.family == Family::V4 {
        let word = u16::from_be_bytes([*bytes.get(6)?, *bytes.get(7)?]);
        (u32::from(word & 0x1fff) * 8, word & 0x2000 != 0, packet.identification.into(), packet.transport_at)
    } else {
        v6_fragment(bytes, packet.network)?
    };
    let length = packet.end.saturating_sub(data_at);
    Some(Piece { from: offset, to: offset + length, more, identification, index })
}

/// Offset, more-fragments bit and identification of the fragment header, and where its data starts.
fn v6_fragment(bytes: &[u8], network: u32) -> Option<(u32, bool, u32, u32)> {
    let mut next = *bytes.get(6)?;
    let mut at = IPV6_HEADER;
    while BEFORE_FRAGMENT.contains(&next) {
        next = *bytes.get(at)?;
        at += (usize::from(*bytes.get(at + 1)?) + 1) * 8;
    }
    if next != FRAGMENT {
        return None;
    }
    let header: &[u8; 8] = bytes.get(at..at + 8)?.try_into().ok()?;
    let word = u16::from_be_bytes([header[2], header[3]]);
    let identification = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    Some((u32::from(word & 0xfff8), word & 1 != 0, identification, network + at as u32 + 8))
}

/// Whether pieces, in order, lie over each other. The same piece twice is a copy and no overlap, unless it says something else, and not all come as often: these
/// are of several datagrams with one number.
fn overlaps(scene: &Scene<'_>, pieces: &[Piece]) -> bool {
    let bounds = |piece: &Piece| (piece.from, piece.to);
    let mut times = pieces.chunk_by(|one, other| bounds(one) == bounds(other)).map(<[Piece]>::len);
    let first = times.next();
    let are_several = is_complete(pieces) && times.all(|again| Some(again) == first);
    pieces.windows(2).any(|pair| {
        let is_copy = bounds(&pair[0]) == bounds(&pair[1]) && (are_several || says_the_same(scene, pair));
        pair[1].from < pair[0].to && !is_copy
    })
}

/// Whether two pieces carry the same, as far as both were sampled, or may be of two datagrams: who sends many has the same number again before long.
fn says_the_same(scene: &Scene<'_>, pair: &[Piece]) -> bool {
    let [first, second] = [&pair[0], &pair[1]].map(|piece| scene.sighting(piece.index));
    let is_again = second.at.seconds_since(first.at).abs() >= scene.thresholds.fragments.again;
    is_again || first.transport_bytes().iter().zip(second.transport_bytes()).all(|(one, other)| one == other)
}

fn is_complete(pieces: &[Piece]) -> bool {
    let mut reached = 0;
    for piece in pieces {
        if piece.from > reached {
            return false;
        }
        reached = reached.max(piece.to);
    }
    pieces.iter().any(|piece| !piece.more)
}

fn has_timed_out(scene: &Scene<'_>, pieces: &[Piece]) -> bool {
    let last = pieces.iter().map(|piece| scene.sighting(piece.index).at).max().unwrap_or_default();
    scene.observations.to.seconds_since(last) >= scene.thresholds.fragments.timeout || !scene.observations.live
}

fn members(datagrams: &[Vec<Piece>]) -> Vec<usize> {
    datagrams.iter().flatten().map(|piece| piece.index).collect()
}

fn describe(pieces: &[Piece]) -> String {
    let bytes = |piece: &Piece| match piece.to.checked_sub(1) {
        Some(last) if last > piece.from => format!("{}-{last}", piece.from),
        _ => piece.from.to_string(),
    };
    let parts = pieces.iter().map(|piece| format!("{}{}", bytes(piece), if piece.more { "" } else { " (last)" }));
    format!("Identification {:#06x}: bytes {}.", pieces[0].identification, words::list(parts, 8))
}

fn explain_overlap(scene: &Scene<'_>, datagrams: &[Vec<Piece>]) -> Option<Recognition> {
    let first = datagrams.first()?;
    Some(
        Case::new(scene, "fragments.overlap", members(datagrams))
            .evidence(format!(
                "{} with pieces over each other. {}",
                words::count(datagrams.len() as u64, "datagram"),
                describe(first)
            ))
            .evidence("Copies of the same piece are not counted: no system cuts packets like this by itself.")
            .fact("detail", words::count(datagrams.len() as u64, "datagram"))
            .close(),
    )
}

/// Where not every piece was sampled, the counters say how many datagrams lack one.
fn explain_incomplete(scene: &Scene<'_>, datagrams: &[Vec<Piece>], counted: Option<usize>) -> Option<Recognition> {
    if datagrams.len() < scene.thresholds.fragments.incomplete {
        return None;
    }
    let number = words::count(counted.unwrap_or(datagrams.len()) as u64, "datagram");
    let case = Case::new(scene, "fragments.incomplete", members(datagrams))
        .evidence(format!("{number} never became whole. {}", describe(&datagrams[0])));
    let case = match counted {
        Some(counted) => case.packets(counted as u64).evidence("By the counters; not every piece was sampled."),
        None => case,
    };
    let case = case.evidence("The missing pieces may have been lost on the way, or filtered before they got here.");
    Some(case.confidence(Confidence::Possible).fact("detail", number).close())
}
