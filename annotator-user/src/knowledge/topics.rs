//! What can match a packet, by topic and narrowest first.
//!
//! A packet has several topics: its destination port, its source port, its ICMP type, its payload, and everything else in its headers. On ports and
//! ICMP types only the narrowest entry speaks; a payload and the other headers may have several things to tell.

use std::collections::HashMap;

use super::load::Origin;
use super::schema::{Entry, Match};
use super::seen::Seen;
use super::{Knowledge, Voice};

/// What a match is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Topic {
    /// The destination port.
    Port,
    /// The source port.
    SourcePort,
    /// ICMP type and code.
    Icmp,
    /// The payload.
    Payload,
    /// Addresses, flags, protocols.
    General,
}

impl Topic {
    /// The topic of an entry's match.
    pub fn of(condition: &Match) -> Topic {
        if condition.payload.is_some() {
            Topic::Payload
        } else if condition.icmp_type.is_some() || condition.icmp_code.is_some() || condition.embedded.is_some() {
            Topic::Icmp
        } else if condition.src_port.is_some() {
            Topic::SourcePort
        } else if condition.dst_port.is_some() {
            Topic::Port
        } else {
            Topic::General
        }
    }
}

/// A match of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub entry: usize,
    pub index: usize,
}

/// Port sets up to this size are looked up by port; wider ones are few and tried in turn.
pub(super) const NARROW_MAX: u64 = 512;

/// Candidates of a topic about ports.
#[derive(Debug, Default)]
struct ByPort {
    narrow: HashMap<u16, Vec<Candidate>>,
    wide: Vec<Candidate>,
}

impl ByPort {
    fn of(&self, port: u16) -> impl Iterator<Item = Candidate> {
        self.narrow.get(&port).into_iter().flatten().chain(&self.wide).copied()
    }
}

/// All candidates.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    port: ByPort,
    source_port: ByPort,
    icmp: Vec<Candidate>,
    payload: Vec<Candidate>,
    general: Vec<Candidate>,
}

impl Topics {
    pub fn new(entries: &[Entry], origins: &[Origin]) -> Self {
        let mut all: Vec<(Topic, Candidate)> = Vec::new();
        for (entry, known) in entries.iter().enumerate() {
            for (index, condition) in known.matches.iter().enumerate() {
                all.push((Topic::of(condition), Candidate { entry, index }));
            }
        }
        let condition = |candidate: &Candidate| &entries[candidate.entry].matches[candidate.index];
        all.sort_by_key(|(topic, candidate)| {
            let (dst, src, icmp, conditions) = condition(candidate).breadth();
            let ports = if *topic == Topic::SourcePort { (src, dst) } else { (dst, src) };
            // Where two are equally narrow the user's own speaks.
            (*topic, ports, icmp, conditions, origins[candidate.entry].built_in)
        });
        let mut topics = Topics::default();
        for (topic, candidate) in all {
            let (list, ports) = match topic {
                Topic::Port => (&mut topics.port, &condition(&candidate).dst_port),
                Topic::SourcePort => (&mut topics.source_port, &condition(&candidate).src_port),
                Topic::Icmp => {
                    topics.icmp.push(candidate);
                    continue;
                }
                Topic::Payload => {
                    topics.payload.push(candidate);
                    continue;
                }
                Topic::General => {
                    topics.general.push(candidate);
                    continue;
                }
            };
            match ports {
                Some(set) if set.size() <= NARROW_MAX => {
                    for port in set.iter() {
                        list.narrow.entry(port).or_default().push(candidate);
                    }
                }
                _ => list.wide.push(candidate),
            }
        }
        topics
    }
}

impl Knowledge {
    pub(super) fn condition(&self, candidate: Candidate) -> &Match {
        &self.entries[candidate.entry].matches[candidate.index]
    }

    /// Candidates for a destination port, narrowest first.
    pub(super) fn port_candidates(&self, port: u16) -> impl Iterator<Item = Candidate> {
        self.topics.port.of(port)
    }

    /// Candidates for a source port, narrowest first.
    pub(super) fn source_candidates(&self, port: u16) -> impl Iterator<Item = Candidate> {
        self.topics.source_port.of(port)
    }

    /// Candidates for ICMP, narrowest first.
    pub(super) fn icmp_candidates(&self) -> impl Iterator<Item = Candidate> {
        self.topics.icmp.iter().copied()
    }

    /// Candidates by payload.
    pub(super) fn payload_candidates(&self) -> impl Iterator<Item = Candidate> {
        self.topics.payload.iter().copied()
    }

    /// Candidates by addresses, flags and protocols.
    pub(super) fn general_candidates(&self) -> impl Iterator<Item = Candidate> {
        self.topics.general.iter().copied()
    }

    /// Who speaks of a packet: the first candidate that fits, or the first of its variants that does.
    pub(super) fn first_voice(
        &self,
        mut candidates: impl Iterator<Item = Candidate>,
        seen: &Seen<'_>,
    ) -> Option<Voice> {
        candidates
            .find(|candidate| self.condition(*candidate).fits(seen))
            .map(|candidate| self.voice_of(candidate.entry, seen))
    }

    /// The entry, or the first of its variants that fits.
    pub(super) fn voice_of(&self, entry: usize, seen: &Seen<'_>) -> Voice {
        let variants = &self.entries[entry].variants;
        Voice {
            entry,
            variant: variants.iter().position(|variant| variant.matches.iter().any(|condition| condition.fits(seen))),
        }
    }

    /// Who speaks of every packet of a row of the counters.
    pub(super) fn row_voice(
        &self,
        mut candidates: impl Iterator<Item = Candidate>,
        fits: impl Fn(&Match) -> bool,
    ) -> Option<Voice> {
        let entry = candidates.find(|candidate| fits(self.condition(*candidate)))?.entry;
        let variants = &self.entries[entry].variants;
        Some(Voice { entry, variant: variants.iter().position(|variant| variant.matches.iter().any(&fits)) })
    }
}
