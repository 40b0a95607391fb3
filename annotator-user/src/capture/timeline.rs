//! Packets over time, in steps that grow with the capture.

use crate::observation::{Moment, Rate};

/// Steps that are kept at most. Where a capture is longer, neighbours are joined.
const STEPS_MAX: usize = 128;
/// The first step's length.
const FINEST: i128 = 1_000_000;

/// A series of counts that covers any stretch of time in a bounded number of equal steps.
#[derive(Clone, Debug)]
pub struct Timeline {
    start: i128,
    step: i128,
    counts: Vec<(u64, u64)>,
    /// The step that was counted into last, and the moments that belong to it.
    current: usize,
    from: i64,
    to: i64,
}

impl Timeline {
    /// Nothing yet.
    pub fn new() -> Self {
        Timeline { start: 0, step: FINEST, counts: Vec::new(), current: 0, from: 0, to: 0 }
    }

    /// Counts a packet.
    #[inline]
    pub fn add(&mut self, at: Moment, bytes: u64) {
        if at.0 < self.from || at.0 >= self.to {
            self.turn_to(i128::from(at.0));
        }
        if let Some((packets, sum)) = self.counts.get_mut(self.current) {
            *packets += 1;
            *sum += bytes;
        }
    }

    /// Makes the step that holds a moment the current one.
    #[cold]
    fn turn_to(&mut self, at: i128) {
        if self.counts.is_empty() {
            self.start = at;
        }
        let last = |timeline: &Self| timeline.start + timeline.step * timeline.counts.len().max(1) as i128 - 1;
        while at.max(last(self)) - at.min(self.start) >= self.step * STEPS_MAX as i128 {
            self.join();
        }
        let before = (self.start - at.min(self.start) + self.step - 1) / self.step;
        self.start -= before * self.step;
        self.counts.splice(0..0, (0..before).map(|_| (0, 0)));
        self.current = ((at - self.start) / self.step) as usize;
        self.counts.resize(self.counts.len().max(self.current + 1), (0, 0));
        let from = self.start + self.current as i128 * self.step;
        let clamp = |moment: i128| moment.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        (self.from, self.to) = (clamp(from), clamp(from + self.step));
    }

    fn join(&mut self) {
        self.step *= 2;
        self.counts = self
            .counts
            .chunks(2)
            .map(|pair| pair.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1)))
            .collect();
    }

    /// The counts, oldest first; steps without packets are left out.
    pub fn rates(&self) -> Vec<Rate> {
        let seconds = self.step as f64 / 1e9;
        let steps = self.counts.iter().enumerate();
        steps
            .filter(|(_, (packets, _))| *packets > 0)
            .map(|(index, &(packets, bytes))| {
                let from = self.start + index as i128 * self.step;
                Rate { from: Moment(from.clamp(i64::MIN.into(), i64::MAX.into()) as i64), seconds, packets, bytes }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_packet_lies_in_its_step(moments in prop::collection::vec(any::<i64>(), 1..50), spread in 0_u32..64) {
            let mut timeline = Timeline::new();
            let moments: Vec<i64> = moments.into_iter().map(|moment| moment >> spread).collect();
            for &moment in &moments {
                timeline.add(Moment(moment), 10);
            }
            prop_assert!(timeline.counts.len() <= STEPS_MAX);
            prop_assert_eq!(timeline.counts.iter().map(|count| count.1).sum::<u64>(), 10 * moments.len() as u64);
            for (index, count) in timeline.counts.iter().enumerate() {
                let from = timeline.start + index as i128 * timeline.step;
                let inside = moments.iter().filter(|&&moment| (from..from + timeline.step).contains(&moment.into()));
                prop_assert_eq!(count.0, inside.count() as u64);
            }
        }
    }

    #[test]
    fn a_short_capture_has_fine_steps() {
        let mut timeline = Timeline::new();
        for at in [0, 500_000, 3_000_000] {
            timeline.add(Moment(at), 60);
        }
        let packets: Vec<_> = timeline.rates().iter().map(|rate| rate.packets).collect();
        assert_eq!(packets, [2, 1]);
        assert_eq!(timeline.rates()[1].from, Moment(3_000_000));
    }
}
