//! What the kernel says of a network interface (rtnetlink).

use std::ffi::CStr;
use std::os::fd::AsRawFd;

use annotator_common::Count;
use anyhow::{Context, Result, bail};
use futures_util::TryStreamExt;
use rtnetlink::Handle;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::{LinkAttribute, LinkLayerType, LinkXdp};
use rtnetlink::packet_route::tc::TcAttribute;

use super::attach::Mode;
use crate::observation::Prefix;

/// How frames of an interface begin, and in which modes XDP can be attached to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Ethernet frames; native XDP if the driver has it.
    Ethernet,
    /// The loopback: Ethernet headers of zeros, generic XDP only.
    Loopback,
    /// IP packets without a link header (tun, WireGuard, tunnels); generic XDP only.
    RawIp,
}

/// An interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// What it is.
    pub device: Device,
    /// Largest packet, in bytes without the Ethernet header.
    pub mtu: u32,
    /// Its addresses with the lengths of their prefixes.
    pub prefixes: Vec<Prefix>,
    /// The XDP programs that are attached to it already.
    pub xdp: Vec<XdpProgram>,
    /// Whether somebody filters what arrives by the queueing discipline `ingress`, in whose place clsact would have to be.
    pub has_ingress: bool,
}

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpProgram {
    /// Where it runs.
    pub mode: Mode,
    /// Its id.
    pub id: u32,
}

/// Looks an interface up.
pub async fn find(name: &str) -> Result<Interface> {
    let (connection, handle, _) = rtnetlink::new_connection().context("opening a netlink socket")?;
    let connection = tokio::spawn(connection);
    let link = handle.link().get().match_name(name.to_owned()).execute().try_next().await;
    let Ok(Some(link)) = link else {
        let mut names = Vec::new();
        let mut links = handle.link().get().execute();
        while let Ok(Some(link)) = links.try_next().await {
            names.extend(link.attributes.into_iter().find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name),
                _ => None,
            }));
        }
        connection.abort();
        bail!("there is no interface {name}; this machine has: {}", names.join(", "));
    };
    let index = link.header.index;
    let mut interface = Interface {
        name: name.to_owned(),
        index,
        device: device(name, link.header.link_layer_type)?,
        mtu: 0,
        prefixes: Vec::new(),
        xdp: Vec::new(),
        has_ingress: false,
    };
    for attribute in link.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => interface.mtu = mtu,
            LinkAttribute::Xdp(xdp) => interface.xdp = programs(&xdp),
            _ => {}
        }
    }
    interface.prefixes = prefixes(&handle, name, index).await?;
    let mut disciplines = handle.qdisc().get().index(index.cast_signed()).execute();
    while let Some(message) =
        disciplines.try_next().await.with_context(|| format!("asking for the queueing disciplines of {name}"))?
    {
        interface.has_ingress |= message.attributes.contains(&TcAttribute::Kind("ingress".into()));
    }
    connection.abort();
    Ok(interface)
}

/// The addresses of an interface with the lengths of their prefixes.
pub async fn prefixes(handle: &Handle, name: &str, index: u32) -> Result<Vec<Prefix>> {
    let mut prefixes = Vec::new();
    let mut addresses = handle.address().get().set_link_index_filter(index).execute();
    while let Some(message) =
        addresses.try_next().await.with_context(|| format!("asking for the addresses of {name}"))?
    {
        // On point-to-point links `Address` is the other end's; `Local` is ours where both are given.
        let find = |local: bool| {
            message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Local(address) if local => Some(*address),
                AddressAttribute::Address(address) if !local => Some(*address),
                _ => None,
            })
        };
        if let Some(address) = find(true).or_else(|| find(false)) {
            prefixes.push(Prefix { address, bits: message.header.prefix_len });
        }
    }
    Ok(prefixes)
}

/// Every interface, with the XDP programs that are attached to it.
pub async fn all() -> Result<Vec<(String, Vec<XdpProgram>)>> {
    let (connection, handle, _) = rtnetlink::new_connection().context("opening a netlink socket")?;
    let connection = tokio::spawn(connection);
    let mut interfaces = Vec::new();
    let mut links = handle.link().get().execute();
    while let Some(link) = links.try_next().await.context("asking for the interfaces")? {
        let (mut name, mut xdp) = (String::new(), Vec::new());
        for attribute in link.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name = text,
                LinkAttribute::Xdp(items) => xdp = programs(&items),
                _ => {}
            }
        }
        interfaces.push((name, xdp));
    }
    connection.abort();
    Ok(interfaces)
}

fn programs(xdp: &[LinkXdp]) -> Vec<XdpProgram> {
    let program = |item: &LinkXdp| match *item {
        LinkXdp::DrvProgId(id) => Some(XdpProgram { mode: Mode::Native, id }),
        LinkXdp::SkbProgId(id) => Some(XdpProgram { mode: Mode::Generic, id }),
        LinkXdp::HwProgId(id) => Some(XdpProgram { mode: Mode::Offloaded, id }),
        _ => None,
    };
    xdp.iter().filter_map(program).collect()
}

/// Packets and bytes that an interface has received, as its driver counts them.
pub fn received(name: &str) -> Option<Count> {
    let status = procfs::net::dev_status().ok()?.remove(name)?;
    Some(Count { packets: status.recv_packets, bytes: status.recv_bytes })
}

/// The name that an interface has now, if it still exists.
pub fn name(index: u32) -> Option<String> {
    let mut name = [0_u8; libc::IF_NAMESIZE];
    // SAFETY: there is as much room as the kernel may use.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    let name = CStr::from_bytes_until_nul(&name).ok().filter(|_| !found.is_null())?;
    Some(name.to_string_lossy().into_owned())
}

/// Whether an interface of this name can receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// It is administratively up.
    pub up: bool,
    /// And it has a carrier.
    pub running: bool,
}

/// How an interface of this name is at present; nothing where the kernel does not say, because it is gone.
pub fn state(name: &str) -> Option<State> {
    // Any socket of the same network namespace does.
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // SAFETY: a request is made of plain data, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The kernel refuses longer names; the last byte stays zero.
    for (to, from) in request.ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    // SAFETY: the socket is open, and the kernel reads and writes within `request`.
    let answered = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) } == 0;
    // SAFETY: SIOCGIFFLAGS fills this member, which is zero before.
    let flags = libc::c_int::from(unsafe { request.ifr_ifru.ifru_flags });
    let up = flags & libc::IFF_UP != 0;
    answered.then_some(State { up, running: up && flags & libc::IFF_RUNNING != 0 })
}

fn device(name: &str, layer: LinkLayerType) -> Result<Device> {
    Ok(match layer {
        LinkLayerType::Ether => Device::Ethernet,
        LinkLayerType::Loopback => Device::Loopback,
        LinkLayerType::None
        | LinkLayerType::Ppp
        | LinkLayerType::Rawip
        | LinkLayerType::Tunnel
        | LinkLayerType::Tunnel6
        | LinkLayerType::Sit
        | LinkLayerType::Ipgre
        | LinkLayerType::Ip6gre => Device::RawIp,
        other => bail!(
            "{name} is a device of type {other:?} ({}); only Ethernet and plain IP devices can be watched. \
             Where its packets are delivered through another interface, watch that one",
            u16::from(other)
        ),
    })
}
