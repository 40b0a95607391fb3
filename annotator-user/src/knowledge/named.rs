//! Which ports the knowledge speaks of by their numbers.

use annotator_common::packet::protocol;

use super::Knowledge;
use super::ranges::Ports;
use super::schema::{Match, Segment};
use super::topics::{NARROW_MAX, Topic};
use crate::counters::{PortKey, PortProto, Side};

impl Knowledge {
    /// The ports that some entry is about. An entry about very many, such as the registered ports, is about none of them.
    pub fn named_ports(&self) -> impl Iterator<Item = PortKey> {
        let variants = self.entries.iter().flat_map(|entry| entry.variants.iter().flat_map(|variant| &variant.matches));
        let conditions = self.entries.iter().flat_map(|entry| &entry.matches).chain(variants);
        conditions.flat_map(|condition| {
            let protos: &[PortProto] = match condition.proto.map(|proto| proto.0) {
                Some(protocol::TCP) => &[PortProto::Tcp],
                Some(protocol::UDP) => &[PortProto::Udp],
                Some(_) => &[],
                None => &[PortProto::Tcp, PortProto::Udp],
            };
            let sides = [(Side::Dst, &condition.dst_port), (Side::Src, &condition.src_port)];
            let named = sides
                .into_iter()
                .filter_map(|(side, ports)| Some((side, ports.as_ref().filter(|set| is_narrow(set))?)));
            named.flat_map(move |(side, ports)| {
                ports.iter().flat_map(move |port| protos.iter().map(move |&proto| PortKey { proto, side, port }))
            })
        })
    }

    /// The TCP ports of which some entry says what a SYN looks for there.
    pub fn tried_ports(&self) -> impl Iterator<Item = u16> {
        let about_port = |condition: &&Match| Topic::of(condition) == Topic::Port;
        let conditions = self.entries.iter().flat_map(|entry| &entry.matches).filter(about_port);
        let sets = conditions.filter_map(|condition| Some((condition, condition.dst_port.as_ref()?)));
        sets.filter(|(_, ports)| is_narrow(ports)).flat_map(|(condition, ports)| {
            ports.iter().filter(|port| condition.fits_port_row(PortProto::Tcp, *port, Segment::Syn))
        })
    }
}

fn is_narrow(ports: &Ports) -> bool {
    ports.size() <= NARROW_MAX
}
