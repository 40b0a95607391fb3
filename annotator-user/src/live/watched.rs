//! One interface under watch: its program, its counters, its window.

use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use annotator_common::settings::{Budget, LOCAL_MAX};
use annotator_common::{Cell, Count, Ledger, Link, Sample, Settings};
use anyhow::{Context, Result, bail};
use aya_log::EbpfLogger;

use super::attach::{self, Attached, Mode};
use super::clock::{Clock, monotonic, wall_offset};
use super::egress::{Egress, Way};
use super::handover::Reported;
use super::interface::{self, Device, Interface};
use super::kernel::{Kernel, OBJECT};
use super::ours::Ours;
use super::pin::Pins;
use crate::cli::{EgressWay, WatchOptions};
use crate::counters::Counters;
use crate::engine::Interpreter;
use crate::observation::{Moment, Observations, Prefix, Sighting};
use crate::quantity::count;
use crate::report::{Origin, OriginKind, Report};
use crate::sources::Slots;
use crate::telemetry::metrics::Metrics;
use crate::window::Window;
use crate::write::style;

/// Samples a second that all CPUs together may hand out.
const SAMPLES_PER_SECOND: u32 = 8000;
/// How often counters and source tables are read. A cell holds 2^28 packets and 64 GiB between two readings.
const READ_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// An interface under watch.
pub struct Watched {
    interface: Interface,
    /// The name that it has now.
    called: String,
    up: bool,
    kernel: Kernel,
    attached: Option<Attached>,
    egress: Option<Egress>,
    mode: Mode,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
    settings: Box<Settings>,
    clock: Clock,
    ours: Ours,
    interpreter: Rc<Interpreter>,
    slots: Slots,
    /// What the ledgers held when they were last read, and room for the next reading.
    previous: Box<Ledger>,
    reading: Box<Ledger>,
    read_at: Instant,
    window: Window,
    notes: Vec<String>,
    metrics: Option<Rc<Metrics>>,
    /// What only the next report says.
    news: Vec<String>,
    /// Whether anything was counted since the last report.
    unreported: bool,
    pins: Option<Pins>,
    /// All that was counted since the program was attached.
    total: Count,
}

impl Watched {
    /// Loads, attaches, and starts to count; or goes on where the agent before has left its program in `pins`.
    pub fn attach(
        interface: Interface,
        pins: Option<&Path>,
        wanted: Option<Mode>,
        clock: Clock,
        options: &WatchOptions,
        interpreter: Rc<Interpreter>,
    ) -> Result<Self> {
        let mut notes = Vec::new();
        let mut settings = settings(&interface, &clock, options)?;
        let ours = Ours::new(&options.local, settings.local, interface.prefixes.clone(), options.window);
        let (local, all) = ours.local();
        settings.local = local;
        if !all {
            log::warn!("{}", crowded(&interface.name));
        }
        interpreter.prepare(&mut settings);
        let mut pins = pins.map(|dir| Pins::open(dir, &interface, settings.seed)).transpose()?;
        let mut kernel = match &pins {
            None => Kernel::open(OBJECT, &settings)?,
            Some(pins) => {
                settings.seed = pins.handover.seed();
                Kernel::open_with(OBJECT, &settings, |loader| pins.place(loader))?
            }
        };
        let running = pins.as_ref().and_then(|pins| Some((pins.running?, pins)));
        let (attached, reported) = match running {
            None => (attach::attach(&mut kernel, &interface, wanted)?, None),
            Some((mode, _)) if wanted.is_some_and(|wanted| wanted != mode) => bail!(
                "an earlier agent's program counts on {0} in {mode} mode, which a take-over cannot change; leave --xdp-mode out, or end \
                 that first: annotator detach {0}",
                interface.name
            ),
            Some((mode, pins)) => {
                let attached = attach::take_over(&mut kernel, &interface, mode, &pins.link())?;
                (attached, Some(pins.handover.read()))
            }
        };
        notes.extend(attached.note.clone());
        let egress = options.egress.map(|way| watch_egress(&interface, way, &mut notes)).transpose()?.flatten();
        let up = interface::state(&interface.name).is_none_or(|state| state.up);
        if !up {
            log::warn!("{}", down(&interface.name));
        }
        notes.extend(pins.as_mut().and_then(|pins| pins.note.take()));
        for note in &notes {
            log::warn!("{note}");
        }
        let news = reported.as_ref().map(|reported| unwatched(&interface.name, reported)).unwrap_or_default();
        for note in &news {
            log::info!("{note}");
        }
        let reported = reported.unwrap_or_else(Reported::nothing);
        let logger = EbpfLogger::init(&mut kernel.ebpf)
            .inspect_err(|error| log::debug!("the BPF program's own log cannot be read: {error}"))
            .ok();
        Ok(Watched {
            mode: attached.mode,
            attached: Some(attached),
            egress,
            kernel,
            logger,
            settings,
            clock,
            ours,
            interpreter,
            slots: reported.slots,
            previous: reported.ledger,
            reading: ledger(),
            read_at: Instant::now(),
            window: Window::new(options.window, Moment(reported.at + wall_offset())),
            notes,
            metrics: None,
            news,
            unreported: true,
            pins,
            total: reported.total,
            called: interface.name.clone(),
            up,
            interface,
        })
    }

