//! The terminal: taken for the picture, and given back as it was, however the view ends.

use std::io::{self, IsTerminal};
use std::mem::ManuallyDrop;
use std::thread;

use anyhow::{Context, Result, bail};
use log::LevelFilter;
use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::execute;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::state::{Next, State};
use super::view;
use super::view::theme::Theme;
use crate::write::style::Style;

/// Events that wait to be looked at.
const WAITING: usize = 64;

/// Fails where there is no terminal to draw on, and says what else there is.
pub fn check(instead: &str) -> Result<()> {
    if !io::stdout().is_terminal() {
        bail!("standard output is not a terminal, which a full-screen view takes; use instead: {instead}");
    }
    if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        bail!("the terminal cannot draw a full-screen view (TERM is not set, or `dumb`); use instead: {instead}");
    }
    Ok(())
}

/// The signals that end the view.
pub struct Signals([Signal; 3]);

impl Signals {
    /// Catches them from now on.
    pub fn catch() -> Result<Self> {
        let catch = |kind| signal(kind).context("listening for signals");
        // SIGHUP comes when the terminal is closed.
        Ok(Signals([catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?, catch(SignalKind::hangup())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The terminal while it shows the view. Dropping it restores what was there before.
pub struct Screen {
    terminal: ManuallyDrop<DefaultTerminal>,
    theme: Theme,
    events: mpsc::Receiver<io::Result<Event>>,
    signals: Signals,
    log: LevelFilter,
}

impl Screen {
    /// Takes the terminal. A panic, too, gives it back before it says anything.
    pub fn enter(signals: Signals) -> Result<Self> {
        let terminal = ratatui::try_init().inspect_err(|_| give_back()).context("cannot take the terminal over")?;
        let log = log::max_level();
        if io::stderr().is_terminal() {
            // It would be written into the picture. What matters of it is part of the reports.
            log::set_max_level(LevelFilter::Off);
        }
        Ok(Screen {
            terminal: ManuallyDrop::new(terminal),
            theme: Theme { colour: Style::of_stdout().colour },
            events: events(),
            signals,
            log,
        })
    }

    /// Shows a state.
    pub fn draw(&mut self, state: &mut State) -> Result<()> {
        let theme = self.theme;
        self.terminal.draw(|frame| view::draw(frame, state, theme)).context("cannot draw on the terminal")?;
        Ok(())
    }

    /// Waits for a key, a change of size or a signal, and hands it to the state.
    pub async fn attend(&mut self, state: &mut State) -> Result<Next> {
        tokio::select! {
            biased;
            () = self.signals.next() => Ok(Next::Quit),
            event = self.events.recv() => match event {
                Some(event) => Ok(state.on(&event.context("cannot read from the terminal")?)),
                None => bail!("the terminal says nothing more"),
            },
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A panic has given it back before its message, over which doing so again would put the cursor.
        if !thread::panicking() {
            give_back();
        }
        let _ = execute!(io::stdout(), Show);
        log::set_max_level(self.log);
        // `terminal` is left alone: where the terminal is gone, its end would panic for want of a place to complain.
    }
}

/// Restores the terminal. Where that fails the terminal is gone, and there is nothing left to restore.
fn give_back() {
    let _ = ratatui::try_restore();
}

/// What the terminal has to say, read by a thread of its own: crossterm's reader does not return once the terminal has been closed.
fn events() -> mpsc::Receiver<io::Result<Event>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    thread::spawn(move || {
        loop {
            let event = event::read();
            let last = event.is_err();
            if sender.blocking_send(event).is_err() || last {
                break;
            }
        }
    });
    receiver
}
