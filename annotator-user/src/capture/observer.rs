//! Frames of a capture → the engine → what a report is made of.

use annotator_common::ledger::Tally;
use annotator_common::sample::SAMPLE_BYTES;
use annotator_common::source::CAPACITY;
use annotator_common::{Ledger, Settings, Sources, Ticks, observe};

use super::Captured;
use super::timeline::Timeline;
use crate::counters::Counters;
use crate::observation::{Gathered, Moment, Sighting};
use crate::sources::{Slots, SourceBook};

/// Sources that a report over captures can know of.
const SOURCES_MAX: usize = 1 << 17;
/// Sampled packets that are kept, of half a kilobyte each.
const SIGHTINGS_MAX: usize = 1 << 17;
/// Of these, how many may be of whatever comes first, so that short captures are seen whole.
const WHOLE: usize = 1 << 14;
/// Up to so many, as much is kept of each source as a client of some dozen hosts sends, so that it is seen whole beside others in a longer capture.
const GENEROUS: usize = 1 << 16;
/// The first packets of each kind of a source that are news meanwhile.
const FIRST_PACKETS: u32 = 1024;
/// Cells are read long before they could overflow: at half the packets and half the bytes that they hold.
const DRAIN_PACKETS: u64 = annotator_common::Cell::MAX_PACKETS / 2;
const DRAIN_BYTES: u64 = annotator_common::Cell::MAX_BYTES / 2;
/// The source table is looked at before its 16-bit counts can wrap.
const LOOK_PACKETS: u64 = u16::MAX as u64;
/// ... and before a silent source can lose its slot; but not for every packet of a capture whose clock jumps about.
const LOOK_MILLISECONDS: i64 = 60_000;
const LOOK_PACKETS_MIN: u64 = 64;
/// A clock that steps back further than this was set, or another capture began; packets swapped on their way lie closer together.
const STEP_BACK_MILLISECONDS: i64 = 1000;
const NANOSECONDS_PER_MILLISECOND: i64 = 1_000_000;

/// Feeds frames to the engine and gathers what it learns.
pub struct Observer {
    settings: Box<Settings>,
    /// What the budget grants of each source once it is no longer generous.
    first_packets: u32,
    ledger: Box<Ledger>,
    table: Box<Sources>,
    counters: Counters,
    slots: Slots,
    book: SourceBook,
    sightings: Vec<Sighting>,
    timeline: Timeline,
    clock: Clock,
    span: Option<(Moment, Moment)>,
    undrained_packets: u64,
    undrained_bytes: u64,
    unlooked_packets: u64,
    looked_at: u64,
}

impl Observer {
    /// Starts from nothing.
    pub fn new(settings: Box<Settings>) -> Self {
        // SAFETY: every bit pattern is a valid ledger, zero included: it is made of integers.
        let ledger = unsafe { Box::<Ledger>::new_zeroed().assume_init() };
        // SAFETY: likewise for the source table; zero is the empty table.
        let table = unsafe { Box::<Sources>::new_zeroed().assume_init() };
        Observer {
            first_packets: settings.budget.first_packets,
            settings,
            ledger,
            table,
            counters: Counters::default(),
            slots: Slots::default(),
            book: SourceBook::new(SOURCES_MAX),
            sightings: Vec::new(),
            timeline: Timeline::new(),
            clock: Clock::default(),
            span: None,
            undrained_packets: 0,
            undrained_bytes: 0,
            unlooked_packets: 0,
            looked_at: 0,
        }
    }

    /// Takes each packet of which the source table takes note for news at first, be it new of its source or not.
    pub fn begin_whole(mut self) -> Self {
        self.settings.budget.first_packets = u32::MAX;
        self
    }

    /// Observes a frame.
    #[inline]
    pub fn observe(&mut self, captured: Captured<'_>) {
        let Captured { at, link_type, frame } = captured;
        let at = at.unwrap_or(self.span.map_or(Moment::default(), |(_, latest)| latest));
        self.span = Some(match self.span {
            None => (at, at),
            Some((earliest, latest)) => (earliest.min(at), latest.max(at)),
        });
        let bytes = frame.len() as u64;
        self.timeline.add(at, bytes);
        if self.undrained_packets >= DRAIN_PACKETS || self.undrained_bytes + bytes >= DRAIN_BYTES {
            self.drain();
        }
        self.undrained_packets += 1;
        self.undrained_bytes += bytes;
        if self.unlooked_packets >= LOOK_PACKETS_MIN {
            if self.clock.steps_back(at) {
                self.look();
                self.clock.restart(at);
            } else if self.unlooked_packets >= LOOK_PACKETS
                || self.clock.offset(at).saturating_sub(self.looked_at as i64) >= LOOK_MILLISECONDS
            {
                self.look();
            }
        }
        self.unlooked_packets += 1;
        self.clock.advance(at);

        let link = link_type.link_of(frame);
        let now = self.clock.ticks();
        let Ledger { journal, types } = &mut *self.ledger;
        let news = observe(
            frame,
            link,
            (&self.settings, &self.settings.local),
            (journal, &mut self.table),
            || Some(types),
            || now,
        );
        if news.any() {
            if self.sightings.len() < SIGHTINGS_MAX {
                let beginning = &frame[..frame.len().min(SAMPLE_BYTES)];
                let length = frame.len() as u32;
                self.sightings.push(Sighting::new(at, news, link, length, beginning, &self.settings));
                self.ledger.journal.tally(Tally::Samples);
                let budget = &mut self.settings.budget;
                match self.sightings.len() {
                    WHOLE => budget.first_packets = budget.first_packets.min(FIRST_PACKETS),
                    GENEROUS => budget.first_packets = self.first_packets,
                    _ => {}
                }
            } else {
                self.ledger.journal.tally(Tally::SamplesOverBudget);
            }
        }
    }

