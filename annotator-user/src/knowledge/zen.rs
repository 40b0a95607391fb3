//! What the numbers in a header tell of a sender: how it counts its packets, and how far away it is.
//!
//! Guesses, never proofs. One finding for all senders each, with the busiest in evidence: a line for every address would tell nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use annotator_common::{Family, Flag, Packet, Transport};

use super::Knowledge;
use super::seen::Seen;
use super::text::Facts;
use super::words::{add_ids, write};
use crate::finding::{ADDRESSES_MAX, Finding};
use crate::quantity::count;

/// Senders in evidence.
const SENDERS_SHOWN: usize = 8;
/// Identifications shown of one sender.
const IDENTIFICATIONS_SHOWN: usize = 6;
/// Packets that a guess at a sender's counting needs.
const COUNTING_MIN: usize = 3;
/// The widest step between two packets that still looks like a count: between packets to us a busy sender numbers those to others. Two random
/// steps pass it once in 16,000 times.
const STEP_MAX: u16 = 512;
/// TTLs that differ by no more than this are two routes to one sender.
const ROUTES_DIFFER: u8 = 2;
/// Values with which systems start, and which do.
const INITIAL_TTLS: [(u8, &str); 4] = [
    (32, "Windows 95 and NT or a small device"),
    (64, "Linux, macOS, BSD or Android"),
    (128, "Windows"),
    (255, "network equipment, some Unix, some scanners"),
];
/// More hops than this are hardly ever true.
const HOPS_PLAUSIBLE: u8 = 30;

/// What arrived from a sender, in order of time.
#[derive(Default)]
struct Sender {
    identifications: Vec<u16>,
    ttls: BTreeMap<u8, usize>,
    packets: u64,
}

/// How a sender numbers its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Counting {
    Upwards,
    ByteSwapped,
    Constant,
    Zero,
    Random,
}

impl Counting {
    fn of(identifications: &[u16]) -> Option<Counting> {
        if identifications.len() < COUNTING_MIN {
            return None;
        }
        let first = identifications[0];
        if identifications.iter().all(|id| *id == first) {
            return Some(if first == 0 { Counting::Zero } else { Counting::Constant });
        }
        let plain = widest_step(identifications.iter().copied());
        let swapped = widest_step(identifications.iter().map(|id| id.swap_bytes()));
        Some(match (plain, swapped) {
            (Some(plain), Some(swapped)) if swapped < plain => Counting::ByteSwapped,
            (Some(_), _) => Counting::Upwards,
            (None, Some(_)) => Counting::ByteSwapped,
            (None, None) => Counting::Random,
        })
    }

    const fn id(self) -> &'static str {
        match self {
            Counting::Upwards => "zen.ip-id.counting",
            Counting::ByteSwapped => "zen.ip-id.byte-swapped",
            Counting::Constant => "zen.ip-id.constant",
            Counting::Zero => "zen.ip-id.zero",
            Counting::Random => "zen.ip-id.random",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Counting::Upwards => "counts up",
            Counting::ByteSwapped => "counts up with its bytes swapped",
            Counting::Constant => "always the same",
            Counting::Zero => "always zero",
            Counting::Random => "without an order",
        }
    }
}

/// The widest step of a count, `None` where it is none.
fn widest_step(identifications: impl Iterator<Item = u16>) -> Option<u16> {
    let mut widest = 0;
    let mut previous: Option<u16> = None;
    for id in identifications {
        if let Some(previous) = previous {
            let step = id.wrapping_sub(previous);
            if step == 0 || step > STEP_MAX {
                return None;
            }
            widest = widest.max(step);
        }
        previous = Some(id);
    }
    Some(widest)
}

/// The likely start of a TTL, with the system it is typical of.
fn initial_ttl(ttl: u8) -> (u8, &'static str) {
    INITIAL_TTLS.into_iter().find(|(initial, _)| *initial >= ttl).unwrap_or(INITIAL_TTLS[3])
}

