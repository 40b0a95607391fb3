//! Whom this host contacted, as the egress program tells it: remembered for longer than a window, in bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;

use annotator_common::Peer;

use crate::observation::Moment;

/// Contacts that are remembered.
const CONTACTS_MAX: usize = 32_768;

/// A service that an address of this host contacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// The address here.
    pub local: IpAddr,
    /// Who was contacted.
    pub remote: IpAddr,
    /// By which IP protocol.
    pub protocol: u8,
    /// At which port; 0 for protocols without ports.
    pub port: u16,
    /// When first.
    pub first: Moment,
    /// When last.
    pub last: Moment,
}

/// All contacts that are remembered. The oldest are forgotten first.
pub struct OutboundBook {
    contacts: HashMap<Peer, (Moment, Moment)>,
    capacity: usize,
}

impl Default for OutboundBook {
    fn default() -> Self {
        OutboundBook { contacts: HashMap::new(), capacity: CONTACTS_MAX }
    }
}

impl OutboundBook {
    /// Adds a contact.
    pub fn add(&mut self, peer: Peer, at: Moment) {
        let (first, last) = self.contacts.entry(peer).or_insert((at, at));
        (*first, *last) = ((*first).min(at), (*last).max(at));
        if self.contacts.len() > self.capacity {
            self.forget();
        }
    }

    /// Forgets the quarter that was not contacted for the longest time.
    fn forget(&mut self) {
        let mut ages: Vec<Moment> = self.contacts.values().map(|(_, last)| *last).collect();
        let quarter = ages.len() / 4;
        let oldest = *ages.select_nth_unstable(quarter).1;
        self.contacts.retain(|_, (_, last)| *last > oldest);
    }

    /// What is remembered, in order of the first contact.
    pub fn contacts(&self) -> Vec<Outbound> {
        let mut all: Vec<_> = self
            .contacts
            .iter()
            .map(|(peer, (first, last))| Outbound {
                local: peer.local.to_ip(),
                remote: peer.remote.to_ip(),
                protocol: peer.protocol,
                port: peer.port,
                first: *first,
                last: *last,
            })
            .collect();
        all.sort_unstable_by_key(|contact| (contact.first, contact.remote, contact.port));
        all
    }
}

#[cfg(test)]
mod tests {
    use annotator_common::packet::tcp;
    use annotator_common::{Address, Packet, Transport};

    use super::*;

    fn peer(remote: u32) -> Peer {
        let mut packet = Packet::default();
        packet.destination = Address::v4(remote);
        packet.transport = Transport::Tcp;
        packet.destination_port = 21;
        packet.tcp_flags = tcp::SYN;
        Peer::of(&packet).expect("a SYN contacts")
    }

    #[test]
    fn contacts_are_merged() {
        let mut book = OutboundBook::default();
        for at in [20, 10, 30] {
            book.add(peer(1), Moment(at));
        }
        book.add(peer(2), Moment(5));
        let contacts = book.contacts();
        assert_eq!(contacts.len(), 2);
        assert_eq!((contacts[0].first, contacts[1].first, contacts[1].last), (Moment(5), Moment(10), Moment(30)));
    }

    #[test]
    fn the_book_is_bounded_and_forgets_the_oldest() {
        let mut book = OutboundBook { capacity: 100, ..OutboundBook::default() };
        for i in 0..10_000 {
            book.add(peer(i), Moment(i.into()));
            book.add(peer(7), Moment(i.into()));
        }
        let contacts = book.contacts();
        assert!(contacts.len() <= 100);
        assert_eq!(contacts.iter().map(|contact| contact.last).max(), Some(Moment(9_999)));
        assert!(contacts.iter().any(|contact| contact.remote == peer(7).remote.to_ip()), "it is used all the time");
    }

    #[test]
    fn contacts_of_one_moment_do_not_exceed_the_bound() {
        let mut book = OutboundBook { capacity: 100, ..OutboundBook::default() };
        for i in 0..1000 {
            book.add(peer(i), Moment(1));
        }
        assert!(book.contacts().len() <= 100);
    }
}
