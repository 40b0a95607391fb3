//! A packet made up from what was asked, so that the same engine answers for it that answers for real ones.

use std::net::IpAddr;

use annotator_common::Settings;

use crate::capture::{Captured, LinkType, Observer};
use crate::finding::Finding;
use crate::knowledge::Knowledge;
use crate::observation::Locality;
use crate::recognise::Thresholds;

/// Addresses in no special range stand for the other end.
const SOMEBODY_V4: &str = "198.18.0.1";
const SOMEBODY_V6: &str = "2a00::1";
/// A protocol number kept for experiments (RFC 3692): it says nothing.
const EXPERIMENT: u8 = 253;
const TTL: u8 = 60;

/// An IP packet with these addresses, protocol and contents.
pub(super) fn ip(source: IpAddr, destination: IpAddr, protocol: u8, ttl: u8, body: &[u8]) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let length = (20 + body.len()) as u16;
            let mut packet = vec![0x45, 0];
            packet.extend(length.to_be_bytes());
            packet.extend([0, 0, 0x40, 0, ttl, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(body);
            packet
        }
        (source, destination) => {
            let v6 = |address: IpAddr| match address {
                IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                IpAddr::V6(v6) => v6,
            };
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend((body.len() as u16).to_be_bytes());
            packet.extend([protocol, ttl]);
            packet.extend(v6(source).octets());
            packet.extend(v6(destination).octets());
            packet.extend(body);
            packet
        }
    }
}

/// Somebody of the same family.
pub(super) fn somebody(like: IpAddr) -> IpAddr {
    let text = if like.is_ipv4() { SOMEBODY_V4 } else { SOMEBODY_V6 };
    text.parse().unwrap_or(like)
}

/// A packet that comes from an address.
pub(super) fn from_address(address: IpAddr) -> Vec<u8> {
    ip(address, somebody(address), EXPERIMENT, TTL, &[])
}

/// A packet that goes to an address.
pub(super) fn to_address(address: IpAddr) -> Vec<u8> {
    ip(somebody(address), address, EXPERIMENT, TTL, &[])
}

/// What the engine and the knowledge say of an IP packet alone.
pub(super) fn findings(knowledge: &Knowledge, packet: &[u8]) -> Vec<Finding> {
    let mut observer = Observer::new(Box::new(Settings::DEFAULT));
    observer.observe(Captured { at: None, link_type: LinkType::RawIp, frame: packet });
    let gathered = observer.finish();
    let locality = Locality::default();
    let observations = gathered.observations(false, &locality);
    knowledge.findings(&observations, &Thresholds::default(), &[])
}
