//! When the packets of a finding came, and by which protocol and to which ports, as far as they were looked at.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::names;
use crate::observation::{Moment, Sighting};

/// Ports that an extent lists at most.
pub const PORTS_MAX: usize = 24;

/// What the sampled packets of a finding have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Extent {
    /// The first of them, or of those like them that were only counted.
    pub first: Option<Moment>,
    /// The last of them, likewise.
    pub last: Option<Moment>,
    /// IANA keyword of their protocol, where it is one.
    pub protocol: Option<Cow<'static, str>>,
    /// Destination ports in the order in which they came, [`PORTS_MAX`] at most.
    pub ports: Vec<u16>,
}

impl Extent {
    /// What packets have in common.
    pub fn of<'a>(sightings: impl Iterator<Item = &'a Sighting> + Clone) -> Self {
        let mut ports = destination_ports(sightings.clone());
        ports.truncate(PORTS_MAX);
        let protocols: BTreeSet<_> = sightings
            .clone()
            .map(|sighting| sighting.packet.has_protocol.then_some(sighting.packet.protocol))
            .collect();
        let protocol = match protocols.first() {
            Some(Some(protocol)) if protocols.len() == 1 => Some(names::ip_protocol(*protocol)),
            _ => None,
        };
        let moments = sightings.map(|sighting| sighting.at);
        Extent { first: moments.clone().min(), last: moments.max(), protocol, ports }
    }

    /// Takes in what other packets have in common.
    pub fn join(&mut self, other: Extent) {
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        self.protocol = self.protocol.take().filter(|protocol| other.protocol.as_ref() == Some(protocol));
        append(&mut self.ports, other.ports, PORTS_MAX);
    }
}

/// Adds what a list does not hold yet, as far as there is room.
pub fn append<T: PartialEq>(list: &mut Vec<T>, more: impl IntoIterator<Item = T>, max: usize) {
    for item in more {
        if list.len() < max && !list.contains(&item) {
            list.push(item);
        }
    }
}

/// Destination ports of TCP and UDP, in the order in which they came.
pub fn destination_ports<'a>(sightings: impl Iterator<Item = &'a Sighting>) -> Vec<u16> {
    let mut known = BTreeSet::new();
    sightings
        .filter(|sighting| sighting.port_proto().is_some())
        .map(|sighting| sighting.packet.destination_port)
        .filter(|port| known.insert(*port))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use annotator_common::{Link, News, Settings};

    /// A packet at a second, of a protocol, to a port.
    fn sighting(second: i64, protocol: u8, port: u16) -> Sighting {
        let mut packet = vec![0x45, 0, 0, 40, 0, 7, 0, 0, 52, protocol, 0, 0, 198, 51, 100, 3, 192, 0, 2, 10];
        packet.extend([0x0f, 0xa0]);
        packet.extend(port.to_be_bytes());
        packet.extend([0; 16]);
        Sighting::new(Moment(second), News::NONE, Link::RawIp, 40, &packet, &Settings::DEFAULT)
    }

    #[test]
    fn ports_come_in_order_and_the_protocol_only_where_it_is_one() {
        const TCP: u8 = 6;
        const UDP: u8 = 17;
        let tcp = [sighting(5, TCP, 2323), sighting(7, TCP, 23), sighting(9, TCP, 2323)];
        let extent = Extent::of(tcp.iter());
        assert_eq!((extent.first, extent.last), (Some(Moment(5)), Some(Moment(9))));
        assert_eq!((extent.protocol.as_deref(), extent.ports), (Some("tcp"), vec![2323, 23]));
        let mixed = [sighting(5, TCP, 53), sighting(7, UDP, 53)];
        assert_eq!(Extent::of(mixed.iter()).protocol, None);
        let many: Vec<_> = (0..100).map(|port| sighting(0, UDP, port)).collect();
        assert_eq!(Extent::of(many.iter()).ports.len(), PORTS_MAX);
        assert_eq!(Extent::of([].into_iter()), Extent::default());
    }
}
