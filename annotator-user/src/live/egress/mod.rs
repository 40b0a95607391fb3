//! The egress program (`--egress`): attached beside the XDP program, read as it is.
//!
//! Newer kernels tie the attachment to this process (tcx, Linux 6.6). On older ones it is a filter of the queueing discipline clsact, which
//! outlives its maker; there a [`guard`] takes it away.

mod guard;

use std::fmt;
use std::sync::atomic::Ordering;

use annotator_common::Departure;
use anyhow::{Context, Result, anyhow, ensure};
use aya::maps::{MapData, RingBuf};
use aya::programs::links::FdLink;
use aya::programs::tc::{self, NlOptions, TcAttachOptions, TcError};
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType};
use aya::{Ebpf, EbpfLoader};

use super::attach::{system_error, verified};
use super::interface::{Device, Interface};
use super::kernel::Mapping;
use crate::observation::Moment;
use crate::outbound::{Outbound, OutboundBook};
use guard::Guard;

/// The BPF object, compiled by `build.rs`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/egress"));
/// The program's name in it, and on the interface.
pub const PROGRAM: &str = "annotator_out";

/// How the program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a link that ends with this process.
    Tcx,
    /// As a filter that a child of this process takes away.
    Clsact,
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Way::Tcx => "tcx",
            Way::Clsact => "clsact",
        })
    }
}

/// The egress program of an interface, and what it has told.
pub struct Egress {
    /// Holds the maps.
    _ebpf: Ebpf,
    departures: RingBuf<MapData>,
    lost: Mapping,
    attached: Option<Attached>,
    book: OutboundBook,
}

/// An attachment; dropping it detaches.
enum Attached {
    Tcx(#[expect(dead_code, reason = "held to be dropped")] FdLink),
    Clsact(#[expect(dead_code, reason = "held to be dropped")] Guard),
}

impl Egress {
    /// Attaches in the way that is asked for, or (`None`) in the first that works.
    pub fn attach(interface: &Interface, wanted: Option<Way>) -> Result<Self> {
        let layer3 = u32::from(interface.device == Device::RawIp);
        let mut loader = EbpfLoader::new();
        let mut ebpf = loader.override_global("LAYER3", &layer3, true).load(OBJECT).context("creating the BPF maps")?;
        let lost = Mapping::of(&mut ebpf, "LOST", size_of::<u64>(), 1)?;
        let departures = ebpf.take_map("DEPARTURES").context("the BPF object has no map DEPARTURES")?;
        let departures = RingBuf::try_from(departures)?;
        let program = ebpf.program_mut(PROGRAM).with_context(|| format!("the BPF object has no program {PROGRAM}"))?;
        let program: &mut SchedClassifier = program.try_into()?;
        verified(PROGRAM, || program.load())?;
        let attached = match wanted {
            Some(Way::Tcx) => tcx(program, interface)?,
            Some(Way::Clsact) => clsact(program, interface)?,
            None => match tcx(program, interface) {
                Ok(attached) => attached,
                Err(first) => clsact(program, interface).map_err(|second| anyhow!("{first:#}; {second:#}"))?,
            },
        };
        Ok(Egress { _ebpf: ebpf, departures, lost, attached: Some(attached), book: OutboundBook::default() })
    }

    /// How it is attached, while it is.
    pub fn way(&self) -> Option<Way> {
        self.attached.as_ref().map(|attached| match attached {
            Attached::Tcx(_) => Way::Tcx,
            Attached::Clsact(_) => Way::Clsact,
        })
    }

    /// Fetches what the program has told. `offset` is [`super::clock::wall_offset`].
    pub fn fetch(&mut self, offset: i64) {
        while let Some(item) = self.departures.next() {
            if item.len() < size_of::<Departure>() {
                continue;
            }
            // SAFETY: the kernel wrote a whole departure, made of plain integers; the copy needs no alignment.
            let departure: Departure = unsafe { item.as_ptr().cast::<Departure>().read_unaligned() };
            self.book.add(departure.peer, Moment(departure.nanoseconds as i64 + offset));
        }
    }

    /// Whom this host contacted, as far as it is remembered.
    pub fn contacts(&self) -> Vec<Outbound> {
        self.book.contacts()
    }

    /// How many contacts came too fast to be told.
    pub fn lost(&self) -> u64 {
        self.lost.words(0)[0].load(Ordering::Relaxed)
    }

    /// Takes the program away. What it has told stays.
    pub fn detach(&mut self) {
        self.attached = None;
    }
}

/// Ahead of other programs, which may end the packet's way.
fn tcx(program: &mut SchedClassifier, interface: &Interface) -> Result<Attached> {
    let name = &interface.name;
    let options = TcAttachOptions::TcxOrder(LinkOrder::first());
    let id = program
        .attach_with_options(name, TcAttachType::Egress, options)
        .map_err(system_error)
        .with_context(|| format!("cannot attach to what leaves {name} by tcx (Linux 6.6)"))?;
    let link = FdLink::try_from(program.take_link(id)?).context("the attachment is no link")?;
    Ok(Attached::Tcx(link))
}

fn clsact(program: &mut SchedClassifier, interface: &Interface) -> Result<Attached> {
    let name = &interface.name;
    let trouble = || format!("cannot attach to what leaves {name} as a filter of clsact");
    // Such a filter would be taken, and would see what arrives.
    ensure!(
        !interface.has_ingress,
        "{}: the queueing discipline ingress is in its place, which `tc qdisc show dev {name}` shows",
        trouble()
    );
    let guard = Guard::over(interface.index).with_context(trouble)?;
    match tc::qdisc_add_clsact(name) {
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => {}
        other => other.with_context(trouble)?,
    }
    // The interface's one XDP program is ours by now, so a filter of this name is what is left of an agent that was killed with its guard.
    match tc::qdisc_detach_program(name, TcAttachType::Egress, PROGRAM) {
        Err(TcError::IoError(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
        other => other.with_context(trouble)?,
    }
    let options = TcAttachOptions::Netlink(NlOptions::default());
    let id = program.attach_with_options(name, TcAttachType::Egress, options).with_context(trouble)?;
    // The guard detaches; this process will not be able to.
    std::mem::forget(program.take_link(id)?);
    Ok(Attached::Clsact(guard))
}
