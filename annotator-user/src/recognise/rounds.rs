//! Who comes back in rounds: a program that watches a service, or keeps a line open, asks at even intervals and rests in between, for as long as it runs.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{Scene, thresholds};
use crate::observation::Moment;

/// Whether packets at some moments, in order, make rounds.
pub fn are_rounds(moments: &[Moment], limits: &thresholds::Rounds) -> bool {
    let mut intervals = intervals(moments, limits.pause);
    if intervals.len() + 1 < limits.count {
        return false;
    }
    intervals.sort_unstable_by(f64::total_cmp);
    let usual = intervals[intervals.len() / 2];
    let even = intervals.iter().filter(|interval| (*interval - usual).abs() <= limits.tolerance * usual).count();
    even as f64 >= limits.share * intervals.len() as f64
}

impl Scene<'_> {
    /// Whether most targets of some packets get them at even intervals, with rests in between, as a monitor asks.
    pub fn asks_in_rounds(&self, members: &[usize]) -> bool {
        let mut asked: HashMap<(IpAddr, u16), Vec<Moment>> = HashMap::new();
        for sighting in members.iter().map(|index| self.sighting(*index)) {
            asked.entry(sighting.target()).or_default().push(sighting.at);
        }
        asked.values().filter(|moments| are_rounds(moments, &self.thresholds.rounds)).count() * 2 > asked.len()
    }
}

/// Seconds from the beginning of each round to that of the next.
fn intervals(moments: &[Moment], pause: f64) -> Vec<f64> {
    let begins = |pair: &&[Moment]| pair[1].seconds_since(pair[0]) >= pause;
    let starts = moments.first().into_iter().chain(moments.windows(2).filter(begins).map(|pair| &pair[1]));
    let starts: Vec<Moment> = starts.copied().collect();
    starts.windows(2).map(|pair| pair[1].seconds_since(pair[0])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recognise::Thresholds;

    fn rounds(seconds: &[f64]) -> bool {
        let moments: Vec<Moment> = seconds.iter().map(|seconds| Moment((seconds * 1e9) as i64)).collect();
        are_rounds(&moments, &Thresholds::default().rounds)
    }

    #[test]
    fn rounds_are_even_and_have_pauses() {
        assert!(rounds(&[0.0, 0.1, 0.2, 60.0, 60.1, 121.0, 180.0, 180.3]));
        assert!(rounds(&[0.0, 30.0, 60.0, 120.0, 150.0, 180.0]), "one was lost");
        assert!(!rounds(&[0.0, 60.0, 120.0]), "too few");
        assert!(!rounds(&[0.0, 10.0, 35.0, 100.0, 300.0, 310.0]), "uneven");
        assert!(!rounds(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), "no pause");
        assert!(!rounds(&[]));
    }
}
