//! Attaching to an interface: native first, generic as a fallback, never over somebody else's program.

use std::fmt;

use anyhow::{Context, Result, anyhow, bail};
use aya::programs::links::FdLink;
use aya::programs::{ProgramError, Xdp, XdpMode, loaded_programs};

use super::interface::{Device, Interface};
use super::kernel::Kernel;

/// For packets in one buffer.
const LINEAR: &str = "annotator";
/// For packets in several buffers.
const FRAGS: &str = "annotator_frags";
/// Up to this MTU packets lie in one buffer whatever the driver.
const ORDINARY_MTU: u32 = 1500;

/// Where XDP runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, before the kernel has made anything of the packet.
    Native,
    /// In the network stack: slower, and behind receive offload, which joins packets (GRO).
    Generic,
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Mode::Native => "native",
            Mode::Generic => "generic",
        })
    }
}

/// An attachment; dropping it detaches.
#[derive(Debug)]
pub struct Attached {
    /// Where the program runs.
    pub mode: Mode,
    /// What the reader of a report should know of it.
    pub note: Option<String>,
    _link: FdLink,
}

/// Attaches in the mode that is asked for, or (`None`) in the first that works.
pub fn attach(kernel: &mut Kernel, interface: &Interface, wanted: Option<Mode>) -> Result<Attached> {
    let name = &interface.name;
    if let Some(id) = interface.xdp_program {
        bail!(occupied(name, Some(id)));
    }
    load(kernel, LINEAR)?;
    let native_possible = interface.device == Device::Ethernet;
    if wanted == Some(Mode::Native) && !native_possible {
        bail!("{name} has no driver that could run XDP natively; use --xdp-mode generic");
    }
    let mut refusal = None;
    if native_possible && wanted != Some(Mode::Generic) {
        match native(kernel, interface) {
            Ok(link) => return Ok(Attached { mode: Mode::Native, note: None, _link: link }),
            Err(error) if is_occupied(&error) => bail!(occupied(name, None)),
            Err(error) if wanted == Some(Mode::Native) => {
                return Err(error).with_context(|| {
                    format!("cannot attach to {name} in native mode; --xdp-mode generic works with every driver")
                });
            }
            Err(error) => refusal = Some(format!("{error:#}")),
        }
    }
    let link = match attach_one(kernel, LINEAR, interface, XdpMode::Skb) {
        Ok(link) => link,
        Err(error) if is_occupied(&error) => bail!(occupied(name, None)),
        Err(error) => return Err(error).with_context(|| format!("cannot attach to {name} in generic mode")),
    };
    let note = match (refusal, interface.device) {
        (Some(refusal), _) => Some(format!(
            "{name}: the driver does not run XDP here ({refusal}), so it runs in the network stack (generic mode), \
             where several received packets may be counted as one large one"
        )),
        (None, Device::Loopback | Device::RawIp) if wanted.is_none() => {
            Some(format!("{name}: this kind of device runs XDP in the network stack only (generic mode)"))
        }
        _ => None,
    };
    Ok(Attached { mode: Mode::Generic, note, _link: link })
}

/// Natively; with the entry point for several buffers where the MTU may need it.
fn native(kernel: &mut Kernel, interface: &Interface) -> Result<FdLink> {
    match attach_one(kernel, LINEAR, interface, XdpMode::Driver) {
        Err(error) if interface.mtu > ORDINARY_MTU && !is_occupied(&error) => {
            let first = format!("{error:#}");
            load(kernel, FRAGS)
                .and_then(|()| attach_one(kernel, FRAGS, interface, XdpMode::Driver))
                .map_err(|second| anyhow!("{first}; with packets in several buffers: {second:#}"))
        }
        result => result,
    }
}

fn program_mut<'a>(kernel: &'a mut Kernel, name: &str) -> Result<&'a mut Xdp> {
    Ok(kernel.ebpf.program_mut(name).with_context(|| format!("the BPF object has no program {name}"))?.try_into()?)
}

fn attach_one(kernel: &mut Kernel, name: &str, interface: &Interface, mode: XdpMode) -> Result<FdLink> {
    let program = program_mut(kernel, name)?;
    let id = program.attach_to_if_index(interface.index, mode).map_err(system_error)?;
    // Kernels before 5.9 have no XDP links; such an attachment would outlive a killed agent.
    let link = program.take_link(id)?;
    FdLink::try_from(link)
        .map_err(|_| anyhow!("the kernel cannot tie the attachment to this process (needs Linux 5.9)"))
}

/// Has the kernel check and compile a program.
pub fn load(kernel: &mut Kernel, name: &str) -> Result<()> {
    program_mut(kernel, name)?.load().map_err(|error| refusal(error, name))
}

/// Why a program could not be loaded, with the end of what the verifier said.
pub(super) fn refusal(error: ProgramError, name: &str) -> anyhow::Error {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            log::debug!("the verifier's log:\n{log}");
            let mut last: Vec<_> = log.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
            last.reverse();
            anyhow!(io_error).context(format!(
                "the kernel refused the BPF program {name}: {} (RUST_LOG=debug shows all that its verifier said)",
                last.join(" / ")
            ))
        }
        other => anyhow!(other).context(format!("loading the BPF program {name}")),
    }
}

/// The kernel's own word, without the layers around it.
pub(super) fn system_error(error: ProgramError) -> anyhow::Error {
    match error {
        ProgramError::SyscallError(error) => anyhow!(error.io_error),
        other => anyhow!(other),
    }
}

/// EBUSY: another program in the same mode. EEXIST: in another mode.
fn is_occupied(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::raw_os_error)
        .is_some_and(|code| code == libc::EBUSY || code == libc::EEXIST)
}

fn occupied(interface: &str, id: Option<u32>) -> String {
    let whose = match id {
        Some(id) => {
            let name = loaded_programs()
                .flatten()
                .find(|program| program.id() == id)
                .and_then(|program| program.name_as_str().map(str::to_owned));
            format!("{}, id {id}", name.unwrap_or_else(|| "of unknown name".to_owned()))
        }
        None => "unknown: it came while we tried".to_owned(),
    };
    format!(
        "{interface} has an XDP program already ({whose}), and it is left alone. An interface takes one; \
         stop the program that attached it, or remove it with: ip link set dev {interface} xdp off"
    )
}
