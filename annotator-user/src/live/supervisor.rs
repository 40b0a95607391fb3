//! Telling systemd how the agent fares (sd_notify). Where nobody supervises the agent, all of this does nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use sd_notify::NotifyState;
use tokio::time::Instant;

use super::sinks::Sink;
use crate::quantity::count;
use crate::report::Report;
use crate::write::phrases;
use crate::write::style::seconds;

/// Everything is attached, or what was read again is in force.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// What can be read again is being read; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // From version 253 on, systemd asks for the time, which tells the answer to one request from that to the next.
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("cannot read the clock for the service manager: {error}"),
    }
}

/// The agent detaches.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("cannot reach the service manager: {error}");
    }
}

/// Signs of life, for a supervisor that restarts an agent without them.
pub struct Watchdog {
    every: Option<Duration>,
    last: Instant,
}

impl Watchdog {
    /// What the supervisor asks for; half of what it would wait, as its manual advises.
    pub fn asked_for() -> Self {
        Watchdog { every: sd_notify::watchdog_enabled().map(|limit| limit / 2), last: Instant::now() }
    }

    /// The agent has polled: gives a sign when it is time for one.
    pub fn polled(&mut self) {
        if self.every.is_some_and(|every| self.last.elapsed() >= every) {
            self.last = Instant::now();
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// The line that `systemctl status` shows: what the last report of each interface amounts to.
#[derive(Default)]
pub struct StatusLine(BTreeMap<String, String>);

impl Sink for StatusLine {
    fn take(&mut self, report: &Report) -> Result<()> {
        let packets = count(report.totals.packets, "packet");
        let line = format!("{packets} in {}. {}", seconds(report.window.seconds), phrases::answer(report));
        self.0.insert(report.source.name.clone(), line);
        let lines: Vec<String> = self.0.iter().map(|(interface, line)| format!("{interface}: {line}")).collect();
        tell(&[NotifyState::Status(&lines.join(" | "))]);
        Ok(())
    }

    fn may_recover(&self) -> bool {
        true
    }
}