    /// Moves the counts out of the ledger.
    #[cold]
    fn drain(&mut self) {
        self.counters.add(&Counters::from_difference(&self.ledger));
        self.ledger.words_mut().fill(0);
        self.undrained_packets = 0;
        self.undrained_bytes = 0;
    }

    /// Takes the source table's news over into the book.
    #[cold]
    fn look(&mut self) {
        let entries = (0..CAPACITY).map(|index| {
            let (tag, source) = self.table.entry(index);
            (tag, *source)
        });
        let (clock, book) = (self.clock, &mut self.book);
        self.slots.look(0, entries, &self.settings.seed, |ticks| clock.moment(ticks), |view| book.add(view));
        self.unlooked_packets = 0;
        self.looked_at = self.clock.milliseconds;
    }

    /// Ends the observation.
    pub fn finish(mut self) -> Gathered {
        self.look();
        self.drain();
        let (from, to) = self.span.unwrap_or_default();
        // Several captures, or one that was merged badly, need not be in order.
        self.sightings.sort_by_key(|sighting| sighting.at);
        Gathered {
            from,
            to,
            counters: self.counters,
            rates: self.timeline.rates(),
            busiest: Vec::new(),
            sources_dropped: self.book.dropped(),
            sources: self.book.into_views(),
            sightings: self.sightings,
        }
    }
}

/// Turns the times of packets into the engine's ticks, which must not run backwards: milliseconds since the first packet.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// The moment of tick 0; `None` before the first packet.
    start: Option<i64>,
    /// Milliseconds since `start` of the latest packet.
    milliseconds: u64,
}

impl Clock {
    fn offset(&self, at: Moment) -> i64 {
        at.0.saturating_sub(self.start.unwrap_or(at.0)) / NANOSECONDS_PER_MILLISECOND
    }

    fn steps_back(&self, at: Moment) -> bool {
        self.offset(at).saturating_add(STEP_BACK_MILLISECONDS) < self.milliseconds as i64
    }

    #[inline]
    fn advance(&mut self, at: Moment) {
        let start = *self.start.get_or_insert(at.0);
        let milliseconds = at.0.saturating_sub(start) / NANOSECONDS_PER_MILLISECOND;
        self.milliseconds = self.milliseconds.max(milliseconds.max(0) as u64);
    }

    /// Lets the present tick be another moment.
    fn restart(&mut self, at: Moment) {
        let elapsed = (self.milliseconds as i64).saturating_mul(NANOSECONDS_PER_MILLISECOND);
        self.start = Some(at.0.saturating_sub(elapsed));
    }

    fn ticks(&self) -> Ticks {
        self.milliseconds as Ticks
    }

    /// The moment of a tick that lies less than 2^32 milliseconds back.
    fn moment(&self, ticks: Ticks) -> Moment {
        let ago = i64::from(self.ticks().wrapping_sub(ticks));
        let milliseconds = (self.milliseconds as i64).saturating_sub(ago);
        Moment(self.start.unwrap_or_default().saturating_add(milliseconds.saturating_mul(NANOSECONDS_PER_MILLISECOND)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn ticks_and_moments() {
        let mut clock = Clock::default();
        clock.advance(Moment(1000 * SECOND));
        clock.advance(Moment(1002 * SECOND));
        assert_eq!(clock.ticks(), 2000);
        assert_eq!(clock.moment(500), Moment(1000 * SECOND + SECOND / 2));
        // A swapped packet does not turn the clock back.
        clock.advance(Moment(1001 * SECOND));
        assert_eq!(clock.ticks(), 2000);
        assert!(!clock.steps_back(Moment(1001 * SECOND)));
        // Ticks wrap after seven weeks; moments do not.
        clock.advance(Moment((1000 + (1_i64 << 32) / 1000 + 10) * SECOND));
        assert!(clock.ticks() < 2000 + 10_000);
        let moment = clock.moment(clock.ticks().wrapping_sub(5000));
        assert_eq!(moment, Moment((1000 + (1_i64 << 32) / 1000 + 5) * SECOND));
    }

    #[test]
    fn a_clock_that_was_set_back_goes_on() {
        let mut clock = Clock::default();
        clock.advance(Moment(1000 * SECOND));
        clock.advance(Moment(1010 * SECOND));
        assert!(clock.steps_back(Moment(5 * SECOND)));
        clock.restart(Moment(5 * SECOND));
        clock.advance(Moment(6 * SECOND));
        assert_eq!(clock.ticks(), 11_000);
        assert_eq!(clock.moment(10_000), Moment(5 * SECOND));
    }

    #[test]
    fn absurd_times_saturate() {
        let mut clock = Clock::default();
        for at in [0, i64::MAX, i64::MIN, -1, i64::MAX] {
            clock.steps_back(Moment(at));
            clock.restart(Moment(at));
            clock.advance(Moment(at));
            clock.moment(0);
        }
    }
}
