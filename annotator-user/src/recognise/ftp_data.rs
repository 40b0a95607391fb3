//! `pattern.ftp-active-data`: an FTP server opens data connections to its client, port after port.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::contacts::Contact;
use super::scene::site;
use super::{Case, Claims, Scene};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

/// The port of the control connection.
const CONTROL: u16 = 21;
/// The port that data connections come from.
const DATA: u16 = 20;
/// Clients wait for data at ports from here up.
const FIRST_CLIENT_PORT: u16 = 1024;

/// Finds FTP data connections, one finding for each server and client.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let mut found = Vec::new();
    for (server, indices) in scene.sources() {
        let mut by_client: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            if sighting.packet.is_syn() && sighting.packet.destination_port >= FIRST_CLIENT_PORT {
                by_client.entry(sighting.destination()).or_default().push(index);
            }
        }
        for (client, syns) in by_client {
            found.extend(data_connections(scene, indices, client, server, syns));
        }
    }
    found
}

fn data_connections(
    scene: &Scene<'_>,
    all: &[usize],
    client: IpAddr,
    server: IpAddr,
    syns: Vec<usize>,
) -> Option<Recognition> {
    let first = scene.sighting(*syns.first()?);
    if let Some(control) = control(scene, client, server, first) {
        // Servers that may not use port 20 take any: the control connection tells. Port 20 is needed where only a neighbour has one.
        let from_data_port = |i: &usize| scene.sighting(*i).packet.source_port == DATA;
        let exact = control.server == server;
        let members: Vec<usize> = syns.into_iter().filter(|i| exact || from_data_port(i)).collect();
        return (!members.is_empty()).then(|| with_control(scene, members, control, server));
    }
    let from_data_port = |i: &&usize| scene.sighting(**i).packet.source_port == DATA;
    let members: Vec<usize> = syns.iter().filter(from_data_port).copied().collect();
    let limits = &scene.thresholds.ftp;
    // A scan that borrows port 20 to pass a filter goes for services, too.
    let low = |i: &usize| {
        let packet = &scene.sighting(*i).packet;
        packet.is_syn() && packet.destination_port < FIRST_CLIENT_PORT
    };
    if all.iter().any(low) || !rises(scene, &members, limits.rising_ports, limits.gap) {
        return None;
    }
    Some(
        Case::new(scene, "pattern.ftp-active-data", members)
            .confidence(Confidence::Possible)
            .with_ports()
            .evidence("From port 20, the port of FTP data, to client ports that rise one after the other.")
            .evidence(
                "No control connection to port 21 was seen: if nobody here uses FTP with this server, it is a scan that \
                 borrows port 20 to get past filters.",
            )
            .fact("detail", "rising ports from port 20")
            .close(),
    )
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

fn rises(scene: &Scene<'_>, members: &[usize], least: usize, gap: u16) -> bool {
    let mut ports: Vec<u16> = members.iter().map(|i| scene.sighting(*i).packet.destination_port).collect();
    ports.dedup();
    ports.len() >= least && ports.windows(2).all(|pair| pair[1] > pair[0] && pair[1] - pair[0] <= gap)
}
