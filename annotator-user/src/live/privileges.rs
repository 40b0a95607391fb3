//! What the agent may do: checked before it starts, given up once it is attached.

use anyhow::{Context, Result, bail};
use caps::{CapSet, Capability};

/// Loading a program that follows packet pointers needs all three.
const NEEDED: [Capability; 3] = [Capability::CAP_BPF, Capability::CAP_PERFMON, Capability::CAP_NET_ADMIN];

/// Fails where the capabilities for loading and attaching are missing, and says which.
pub fn check() -> Result<()> {
    let held = caps::read(None, CapSet::Effective).context("reading this process's capabilities")?;
    if held.contains(&Capability::CAP_SYS_ADMIN) && held.contains(&Capability::CAP_NET_ADMIN) {
        return Ok(());
    }
    let missing: Vec<_> =
        NEEDED.into_iter().filter(|needed| !held.contains(needed)).map(|cap| cap.to_string()).collect();
    if !missing.is_empty() {
        bail!(
            "attaching to an interface needs root, or the capabilities CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; \
             missing: {}. Run it with sudo. (Capture files can be read without: annotator read FILE)",
            missing.join(", ")
        );
    }
    Ok(())
}

/// Fails where the kernel would not tell of other processes' programs.
pub fn check_looking() -> Result<()> {
    let held = caps::read(None, CapSet::Effective).context("reading this process's capabilities")?;
    if !held.contains(&Capability::CAP_SYS_ADMIN) {
        bail!("looking at attached programs and pins needs root (CAP_SYS_ADMIN). Run it with sudo");
    }
    Ok(())
}

/// Gives up every capability for good. Reading mapped memory, writing reports and detaching need none.
///
/// Capabilities belong to threads: this must be called while there is only one.
pub fn give_up() -> Result<()> {
    keep_only(&[])
}

/// Gives up all other capabilities for good; likewise.
pub(super) fn keep_only(kept: &[Capability]) -> Result<()> {
    // SAFETY: this call takes plain numbers and only ever takes rights away.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(std::io::Error::last_os_error()).context("setting no-new-privileges");
    }
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        caps::clear(None, set).with_context(|| format!("giving up the {set:?} capabilities"))?;
    }
    let kept = kept.iter().copied().collect();
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).with_context(|| format!("giving up the {set:?} capabilities"))?;
    }
    Ok(())
}

/// Kernels before 5.11 count BPF maps as locked memory; raises the limit where that is allowed.
pub fn raise_memory_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is a valid value to read from. A refusal shows later, as a clear error, on the kernels where it matters.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) };
}
