//! Which ports the knowledge speaks of by their numbers.

use annotator_common::packet::protocol;

use super::Knowledge;
use super::ranges::Ports;
use super::topics::NARROW_MAX;
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
}

fn is_narrow(ports: &Ports) -> bool {
    ports.size() <= NARROW_MAX
}
