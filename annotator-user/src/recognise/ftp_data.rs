//! `pattern.ftp-active-data`: an FTP server opens data connections to its client, port after port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use annotator_common::source::distinct;

use super::addresses::site;
use super::contacts::Contact;
use super::half::Half;
use super::ident::IDENT;
use super::{Case, Claims, FIRST_CLIENT_PORT, Scene};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};
use crate::observation::{Moment, Sighting};

/// The port of the control connection.
pub const CONTROL: u16 = 21;
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

/// What speaks for deliveries besides their look.
#[derive(Clone, Copy, PartialEq)]
enum Warrant {
    /// The client was seen opening the control connection to this very server, and they come from the port of FTP data.
    Order,
    /// The server was seen to answer from its control port, and they come from the port of FTP data.
    Answers,
    /// They come from that port.
    DataPort,
    /// They come from any port of a server that has a control connection with the client.
    Control,
}

fn data_connections(scene: &Scene<'_>, client: IpAddr, server: IpAddr, syns: &[usize]) -> Option<Recognition> {
    let (from_data_port, others): (Vec<usize>, Vec<usize>) =
        syns.iter().partition(|i| scene.sighting(**i).packet.source_port == DATA);
    let control = control(scene, client, server, scene.sighting(*syns.first()?));
    match control {
        Some(control) if !from_data_port.is_empty() => {
            let warrant = match (control.server == server, control.opened) {
                (true, true) => Warrant::Order,
                (true, false) => Warrant::Answers,
                (false, _) => Warrant::DataPort,
            };
            Some(with_control(scene, deliveries(scene, server, &from_data_port, warrant)?, control, server))
        }
        // Servers that may not use port 20 take any. So does everybody else, and nobody waits for data at the port of a service.
        Some(control) if control.server == server => {
            let services = &scene.thresholds.contact.service_ports;
            let is_service = |i: &usize| services.contains(&scene.sighting(*i).packet.destination_port);
            let members = deliveries(scene, server, &others, Warrant::Control)?;
            let members: Vec<usize> = members.into_iter().filter(|i| !is_service(i)).collect();
            (!members.is_empty()).then(|| from_any_port(scene, members))
        }
        Some(_) => None,
        // A scan that borrows port 20 to pass a filter goes for services from other ports, too.
        None if others.iter().any(|i| is_at_service(scene, *i)) => None,
        None => {
            let members = deliveries(scene, server, &from_data_port, Warrant::DataPort)?;
            rises(scene, &members).then(|| without_control(scene, members))
        }
    }
}

/// Those of some SYNs that may be deliveries, unless the lot of them is a scan: it tries services, the client refuses it, or it is long
/// without anything that deliveries would bring along.
fn deliveries(scene: &Scene<'_>, server: IpAddr, syns: &[usize], warrant: Warrant) -> Option<Vec<usize>> {
    let port = |i: &usize| scene.sighting(*i).packet.destination_port;
    let members: Vec<usize> = syns.iter().copied().filter(|i| port(i) >= FIRST_CLIENT_PORT).collect();
    let ports: BTreeSet<u16> = members.iter().map(port).collect();
    let is_long = ports.len() >= scene.thresholds.scan.ports;
    let refused = members.iter().filter(|i| is_refused(scene, **i)).count();
    // A firewall refuses what the program behind it has ordered.
    let may_be_refused = match warrant {
        Warrant::Order => true,
        Warrant::Answers | Warrant::DataPort => !is_long && rises(scene, &members),
        Warrant::Control => false,
    };
    let is_scan = syns.iter().any(|i| is_at_service(scene, *i))
        || scene.thresholds.contact.are_mostly_services(&ports)
        || (refused * 2 > members.len() && !may_be_refused)
        || members.len() > ports.len() * (1 + scene.thresholds.probe.retries)
        || (is_long && !is_long_transfer(scene, server, &members, ports.len(), warrant));
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

/// Whether as many ports may be as many files: their connections end, the control connection tells of them, or they come at the pace of
/// transfers, and rise where nobody was seen to order them.
fn is_long_transfer(scene: &Scene<'_>, server: IpAddr, members: &[usize], ports: usize, warrant: Warrant) -> bool {
    let limits = &scene.thresholds.ftp;
    let told = scene.port(PortProto::Tcp, Side::Src, CONTROL).all.packets;
    let keeps_pace = match warrant {
        Warrant::Order => is_as_ordered(scene, server, members, ports),
        Warrant::Answers => keeps_pace(scene, members, ports, limits.ordered_rate),
        // Servers say of each file on the control connection that it comes, unless a capture holds nothing but SYNs.
        Warrant::DataPort if ports > limits.ordered_ports && told == 0 && !scene.holds_only_syns() => false,
        _ => keeps_pace(scene, members, ports, limits.rate),
    };
    scene.ends_connections(server) || told >= ports as u64 || keeps_pace
}

/// Whether ports rise at the pace of transfers, of which so many may come a second.
fn keeps_pace(scene: &Scene<'_>, members: &[usize], ports: usize, rate: f64) -> bool {
    let limits = &scene.thresholds.ftp;
    let at = |index: Option<&usize>| index.map_or(Default::default(), |i| scene.sighting(*i).at);
    let seconds = at(members.last()).seconds_since(at(members.first()));
    ports as f64 <= limits.rising_ports as f64 + rate * seconds && rises(scene, members)
}

/// Whether ports are no more than a client orders in such a time: those of the samples, and as many as the source table knows of.
fn is_as_ordered(scene: &Scene<'_>, server: IpAddr, members: &[usize], ports: usize) -> bool {
    let limits = &scene.thresholds.ftp;
    let (Some(first), Some(last)) = (members.first(), members.last()) else { return false };
    let from = scene.sighting(*first).at;
    let may_be = |ports: u64, until: Moment| {
        ports as f64 <= limits.ordered_ports as f64 + limits.ordered_rate * until.seconds_since(from)
    };
    may_be(ports as u64, scene.sighting(*last).at)
        && scene.view(server).is_none_or(|view| may_be(view.syn.min(distinct(view.ports).into()), view.last))
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

/// Whether ports follow each other, but for those that were not sampled.
fn rises(scene: &Scene<'_>, members: &[usize]) -> bool {
    let limits = &scene.thresholds.ftp;
    let Some(first) = members.first().map(|i| scene.sighting(*i).source()) else { return false };
    let unsampled = scene.view(first).map_or(0, |view| view.syn.saturating_sub(scene.sampled(first).syn));
    let gap = u64::from(limits.gap) + unsampled;
    let mut ports: Vec<u16> = members.iter().map(|i| scene.sighting(*i).packet.destination_port).collect();
    ports.dedup();
    ports.len() >= limits.rising_ports
        && ports.windows(2).all(|pair| pair[1] > pair[0] && u64::from(pair[1] - pair[0]) <= gap)
}
