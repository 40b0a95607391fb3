//! One program in the place of another, on the running kernel, with the counters of the first.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use annotator::counters::Counters;
use annotator::live::attach::{self, Mode};
use annotator::live::interface::XdpProgram;
use annotator::live::kernel::{Kernel, OBJECT};
use annotator::live::pin::{Folder, Pins};
use annotator_common::Link;
use anyhow::{Context as _, Result, ensure};

use crate::{
    contacts::interface,
    frames::{self, NamedFrame},
    kernel_matrix::empty,
    netlink,
    packet_socket::PacketSocket,
};

const DIR: &str = "/sys/fs/bpf/annotator";
const DEVICE: &str = "left";
/// How long frames may be on their way.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends frames to a program, to the same program when its maker is gone, and to the next one, and expects all of them in the counters. There must be
/// a BPF file system at its usual place.
pub fn check(frames: &[NamedFrame]) -> Result<()> {
    netlink::add_veth(DEVICE, "right")?;
    for device in [DEVICE, "right"] {
        netlink::set_up(device)?;
    }
    let outcome = count(frames);
    netlink::delete(DEVICE)?;
    Folder::of(Path::new(DIR), DEVICE).remove()?;
    outcome
}

fn count(frames: &[NamedFrame]) -> Result<()> {
    let socket = PacketSocket::open("right")?;
    let send = || frames.iter().try_for_each(|frame| socket.send(&frame.bytes));
    let (dir, settings) = (Path::new(DIR), frames::settings());
    let mut interface = interface(DEVICE, Link::Ethernet)?;

    let mut pins = Pins::open(dir, &interface, settings.seed)?;
    let mut kernel = Kernel::open_with(OBJECT, &settings, |loader| pins.place(loader))?;
    let attached = attach::attach(&mut kernel, &interface, Some(Mode::Native))?.pin(&pins.link())?;
    pins.keep();
    send()?;
    drop((attached, kernel, pins));
    send()?;

    let pinned = Folder::of(dir, DEVICE).pinned()?.context("nothing is pinned")?;
    ensure!(pinned.index == interface.index, "the kernel names another interface: {pinned:?}");
    interface.xdp = vec![XdpProgram { mode: Mode::Native, id: pinned.program }];
    let pins = Pins::open(dir, &interface, settings.seed)?;
    let mode = pins.running.context("nothing to take over")?;
    let mut kernel = Kernel::open_with(OBJECT, &settings, |loader| pins.place(loader))?;
    let _attached = attach::take_over(&mut kernel, &interface, mode, &pins.link())?;
    send()?;

    let (mut counted, start) = (empty(), Instant::now());
    loop {
        kernel.ledgers.sum_into(&mut counted);
        let total = Counters::from_difference(&counted).total().packets;
        if total == 3 * frames.len() as u64 {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "{} frames were sent three times, and {total} counted", frames.len());
        thread::sleep(Duration::from_millis(20));
    }
}
