//! The egress program tells of exactly those contacts that the engine on the host sees in the same frames.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use annotator::live::egress::{Egress, Way};
use annotator::live::interface::{Device, Interface};
use annotator_common::{Link, Peer, parse::parse};
use anyhow::{Result, ensure};

use crate::{frames, netlink, packet_socket::PacketSocket};

/// How long a contact may be on its way.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who contacted whom, by which protocol, at which port.
type Contact = (IpAddr, IpAddr, u8, u16);

/// Attaches the egress program, sends frames out of the device, compares, and detaches.
pub fn check(device: &str, link: Link, way: Option<Way>, frames: &[&[u8]]) -> Result<()> {
    let mut egress = Egress::attach(&interface(device, link)?, way)?;
    ensure!(way.is_none() || egress.way() == way, "attached as {:?}", egress.way());
    let socket = PacketSocket::open(device)?;
    let mut expected = BTreeSet::new();
    for frame in frames {
        socket.send(frame)?;
        expected.extend(contact(frame, link));
    }
    ensure!(!expected.is_empty(), "nothing among the frames contacts anybody");
    let start = Instant::now();
    while told(&mut egress) != expected {
        let told = told(&mut egress);
        let late = start.elapsed() > PATIENCE;
        ensure!(!late, "too much: {:?}, missing: {:?}", &told - &expected, &expected - &told);
        thread::sleep(Duration::from_millis(20));
    }
    ensure!(egress.lost() == 0, "{} contacts are lost", egress.lost());

    egress.detach();
    // A process that another test is just starting may hold the attachment until it is started.
    let start = Instant::now();
    for port in 50_000.. {
        let datagram = frames::udp_datagram(40_000, port, b"late");
        let late = match link {
            Link::RawIp => frames::Ipv4::default().packet(&datagram),
            _ => frames::Ipv4::default().frame(&datagram),
        };
        let contact = contact(&late, link).expect("a datagram");
        ensure!(!expected.contains(&contact), "port {port} is among the frames");
        socket.send(&late)?;
        if !told(&mut egress).contains(&contact) {
            break;
        }
        ensure!(start.elapsed() < PATIENCE, "it goes on after it was detached");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn contact(frame: &[u8], link: Link) -> Option<Contact> {
    let peer = Peer::of(&parse(frame, link))?;
    Some((peer.local.to_ip(), peer.remote.to_ip(), peer.protocol, peer.port))
}

fn told(egress: &mut Egress) -> BTreeSet<Contact> {
    egress.fetch(0);
    egress.contacts().into_iter().map(|told| (told.local, told.remote, told.protocol, told.port)).collect()
}

pub(crate) fn interface(device: &str, link: Link) -> Result<Interface> {
    Ok(Interface {
        name: device.to_owned(),
        index: netlink::index(device)?.cast_unsigned(),
        device: if link == Link::RawIp { Device::RawIp } else { Device::Ethernet },
        mtu: 1500,
        prefixes: Vec::new(),
        xdp: Vec::new(),
        has_ingress: false,
    })
}
