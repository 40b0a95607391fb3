//! Attaching to an interface: native first, generic as a fallback, never over somebody else's program.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, ProgramInfo, Xdp, XdpMode, loaded_programs};

use super::interface::{Device, Interface};
use super::kernel::Kernel;

/// For packets in one buffer.
const LINEAR: &str = "annotator";
/// For packets in several buffers.
const FRAGS: &str = "annotator_frags";
/// Up to this MTU packets lie in one buffer whatever the driver.
const ORDINARY_MTU: u32 = 1500;
/// As many as libbpf makes (its `PROG_LOAD_ATTEMPTS`).
const VERIFIER_ATTEMPTS: usize = 5;
/// Signals come in bursts.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// Where XDP runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, before the kernel has made anything of the packet.
    Native,
    /// In the network stack: slower, and behind receive offload, which joins packets (GRO).
    Generic,
    /// In the network card. Nothing of ours runs there.
    Offloaded,
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Mode::Native => "native",
            Mode::Generic => "generic",
            Mode::Offloaded => "offloaded",
        })
    }
}

/// An attachment; dropping it detaches, unless it is pinned.
#[derive(Debug)]
pub struct Attached {
    /// Where the program runs.
    pub mode: Mode,
    /// What the reader of a report should know of it.
    pub note: Option<String>,
    link: FdLink,
}

impl Attached {
    /// Pins the link: from now on the program stays when this process ends.
    pub fn pin(self, path: &Path) -> Result<Self> {
        let pinned = self.link.pin(path).with_context(|| format!("cannot pin the attachment as {}", path.display()))?;
        Ok(Attached { link: pinned.into(), ..self })
    }
}

/// Attaches in the mode that is asked for, or (`None`) in the first that works.
pub fn attach(kernel: &mut Kernel, interface: &Interface, wanted: Option<Mode>) -> Result<Attached> {
    let name = &interface.name;
    if let Some(program) = interface.xdp.first() {
        bail!(occupied(name, Some(program.id)));
    }
    load(kernel, LINEAR)?;
    let native_possible = interface.device == Device::Ethernet;
    if wanted == Some(Mode::Native) && !native_possible {
        bail!("{name} has no driver that could run XDP natively; use --xdp-mode generic");
    }
    let mut refusal = None;
    if native_possible && wanted != Some(Mode::Generic) {
        match native(kernel, interface, |kernel, entry| attach_one(kernel, entry, interface, XdpMode::Driver)) {
            Ok(link) => return Ok(Attached { mode: Mode::Native, note: None, link }),
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
    Ok(Attached { mode: Mode::Generic, note, link })
}

/// Puts our program in the place of the one that a pinned link holds: at once, so that no packet meets the interface without one.
pub fn take_over(kernel: &mut Kernel, interface: &Interface, mode: Mode, pin: &Path) -> Result<Attached> {
    let replace = |kernel: &mut Kernel, entry: &str| replace(kernel, entry, pin);
    load(kernel, LINEAR)?;
    let link = if mode == Mode::Native { native(kernel, interface, replace) } else { replace(kernel, LINEAR) };
    let link = link.with_context(|| {
        let name = &interface.name;
        format!("cannot take over {name}, where an earlier agent's program goes on counting; annotator detach {name} ends that")
    })?;
    Ok(Attached { mode, note: None, link })
}

fn replace(kernel: &mut Kernel, entry: &str, pin: &Path) -> Result<FdLink> {
    let link: FdLink = PinnedLink::from_pin(pin)?.into();
    let program = program_mut(kernel, entry)?;
    let id = program.attach_to_link(XdpLink::try_from(link)?).map_err(system_error)?;
    Ok(program.take_link(id)?.try_into()?)
}

/// Natively; with the entry point for several buffers where the MTU may need it.
fn native(
    kernel: &mut Kernel,
    interface: &Interface,
    attach: impl Fn(&mut Kernel, &'static str) -> Result<FdLink>,
) -> Result<FdLink> {
    match attach(kernel, LINEAR) {
        Err(error) if interface.mtu > ORDINARY_MTU && !is_occupied(&error) => {
            let first = format!("{error:#}");
            load(kernel, FRAGS)
                .and_then(|()| attach(kernel, FRAGS))
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
    let program = program_mut(kernel, name)?;
    verified(name, || program.load())
}

/// Loads a program by `load`. The verifier gives up with EAGAIN when a signal of any kind arrives meanwhile, and is then asked again.
pub(super) fn verified(name: &str, mut load: impl FnMut() -> Result<(), ProgramError>) -> Result<()> {
    for _ in 1..VERIFIER_ATTEMPTS {
        match load() {
            Err(ProgramError::LoadError { io_error, .. }) if io_error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(BETWEEN_ATTEMPTS);
            }
            other => return other.map_err(|error| refusal(error, name)),
        }
    }
    load().map_err(|error| refusal(error, name))
}

/// Why a program could not be loaded, with the end of what the verifier said.
fn refusal(error: ProgramError, name: &str) -> anyhow::Error {
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

/// Whether a program is one that we attach, by its name.
pub fn is_ours(name: &str) -> bool {
    [LINEAR, FRAGS].contains(&name)
}

/// What the kernel says of a program; nothing where it is gone, or this process may not ask.
pub fn program(id: u32) -> Option<ProgramInfo> {
    loaded_programs().flatten().find(|program| program.id() == id)
}

fn occupied(interface: &str, id: Option<u32>) -> String {
    let whose = match id {
        Some(id) => {
            let name = program(id).and_then(|program| program.name_as_str().map(str::to_owned));
            if name.as_deref().is_some_and(is_ours) {
                return format!(
                    "{interface} is watched already, by the program {}, id {id}. `annotator status` tells by whom; what is pinned is taken over \
                     by `annotator run --pin`, and removed by `annotator detach {interface}`",
                    name.unwrap_or_default()
                );
            }
            format!("{}, id {id}", name.unwrap_or_else(|| "of unknown name".to_owned()))
        }
        None => "unknown: it came while we tried".to_owned(),
    };
    format!(
        "{interface} has an XDP program already ({whose}), and it is left alone. An interface takes one; \
         stop the program that attached it, or remove it with: ip link set dev {interface} xdp off"
    )
}
