//! `pattern.ftp-active-data`: an FTP server opens data connections to its client, port after port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::contacts::Contact;
use super::ident::IDENT;
use super::scene::{Half, site};
use super::{Case, Claims, FIRST_CLIENT_PORT, Scene};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

/// The port of the control connection.
const CONTROL: u16 = 21;
/// The port that data connections come from.
const DATA: u16 = 20;

/// Finds FTP data connections, one finding for each server and client.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = Vec::new();
    for (server, indices) in scene.sources() {
        let mut by_client: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            if sighting.packet.is_syn() {
                by_client.entry(sighting.destination()).or_default().push(index);
            }
        }
        for (client, syns) in by_client {
            found.extend(data_connections(scene, client, server, &syns));
        }
    }
    found
}

fn data_connections(scene: &Scene<'_>, client: IpAddr, server: IpAddr, syns: &[usize]) -> Option<Recognition> {
    let (from_data_port, others): (Vec<usize>, Vec<usize>) =
        syns.iter().partition(|i| scene.sighting(**i).packet.source_port == DATA);
    let control = control(scene, client, server, scene.sighting(*syns.first()?));
    match control {
        Some(control) if !from_data_port.is_empty() => {
            Some(with_control(scene, deliveries(scene, server, &from_data_port)?, control, server))
        }
        // Servers that may not use port 20 take any. So does everybody else, and nobody waits for data at the port of a service.
        Some(control) if control.server == server => {
            let services = &scene.thresholds.contact.service_ports;
            let is_service = |i: &usize| services.contains(&scene.sighting(*i).packet.destination_port);
            let members =
                deliveries(scene, server, &others)?.into_iter().filter(|i| !is_service(i)).collect::<Vec<_>>();
            (!members.is_empty()).then(|| from_any_port(scene, members))
        }
        Some(_) => None,
        // A scan that borrows port 20 to pass a filter goes for services from other ports, too.
        None if others.iter().any(|i| is_at_service(scene, *i)) => None,
        None => {
            let limits = &scene.thresholds.ftp;
            let members = deliveries(scene, server, &from_data_port)?;
            rises(scene, &members, limits.rising_ports, limits.gap).then(|| without_control(scene, members))
        }
    }
}

/// Those of some SYNs that may be deliveries, unless the lot of them is a scan: it tries services, the client refuses it, or it is long
/// without anything that deliveries would bring along.
fn deliveries(scene: &Scene<'_>, server: IpAddr, syns: &[usize]) -> Option<Vec<usize>> {
    let port = |i: &usize| scene.sighting(*i).packet.destination_port;
    let members: Vec<usize> = syns.iter().copied().filter(|i| port(i) >= FIRST_CLIENT_PORT).collect();
    let ports = members.iter().map(port).collect::<BTreeSet<_>>().len();
    let refused = members.iter().filter(|i| is_refused(scene, **i)).count();
    let is_scan = syns.iter().any(|i| is_at_service(scene, *i))
        || refused * 2 > members.len()
        || (ports >= scene.thresholds.scan.ports && !is_long_transfer(scene, server, &members, ports));
    (!is_scan && !members.is_empty()).then_some(members)
}

/// Whether a SYN tries a service in vain. An FTP server may ask for ident.
fn is_at_service(scene: &Scene<'_>, index: usize) -> bool {
    let port = scene.sighting(index).packet.destination_port;
    port < FIRST_CLIENT_PORT && port != IDENT && scene.is_probe(index)
}

fn is_refused(scene: &Scene<'_>, index: usize) -> bool {
    Half::of(scene.sighting(index)).is_some_and(|half| scene.carried(&half.reverse()).reset)
}

/// Whether as many ports may be as many files: their connections end, the control connection tells of them, or they rise at the pace of
/// transfers.
fn is_long_transfer(scene: &Scene<'_>, server: IpAddr, members: &[usize], ports: usize) -> bool {
    let limits = &scene.thresholds.ftp;
    let at = |index: Option<&usize>| index.map_or(Default::default(), |i| scene.sighting(*i).at);
    let seconds = at(members.last()).seconds_since(at(members.first()));
    let told = scene.port(PortProto::Tcp, Side::Src, CONTROL).all.packets;
    scene.ends_connections(server)
        || told >= ports as u64
        || (ports as f64 <= limits.rate * seconds && rises(scene, members, limits.rising_ports, limits.gap))
}

fn control(scene: &Scene<'_>, client: IpAddr, server: IpAddr, first: &Sighting) -> Option<Contact> {
    let within = scene.thresholds.ftp.control_within;
    let contacts = &scene.contacts;
    contacts.with(client, server, &[CONTROL], first.at, within).or_else(|| {
        let neighbour = contacts.with_site(client, server, &[CONTROL], first.at, within)?;
        (site(client) != site(server)).then_some(neighbour)
    })
}

fn with_control(scene: &Scene<'_>, members: Vec<usize>, control: Contact, server: IpAddr) -> Recognition {
    let case = Case::new(scene, "pattern.ftp-active-data", members).with_ports();
    let case = match (control.opened, control.server == server) {
        (true, true) => case
            .confidence(Confidence::Certain)
            .evidence("The client opened an FTP control connection to port 21 of this server before.")
            .fact("detail", "the FTP connection to this server was seen"),
        (false, true) => case
            .confidence(Confidence::Likely)
            .evidence("This server answered the client from its FTP port 21 before.")
            .evidence(scene.unopened())
            .fact("detail", "answers from this server's FTP port were seen"),
        (_, false) => case
            .confidence(Confidence::Likely)
            .also("pattern.related-host")
            .evidence(format!("The client talked to port 21 of its neighbour {} before.", control.server))
            .fact("detail", format!("FTP with the neighbour {} was seen", control.server)),
    };
    case.evidence("Without that FTP session the same packets would be a scan from port 20.").close()
}

fn from_any_port(scene: &Scene<'_>, members: Vec<usize>) -> Recognition {
    Case::new(scene, "pattern.ftp-active-data", members)
        .confidence(Confidence::Possible)
        .with_ports()
        .evidence("The client has an FTP control connection with port 21 of this server.")
        .evidence(
            "The connections do not come from port 20, the port of FTP data. Servers without privileges take any port, and so does a scan.",
        )
        .fact("detail", "an FTP connection to this server was seen")
        .close()
}

fn without_control(scene: &Scene<'_>, members: Vec<usize>) -> Recognition {
    Case::new(scene, "pattern.ftp-active-data", members)
        .confidence(Confidence::Possible)
        .with_ports()
        .evidence("From port 20, the port of FTP data, to client ports that rise one after the other.")
        .evidence(
            "No control connection to port 21 was seen: if nobody here uses FTP with this server, it is a scan that \
             borrows port 20 to get past filters.",
        )
        .fact("detail", "rising ports from port 20")
        .close()
}

fn rises(scene: &Scene<'_>, members: &[usize], least: usize, gap: u16) -> bool {
    let mut ports: Vec<u16> = members.iter().map(|i| scene.sighting(*i).packet.destination_port).collect();
    ports.dedup();
    ports.len() >= least && ports.windows(2).all(|pair| pair[1] > pair[0] && pair[1] - pair[0] <= gap)
}