/// Whether a packet is ICMPv6 that never leaves its link (RFC 4861: hop limit 255).
fn is_neighbour_discovery(packet: &Packet) -> bool {
    packet.transport == Transport::Icmpv6 && (133..=137).contains(&packet.icmp_type)
}

/// What is to be said about the senders of a window.
pub(super) fn findings(knowledge: &Knowledge, seen: &[Seen<'_>]) -> Vec<Finding> {
    let mut senders: BTreeMap<IpAddr, Sender> = BTreeMap::new();
    for seen in seen.iter().filter(|seen| !seen.outgoing) {
        let packet = &seen.sighting.packet;
        if packet.family == Family::None {
            continue;
        }
        let sender = senders.entry(seen.sighting.source()).or_default();
        sender.packets += 1;
        // Protocols of the link start from TTLs of their own, 1 or 255 whatever the system.
        if !(seen.has(Flag::Multicast) || seen.has(Flag::LowTtl) || is_neighbour_discovery(packet)) {
            *sender.ttls.entry(packet.ttl).or_default() += 1;
        }
        if packet.family == Family::V4 {
            sender.identifications.push(packet.identification);
        }
    }
    let mut senders: Vec<(IpAddr, Sender)> = senders.into_iter().collect();
    senders.sort_by_key(|(address, sender)| (Reverse(sender.packets), *address));
    [identification(knowledge, &senders), ttl(knowledge, &senders), varying_ttl(knowledge, &senders)]
        .into_iter()
        .flatten()
        .collect()
}

fn identification(knowledge: &Knowledge, senders: &[(IpAddr, Sender)]) -> Option<Finding> {
    let counted: Vec<(&IpAddr, &Sender, Counting)> = senders
        .iter()
        .filter_map(|(address, sender)| Some((address, sender, Counting::of(&sender.identifications)?)))
        .collect();
    let mut kinds: Vec<Counting> = counted.iter().map(|(.., kind)| *kind).collect();
    kinds.sort();
    kinds.dedup();
    let id = match kinds.as_slice() {
        [] => return None,
        [one] => one.id(),
        _ => "zen.ip-id",
    };
    let evidence = counted.iter().map(|(address, sender, kind)| {
        let shown: Vec<String> =
            sender.identifications.iter().take(IDENTIFICATIONS_SHOWN).map(|id| format!("{id:04X}")).collect();
        let more = if sender.identifications.len() > shown.len() { " …" } else { "" };
        format!("{address}: {} ({}{more}).", kind.words(), shown.join(" "))
    });
    let words: Vec<&str> = kinds.iter().map(|kind| kind.words()).collect();
    let detail = format!("{}: {}", count(counted.len() as u64, "sender"), words.join(", "));
    let packets = counted.iter().map(|(_, sender, _)| sender.identifications.len() as u64).sum();
    let mut finding = about(knowledge, id, &detail, packets, counted.iter().map(|(address, ..)| **address), evidence)?;
    add_ids(&mut finding, kinds.iter().map(|kind| kind.id().to_owned()));
    Some(finding)
}

fn ttl(knowledge: &Knowledge, senders: &[(IpAddr, Sender)]) -> Option<Finding> {
    let senders: Vec<&(IpAddr, Sender)> = senders.iter().filter(|(_, sender)| !sender.ttls.is_empty()).collect();
    let mut systems: BTreeMap<&str, u64> = BTreeMap::new();
    let mut evidence = Vec::new();
    for (address, sender) in &senders {
        let Some((ttl, _)) = sender.ttls.iter().max_by_key(|(_, packets)| **packets) else { continue };
        let (initial, system) = initial_ttl(*ttl);
        *systems.entry(system).or_default() += 1;
        let hops = initial - ttl;
        let doubt = if hops > HOPS_PLAUSIBLE { ", which is hardly true" } else { "" };
        evidence.push(format!(
            "{address}: TTL {ttl}, likely {} from {initial}{doubt}: {system}, possibly.",
            count(hops.into(), "hop")
        ));
    }
    let mut systems: Vec<(&str, u64)> = systems.into_iter().collect();
    systems.sort_by_key(|(_, senders)| Reverse(*senders));
    let (system, _) = systems.first()?;
    let detail = match senders.as_slice() {
        [(_, sender)] => {
            let (ttl, _) = sender.ttls.iter().max_by_key(|(_, packets)| **packets)?;
            let (initial, system) = initial_ttl(*ttl);
            format!("{ttl}: {} from {initial}, {system}", count((initial - ttl).into(), "hop"))
        }
        _ => format!("{}, most like {system}", count(senders.len() as u64, "sender")),
    };
    let packets = senders.iter().map(|(_, sender)| sender.packets).sum();
    about(knowledge, "zen.ttl", &detail, packets, senders.iter().map(|(address, _)| *address), evidence.into_iter())
}

fn varying_ttl(knowledge: &Knowledge, senders: &[(IpAddr, Sender)]) -> Option<Finding> {
    let varying: Vec<&(IpAddr, Sender)> = senders
        .iter()
        .filter(|(_, sender)| {
            let low = sender.ttls.keys().next().copied().unwrap_or_default();
            let high = sender.ttls.keys().next_back().copied().unwrap_or_default();
            high - low > ROUTES_DIFFER
        })
        .collect();
    let evidence = varying.iter().map(|(address, sender)| {
        let ttls: Vec<String> = sender.ttls.iter().map(|(ttl, packets)| format!("{ttl} ({packets}×)")).collect();
        let shown = ttls.len().min(SENDERS_SHOWN);
        let more = if ttls.len() > shown { format!(" and {} more", ttls.len() - shown) } else { String::new() };
        format!("{address}: TTL {}{more}.", ttls[..shown].join(", "))
    });
    let detail = match varying.as_slice() {
        [] => return None,
        [(address, _)] => address.to_string(),
        several => count(several.len() as u64, "sender"),
    };
    let packets = varying.iter().map(|(_, sender)| sender.packets).sum();
    about(knowledge, "zen.ttl.varying", &detail, packets, varying.iter().map(|(address, _)| *address), evidence)
}

/// A finding about senders, of whom the first are shown.
fn about(
    knowledge: &Knowledge,
    id: &str,
    detail: &str,
    packets: u64,
    senders: impl Iterator<Item = IpAddr>,
    evidence: impl Iterator<Item = String>,
) -> Option<Finding> {
    let texts = knowledge.texts(knowledge.voice(id)?);
    let mut finding = write(&texts, &Facts::from([("detail", detail.to_owned())]));
    finding.packets = packets;
    add_ids(&mut finding, texts.also.iter().map(|id| (*id).to_owned()));
    let senders: Vec<IpAddr> = senders.collect();
    finding.evidence = evidence.take(SENDERS_SHOWN).collect();
    if senders.len() > SENDERS_SHOWN {
        finding.evidence.push(format!("{}.", count((senders.len() - SENDERS_SHOWN) as u64, "more sender")));
    }
    finding.sources = senders.into_iter().take(ADDRESSES_MAX).collect();
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_senders_count() {
        assert_eq!(Counting::of(&[1, 2]), None);
        assert_eq!(Counting::of(&[0x01fd, 0x01fe, 0x01ff, 0x0200]), Some(Counting::Upwards));
        assert_eq!(Counting::of(&[0xfd01, 0xfe01, 0xff01, 0x0002]), Some(Counting::ByteSwapped));
        assert_eq!(Counting::of(&[0xffff, 0, 1]), Some(Counting::Upwards));
        assert_eq!(Counting::of(&[54321; 4]), Some(Counting::Constant));
        assert_eq!(Counting::of(&[0; 4]), Some(Counting::Zero));
        assert_eq!(Counting::of(&[0x8123, 0x0417, 0xfe22, 0x3301]), Some(Counting::Random));
    }

    #[test]
    fn where_ttls_start() {
        assert_eq!(initial_ttl(112).0, 128);
        assert_eq!(initial_ttl(51).0, 64);
        assert_eq!(initial_ttl(255).0, 255);
        assert_eq!(initial_ttl(0).0, 32);
    }
}
