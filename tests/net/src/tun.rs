//! A tun device: IP packets without a link header.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::fd::AsRawFd as _,
};

use anyhow::{Context as _, Result, ensure};

use crate::{Namespace, netlink};

/// A tun device; it goes when this value goes.
#[derive(Debug)]
pub struct Tun {
    file: File,
}

impl Tun {
    /// Makes a device in a namespace and sets it up.
    pub fn new(namespace: &Namespace, name: &str) -> Result<Self> {
        let tun = Self::new_down(namespace, name)?;
        namespace.enter(|| netlink::set_up(name))?;
        Ok(tun)
    }

    /// Makes a device that claims to be of another kind (`ARPHRD_…` of linux/if_arp.h).
    pub fn disguised(namespace: &Namespace, name: &str, kind: u16) -> Result<Self> {
        let tun = Self::new_down(namespace, name)?;
        // SAFETY: this request takes a number in place of a pointer.
        if unsafe { libc::ioctl(tun.file.as_raw_fd(), libc::TUNSETLINK, libc::c_ulong::from(kind)) } != 0 {
            return Err(io::Error::last_os_error())
                .with_context(|| format!("cannot make {name} a device of type {kind}"));
        }
        namespace.enter(|| netlink::set_up(name))?;
        Ok(tun)
    }

    fn new_down(namespace: &Namespace, name: &str) -> Result<Self> {
        namespace.enter(|| {
            const FILE: &str = "/dev/net/tun";
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(FILE)
                .with_context(|| format!("cannot open {FILE}; is the kernel module `tun` loaded?"))?;
            // SAFETY: integers and arrays of integers, for which zero is a value.
            let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
            ensure!(name.len() < request.ifr_name.len(), "the name {name} is too long for a device");
            for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
                *to = from.cast_signed();
            }
            request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI)?;
            // SAFETY: the request is a valid value that lives until after the call.
            if unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw const request) } != 0 {
                return Err(io::Error::last_os_error()).with_context(|| format!("cannot make the tun device {name}"));
            }
            Ok(Tun { file })
        })
    }

    /// Lets a packet, from the first byte of its IP header, arrive at the device.
    pub fn send(&mut self, packet: &[u8]) -> Result<()> {
        self.file.write_all(packet).with_context(|| format!("cannot send {} bytes into the tun device", packet.len()))
    }
}
