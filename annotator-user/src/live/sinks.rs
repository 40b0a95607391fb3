//! Where reports go. Each place stands for itself: a full disk at one keeps nothing from the others.

use anyhow::Result;

use crate::report::Report;

/// Takes reports as they are made.
pub trait Sink {
    /// Shows or stores one. An error ends the run unless [`Sink::may_recover`] says otherwise.
    fn take(&mut self, report: &Report) -> Result<()>;

    /// Whether an error of [`Sink::take`] may go away by itself: a full disk may, a closed pipe does not.
    fn may_recover(&self) -> bool;

    /// Opens again what it writes to, which somebody has moved away (SIGHUP).
    fn reopen(&mut self) -> Result<()> {
        Ok(())
    }
}

/// All places that reports go to.
#[derive(Default)]
pub struct Sinks(Vec<Place>);

struct Place {
    sink: Box<dyn Sink>,
    /// What went wrong with the last report.
    trouble: Option<anyhow::Error>,
}

impl Sinks {
    /// Adds a place.
    pub fn add(&mut self, sink: impl Sink + 'static) {
        self.0.push(Place { sink: Box::new(sink), trouble: None });
    }

    /// Hands a report to every place. Where that fails in a way that may pass, says so once and lets counting go on: the next report holds it all.
    pub fn take(&mut self, report: &Report) -> Result<()> {
        self.0.iter_mut().try_for_each(|place| place.take(report))
    }

    /// Has every place open again what it writes to.
    pub fn reopen(&mut self) {
        for place in &mut self.0 {
            if let Err(error) = place.sink.reopen() {
                log::error!("{error:#}");
            }
        }
    }

    /// Fails where the last report did not get to its place.
    pub fn close(self) -> Result<()> {
        self.0.into_iter().find_map(|place| place.trouble).map_or(Ok(()), Err)
    }
}

impl Place {
    fn take(&mut self, report: &Report) -> Result<()> {
        match self.sink.take(report) {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    log::warn!("writing reports works again");
                }
                Ok(())
            }
            Err(error) if self.sink.may_recover() => {
                if self.trouble.is_none() {
                    log::error!("{error:#}; counting goes on, and the next report is tried again");
                }
                self.trouble = Some(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
