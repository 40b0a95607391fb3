//! Captures: all that they hold first, then as much of it as had come by some moment.

use std::path::Path;

use anyhow::{Context, Result};
use tokio::task::{JoinHandle, spawn_blocking};

use super::state::{Next, State};
use super::terminal::{Screen, Signals};
use super::walk::Walk;
use crate::cli::CaptureOptions;
use crate::knowledge::Knowledge;
use crate::live::runtime;
use crate::observation::Moment;
use crate::read::{self, Outcome};
use crate::report::Report;

/// Reads, and shows until somebody quits.
pub fn run(options: &CaptureOptions) -> Result<()> {
    let whole = read::read(options)?.report;
    let runtime = runtime()?;
    let ended = runtime.block_on(show(whole, options));
    // A file that is still being read is of no interest any more.
    runtime.shutdown_background();
    ended
}

async fn show(whole: Report, options: &CaptureOptions) -> Result<()> {
    let again = !options.files.iter().any(|path| path == Path::new("-"));
    let walk = Walk::new(whole.window, whole.rates.clone(), again);
    let knowledge = Knowledge::load(&options.rules.rules)?;
    let mut state = State::new([whole.source.name.clone()], knowledge, Some(walk));
    state.take(whole.clone());
    let mut screen = Screen::enter(Signals::catch()?)?;
    let mut shown = None;
    let mut reading: Option<Reading> = None;
    loop {
        let wanted = state.walk.as_ref().and_then(Walk::moment);
        if reading.is_none() && wanted != shown {
            match wanted {
                None => {
                    state.take(whole.clone());
                    shown = None;
                }
                Some(moment) => reading = Some(Reading::start(options, moment)),
            }
        }
        if let Some(walk) = &mut state.walk {
            walk.reading = reading.is_some();
        }
        screen.draw(&mut state)?;
        tokio::select! {
            next = screen.attend(&mut state) => if next? == Next::Quit {
                return Ok(());
            },
            read = finished(&mut reading), if reading.is_some() => {
                let (moment, outcome) = read?;
                shown = Some(moment);
                match outcome {
                    Ok(outcome) => state.take(outcome.report),
                    Err(error) => state.message = Some(format!("{error:#}")),
                }
            }
        }
    }
}

/// Captures that are being read up to a moment.
struct Reading {
    moment: Moment,
    task: JoinHandle<Result<Outcome>>,
}

impl Reading {
    fn start(options: &CaptureOptions, moment: Moment) -> Self {
        let options = options.clone();
        Reading { moment, task: spawn_blocking(move || read::read_until(&options, moment)) }
    }
}

/// Waits until they are read. Whoever stops waiting may wait again.
async fn finished(reading: &mut Option<Reading>) -> Result<(Moment, Result<Outcome>)> {
    let Some(Reading { moment, task }) = reading else { return std::future::pending().await };
    let outcome = (*moment, task.await.context("reading the captures again")?);
    *reading = None;
    Ok(outcome)
}
