//! Where reports go. Each place stands for itself: a full disk at one keeps nothing from the others.

use anyhow::Result;
use futures_util::future::{FutureExt, LocalBoxFuture};

use crate::report::Report;

/// Takes reports as they are made.
pub trait Sink {
    /// Begins work of its own on the runtime. Called once, when the agent is attached and has given up every capability.
    fn start(&mut self) -> Result<()> {
        Ok(())
    }

    /// Shows or stores one. An error ends the run unless [`Sink::may_recover`] says otherwise.
    fn take(&mut self, report: &Report) -> Result<()>;

    /// Whether an error of [`Sink::take`] may go away by itself: a full disk may, a closed pipe does not.
    fn may_recover(&self) -> bool;

    /// Opens again what it writes to, which somebody has moved away (SIGHUP).
    fn reopen(&mut self) -> Result<()> {
        Ok(())
    }

    /// Brings work of its own to an end, in a few seconds at most.
    fn finish(&mut self) -> LocalBoxFuture<'_, ()> {
        std::future::ready(()).boxed_local()
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

    /// Has every place begin its work.
    pub fn start(&mut self) -> Result<()> {
        self.0.iter_mut().try_for_each(|place| place.sink.start())
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

    /// Has every place bring its work to an end. Fails where the last report did not get to its place.
    pub async fn close(mut self) -> Result<()> {
        for place in &mut self.0 {
            place.sink.finish().await;
        }
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
                    log::error!("{error:#}; counting goes on, and writing is tried again with the next report");
                }
                self.trouble = Some(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
