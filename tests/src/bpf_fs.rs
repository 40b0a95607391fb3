//! A BPF file system of one's own.

use std::{
    ffi::CString,
    io, ptr,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, anyhow, bail};

/// Where it is mounted: at its usual place, as this test sees it.
pub const PLACE: &str = "/sys/fs/bpf";

/// Runs a test, or a measurement, in a thread with a mount namespace of its own, where a new BPF file system is mounted at [`PLACE`]. It ends with the thread and the
/// processes that it starts.
pub fn with_bpf_fs<T: Send + 'static>(test: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let thread: JoinHandle<Result<T>> = thread::spawn(move || {
        // SAFETY: no pointers; it concerns this thread alone, and those that it starts.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            bail!("cannot make a mount namespace; this takes root (CAP_SYS_ADMIN): {}", io::Error::last_os_error());
        }
        mount("/", "", libc::MS_REC | libc::MS_PRIVATE)?;
        mount(PLACE, "bpf", 0)?;
        test()
    });
    thread.join().map_err(|_| anyhow!("the test panicked"))?
}

/// Lets nobody write to it any more.
pub fn make_read_only() -> Result<()> {
    mount(PLACE, "", libc::MS_REMOUNT | libc::MS_RDONLY)
}

fn mount(place: &str, kind: &str, flags: libc::c_ulong) -> Result<()> {
    let (place_text, kind_text) = (CString::new(place)?, CString::new(kind)?);
    // SAFETY: terminated strings that live until after the call; none of these takes data.
    let done = unsafe { libc::mount(kind_text.as_ptr(), place_text.as_ptr(), kind_text.as_ptr(), flags, ptr::null()) };
    if done != 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("cannot mount {kind} at {place}"));
    }
    Ok(())
}
