//! `pattern.ident-after-connect`: a server that we use asks who is asking.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::addresses::site;
use super::contacts::Contact;
use super::{Case, Claims, Scene, scan, words};
use crate::finding::{Confidence, Recognition};
use crate::observation::Sighting;

/// The port of the ident service (RFC 1413).
pub const IDENT: u16 = 113;

/// Finds ident questions that our own connections caused, one finding for each client.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let unseen = scene.thresholds.ident.services.iter().copied().find(|port| scene.is_used_unseen(*port));
    let mut by_client: BTreeMap<IpAddr, Vec<(usize, Contact)>> = BTreeMap::new();
    let mut by_count = Vec::new();
    for (asker, indices) in scene.sources() {
        let asked: Vec<usize> = claims.free(indices).filter(|index| is_question(scene.sighting(*index))).collect();
        if asked.is_empty() || scan::is_by_scanner(scene, claims, asker, |sighting| may_be_asked(scene, sighting)) {
            continue;
        }
        for index in asked {
            let client = scene.sighting(index).destination();
            match cause(scene, client, asker, index) {
                Some(cause) => by_client.entry(client).or_default().push((index, cause)),
                None => by_count.push(index),
            }
        }
    }
    let mut found: Vec<Recognition> =
        by_client.into_iter().map(|(client, asked)| explain(scene, client, asked)).collect();
    if let (Some(port), false) = (unseen, by_count.is_empty()) {
        found.push(explain_by_count(scene, port, by_count));
    }
    found
}

fn is_question(sighting: &Sighting) -> bool {
    sighting.packet.is_syn() && sighting.packet.destination_port == IDENT
}

/// Whether a packet is one of those by which a server may look into its new client: ident, and what chat servers check.
pub fn may_be_asked(scene: &Scene<'_>, sighting: &Sighting) -> bool {
    let port = sighting.packet.destination_port;
    port == IDENT || scene.thresholds.irc.proxy_ports.contains(&port)
}

/// Where only the counter tells that a service is in use here.
fn explain_by_count(scene: &Scene<'_>, port: u16, members: Vec<usize>) -> Recognition {
    Case::new(scene, "pattern.ident-after-connect", members)
        .confidence(Confidence::Possible)
        .evidence(format!(
            "Data went to and fro with servers at port {port}; with which, the counters do not say. If this is one of them, it asks \
             who is asking."
        ))
        .evidence("If nobody here uses that server, it is a probe.")
        .fact("detail", format!("a service at port {port} is in use"))
        .close()
}

/// The connection of ours that made the server ask.
fn cause(scene: &Scene<'_>, client: IpAddr, asker: IpAddr, index: usize) -> Option<Contact> {
    let limits = &scene.thresholds.ident;
    let at = scene.sighting(index).at;
    scene.contacts.with(client, asker, &limits.services, at, limits.within).or_else(|| {
        let neighbour = scene.contacts.with_site(client, asker, &limits.services, at, limits.within)?;
        (site(client) != site(asker)).then_some(neighbour)
    })
}

fn explain(scene: &Scene<'_>, client: IpAddr, mut asked: Vec<(usize, Contact)>) -> Recognition {
    asked.sort_unstable_by_key(|(index, _)| *index);
    let asker = |index: usize| scene.sighting(index).source();
    let (first, cause) = asked[0];
    let after = scene.sighting(first).at.seconds_since(cause.at);
    let askers: BTreeSet<IpAddr> = asked.iter().map(|(index, _)| asker(*index)).collect();
    let mut case = Case::new(scene, "pattern.ident-after-connect", asked.iter().map(|(index, _)| *index).collect());
    case = case.evidence(format!(
        "{} before the first question, {client} {} port {} of {}.",
        words::seconds(after),
        cause.verb(),
        cause.port,
        cause.server
    ));
    let detail = match askers.len() {
        1 => format!("after a connection to port {} of {}", cause.port, cause.server),
        servers => {
            case = case.evidence(format!(
                "{servers} servers asked, each at most {} after such a contact with it or with a neighbour of it.",
                words::seconds(scene.thresholds.ident.within)
            ));
            format!("{servers} servers")
        }
    };
    let by_neighbours = asked.iter().filter(|(index, cause)| cause.server != asker(*index)).count();
    case = match (by_neighbours, asked.iter().all(|(_, cause)| cause.opened)) {
        (0, true) => case.confidence(Confidence::Certain),
        (0, false) => case.confidence(Confidence::Likely).evidence(scene.unopened()),
        _ => case.confidence(Confidence::Likely).also("pattern.related-host").evidence(format!(
            "{} from another address of the same network: the same site, a different machine.",
            words::count(by_neighbours as u64, "question")
        )),
    };
    let web = &scene.thresholds.contact.web_ports;
    let embedded = asked.iter().map(|(_, cause)| cause).filter(|cause| web.contains(&cause.port)).find_map(|cause| {
        let page = scene.contacts.with_other_web(client, cause.server, cause.at, scene.thresholds.site.page)?;
        Some((page, cause))
    });
    if let Some((page, cause)) = embedded {
        case = case.also("pattern.never-visited").evidence(format!(
            "The web server {} was contacted shortly before: its page may have made the browser go to {}.",
            page.server, cause.server
        ));
    }
    case.fact("detail", detail)
        .evidence("A question to port 113 with no such connection before it would be a probe.")
        .close()
}
