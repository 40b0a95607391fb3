//! `annotator read`: capture files → one report.

use std::io::IsTerminal;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use annotator_common::settings::LOCAL_MAX;
use annotator_common::{Local, Settings};
use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::capture::{self, Ending, Input, Observer, Opened, vantage};
use crate::cli::{CaptureOptions, LocalOptions};
use crate::engine::Interpreter;
use crate::observation::Moment;
use crate::report::{Origin, OriginKind, Report};

/// Files shorter than this are read before a progress bar could be looked at.
const PROGRESS_FROM: u64 = 64 << 20;

/// No packet is later.
const END_OF_TIME: Moment = Moment(i64::MAX);

/// A report over captures, and whether they could be read to their ends.
pub struct Outcome {
    /// The report. Its notes say what could not be read.
    pub report: Report,
    /// Whether nothing was left out.
    pub complete: bool,
}

/// Reads captures. Fails only where not one of them could be read.
pub fn read(options: &CaptureOptions) -> Result<Outcome> {
    gather(options, END_OF_TIME, progress(&options.files))
}

/// Reads captures as if they ended at a moment, without showing any progress.
pub fn read_until(options: &CaptureOptions, last: Moment) -> Result<Outcome> {
    gather(options, last, None)
}

fn gather(options: &CaptureOptions, last: Moment, progress: Option<ProgressBar>) -> Result<Outcome> {
    let interpreter = Interpreter::load(&options.rules.rules)?;
    let mut settings = settings(&options.local);
    interpreter.prepare(&mut settings);
    let mut observer = Observer::new(settings).begin_whole();
    let mut notes = Vec::new();
    let mut opened = 0;
    for path in &options.files {
        match read_one(path, last, &mut observer, progress.as_ref()) {
            Ok(Ending::Complete) => opened += 1,
            Ok(Ending::Incomplete(note)) => {
                opened += 1;
                notes.push(format!("{}: {note}", path.display()));
            }
            Err(error) => notes.push(format!("{error:#}")),
        }
    }
    if let Some(bar) = progress {
        bar.finish_and_clear();
    }
    if opened == 0 {
        bail!("{}", notes.join("\n"));
    }

    let gathered = observer.finish();
    let locality = options.locality();
    let names: Vec<_> = options.files.iter().map(|path| path.display().to_string()).collect();
    let origin = Origin { kind: OriginKind::Capture, name: names.join(", "), xdp_mode: None };
    let complete = notes.is_empty();
    if options.local.addresses.is_empty() {
        notes.extend(vantage::point(&gathered.sightings, &locality).map(suggest));
    }
    let mut report = interpreter.report(origin, &gathered.observations(false, &locality), notes);
    report.sightings = gathered.sightings;
    Ok(Outcome { report, complete })
}

fn suggest(address: IpAddr) -> String {
    format!(
        "Nearly all of these packets come from {address} or go to it. If that is the host that you ask about, say `--local-address {address}`: \
         what it sent is then not told as if it had arrived."
    )
}

fn read_one(path: &Path, last: Moment, observer: &mut Observer, progress: Option<&ProgressBar>) -> Result<Ending> {
    if path == Path::new("-") && std::io::stdin().is_terminal() {
        bail!("standard input is a terminal; pipe a capture into it, as in `tcpdump -w - | annotator read -`");
    }
    let progress = progress.cloned();
    let mut input = Input::open(path, move |bytes| {
        if let Some(bar) = &progress {
            bar.inc(bytes as u64);
        }
    })?;
    match capture::read(&mut input, &mut |captured| {
        if captured.at.is_none_or(|at| at <= last) {
            observer.observe(captured);
        }
    }) {
        Opened::Read(ending) => Ok(ending),
        Opened::Refused(why) => bail!("cannot read {}: {why}", path.display()),
    }
}

/// The engine's settings for captures. Their seed is always the same, so that a capture gives the same report each time.
pub fn settings(local: &LocalOptions) -> Box<Settings> {
    let mut settings = Box::new(Settings::DEFAULT);
    settings.local = local_part(local);
    settings
}

/// What the user says is ours, as far as the engine has room for it: it sets flags by that. The recognisers know all.
fn local_part(options: &LocalOptions) -> Local {
    let mut local = Local::NOTHING;
    let mut all = true;
    for prefix in &options.prefixes {
        // IPv6 has no broadcast.
        if let std::net::IpAddr::V4(network) = prefix.address {
            all &= local.add_prefix(network.into(), u32::from(prefix.bits));
        }
    }
    for address in &options.addresses {
        all &= local.add_address((*address).into());
    }
    if !all {
        log::warn!(
            "more than {LOCAL_MAX} local addresses or prefixes of a family are given; the flags self-source and directed-broadcast know the first {LOCAL_MAX}"
        );
    }
    local
}

/// A progress bar, where somebody can see it for long enough.
fn progress(files: &[PathBuf]) -> Option<ProgressBar> {
    let total: u64 = files.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|data| data.len()).sum();
    if total < PROGRESS_FROM || !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("reading {bar:40} {bytes}/{total_bytes}, {eta} left");
    Some(ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
}
