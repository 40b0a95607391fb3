//! What has been collected for each voice.

use std::collections::{BTreeMap, BTreeSet};

use annotator_common::Family;

use super::Voice;
use super::topics::Topic;
use crate::counters::{PortProto, Side};

/// A row of the counters that a voice speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    /// Of the port table.
    Port(PortProto, Side, u16),
    /// Of the ICMP table.
    Icmp(Family, u8, u8),
}

/// Packets of a voice.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    by_topic: BTreeMap<Topic, u64>,
    /// Packets by row.
    pub rows: BTreeMap<Row, u64>,
    /// SYNs among them.
    pub syn: u64,
    /// Indices of sightings.
    pub sightings: BTreeSet<usize>,
    overlapping: bool,
}

impl Tally {
    /// Adds packets that one topic found.
    pub fn add(&mut self, topic: Topic, packets: u64, sightings: &[usize]) {
        let known_elsewhere = |index: &usize| self.sightings.contains(index) && !self.by_topic.contains_key(&topic);
        self.overlapping |= sightings.iter().any(known_elsewhere);
        *self.by_topic.entry(topic).or_default() += packets;
        self.sightings.extend(sightings);
    }

    /// How many packets. An entry that two topics led to (a game's port as source and as destination) may have met the same packets twice.
    pub fn packets(&self) -> u64 {
        let counts = self.by_topic.values().copied();
        if self.overlapping { counts.max().unwrap_or(0) } else { counts.sum() }
    }
}

/// All of them.
pub(crate) type Tallies = BTreeMap<Voice, Tally>;
