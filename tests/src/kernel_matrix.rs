//! What every kernel of the matrix must manage: load each variant of the program, attach it to a real device, and count exactly
//! what the engine on the host counts for the same frames.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use annotator::live::egress::Way;
use annotator::live::kernel::{Kernel, OBJECT};
use annotator_common::{Ledger, Link, Settings, Sources, ledger::Tally, observe};
use anyhow::{Context as _, Result, bail, ensure};
use aya::programs::{ProgramError, Xdp, XdpMode};

use crate::{
    ALIGNED_OBJECT, contacts,
    frames::{self, NamedFrame},
    head_room, kernel_ledger, netlink,
    packet_socket::PacketSocket,
    take_over,
};

/// The kernel does not send less than an Ethernet header.
const SHORTEST: usize = 14;
/// The device's MTU of 1500 and the header; with a tag the kernel lets four bytes more pass.
const LONGEST: usize = 1514;
/// Since this release a program may take packets in several buffers.
const FRAGS_SINCE: (u32, u32) = (5, 18);
/// Since this release what leaves can be watched by a link.
const TCX_SINCE: (u32, u32) = (6, 6);
/// How long frames may be on their way.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries everything on the running kernel.
pub fn check() -> Result<()> {
    // Neighbour discovery would mix with the frames that we send.
    for scope in ["all", "default"] {
        let file = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
        fs::write(&file, "1").with_context(|| format!("cannot write {file}"))?;
    }
    let frames = ethernet_frames();
    let mut entries = vec!["annotator"];
    if release()? >= FRAGS_SINCE {
        entries.push("annotator_frags");
    }
    let mut failures = Vec::new();
    for (variant, object) in [("unaligned", OBJECT), ("aligned", ALIGNED_OBJECT)] {
        if let Err(error) = head_room::check(object, &entries) {
            println!("guest: settings, {variant}: {error:#}");
            failures.push(format!("settings ({variant})"));
        }
        if let Err(error) = kernel_ledger::compare(object) {
            println!("guest: test runs, {variant}: {error:#}");
            failures.push(format!("test runs ({variant})"));
        }
        for entry in &entries {
            let start = Instant::now();
            match check_entry(object, entry, &frames) {
                Ok(()) => println!("guest: {entry}, {variant}: {} frames, {:.1?}", frames.len(), start.elapsed()),
                Err(error) => {
                    println!("guest: {entry}, {variant}: {error:#}");
                    failures.push(format!("{entry} ({variant})"));
                }
            }
        }
    }
    let mut ways = vec![None, Some(Way::Clsact)];
    if release()? >= TCX_SINCE {
        ways.push(Some(Way::Tcx));
    }
    for way in ways {
        match check_egress(way, &frames) {
            Ok(()) => println!("guest: egress, {way:?}: {} frames", frames.len()),
            Err(error) => {
                println!("guest: egress, {way:?}: {error:#}");
                failures.push(format!("egress ({way:?})"));
            }
        }
    }
    match take_over::check(&frames) {
        Ok(()) => println!("guest: take-over: three times {} frames", frames.len()),
        Err(error) => {
            println!("guest: take-over: {error:#}");
            failures.push("take-over".to_owned());
        }
    }
    ensure!(failures.is_empty(), "failed: {}", failures.join(", "));
    Ok(())
}

/// What can be sent through an Ethernet device.
fn ethernet_frames() -> Vec<NamedFrame> {
    let sendable =
        |frame: &NamedFrame| frame.link == Link::Ethernet && (SHORTEST..=LONGEST).contains(&frame.bytes.len());
    frames::all().into_iter().filter(sendable).collect()
}

fn release() -> Result<(u32, u32)> {
    const FILE: &str = "/proc/sys/kernel/osrelease";
    let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    let mut numbers = text.split(['.', '-', '+']).map_while(|number| number.parse().ok());
    numbers.next().zip(numbers.next()).with_context(|| format!("{FILE} holds {text:?}, which is no version"))
}

fn check_entry(object: &[u8], entry: &str, frames: &[NamedFrame]) -> Result<()> {
    let settings = frames::settings();
    let mut kernel = Kernel::open(object, &settings)?;
    let program: &mut Xdp = kernel.ebpf.program_mut(entry).context("no such program")?.try_into()?;
    program.load().map_err(refused)?;
    netlink::add_veth("left", "right")?;
    program.attach("left", XdpMode::Driver).context("cannot attach in native mode")?;
    for device in ["left", "right"] {
        netlink::set_up(device)?;
    }
    let outcome = count(&kernel, &settings, frames);
    drop(kernel);
    netlink::delete("left")?;
    outcome
}

fn check_egress(way: Option<Way>, frames: &[NamedFrame]) -> Result<()> {
    netlink::add_veth("left", "right")?;
    for device in ["left", "right"] {
        netlink::set_up(device)?;
    }
    let frames: Vec<&[u8]> = frames.iter().map(|frame| frame.bytes.as_slice()).collect();
    let outcome = contacts::check("left", Link::Ethernet, way, &frames);
    netlink::delete("left")?;
    outcome
}

/// Of the verifier's log only the end matters.
fn refused(error: ProgramError) -> anyhow::Error {
    let ProgramError::LoadError { io_error, verifier_log } = error else { return error.into() };
    let log = verifier_log.to_string();
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let end = lines[lines.len().saturating_sub(25)..].join("\n");
    anyhow::Error::from(io_error).context(format!("the verifier refuses the program:\n{end}"))
}

/// Sends the frames and compares the kernel's ledger with one that the host's engine fills.
fn count(kernel: &Kernel, settings: &Settings, frames: &[NamedFrame]) -> Result<()> {
    let (mut expected, mut counted) = (empty(), empty());
    // SAFETY: as for the ledger.
    let mut sources = unsafe { Box::<Sources>::new_zeroed().assume_init() };
    let socket = PacketSocket::open("right")?;
    for frame in frames {
        let Ledger { journal, types } = &mut *expected;
        let books = (journal, &mut *sources);
        let news =
            observe(frame.bytes.as_slice(), Link::Ethernet, (settings, &settings.local), books, || Some(types), || 1);
        if news.any() {
            expected.journal.tally(Tally::Samples);
        }
        socket.send(&frame.bytes)?;
    }
    let start = Instant::now();
    loop {
        kernel.ledgers.sum_into(&mut counted);
        let differences = differences(&expected, &counted);
        if differences.is_empty() {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            bail!("the kernel counts otherwise than the host:\n{}", differences.join("\n"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn empty() -> Box<Ledger> {
    // SAFETY: a ledger is made of integers, for which zero is a value.
    unsafe { Box::new_zeroed().assume_init() }
}

fn differences(expected: &Ledger, counted: &Ledger) -> Vec<String> {
    let pairs = expected.words().iter().zip(counted.words());
    pairs
        .enumerate()
        .filter(|(_, (expected, counted))| expected != counted)
        .map(|(word, (expected, counted))| format!("word {word}: expected {expected:#x}, counted {counted:#x}"))
        .take(20)
        .collect()
}
