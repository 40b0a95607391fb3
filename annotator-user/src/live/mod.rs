//! The live view: the XDP program, attached to interfaces and read until somebody says stop.
//!
//! Only [`kernel`], [`attach`], [`egress`], [`clock`], [`pin`] and [`handover`] know aya.

pub mod attach;
pub(crate) mod changes;
pub mod clock;
pub mod detach;
pub mod egress;
pub mod handover;
pub mod holders;
pub mod interface;
pub mod kernel;
mod listening;
mod ours;
pub mod pin;
pub mod privileges;
pub mod sinks;
pub mod status;
pub mod supervisor;
pub(crate) mod watched;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use crate::cli::{RunOptions, WatchOptions, XdpMode};
use crate::engine::Interpreter;
use crate::telemetry::metrics::Metrics;
use crate::write::style;
use attach::Mode;
use changes::Changes;
use clock::Clock;
use sinks::Sinks;
use supervisor::Watchdog;
use watched::Watched;

/// Where a summary and the end are less than this part of an interval apart, one report is both.
const NEAR: u32 = 10;

/// How often samples are fetched. The ring buffer holds what the sample budgets allow in several times this.
pub(crate) const FETCH_EVERY: Duration = Duration::from_millis(200);

/// Attaches, reports every interval, and detaches: on a signal, after `--duration`, when the last interface is gone, or on an error.
pub fn run(options: &RunOptions, sinks: Sinks, metrics: &Rc<Metrics>) -> Result<()> {
    privileges::check()?;
    privileges::raise_memory_limit();
    runtime()?.block_on(watch(options, sinks, metrics))
}

/// One thread: capabilities are given up for the thread that asks.
pub(crate) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")
}

async fn watch(options: &RunOptions, mut sinks: Sinks, metrics: &Rc<Metrics>) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let (mut watched, mut changes) = attach_all(&options.interfaces, &options.watching, options.pin.as_deref()).await?;
    privileges::give_up()?;
    for one in &mut watched {
        one.measured_by(metrics);
    }
    sinks.start()?;
    watched.iter_mut().for_each(Watched::keep_pins);
    supervisor::ready();
    announce(&watched, options);
    let mut watchdog = Watchdog::asked_for();

    let start = Instant::now();
    let mut fetch = interval_at(start + FETCH_EVERY, FETCH_EVERY);
    fetch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut summary = interval_at(start + options.interval, options.interval);
    summary.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = options.duration.map(|duration| start + duration);
    let is_near_end = || end.is_some_and(|end| end.saturating_duration_since(Instant::now()) < options.interval / NEAR);
    let mut last = None;
    let mut gone = Vec::new();
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hangup.recv() => {
                supervisor::reloading();
                reload_rules(&options.watching, &mut watched);
                sinks.reopen();
                supervisor::ready();
            }
            () = sleep_until(end.unwrap_or(start)), if end.is_some() => break,
            whose = changes.next() => changes.tell(whose, &mut watched).await,
            _ = fetch.tick() => {
                let begun = Instant::now();
                for one in &mut watched {
                    one.poll();
                }
                metrics.polled(begun.elapsed());
                watchdog.polled();
                for mut one in watched.extract_if(.., |one| one.is_gone()) {
                    if let Some(report) = one.stop() {
                        sinks.take(&report)?;
                    }
                    metrics.gone(one.name());
                    one.discard_pins();
                    gone.push(one.name().to_owned());
                }
                if watched.is_empty() {
                    break;
                }
                if let Some(names) = said(&mut gone) {
                    log::warn!("{names}; the others are still watched");
                }
            }
            _ = summary.tick() => if !is_near_end() {
                let begun = Instant::now();
                for one in &mut watched {
                    sinks.take(&one.report())?;
                    one.reported();
                }
                metrics.reported(begun.elapsed());
                last = Some(begun);
            }
        }
    }
    supervisor::stopping();
    let is_due = last.is_none_or(|last| last.elapsed() >= options.interval - options.interval / NEAR);
    for one in &mut watched {
        if let Some(report) = one.stop().or_else(|| is_due.then(|| one.report())) {
            sinks.take(&report)?;
            one.reported();
        }
    }
    sinks.close().await?;
    match said(&mut gone) {
        Some(names) => Err(anyhow!(names)),
        None => Ok(()),
    }
}

/// What to say of interfaces that are gone, once.
pub(crate) fn said(gone: &mut Vec<String>) -> Option<String> {
    let names = std::mem::take(gone).join(", ");
    (!names.is_empty()).then(|| {
        format!(
            "{names} is gone: the interface was removed, or moved to another network namespace, while it was watched"
        )
    })
}

/// Attaches to every interface, or to none. `pins` is where attachments are left, and those of an agent before are taken over.
pub(crate) async fn attach_all(
    interfaces: &[String],
    options: &WatchOptions,
    pins: Option<&Path>,
) -> Result<(Vec<Watched>, Changes)> {
    // Before the interfaces are looked at, so that no change goes by unseen.
    let changes = Changes::subscribe()?;
    let clock = Clock::measure(kernel::OBJECT).map_err(explain_load_failure)?;
    let wanted = match options.xdp_mode {
        XdpMode::Auto => None,
        XdpMode::Native => Some(Mode::Native),
        XdpMode::Generic => Some(Mode::Generic),
    };
    let interpreter = Rc::new(Interpreter::load(&options.rules.rules)?);
    let mut watched: Vec<Watched> = Vec::new();
    for name in interfaces {
        if watched.iter().any(|one| one.name() == name) {
            continue;
        }
        let interface = interface::find(name).await?;
        watched.push(Watched::attach(interface, pins, wanted, clock, options, Rc::clone(&interpreter))?);
    }
    watched.iter_mut().try_for_each(Watched::pin)?;
    Ok((watched, changes))
}

/// Says at once what is watched and when more is to come. Where nobody sits at a terminal, only the log takes note.
fn announce(watched: &[Watched], options: &RunOptions) {
    let ways: Vec<_> = watched.iter().map(Watched::ways).collect();
    let first = options.duration.map_or(options.interval, |duration| duration.min(options.interval));
    let line =
        format!("watching {}; the first summary comes in {}", ways.join(", "), style::seconds(first.as_secs_f64()));
    match io::stderr().is_terminal() {
        true => eprintln!("annotator: {line}"),
        false => log::info!("{line}"),
    }
}

/// Reads the rules again; where they are bad, says so and keeps those in force.
fn reload_rules(options: &WatchOptions, watched: &mut [Watched]) {
    match Interpreter::load(&options.rules.rules) {
        Ok(interpreter) => {
            let interpreter = Rc::new(interpreter);
            for one in watched {
                one.interpret_by(&interpreter);
            }
            log::info!("the rules were read again");
        }
        Err(error) => log::warn!("{error:#}; the rules in force stay"),
    }
}

/// The first thing that touches BPF fails where the kernel is too old or built without it.
fn explain_load_failure(error: anyhow::Error) -> anyhow::Error {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    error.context(format!(
        "this kernel ({}) does not take the BPF program; it needs Linux 5.10 or newer with CONFIG_BPF_SYSCALL",
        release.trim()
    ))
}