    /// Pins the attachment, where that is wanted and has not been done.
    pub fn pin(&mut self) -> Result<()> {
        if let Some(pins) = self.pins.as_ref().filter(|pins| pins.running.is_none())
            && let Some(attached) = self.attached.take()
        {
            self.attached = Some(attached.pin(&pins.link())?);
        }
        Ok(())
    }

    /// From now on pins stay when this process ends.
    pub fn keep_pins(&mut self) {
        if let Some(pins) = &mut self.pins {
            pins.keep();
        }
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.interface.name
    }

    /// Counts into metrics, too, from now on.
    pub fn measured_by(&mut self, metrics: &Rc<Metrics>) {
        metrics.attached(self.name(), &self.mode.to_string());
        metrics.name_ports(self.interpreter.named_ports());
        metrics.up(self.name(), interface::state(&self.called).is_some_and(|state| state.running));
        self.metrics = Some(Rc::clone(metrics));
    }

    /// The interface's index.
    pub fn index(&self) -> u32 {
        self.interface.index
    }

    /// How it is attached, in words.
    pub fn ways(&self) -> String {
        let egress = self.egress.as_ref().and_then(Egress::way);
        let egress = egress.map(|way| format!(", egress by {way}")).unwrap_or_default();
        format!("{} (XDP {} mode{egress})", self.interface.name, self.mode)
    }

    /// Whether the interface no longer exists. If it has another name now, says so: it is told of by the name that was asked for.
    pub fn is_gone(&mut self) -> bool {
        let Some(name) = interface::name(self.interface.index) else { return true };
        if name != self.called {
            log::warn!(
                "{}: the interface is called {name} now; it is watched on, and keeps its old name here",
                self.called
            );
            self.called = name;
        }
        false
    }

    /// Takes note of the addresses that the interface has now.
    pub fn has(&mut self, prefixes: Vec<Prefix>) {
        if !self.ours.has(prefixes) {
            return;
        }
        let (local, _) = self.ours.local();
        // From here on samples are read with the new ones; those in the window stay what they were when they arrived.
        self.fetch_samples();
        self.settings.local = local;
        self.kernel.local.write(&local);
        log::info!("{}: its addresses have changed", self.interface.name);
    }

    /// Says so where the interface has been set up or down.
    fn look_at_state(&mut self) {
        let state = interface::state(&self.called);
        if let Some(state) = state.filter(|state| state.up != self.up) {
            self.up = state.up;
            match self.up {
                true => log::warn!("{} is up", self.called),
                false => log::warn!("{}", down(&self.called)),
            }
        }
        if let Some(metrics) = &self.metrics {
            metrics.up(&self.interface.name, state.is_some_and(|state| state.running));
        }
    }

    /// Fetches samples, and now and then counters and sources.
    pub fn poll(&mut self) {
        self.fetch_samples();
        if self.read_at.elapsed() >= READ_EVERY {
            self.read_counters();
        }
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }

