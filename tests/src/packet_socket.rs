//! Sending frames as they are.

use std::{
    io,
    mem::size_of,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};

use crate::netlink;

/// A packet socket bound to a device.
pub struct PacketSocket {
    socket: OwnedFd,
    device: String,
}

impl PacketSocket {
    /// Opens a socket that sends through `device`, and receives nothing.
    pub fn open(device: &str) -> Result<Self> {
        // SAFETY: no pointers; the result is checked before it is used.
        let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error()).context("cannot open a packet socket");
        }
        // SAFETY: a descriptor that was just opened and that nobody else has.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: made of integers, for which zero is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET)?;
        address.sll_ifindex = netlink::index(device)?;
        let length = u32::try_from(size_of::<libc::sockaddr_ll>())?;
        // SAFETY: pointer and length are those of the local value.
        if unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) } != 0 {
            return Err(io::Error::last_os_error()).with_context(|| format!("cannot bind a packet socket to {device}"));
        }
        Ok(Self { socket, device: device.to_owned() })
    }

    /// Sends one frame, from its Ethernet header on.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        // SAFETY: pointer and length are those of the slice.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error())
                .with_context(|| format!("cannot send {} bytes through {}", frame.len(), self.device));
        }
        Ok(())
    }
}
