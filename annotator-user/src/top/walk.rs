//! The place in time at which captures are looked at: what had come by then.

use crate::observation::{Moment, Rate};
use crate::report::Window;

/// Steps from the first packet to the last.
pub const STEPS: u32 = 60;

/// A walk through the time of captures.
#[derive(Clone, Debug)]
pub struct Walk {
    /// From the first packet to the last.
    pub whole: Window,
    /// Packets over that time.
    pub rates: Vec<Rate>,
    /// Steps gone; at [`STEPS`] all is to be seen.
    gone: u32,
    /// Why no step can be taken.
    bound: Option<&'static str>,
    /// Whether the captures are being read up to here.
    pub reading: bool,
}

impl Walk {
    /// At the end, where all is to be seen. `again` is whether the captures can be read again.
    pub fn new(whole: Window, rates: Vec<Rate>, again: bool) -> Self {
        let bound = if !again {
            Some("standard input can be read only once; walk through a file to step through its time")
        } else if whole.from == whole.to {
            Some("all packets came at the same moment; there is nothing to step through")
        } else {
            None
        };
        Walk { whole, rates, gone: STEPS, bound, reading: false }
    }

    /// Steps back or forth, as far as there is a packet.
    pub fn step(&mut self, by: i32) -> Result<(), &'static str> {
        match self.bound {
            Some(why) => Err(why),
            None => {
                self.gone = self.gone.saturating_add_signed(by).clamp(1, STEPS);
                Ok(())
            }
        }
    }

    /// Steps gone.
    pub fn gone(&self) -> u32 {
        self.gone
    }

    /// The moment up to which captures are to be read; none where that is the end.
    pub fn moment(&self) -> Option<Moment> {
        let (from, to) = (i128::from(self.whole.from.0), i128::from(self.whole.to.0));
        let at = from + (to - from) * i128::from(self.gone) / i128::from(STEPS);
        (self.gone < STEPS).then(|| Moment(i64::try_from(at).unwrap_or(self.whole.to.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(from: i64, to: i64, again: bool) -> Walk {
        Walk::new(Window { from: Moment(from), to: Moment(to), seconds: 0.0 }, Vec::new(), again)
    }

    #[test]
    fn steps_end_at_the_ends() {
        let mut walk = walk(1000, 7000, true);
        assert_eq!(walk.moment(), None, "all of it");
        walk.step(-1).unwrap();
        assert_eq!(walk.moment(), Some(Moment(6900)));
        walk.step(-1000).unwrap();
        assert_eq!((walk.gone(), walk.moment()), (1, Some(Moment(1100))));
        walk.step(1000).unwrap();
        assert_eq!(walk.moment(), None);
    }

    #[test]
    fn absurd_times_and_those_that_cannot_be_walked() {
        let mut far = walk(i64::MIN, i64::MAX, true);
        far.step(-30).unwrap();
        assert_eq!(far.moment(), Some(Moment(-1)));
        assert!(walk(0, 9, false).step(-1).is_err());
        assert!(walk(9, 9, true).step(-1).is_err());
    }
}
