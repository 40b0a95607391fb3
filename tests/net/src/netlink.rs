//! Network devices by netlink, for places that have no `ip` command.

use std::{
    ffi::CString,
    io,
    mem::size_of,
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result, anyhow};

/// Kind of the nested attribute that describes a veth's other end (`VETH_INFO_PEER` of linux/veth.h).
const VETH_INFO_PEER: u16 = 1;
/// linux/if_link.h; the libc crate has it as another type.
const IFLA_VLAN_ID: u16 = 1;

/// Makes a veth pair; both ends are down.
pub fn add_veth(name: &str, peer: &str) -> Result<()> {
    veth(name, peer, None)
}

/// Makes a veth pair whose other end is in another namespace; both ends are down.
pub fn add_veth_across(name: &str, peer: &str, namespace: BorrowedFd<'_>) -> Result<()> {
    veth(name, peer, Some(namespace))
}

fn veth(name: &str, peer: &str, namespace: Option<BorrowedFd<'_>>) -> Result<()> {
    let mut request = Request::link(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, Link::new());
    request.text(libc::IFLA_IFNAME, name);
    request.nest(libc::IFLA_LINKINFO, |request| {
        request.text(libc::IFLA_INFO_KIND, "veth");
        request.nest(libc::IFLA_INFO_DATA, |request| {
            request.nest(VETH_INFO_PEER, |request| {
                request.put(&Link::new().bytes());
                request.text(libc::IFLA_IFNAME, peer);
                if let Some(namespace) = namespace {
                    request.attribute(libc::IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
                }
            });
        });
    });
    request.send().with_context(|| format!("cannot make the veth pair {name} and {peer}"))
}

/// Makes a VLAN device on top of another device.
pub fn add_vlan(name: &str, parent: &str, id: u16) -> Result<()> {
    let parent = index(parent)?;
    let mut request = Request::link(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, Link::new());
    request.text(libc::IFLA_IFNAME, name);
    request.attribute(libc::IFLA_LINK, &parent.to_ne_bytes());
    request.nest(libc::IFLA_LINKINFO, |request| {
        request.text(libc::IFLA_INFO_KIND, "vlan");
        request.nest(libc::IFLA_INFO_DATA, |request| request.attribute(IFLA_VLAN_ID, &id.to_ne_bytes()));
    });
    request.send().with_context(|| format!("cannot make the VLAN device {name}"))
}

/// Makes a bridge.
pub fn add_bridge(name: &str) -> Result<()> {
    let mut request = Request::link(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, Link::new());
    request.text(libc::IFLA_IFNAME, name);
    request.nest(libc::IFLA_LINKINFO, |request| request.text(libc::IFLA_INFO_KIND, "bridge"));
    request.send().with_context(|| format!("cannot make the bridge {name}"))
}

/// Makes a device a port of a bridge.
pub fn set_master(name: &str, bridge: &str) -> Result<()> {
    let mut request = Request::link(libc::RTM_NEWLINK, 0, Link::of(index(name)?));
    request.attribute(libc::IFLA_MASTER, &index(bridge)?.to_ne_bytes());
    request.send().with_context(|| format!("cannot make {name} a port of {bridge}"))
}

/// Sets a device up.
pub fn set_up(name: &str) -> Result<()> {
    set_flags(name, libc::IFF_UP).with_context(|| format!("cannot set {name} up"))
}

/// Sets a device up that never asks for a neighbour by ARP, nor answers.
pub fn set_up_without_arp(name: &str) -> Result<()> {
    set_flags(name, libc::IFF_UP | libc::IFF_NOARP).with_context(|| format!("cannot set {name} up"))
}

/// Lets a device ask for neighbours by ARP, and answer.
pub fn set_arp(name: &str) -> Result<()> {
    change_flags(name, 0, libc::IFF_NOARP).with_context(|| format!("cannot let {name} speak ARP"))
}

/// Sets a device down.
pub fn set_down(name: &str) -> Result<()> {
    change_flags(name, 0, libc::IFF_UP).with_context(|| format!("cannot set {name} down"))
}

fn set_flags(name: &str, flags: libc::c_int) -> Result<()> {
    change_flags(name, flags, flags)
}

fn change_flags(name: &str, flags: libc::c_int, mask: libc::c_int) -> Result<()> {
    let link = Link { index: index(name)?, flags: flags.cast_unsigned(), mask: mask.cast_unsigned() };
    Request::link(libc::RTM_NEWLINK, 0, link).send()
}

/// Gives a device an address.
pub fn add_address(name: &str, address: IpAddr, prefix: u8) -> Result<()> {
    let (family, bytes) = match address {
        IpAddr::V4(address) => (libc::AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (libc::AF_INET6, address.octets().to_vec()),
    };
    // The `ifaddrmsg`: family, prefix length, flags, scope (0 is global), index.
    let mut head = [u8::try_from(family)?, prefix, 0, 0, 0, 0, 0, 0];
    head[4..].copy_from_slice(&index(name)?.to_ne_bytes());
    let mut request = Request::new(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &head);
    request.attribute(libc::IFA_LOCAL, &bytes);
    request.attribute(libc::IFA_ADDRESS, &bytes);
    request.send().with_context(|| format!("cannot give {name} the address {address}/{prefix}"))
}

/// Sends packets for everywhere by way of `gateway`, an IPv4 address that a device's own prefix holds.
pub fn add_default_route(gateway: Ipv4Addr) -> Result<()> {
    // The `rtmsg`: family, lengths of the two prefixes, service, table, protocol, scope (0 is universe), type, flags.
    let family = u8::try_from(libc::AF_INET)?;
    let head = [family, 0, 0, 0, libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, 0, libc::RTN_UNICAST, 0, 0, 0, 0];
    let mut request = Request::new(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &head);
    request.attribute(libc::RTA_GATEWAY, &gateway.octets());
    request.send().with_context(|| format!("cannot route by way of {gateway}"))
}

/// Sets the hardware address of a device.
pub fn set_hardware_address(name: &str, address: [u8; 6]) -> Result<()> {
    let mut request = Request::link(libc::RTM_NEWLINK, 0, Link::of(index(name)?));
    request.attribute(libc::IFLA_ADDRESS, &address);
    request.send().with_context(|| format!("cannot set the hardware address of {name}"))
}

/// Sets the MTU of a device.
pub fn set_mtu(name: &str, mtu: u32) -> Result<()> {
    let mut request = Request::link(libc::RTM_NEWLINK, 0, Link::of(index(name)?));
    request.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
    request.send().with_context(|| format!("cannot set the MTU of {name} to {mtu}"))
}

/// Removes a device; of a veth pair both ends.
pub fn delete(name: &str) -> Result<()> {
    let link = Link::of(index(name)?);
    Request::link(libc::RTM_DELLINK, 0, link).send().with_context(|| format!("cannot delete {name}"))
}

/// Whether a device has a carrier and lets packets out: some time after both ends of a pair are up.
pub fn is_running(name: &str) -> Result<bool> {
    let answer = ask(name, libc::SIOCGIFFLAGS).with_context(|| format!("cannot ask whether {name} runs"))?;
    // SAFETY: this is the field that the request fills.
    let flags = unsafe { answer.ifr_ifru.ifru_flags };
    Ok(libc::c_int::from(flags) & libc::IFF_RUNNING != 0)
}

/// The hardware address of a device.
pub fn hardware_address(name: &str) -> Result<[u8; 6]> {
    let answer =
        ask(name, libc::SIOCGIFHWADDR).with_context(|| format!("cannot ask for the hardware address of {name}"))?;
    // SAFETY: this is the field that the request fills.
    let data = unsafe { answer.ifr_ifru.ifru_hwaddr.sa_data };
    Ok(std::array::from_fn(|index| data[index].cast_unsigned()))
}

/// One of the questions of netdevice(7).
fn ask(name: &str, question: libc::c_ulong) -> Result<libc::ifreq> {
    // SAFETY: integers and arrays of integers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from.cast_signed();
    }
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").context("cannot open a socket")?;
    // SAFETY: the request is a valid value that lives until after the call.
    if unsafe { libc::ioctl(socket.as_raw_fd(), question, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(request)
}

/// The kernel's number of a device.
pub fn index(name: &str) -> Result<i32> {
    let text = CString::new(name).with_context(|| format!("{name:?} cannot name a device"))?;
    // SAFETY: the pointer is to a terminated string that lives until after the call.
    match unsafe { libc::if_nametoindex(text.as_ptr()) } {
        0 => Err(io::Error::last_os_error()).with_context(|| format!("there is no device {name}")),
        index => i32::try_from(index).with_context(|| format!("the index of {name}")),
    }
}

/// The `ifinfomsg` that every message about a device starts with.
struct Link {
    index: i32,
    flags: u32,
    /// Which of the flags to change.
    mask: u32,
}

impl Link {
    fn new() -> Self {
        Self::of(0)
    }

    fn of(index: i32) -> Self {
        Self { index, flags: 0, mask: 0 }
    }

    /// Family and padding, type, index, flags, mask.
    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[4..8].copy_from_slice(&self.index.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.flags.to_ne_bytes());
        bytes[12..16].copy_from_slice(&self.mask.to_ne_bytes());
        bytes
    }
}

const HEADER: usize = size_of::<libc::nlmsghdr>();
const ATTRIBUTE_HEADER: usize = 4;

/// A message as it grows.
struct Request {
    bytes: Vec<u8>,
}

impl Request {
    fn link(kind: u16, flags: libc::c_int, link: Link) -> Self {
        Self::new(kind, flags, &link.bytes())
    }

    /// A message that starts with the fixed part of its kind.
    fn new(kind: u16, flags: libc::c_int, head: &[u8]) -> Self {
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK).expect("netlink flags have 16 bits");
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(head);
        Self { bytes }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn nest(&mut self, kind: u16, content: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; ATTRIBUTE_HEADER]);
        content(self);
        self.head(start, kind, self.bytes.len() - start);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; ATTRIBUTE_HEADER]);
        self.put(value);
        self.head(start, kind, ATTRIBUTE_HEADER + value.len());
    }

    fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, &[value.as_bytes(), b"\0"].concat());
    }

    fn head(&mut self, start: usize, kind: u16, length: usize) {
        let length = u16::try_from(length).expect("attributes are short");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
    }

    /// Sends the message and waits for the kernel's answer.
    fn send(mut self) -> Result<()> {
        let length = u32::try_from(self.bytes.len())?;
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        // SAFETY: no pointers; the result is checked before it is used.
        let socket =
            unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
        if socket < 0 {
            return Err(io::Error::last_os_error()).context("cannot open a netlink socket");
        }
        // SAFETY: a descriptor that was just opened and that nobody else has.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: pointer and length are those of the vector.
        let sent = unsafe { libc::send(socket.as_raw_fd(), self.bytes.as_ptr().cast(), self.bytes.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error()).context("cannot send to netlink");
        }
        let mut answer = [0_u8; 4096];
        // SAFETY: pointer and length are those of the array.
        let got = unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) };
        if got < 0 {
            return Err(io::Error::last_os_error()).context("cannot receive from netlink");
        }
        // An error message, where 0 means success, follows the header.
        let code = answer.get(HEADER..HEADER + 4).and_then(|code| code.try_into().ok()).map(i32::from_ne_bytes);
        match code {
            Some(0) => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(-code).into()),
            None => Err(anyhow!("netlink's answer is cut short")),
        }
    }
}
