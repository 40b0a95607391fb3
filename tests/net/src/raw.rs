//! Frames, sent as they are.

use std::{
    io,
    mem::size_of,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result, ensure};

use crate::{Namespace, netlink};

/// Sends whole frames out of a device. What goes out of one end of a veth pair arrives at the other.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedFd,
    address: libc::sockaddr_ll,
}

impl Sender {
    /// A sender for a device of a namespace.
    pub fn open(namespace: &Namespace, device: &str) -> Result<Self> {
        namespace.enter(|| {
            // SAFETY: no pointers; the result is checked before it is used. Protocol 0 receives nothing.
            let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
            if socket < 0 {
                return Err(io::Error::last_os_error()).context("cannot open a packet socket");
            }
            // SAFETY: a descriptor that was just opened and that nobody else has.
            let socket = unsafe { OwnedFd::from_raw_fd(socket) };
            // SAFETY: integers and an array of integers, for which zero is a value.
            let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            address.sll_family = u16::try_from(libc::AF_PACKET)?;
            address.sll_ifindex = netlink::index(device)?;
            Ok(Sender { socket, address })
        })
    }

    /// Sends one frame: on devices with Ethernet, from the first byte of the Ethernet header.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>())?;
        // SAFETY: pointers and lengths are those of the slice and of the address.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const self.address).cast(),
                length,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error()).with_context(|| format!("cannot send {} bytes", frame.len()));
        }
        ensure!(sent.cast_unsigned() == frame.len(), "sent {sent} bytes of {}", frame.len());
        Ok(())
    }
}
