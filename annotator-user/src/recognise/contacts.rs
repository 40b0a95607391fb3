//! With whom the hosts here talk: learnt from the SYNs that leave (a capture shows them, and the egress program tells of them), and from the
//! answers of servers.

use std::collections::HashMap;
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::packet::{protocol, tcp};

use super::addresses::site;
use super::half::Half;
use super::{FIRST_CLIENT_PORT, thresholds};
use crate::observation::{Moment, Sighting};
use crate::outbound::Outbound;

/// Contacts that are remembered for a pair of addresses, and for a host and a site.
const REMEMBERED: usize = 128;
/// Latest contacts among which a repetition is looked for.
const LOOK_BACK: usize = 8;
/// Seconds within which packets of the same server are one contact.
const SAME_CONTACT: f64 = 5.0;

/// One conversation with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The server.
    pub server: IpAddr,
    /// Its port.
    pub port: u16,
    /// When it was seen.
    pub at: Moment,
    /// Whether the first packet of the client itself was seen; else one that looks like an answer was.
    pub opened: bool,
}

impl Contact {
    /// What the client was seen to do, before the port of the server.
    pub fn verb(&self) -> &'static str {
        if self.opened { "connected to" } else { "got packets from" }
    }
}

/// All conversations with servers.
#[derive(Default)]
pub struct Contacts {
    by_pair: HashMap<(IpAddr, IpAddr), Vec<Contact>>,
    by_site: HashMap<(IpAddr, IpAddr), Vec<Contact>>,
    by_client: HashMap<IpAddr, Vec<Contact>>,
}

impl Contacts {
    /// Learns what left an interface. To be called before anything is noted of arriving packets.
    pub fn remember(&mut self, outbound: &[Outbound], thresholds: &thresholds::Contact) {
        let mut opened: Vec<_> = outbound
            .iter()
            .filter(|contact| contact.protocol == protocol::TCP)
            .flat_map(|contact| [(contact.first, contact), (contact.last, contact)])
            .collect();
        opened.sort_by_key(|(at, _)| *at);
        for (at, Outbound { local, remote, port, .. }) in opened {
            self.add(*local, Contact { server: *remote, port: *port, at, opened: true }, thresholds);
        }
    }

    /// Learns from a packet that opens a conversation with a server, or may answer in one.
    pub fn note(&mut self, sighting: &Sighting, half: Half, thresholds: &thresholds::Contact) {
        let (client, server, port, opened) = match half.transport {
            Transport::Tcp if sighting.packet.is_syn() => (half.source, half.destination, half.destination_port, true),
            Transport::Tcp => {
                let flags = sighting.packet.tcp_flags;
                let answers = flags & (tcp::ACK | tcp::RST) == tcp::ACK && thresholds.is_service(half.source_port);
                if !answers || half.destination_port < FIRST_CLIENT_PORT {
                    return;
                }
                (half.destination, half.source, half.source_port, false)
            }
            _ => return,
        };
        self.add(client, Contact { server, port, at: sighting.at, opened }, thresholds);
    }

    fn add(&mut self, client: IpAddr, contact: Contact, thresholds: &thresholds::Contact) {
        remember(self.by_pair.entry((client, contact.server)).or_default(), contact);
        remember(self.by_site.entry((client, site(contact.server))).or_default(), contact);
        if thresholds.web_ports.contains(&contact.port) {
            remember(self.by_client.entry(client).or_default(), contact);
        }
    }

    /// The latest contact of a client with a server at one of some ports, at most so many seconds before a moment; rather one that the client
    /// was seen to open.
    pub fn with(&self, client: IpAddr, server: IpAddr, ports: &[u16], before: Moment, within: f64) -> Option<Contact> {
        latest(self.by_pair.get(&(client, server))?, ports, before, within)
    }

    /// Likewise with any server of the same site.
    pub fn with_site(
        &self,
        client: IpAddr,
        server: IpAddr,
        ports: &[u16],
        before: Moment,
        within: f64,
    ) -> Option<Contact> {
        latest(self.by_site.get(&(client, site(server)))?, ports, before, within)
    }

    /// The latest contact of a client with a web server of another site.
    pub fn with_other_web(&self, client: IpAddr, server: IpAddr, before: Moment, within: f64) -> Option<Contact> {
        let fits = |contact: &&Contact| site(contact.server) != site(server) && before.follows(contact.at, within);
        self.by_client.get(&client)?.iter().rev().find(fits).copied()
    }

    /// Whether a client was seen talking to a server at all, whenever.
    pub fn any(&self, client: IpAddr, server: IpAddr) -> bool {
        self.by_pair.contains_key(&(client, server))
    }
}

/// Adds a contact, unless the same server was noted a moment ago.
fn remember(list: &mut Vec<Contact>, contact: Contact) {
    let same = |known: &&mut Contact| {
        known.server == contact.server && known.port == contact.port && contact.at.follows(known.at, SAME_CONTACT)
    };
    if let Some(known) = list.iter_mut().rev().take(LOOK_BACK).find(same) {
        known.opened |= contact.opened;
    } else if list.len() < REMEMBERED {
        list.push(contact);
    }
}

fn latest(list: &[Contact], ports: &[u16], before: Moment, within: f64) -> Option<Contact> {
    let fits =
        |contact: &&Contact| (ports.is_empty() || ports.contains(&contact.port)) && before.follows(contact.at, within);
    let latest_first = || list.iter().rev().filter(fits);
    latest_first().find(|contact| contact.opened).or_else(|| latest_first().next()).copied()
}
