//! `pattern.irc-proxy-check`: a chat server looks whether its new guest is an open proxy.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::addresses::site;
use super::contacts::Contact;
use super::ident::may_be_asked;
use super::{Case, Claims, Scene, scan, words};
use crate::finding::{Confidence, Recognition};

/// The port of SOCKS, which every such check tries.
const SOCKS: u16 = 1080;

/// Finds checks by chat servers, one finding for each checker and guest.
pub fn recognise(scene: &Scene<'_>, claims: &Claims) -> Vec<Recognition> {
    let limits = &scene.thresholds.irc;
    let unseen = limits.chat_ports.iter().copied().find(|port| scene.is_used_unseen(*port));
    let mut found = Vec::new();
    for (checker, indices) in scene.sources() {
        let mut by_count = Vec::new();
        let mut by_guest: BTreeMap<IpAddr, (Contact, Vec<usize>)> = BTreeMap::new();
        for index in claims.free(indices) {
            let sighting = scene.sighting(index);
            let guest = sighting.destination();
            if !sighting.packet.is_syn() || !limits.proxy_ports.contains(&sighting.packet.destination_port) {
                continue;
            }
            match chat(scene, guest, checker, index) {
                Some(chat) => by_guest.entry(guest).or_insert_with(|| (chat, Vec::new())).1.push(index),
                None => by_count.push(index),
            }
        }
        let checks = !by_guest.is_empty() || !by_count.is_empty();
        if !checks || scan::is_by_scanner(scene, claims, checker, |sighting| may_be_asked(scene, sighting)) {
            continue;
        }
        let socks = by_count.iter().any(|i| scene.sighting(*i).packet.destination_port == SOCKS);
        if let (Some(port), true) = (unseen, socks) {
            found.push(explain_by_count(scene, port, by_count));
        }
        found.extend(by_guest.into_values().map(|(chat, members)| explain(scene, checker, chat, members)));
    }
    found
}

fn chat(scene: &Scene<'_>, guest: IpAddr, checker: IpAddr, index: usize) -> Option<Contact> {
    let limits = &scene.thresholds.irc;
    let at = scene.sighting(index).at;
    scene.contacts.with(guest, checker, &limits.chat_ports, at, limits.within).or_else(|| {
        let neighbour = scene.contacts.with_site(guest, checker, &limits.chat_ports, at, limits.within)?;
        (site(guest) != site(checker)).then_some(neighbour)
    })
}

/// Where only the counter tells that somebody here chats.
fn explain_by_count(scene: &Scene<'_>, port: u16, members: Vec<usize>) -> Recognition {
    Case::new(scene, "pattern.irc-proxy-check", members)
        .confidence(Confidence::Possible)
        .with_ports()
        .evidence(format!(
            "Somebody here chats at port {port}; with which server, the counters do not say. If it is this one, it looks for proxies."
        ))
        .evidence("If nobody here uses that server, it is a hunt for open proxies.")
        .fact("detail", format!("chat at port {port}"))
        .close()
}

fn explain(scene: &Scene<'_>, checker: IpAddr, chat: Contact, members: Vec<usize>) -> Recognition {
    let after = scene.sighting(members[0]).at.seconds_since(chat.at);
    let guest = scene.sighting(members[0]).destination();
    let case = Case::new(scene, "pattern.irc-proxy-check", members).with_ports().evidence(format!(
        "{} before, {guest} {} port {} of {}, a port of chat servers.",
        words::seconds(after),
        chat.verb(),
        chat.port,
        chat.server
    ));
    let case = match (chat.server == checker, chat.opened) {
        (true, true) => case.confidence(Confidence::Certain),
        (true, false) => case.confidence(Confidence::Likely).evidence(scene.unopened()),
        (false, _) => {
            case.confidence(Confidence::Possible).evidence("The check comes from a neighbour of the chat server.")
        }
    };
    case.fact("detail", format!("chat with {} at port {}", chat.server, chat.port))
        .evidence("Without the chat the same ports would be a hunt for open proxies.")
        .close()
}
