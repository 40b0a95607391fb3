//! The init of the kernels that `cargo xtask kernels` boots: prepares the machine, runs the checks, and reports through
//! qemu's debug port.

use std::{
    ffi::CString,
    fs,
    io::{self, Write as _},
    os::fd::AsRawFd as _,
    path::Path,
};

use annotator_tests::kernel_matrix;
use anyhow::{Context as _, Result, bail};

/// Where qemu listens: `isa-debug-exit,iobase=0xf4`. The byte written there ends the machine.
const DEBUG_PORT: u16 = 0xf4;
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;

fn main() {
    // Whoever starts this by accident on a real machine must not have it write to an I/O port.
    if std::process::id() != 1 {
        eprintln!("this is the init of a test machine; start it with: cargo xtask kernels");
        std::process::exit(2);
    }
    let outcome = std::panic::catch_unwind(|| prepare().and_then(|()| kernel_matrix::check()));
    let report = match outcome {
        Ok(Ok(())) => SUCCESS,
        Ok(Err(error)) => {
            println!("FAILED: {error:?}");
            FAILURE
        }
        Err(_) => FAILURE,
    };
    if let Err(error) = end(report) {
        println!("cannot report: {error:?}");
    }
    // Leaving init is a kernel panic, which counts as a failure.
}

/// File systems, modules and limits.
fn prepare() -> Result<()> {
    for (kind, place) in
        [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys"), ("bpf", "/sys/fs/bpf"), ("tmpfs", "/tmp")]
    {
        mount(kind, place)?;
    }
    let mut modules = fs::read_dir("/modules")
        .context("cannot read /modules")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    // Their names start with their place in the order.
    modules.sort();
    for module in &modules {
        load(module)?;
    }
    // Until 5.11 maps count against the limit of locked memory.
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a local value.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error()).context("cannot lift the limit of locked memory");
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").context("cannot read the kernel's release")?;
    println!("guest: kernel {}", release.trim());
    Ok(())
}

fn mount(kind: &str, place: &str) -> Result<()> {
    let (kind_text, place_text) = (CString::new(kind)?, CString::new(place)?);
    // SAFETY: terminated strings that live until after the call; these file systems take no data.
    let done = unsafe { libc::mount(kind_text.as_ptr(), place_text.as_ptr(), kind_text.as_ptr(), 0, std::ptr::null()) };
    let error = io::Error::last_os_error();
    // The kernel may have mounted /dev itself.
    if done != 0 && error.raw_os_error() != Some(libc::EBUSY) {
        bail!("cannot mount {kind} on {place}: {error}");
    }
    Ok(())
}

fn load(module: &Path) -> Result<()> {
    let file = fs::File::open(module).with_context(|| format!("cannot open {}", module.display()))?;
    // SAFETY: a descriptor that is open, and an empty terminated string.
    if unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) } != 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("cannot load the module {}", module.display()));
    }
    Ok(())
}

fn end(report: u8) -> Result<()> {
    io::stdout().flush().context("cannot flush standard output")?;
    // The serial line is slower than the end of the machine.
    // SAFETY: no pointers.
    if unsafe { libc::tcdrain(libc::STDOUT_FILENO) } != 0 {
        return Err(io::Error::last_os_error()).context("cannot wait for the console");
    }
    // Debian's kernels have no /dev/port.
    // SAFETY: no pointers; it lets this process use one I/O port, of which we know what is behind it.
    if unsafe { libc::ioperm(DEBUG_PORT.into(), 1, 1) } != 0 {
        return Err(io::Error::last_os_error()).context("cannot use the debug port");
    }
    // SAFETY: the port is open to us; writing to it ends the machine and touches no memory.
    unsafe { std::arch::asm!("out dx, al", in("dx") DEBUG_PORT, in("al") report, options(nomem, nostack)) };
    Ok(())
}
