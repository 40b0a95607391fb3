//! `pattern.related-host` and `pattern.never-visited`: a site that we were in contact with, knowingly or not, connects back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::addresses::{is_private, site};
use super::contacts::Contact;
use super::ident::IDENT;
use super::{Case, Claims, FIRST_CLIENT_PORT, Scene, words};
use crate::counters::{PortProto, Side};
use crate::finding::{Confidence, Recognition};

/// Finds connections back, one finding for each caller and client.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let limits = &scene.thresholds.site;
    let mut found = Vec::new();
    for (caller, indices) in scene.sources() {
        let mut by_client: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            if scene.is_probe(index) && sighting.packet.destination_port != sighting.packet.source_port {
                by_client.entry(sighting.destination()).or_default().push(index);
            }
        }
        for (client, members) in by_client {
            let ports: BTreeSet<u16> = members.iter().map(|i| scene.sighting(*i).packet.destination_port).collect();
            let attempts = members.len() as u64 + unsampled(scene, caller, &ports);
            let is_call = ports.len() <= limits.ports && attempts <= limits.attempts * ports.len() as u64;
            if is_call && !is_private(caller) && site(client) != site(caller) {
                found.extend(called_back(scene, client, caller, &ports, members));
            }
        }
    }
    found
}

/// How many more SYNs a caller may have sent to some ports than were sampled of it.
fn unsampled(scene: &Scene<'_>, caller: IpAddr, ports: &BTreeSet<u16>) -> u64 {
    let sent = scene.view(caller).map_or(0, |view| view.syn);
    let arrived: u64 = ports.iter().map(|port| scene.port(PortProto::Tcp, Side::Dst, *port).syn.packets).sum();
    sent.saturating_sub(scene.sampled(caller).syn).min(arrived)
}

fn called_back(
    scene: &Scene<'_>,
    client: IpAddr,
    caller: IpAddr,
    ports: &BTreeSet<u16>,
    members: Vec<usize>,
) -> Option<Recognition> {
    let limits = &scene.thresholds.site;
    let at = scene.sighting(*members.first()?).at;
    let web = &scene.thresholds.contact.web_ports;
    if let Some(contact) = scene.contacts.with(client, caller, web, at, limits.within) {
        return Some(never_visited(scene, client, contact, members));
    }
    if scene.contacts.any(client, caller) {
        return None;
    }
    let services = &scene.thresholds.ident.services;
    let neighbour = scene.contacts.with_site(client, caller, services, at, limits.within)?;
    let plausible = ports.iter().all(|port| *port == IDENT || *port >= FIRST_CLIENT_PORT);
    let after = at.seconds_since(neighbour.at);
    Some(
        Case::new(scene, "pattern.related-host", members)
            .confidence(if plausible { Confidence::Likely } else { Confidence::Possible })
            .with_ports()
            .evidence(format!(
                "{} before, {client} {} port {} of {}, in the same /24.",
                words::seconds(after),
                neighbour.verb(),
                neighbour.port,
                neighbour.server
            ))
            .evidence("Many ports, or a neighbour that had no such contact, would make it a scan.")
            .fact("detail", format!("a neighbour of {}", neighbour.server))
            .close(),
    )
}

fn never_visited(scene: &Scene<'_>, client: IpAddr, contact: Contact, members: Vec<usize>) -> Recognition {
    let case = Case::new(scene, "pattern.never-visited", members).with_ports().evidence(format!(
        "{client} {} port {} of {} before, as of a web server.",
        contact.verb(),
        contact.port,
        contact.server
    ));
    let page = scene.contacts.with_other_web(client, contact.server, contact.at, scene.thresholds.site.page);
    let case = match page {
        Some(page) => case.confidence(Confidence::Likely).evidence(format!(
            "Shortly before that it was in contact with the web server {}: a page there may have made the browser go on.",
            page.server
        )),
        None => case.confidence(Confidence::Possible),
    };
    case.evidence("Without the contact the same packet would be a probe.")
        .fact("detail", format!("after web traffic with {}", contact.server))
        .close()
}
