//! Rates over time: what has come from one report to the next, though each report looks back over a whole window.

use std::collections::{BTreeMap, VecDeque};

use crate::observation::{Moment, Rate};
use crate::report::Report;

/// Rates that are kept: more than the widest terminal shows.
const KEPT: usize = 1024;

/// Packets and bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PerSecond {
    /// Packets.
    pub packets: f64,
    /// Frame bytes.
    pub bytes: f64,
}

/// Rates from report to report, the latest last.
#[derive(Clone, Debug, Default)]
pub struct History {
    rates: VecDeque<PerSecond>,
    /// The last report's end, and its buckets by their beginnings.
    previous: Option<(Moment, BTreeMap<Moment, Rate>)>,
}

impl History {
    /// Takes what came since the last report. A bucket that went on growing counts with what it has gained; those that left the window have
    /// been counted before.
    pub fn take(&mut self, report: &Report) {
        let window = report.window;
        let buckets: BTreeMap<Moment, Rate> = report.rates.iter().map(|rate| (rate.from, *rate)).collect();
        let (since, known) = self.previous.take().unwrap_or((window.from, BTreeMap::new()));
        let seconds = window.to.seconds_since(since);
        if seconds > 0.0 {
            let (mut packets, mut bytes) = (0, 0);
            for (from, rate) in &buckets {
                let before = known.get(from);
                packets += rate.packets.saturating_sub(before.map_or(0, |rate| rate.packets));
                bytes += rate.bytes.saturating_sub(before.map_or(0, |rate| rate.bytes));
            }
            self.rates.push_back(PerSecond { packets: packets as f64 / seconds, bytes: bytes as f64 / seconds });
            if self.rates.len() > KEPT {
                self.rates.pop_front();
            }
        }
        self.previous = Some((window.to, buckets));
    }

    /// The latest rate.
    pub fn now(&self) -> PerSecond {
        self.rates.back().copied().unwrap_or_default()
    }

    /// The last `count` rates, oldest first.
    pub fn last(&self, count: usize) -> impl Iterator<Item = PerSecond> {
        self.rates.iter().skip(self.rates.len().saturating_sub(count)).copied()
    }
}

/// A whole stretch of time in `columns` equal parts. A bucket that covers several of them is shared out.
pub fn spread(rates: &[Rate], from: Moment, to: Moment, columns: usize) -> Vec<PerSecond> {
    let mut parts = vec![PerSecond::default(); columns];
    let part = span(from, to) / columns.max(1) as f64;
    if part <= 0.0 || columns == 0 {
        return parts;
    }
    for rate in rates {
        // The first and the last bucket may reach beyond the stretch.
        let length = rate.seconds.max(f64::MIN_POSITIVE);
        let begin = span(from, rate.from).max(0.0);
        let end = (span(from, rate.from) + length).min(part * columns as f64);
        let inside = (end - begin).max(f64::MIN_POSITIVE);
        let first = ((begin / part) as usize).min(columns - 1);
        let last = ((end / part).ceil() as usize).clamp(first + 1, columns);
        for (index, sum) in parts[first..last].iter_mut().enumerate() {
            let at = (first + index) as f64 * part;
            let share = if last == first + 1 { 1.0 } else { ((end.min(at + part) - begin.max(at)) / inside).max(0.0) };
            sum.packets += rate.packets as f64 * share / part;
            sum.bytes += rate.bytes as f64 * share / part;
        }
    }
    parts
}

/// Seconds from one moment to another, however far apart a damaged file says they are.
pub fn span(from: Moment, to: Moment) -> f64 {
    (i128::from(to.0) - i128::from(from.0)) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Window;
    use crate::top::tests::report;

    const SECOND: i64 = 1_000_000_000;

    fn at(seconds: i64, buckets: &[(i64, u64)]) -> Report {
        let rates = buckets.iter().map(|(from, packets)| Rate {
            from: Moment(from * SECOND),
            seconds: 1.0,
            packets: *packets,
            bytes: packets * 100,
        });
        let window = Window { from: Moment(0), to: Moment(seconds * SECOND), seconds: seconds as f64 };
        Report { window, rates: rates.collect(), ..report() }
    }

    #[test]
    fn a_bucket_that_grows_is_counted_once() {
        let mut history = History::default();
        history.take(&at(1, &[(0, 10)]));
        history.take(&at(2, &[(0, 25)]));
        // The first bucket has left, one has grown from nothing, one second was lost.
        history.take(&at(4, &[(2, 30)]));
        let packets: Vec<f64> = history.last(10).map(|rate| rate.packets).collect();
        assert_eq!(packets, [10.0, 15.0, 15.0]);
        assert_eq!(history.now(), PerSecond { packets: 15.0, bytes: 1500.0 });
        assert_eq!(history.last(2).count(), 2);
    }

    #[test]
    fn silence_is_a_rate() {
        let mut history = History::default();
        history.take(&at(1, &[(0, 10)]));
        history.take(&at(2, &[(0, 10)]));
        assert_eq!(history.now(), PerSecond::default());
    }

    #[test]
    fn a_capture_is_spread_over_the_width() {
        let report = at(4, &[(0, 8), (3, 4)]);
        let sums = |columns: usize| -> Vec<f64> {
            let parts = spread(&report.rates, report.window.from, report.window.to, columns);
            parts.iter().map(|part| part.packets).collect()
        };
        assert_eq!(sums(4), [8.0, 0.0, 0.0, 4.0]);
        assert_eq!(sums(2), [4.0, 2.0]);
        assert_eq!(sums(8), [8.0, 8.0, 0.0, 0.0, 0.0, 0.0, 4.0, 4.0]);
        assert_eq!(sums(0), [0.0; 0]);
    }

    #[test]
    fn absurd_times_are_borne() {
        let report = at(1, &[(0, 8)]);
        spread(&report.rates, Moment(i64::MIN), Moment(i64::MAX), 10);
        spread(&report.rates, Moment(i64::MAX), Moment(i64::MIN), 10);
    }
}
