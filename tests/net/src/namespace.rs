//! Network namespaces without a name.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::Command,
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result, anyhow};

use crate::netlink;

/// A network namespace that lives as long as this value, or a process started in it.
#[derive(Debug)]
pub struct Namespace {
    file: Arc<OwnedFd>,
}

impl Namespace {
    /// Makes a namespace whose loopback is up. It has no IPv6, for that talks as soon as a device is up; IPv6 frames can be sent through
    /// it all the same.
    pub fn new() -> Result<Self> {
        // The thread leaves its old namespace for good and ends.
        let made = thread::spawn(|| -> Result<Self> {
            // SAFETY: no pointers; it concerns this thread alone.
            if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
                return Err(io::Error::last_os_error())
                    .context("cannot make a network namespace; this takes root (CAP_SYS_ADMIN)");
            }
            for scope in ["all", "default"] {
                let switch = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
                // A kernel without IPv6 has no such switch.
                if fs::exists(&switch).unwrap_or(false) {
                    fs::write(&switch, "1").with_context(|| format!("cannot write {switch}"))?;
                }
            }
            netlink::set_up("lo")?;
            let file = File::open("/proc/thread-self/ns/net").context("cannot hold the new network namespace")?;
            Ok(Namespace { file: Arc::new(file.into()) })
        });
        made.join().map_err(|_| anyhow!("the thread that makes a network namespace panicked"))?
    }

    /// Runs `work` in a thread inside the namespace. Sockets that it opens stay there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                enter(self.file.as_fd()).expect("cannot enter a network namespace of our own");
                work()
            });
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that will run inside the namespace. It is ended with the thread that starts it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let namespace = Arc::clone(&self.file);
        let ours = std::process::id();
        // SAFETY: the closure makes nothing but system calls, as it must between fork and exec.
        unsafe {
            command.pre_exec(move || {
                // Should we be killed, nobody else would end it.
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM, 0, 0, 0) != 0 {
                    return Err(io::Error::last_os_error());
                }
                if libc::getppid().cast_unsigned() != ours {
                    return Err(io::Error::from_raw_os_error(libc::ESRCH));
                }
                enter(namespace.as_fd())
            });
        }
        command
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Moves the calling thread.
fn enter(namespace: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointers; the descriptor is open.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
