//! One packet as evidence: its headers decoded, and the same bytes as they came. What it carries is left out.

use std::fmt::Write as _;

use annotator_common::packet::tcp::{ACK, FIN, PSH, RST, SYN, URG};
use annotator_common::{Family, Link, Transport};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::counters::PortProto;
use crate::names;
use crate::observation::{Moment, Sighting};
use crate::quantity::count;

/// Packets that a finding shows at most.
pub const EXAMPLES_MAX: usize = 3;
/// Bytes of a packet that are shown at most: Ethernet with two tags, an IPv4 and a TCP header with all options they can have.
const BYTES_MAX: usize = 142;

/// A packet that a finding rests on.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Example {
    /// When it arrived.
    pub at: Moment,
    /// Its headers, decoded.
    pub headers: String,
    /// What `bytes` begin with: an Ethernet header (`ethernet`), or the network header (`ip`) where the link has none or another.
    #[serde(serialize_with = "link_name")]
    #[schemars(with = "String", extend("enum" = ["ethernet", "ip"]))]
    pub link: Link,
    /// Length of the whole frame, in bytes.
    pub length: u32,
    /// As far as the headers go that were read; in JSON as hex.
    #[serde(rename = "hex", serialize_with = "hex")]
    #[schemars(with = "String", regex(pattern = "^([0-9a-f]{2})*$"))]
    pub bytes: Box<[u8]>,
}

impl Example {
    /// What is shown of a packet.
    pub fn of(sighting: &Sighting) -> Self {
        Example {
            at: sighting.at,
            headers: decoded(sighting),
            link: if sighting.link == Link::Ethernet { Link::Ethernet } else { Link::RawIp },
            length: sighting.frame_length,
            bytes: headers(sighting).into(),
        }
    }
}

/// Addresses, ports and the fields that tell one sender from another.
fn decoded(sighting: &Sighting) -> String {
    let packet = &sighting.packet;
    if packet.family == Family::None {
        let what = names::ethertype(packet.ethertype);
        return format!("{what}, {}", count(sighting.frame_length.into(), "byte"));
    }
    let (source, destination) = (sighting.source(), sighting.destination());
    let mut line = match packet.transport {
        Transport::Tcp => format!(
            "TCP {source} port {} to {destination} port {}, flags {}, window {}",
            names::port(PortProto::Tcp, packet.source_port),
            names::port(PortProto::Tcp, packet.destination_port),
            tcp_flags(packet.tcp_flags),
            sighting.tcp_window().unwrap_or_default()
        ),
        Transport::Udp => format!(
            "UDP {source} port {} to {destination} port {}, {}",
            names::port(PortProto::Udp, packet.source_port),
            names::port(PortProto::Udp, packet.destination_port),
            count(sighting.payload_length().into(), "byte")
        ),
        Transport::Icmp | Transport::Icmpv6 => {
            let protocol = if packet.transport == Transport::Icmp { "ICMP" } else { "ICMPv6" };
            format!("{protocol} {source} to {destination}, type {} code {}", packet.icmp_type, packet.icmp_code)
        }
        Transport::None => format!("{source} to {destination}, protocol {}", packet.protocol),
    };
    let _ = write!(line, ", TTL {}", packet.ttl);
    if packet.family == Family::V4 {
        let _ = write!(line, ", identification {:#06x}", packet.identification);
    }
    line
}

/// The headers, without what they carry.
fn headers(sighting: &Sighting) -> &[u8] {
    let packet = &sighting.packet;
    let from = if sighting.link == Link::Ethernet { 0 } else { packet.network };
    let to = if packet.family == Family::None { sighting.frame_length } else { packet.payload_at().min(packet.end) };
    let bytes = sighting.bytes.get(from as usize..(to as usize).min(sighting.bytes.len())).unwrap_or_default();
    &bytes[..bytes.len().min(BYTES_MAX)]
}

fn link_name<S: Serializer>(link: &Link, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *link == Link::Ethernet { "ethernet" } else { "ip" })
}

fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    serializer.serialize_str(&text)
}

/// The TCP flags that are set, by name.
pub fn tcp_flags(bits: u8) -> String {
    const NAMES: [(u8, &str); 6] = [(SYN, "SYN"), (ACK, "ACK"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (URG, "URG")];
    let names: Vec<&str> = NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { "none".into() } else { names.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annotator_common::{News, Settings};

    #[test]
    fn headers_are_shown_and_payload_is_not() {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        frame.extend([0x45, 0, 0, 36, 0, 7, 0, 0, 52, 17, 0, 0, 198, 51, 100, 3, 192, 0, 2, 10]);
        frame.extend([0x0f, 0xa0, 0x11, 0x5c, 0, 16, 0, 0]);
        let headers = frame.len();
        frame.extend(*b"password");
        let at = Moment(1_043_472_600_000_000_000);
        let sighting = Sighting::new(at, News::NONE, Link::Ethernet, 50, &frame, &Settings::DEFAULT);
        let example = Example::of(&sighting);
        assert_eq!(*example.bytes, frame[..headers]);
        assert_eq!(
            example.headers,
            "UDP 198.51.100.3 port 4000 to 192.0.2.10 port 4444, 8 bytes, TTL 52, identification 0x0007"
        );
        let json = serde_json::to_value(&example).unwrap();
        assert_eq!(json["hex"].as_str().unwrap().len(), 2 * headers);
        assert_eq!((json["link"].as_str(), json["length"].as_u64()), (Some("ethernet"), Some(50)));
    }
}
