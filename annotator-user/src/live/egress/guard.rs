//! Takes a filter away when this process ends, however it ends.
//!
//! A filter of clsact belongs to the interface, not to who made it, and removing it takes a capability that the agent gives up. So a child
//! keeps that one capability, holds nothing else, and waits for a pipe to close, which the kernel does when the agent is gone.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use aya::programs::tc::SchedClassifierLink;
use caps::Capability;

use crate::live::privileges;

/// Signals that end the agent, of which its child must not die.
const SURVIVED: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// The agent's end of the pipe. Dropping it has the filter removed and waits until it is.
pub struct Guard {
    alive: Option<PipeWriter>,
    child: libc::pid_t,
}

impl Guard {
    /// Starts the child. Must be called while the process has one thread.
    pub fn over(link: SchedClassifierLink) -> Result<Self> {
        let (ended, alive) = io::pipe().context("making a pipe")?;
        // SAFETY: with one thread no lock is held that the child would wait for.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()).context("starting the process that removes the filter"),
            0 => {
                watch(&ended, link);
                // SAFETY: ends the child without what the agent has registered for its own end.
                unsafe { libc::_exit(0) }
            }
            child => {
                // The child's copy is the one that detaches.
                std::mem::forget(link);
                Ok(Guard { alive: Some(alive), child })
            }
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

/// The child: waits for the agent's end, then removes the filter.
fn watch(ended: &PipeReader, link: SchedClassifierLink) {
    let pipe = ended.as_raw_fd();
    // SAFETY: plain numbers; the descriptors that are closed are the agent's, and nothing of it runs in the child.
    unsafe {
        for signal in SURVIVED {
            libc::signal(signal, libc::SIG_IGN);
        }
        libc::dup2(pipe, 0);
        libc::close_range(1, libc::c_uint::MAX, 0);
    }
    // Where that fails, the child can do more than it needs, and its work all the same.
    let _ = privileges::keep_only(&[Capability::CAP_NET_ADMIN]);
    let mut byte = 0_u8;
    // SAFETY: one byte is written to at most. Nobody ever sends one: the call returns when the pipe is closed.
    while unsafe { libc::read(0, (&raw mut byte).cast(), 1) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
    drop(link);
}