    fn fetch_samples(&mut self) {
        let link = if self.settings.layer3 != 0 { Link::RawIp } else { Link::Ethernet };
        let offset = wall_offset();
        while let Some(item) = self.kernel.samples.next() {
            if item.len() < size_of::<Sample>() {
                continue;
            }
            // SAFETY: the kernel wrote a whole sample, made of plain integers; the copy needs no alignment.
            let sample: Sample = unsafe { item.as_ptr().cast::<Sample>().read_unaligned() };
            let at = Moment(sample.nanoseconds as i64 + offset);
            let sighting = Sighting::new(at, sample.news, link, sample.frame_length, sample.bytes(), &self.settings);
            let kept = self.window.add_sighting(sighting);
            if let Some(metrics) = self.metrics.as_ref().filter(|_| !kept) {
                metrics.withheld(&self.interface.name);
            }
        }
        if let Some(egress) = &mut self.egress {
            egress.fetch(offset);
        }
    }

    fn read_counters(&mut self) {
        self.read_at = Instant::now();
        self.kernel.ledgers.sum_into(&mut self.reading);
        std::mem::swap(&mut self.previous, &mut self.reading);
        // `previous` is the new reading now, and `reading` the old one, which becomes the difference.
        let mut any = 0;
        for (word, new) in self.reading.words_mut().iter_mut().zip(self.previous.words()) {
            *word = new.wrapping_sub(*word);
            any |= *word;
        }
        if any != 0 {
            self.unreported = true;
            let counted = Counters::from_difference(&self.reading);
            if let Some(metrics) = &self.metrics {
                metrics.count(&self.interface.name, &counted);
            }
            self.total += counted.total();
            self.window.current().counters.add(&counted);
        }
        self.window.current().look_at_second(now());
        self.look_at_state();
        self.clock.advance();
        let offset = wall_offset();
        for cpu in 0..self.kernel.tables.count() {
            let bucket = self.window.current();
            self.slots.look(
                cpu,
                self.kernel.tables.entries(cpu),
                &self.settings.seed,
                |ticks| self.clock.moment(ticks, offset),
                |view| bucket.sources.add(view),
            );
        }
    }

    /// Takes other rules. Which payloads the kernel samples was settled when it was loaded.
    pub fn interpret_by(&mut self, interpreter: &Rc<Interpreter>) {
        if interpreter.payload_ports_differ(&self.settings) {
            log::warn!(
                "{}: the rules now read payloads on other ports; those are sampled only after a restart",
                self.interface.name
            );
        }
        self.interpreter = Rc::clone(interpreter);
        if let Some(metrics) = &self.metrics {
            metrics.name_ports(interpreter.named_ports());
        }
    }

    /// Reports on the window as it is now.
    pub fn report(&mut self) -> Report {
        self.fetch_samples();
        self.read_counters();
        self.unreported = false;
        let locality = self.ours.locality();
        let contents = self.window.contents(now());
        let outbound = self.egress.as_ref().map(Egress::contacts);
        let observations = Observations { outbound: outbound.as_deref(), ..contents.observations(true, &locality) };
        let origin = Origin {
            kind: OriginKind::Interface,
            name: self.interface.name.clone(),
            xdp_mode: Some(self.mode.to_string()),
        };
        let mut notes = self.notes.clone();
        if !self.up {
            notes.push(down(&self.called));
        }
        if !self.ours.local().1 {
            notes.push(crowded(&self.interface.name));
        }
        if let Some(lost @ 1..) = self.egress.as_ref().map(Egress::lost) {
            notes.push(format!("{} of this host came too fast to be remembered", count(lost, "contact")));
        }
        notes.append(&mut self.news);
        let mut report = self.interpreter.report(origin, &observations, notes);
        report.sightings = contents.sightings;
        report
    }

    /// Remembers for the next agent that the last report has got to where reports go. An agent that is killed just before this leaves a report that is
    /// made again, rather than one that is never made.
    pub fn reported(&mut self) {
        if let Some(pins) = &self.pins {
            let received = interface::received(&self.called).unwrap_or_default();
            pins.handover.write(monotonic(), self.total, received, &self.previous, &self.slots);
        }
    }

    /// Removes the pins of an interface that is gone: nobody can go on there.
    pub fn discard_pins(&mut self) {
        if let Some(Err(error)) = self.pins.as_mut().map(Pins::discard) {
            log::warn!("{error:#}");
        }
    }

