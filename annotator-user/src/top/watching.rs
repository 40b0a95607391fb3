//! Interfaces, watched until somebody quits or the last of them is gone.

use anyhow::{Result, anyhow};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::TopOptions;
use super::state::{Next, State};
use super::terminal::{Screen, Signals};
use crate::knowledge::Knowledge;
use crate::live::changes::Changes;
use crate::live::watched::Watched;
use crate::live::{FETCH_EVERY, attach_all, privileges, runtime, said};

/// Attaches, shows, and detaches.
pub fn run(interfaces: &[String], options: &TopOptions) -> Result<()> {
    privileges::check()?;
    privileges::raise_memory_limit();
    runtime()?.block_on(watch(interfaces, options))
}

async fn watch(interfaces: &[String], options: &TopOptions) -> Result<()> {
    let signals = Signals::catch()?;
    let knowledge = Knowledge::load(&options.watching.rules.rules)?;
    let (mut watched, mut changes) = attach_all(interfaces, &options.watching, None).await?;
    privileges::give_up()?;
    let mut state = State::new(watched.iter().map(|one| one.name().to_owned()), knowledge, None);
    let screen = Screen::enter(signals)?;
    let gone = show(screen, &mut watched, &mut changes, &mut state, options).await?;
    match gone {
        Some(names) => Err(anyhow!(names)),
        None => Ok(()),
    }
}

/// Shows the interfaces. Returns what to say of those that are gone, if all are.
async fn show(
    mut screen: Screen,
    watched: &mut Vec<Watched>,
    changes: &mut Changes,
    state: &mut State,
    options: &TopOptions,
) -> Result<Option<String>> {
    let mut fetch = interval_at(Instant::now() + FETCH_EVERY, FETCH_EVERY);
    fetch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut refresh = interval(options.refresh);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut gone = Vec::new();
    loop {
        screen.draw(state)?;
        tokio::select! {
            next = screen.attend(state) => if next? == Next::Quit {
                return Ok(None);
            },
            whose = changes.next() => changes.tell(whose, watched).await,
            _ = fetch.tick() => {
                for one in &mut *watched {
                    one.poll();
                }
                for mut one in watched.extract_if(.., |one| one.is_gone()) {
                    if let Some(report) = one.stop() {
                        state.take(report);
                    }
                    state.lose(one.name());
                    gone.push(one.name().to_owned());
                }
                if watched.is_empty() {
                    return Ok(said(&mut gone));
                }
            }
            _ = refresh.tick() => {
                for one in &mut *watched {
                    state.take(one.report());
                }
            }
        }
    }
}
