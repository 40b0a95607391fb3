//! The rolling window: the last minutes, in buckets.

use std::collections::VecDeque;
use std::time::Duration;

use annotator_common::Count;

use crate::counters::Counters;
use crate::observation::{Gathered, Moment, Rate, Sighting};
use crate::sources::SourceBook;

/// Sightings that a window holds at most; a bucket that would exceed it counts them as withheld.
pub const SIGHTINGS_MAX: usize = 65_536;
/// A window has about this many buckets: what leaves it leaves in such steps.
const BUCKETS: i64 = 60;
/// Sources that a bucket holds at most.
const SOURCES_MAX: usize = 65_536;

/// What was observed in a stretch of time.
pub struct Bucket {
    /// Its beginning.
    pub from: Moment,
    /// Its end.
    pub to: Moment,
    /// Exact counts.
    pub counters: Counters,
    /// The second in which most packets came.
    busiest: Option<Rate>,
    /// When the running second began, and what had come by then.
    second: (Moment, Count),
    /// Sources.
    pub sources: SourceBook,
    /// Sampled packets in order of time.
    pub sightings: Vec<Sighting>,
}

impl Bucket {
    /// An empty bucket.
    pub fn new(from: Moment) -> Self {
        Bucket {
            from,
            to: from,
            counters: Counters::default(),
            busiest: None,
            second: (from, Count::default()),
            sources: SourceBook::new(SOURCES_MAX),
            sightings: Vec::new(),
        }
    }

    /// Ends the running second if it is over, and remembers it if more came than in any other.
    pub fn look_at_second(&mut self, now: Moment) {
        let (from, before) = self.second;
        let seconds = now.seconds_since(from);
        if seconds >= 1.0 {
            let total = self.counters.total();
            let (packets, bytes) = (total.packets - before.packets, total.bytes - before.bytes);
            let rate = Rate { from, seconds, packets, bytes };
            let is_more = |most: Rate| packets as f64 / seconds > most.packets as f64 / most.seconds;
            if self.busiest.is_none_or(is_more) {
                self.busiest = Some(rate);
            }
            self.second = (now, total);
        }
    }

    fn rate(&self) -> Rate {
        let Count { packets, bytes } = self.counters.total();
        Rate { from: self.from, seconds: self.to.seconds_since(self.from), packets, bytes }
    }
}

/// The last buckets, as many as fit into the window's length.
pub struct Window {
    length: i64,
    bucket_length: i64,
    buckets: VecDeque<Bucket>,
}

impl Window {
    /// A window of this length, whose first bucket begins at `from`.
    pub fn new(length: Duration, from: Moment) -> Self {
        let length = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
        Window { length, bucket_length: length / BUCKETS, buckets: VecDeque::from([Bucket::new(from)]) }
    }

    /// The bucket that is being filled.
    pub fn current(&mut self) -> &mut Bucket {
        if self.buckets.is_empty() {
            self.buckets.push_back(Bucket::new(Moment::default()));
        }
        let last = self.buckets.len() - 1;
        &mut self.buckets[last]
    }

    /// Adds a sampled packet to the current bucket, if the window has room for it, and says whether it had.
    pub fn add_sighting(&mut self, sighting: Sighting) -> bool {
        let held: usize = self.buckets.iter().map(|bucket| bucket.sightings.len()).sum();
        let current = self.current();
        let has_room = held < SIGHTINGS_MAX;
        if has_room {
            current.sightings.push(sighting);
        } else {
            current.counters.samples_withheld += 1;
        }
        has_room
    }

    /// Everything in the window up to `now`. What is older than the window's length is let go.
    pub fn contents(&mut self, now: Moment) -> Gathered {
        self.current().to = now;
        // A bucket ends when a report is made, which is never on the dot: half a bucket more or less decides nothing.
        let oldest = now.0.saturating_sub(self.length).saturating_add(self.bucket_length / 2);
        while self.buckets.len() > 1 && self.buckets[0].to.0 <= oldest {
            self.buckets.pop_front();
        }
        let contents = self.together();
        if now.0 - self.current().from.0 >= self.bucket_length {
            self.buckets.push_back(Bucket::new(now));
        }
        contents
    }

    fn together(&self) -> Gathered {
        let mut counters = Counters::default();
        let mut sources = SourceBook::new(SOURCES_MAX);
        let mut sightings = Vec::new();
        let mut dropped = 0;
        for bucket in &self.buckets {
            counters.add(&bucket.counters);
            for view in bucket.sources.views() {
                sources.add(*view);
            }
            dropped += bucket.sources.dropped();
            sightings.extend(bucket.sightings.iter().cloned());
        }
        // Samples of several CPUs share one ring buffer, whose order is that of reservation.
        sightings.sort_by_key(|sighting| sighting.at);
        Gathered {
            from: self.buckets.front().map_or_else(Moment::default, |bucket| bucket.from),
            to: self.buckets.back().map_or_else(Moment::default, |bucket| bucket.to),
            counters,
            rates: self.buckets.iter().map(Bucket::rate).filter(|rate| rate.packets > 0).collect(),
            busiest: self.buckets.iter().filter_map(|bucket| bucket.busiest).collect(),
            sources_dropped: dropped + sources.dropped(),
            sources: sources.into_views(),
            sightings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_as_long_as_the_interval_holds_one_interval() {
        const SECOND: i64 = 1_000_000_000;
        let mut window = Window::new(Duration::from_secs(8), Moment(0));
        window.contents(Moment(8 * SECOND + 700_000));
        let contents = window.contents(Moment(16 * SECOND));
        assert_eq!(contents.from, Moment(8 * SECOND + 700_000), "a report that came late does not keep the one before");
        assert_eq!(window.contents(Moment(20 * SECOND)).from, contents.from, "what is in the window stays");
    }

    #[test]
    fn the_busiest_second_of_a_stretch_is_known() {
        let mut window = Window::new(Duration::from_secs(300), Moment(0));
        let counted = |packets| Counters { without_protocol: Count { packets, bytes: 0 }, ..Counters::default() };
        for (tenths, packets) in [(10, 5), (15, 3_000), (20, 2_000), (31, 900), (40, 0)] {
            window.current().counters.add(&counted(packets));
            window.current().look_at_second(Moment(tenths * 100_000_000));
        }
        let busiest = window.contents(Moment(10_000_000_000)).busiest;
        assert_eq!(busiest, [Rate { from: Moment(1_000_000_000), seconds: 1.0, packets: 5_000, bytes: 0 }]);
    }
}