    /// Detaches, unless it is pinned, and reports what came since the last report, if anything did.
    pub fn stop(&mut self) -> Option<Report> {
        self.attached = None;
        if let Some(egress) = &mut self.egress {
            egress.detach();
        }
        self.fetch_samples();
        self.read_counters();
        self.unreported.then(|| self.report())
    }
}

/// Attaches the egress program. Where the kernel has neither way and none was asked for by name, says so and goes without.
fn watch_egress(interface: &Interface, way: EgressWay, notes: &mut Vec<String>) -> Result<Option<Egress>> {
    let wanted = match way {
        EgressWay::Auto => None,
        EgressWay::Tcx => Some(Way::Tcx),
        EgressWay::Clsact => Some(Way::Clsact),
    };
    match Egress::attach(interface, wanted) {
        Ok(egress) => Ok(Some(egress)),
        Err(error) if wanted.is_none() => {
            notes.push(format!(
                "{}: whom this host contacts is not remembered, as --egress asks: {error:#}; the run goes on without",
                interface.name
            ));
            Ok(None)
        }
        Err(error) => Err(error.context("--egress=auto would try the other way, and go on without")),
    }
}

fn now() -> Moment {
    Moment(monotonic() + wall_offset())
}

/// What the first report after a take-over says of the time before.
fn unwatched(interface: &str, reported: &Reported) -> Vec<String> {
    let seconds = (monotonic() - reported.at) as f64 / 1e9;
    let mut notes = vec![format!(
        "{interface}: taken over from an earlier agent. Its last report was {} before this one started; what was counted since is in this report",
        style::seconds(seconds)
    )];
    if let Some(received) = interface::received(interface)
        && let Some(packets) = received.packets.checked_sub(reported.received.packets)
        && let Some(bytes) = received.bytes.checked_sub(reported.received.bytes)
        && may_overflow(Count { packets, bytes })
    {
        notes.push(format!(
            "{interface}: {} ({}) came meanwhile, and a counter that nobody reads holds {} and {}: the counts of that time may be too low",
            count(packets, "packet"),
            style::bytes(bytes),
            count(Cell::MAX_PACKETS, "packet"),
            style::bytes(Cell::MAX_BYTES)
        ));
    }
    notes
}

/// Whether so much may be more than a cell tells from one reading to the next.
fn may_overflow(count: Count) -> bool {
    count.packets >= Cell::MAX_PACKETS || count.bytes >= Cell::MAX_BYTES
}

/// A ledger that has counted nothing.
pub(super) fn ledger() -> Box<Ledger> {
    // SAFETY: a ledger is made of integers, for which zeros are valid.
    unsafe { Box::<Ledger>::new_zeroed().assume_init() }
}

/// The engine's settings for an interface, without its addresses.
fn settings(interface: &Interface, clock: &Clock, options: &WatchOptions) -> Result<Box<Settings>> {
    let mut settings = crate::read::settings(&options.local);
    settings.seed = random_seed()?;
    settings.second_shift = clock.second_shift();
    settings.layer3 = u32::from(interface.device == Device::RawIp);
    let cpus = std::thread::available_parallelism().context("counting CPUs")?.get() as u32;
    settings.budget = Budget { per_second: (SAMPLES_PER_SECOND / cpus).max(50), ..Budget::LIVE };
    Ok(settings)
}

fn down(interface: &str) -> String {
    format!(
        "{interface} is down, so nothing arrives; it is watched all the same. To bring it up: ip link set dev {interface} up"
    )
}

fn crowded(interface: &str) -> String {
    format!(
        "{interface} has more than {LOCAL_MAX} addresses of a family; the flags self-source and directed-broadcast know the first {LOCAL_MAX}"
    )
}

fn random_seed() -> Result<[u64; 2]> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).context("cannot get a random seed from the system")?;
    Ok([0, 8].map(|at| u64::from_ne_bytes(seed[at..at + 8].try_into().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cell_cannot_hold_is_known() {
        let fits = Cell::from_word(u64::MAX).count();
        assert!(!may_overflow(fits));
        assert!(may_overflow(Count { packets: fits.packets + 1, ..fits }));
        assert!(may_overflow(Count { bytes: fits.bytes + 1, ..fits }));
    }
}
