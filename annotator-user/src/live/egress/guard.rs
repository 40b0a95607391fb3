//! Takes a filter away when this process ends, however it ends.
//!
//! A filter of clsact belongs to the interface, not to who made it, and removing it takes a capability that the agent gives up. So a child
//! keeps that one capability and waits for a pipe to close, which the kernel does when the agent is gone. It starts before there is a filter,
//! so that there is no moment in which a killed agent leaves one behind.

use std::ffi::CStr;
use std::io::{self, ErrorKind, PipeReader, PipeWriter};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aya::programs::{TcAttachType, tc};
use caps::Capability;

use super::PROGRAM;
use crate::live::privileges;

/// Signals that end the agent, of which its child must not die.
const SURVIVED: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
/// How long the guard of an agent that was killed may still be at work.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(10);

/// The agent's end of the pipe. Dropping it has the filter removed and waits until it is.
pub struct Guard {
    alive: Option<PipeWriter>,
    child: libc::pid_t,
}

impl Guard {
    /// Starts the child for the interface with an index. Must be called while the process has one thread.
    pub fn over(index: u32) -> Result<Self> {
        let claim = claim(index)?;
        let (ended, alive) = io::pipe().context("making a pipe")?;
        // SAFETY: with one thread no lock is held that the child would wait for.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()).context("starting the process that removes the filter"),
            0 => {
                watch(&ended, &claim, index);
                // SAFETY: ends the child without what the agent has registered for its own end.
                unsafe { libc::_exit(0) }
            }
            child => Ok(Guard { alive: Some(alive), child }),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.alive = None;
        // SAFETY: a child of ours that nobody else waits for; no status is asked for.
        unsafe { libc::waitpid(self.child, std::ptr::null_mut(), 0) };
    }
}

/// A name that only the guard of the interface holds, while it lives: two would remove each other's filter. Such names belong to the network
/// namespace, as the interface does.
fn claim(index: u32) -> Result<UnixDatagram> {
    let name = SocketAddr::from_abstract_name(format!("annotator-egress-{index}"))?;
    let start = Instant::now();
    loop {
        match UnixDatagram::bind_addr(&name) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && start.elapsed() < PATIENCE => thread::sleep(GLANCE),
            other => return other.context("the process that removes the filter of an earlier run does not end"),
        }
    }
}

/// The child: waits for the agent's end, then removes the filter.
fn watch(ended: &PipeReader, claim: &UnixDatagram, index: u32) {
    // SAFETY: plain numbers; the descriptors that are closed are the agent's, and nothing of it runs in the child.
    unsafe {
        for signal in SURVIVED {
            libc::signal(signal, libc::SIG_IGN);
        }
        libc::dup2(ended.as_raw_fd(), 0);
        libc::dup2(claim.as_raw_fd(), 1);
        libc::close_range(2, libc::c_uint::MAX, 0);
    }
    // Where that fails, the child can do more than it needs, and its work all the same.
    let _ = privileges::keep_only(&[Capability::CAP_NET_ADMIN]);
    let mut byte = 0_u8;
    // SAFETY: one byte is written to at most. Nobody ever sends one: the call returns when the pipe is closed.
    while unsafe { libc::read(0, (&raw mut byte).cast(), 1) } < 0
        && io::Error::last_os_error().kind() == ErrorKind::Interrupted
    {}
    if let Some(name) = name_of(index) {
        // Fails where nothing is left to remove, and there is nobody left to be told of anything else.
        let _ = tc::qdisc_detach_program(&name, TcAttachType::Egress, PROGRAM);
    }
}

/// What the interface is called now, if it is still there.
fn name_of(index: u32) -> Option<String> {
    let mut name = [0_u8; libc::IF_NAMESIZE];
    // SAFETY: as many bytes as a name can have.
    let found = unsafe { !libc::if_indextoname(index, name.as_mut_ptr().cast()).is_null() };
    found.then(|| CStr::from_bytes_until_nul(&name).ok()?.to_str().ok().map(str::to_owned)).flatten()
}
