//! One packet as evidence: its headers decoded, and the same bytes in hex. What it carries is left out.

use std::fmt::Write as _;

use annotator_common::packet::tcp::{ACK, FIN, PSH, RST, SYN, URG};
use annotator_common::{Family, Transport};

use super::words;
use crate::observation::Sighting;

/// Bytes that are shown at most: an IPv4 header and a TCP header with options in common use.
const BYTES_MAX: usize = 80;

/// A packet as a line of evidence.
pub fn of(sighting: &Sighting) -> String {
    let packet = &sighting.packet;
    let (source, destination) = (sighting.source(), sighting.destination());
    let mut line = format!("Packet at {}: ", words::moment(sighting.at));
    let what = match packet.transport {
        Transport::Tcp => format!(
            "TCP {source} port {} to {destination} port {}, flags {}, window {}",
            packet.source_port,
            packet.destination_port,
            flags(packet.tcp_flags),
            sighting.tcp_window().unwrap_or_default()
        ),
        Transport::Udp => format!(
            "UDP {source} port {} to {destination} port {}, {}",
            packet.source_port,
            packet.destination_port,
            words::count(sighting.payload_length().into(), "byte")
        ),
        Transport::Icmp | Transport::Icmpv6 => {
            format!("ICMP {source} to {destination}, type {} code {}", packet.icmp_type, packet.icmp_code)
        }
        Transport::None => format!("{source} to {destination}, protocol {}", packet.protocol),
    };
    line.push_str(&what);
    let _ = write!(line, ", TTL {}", packet.ttl);
    if packet.family == Family::V4 {
        let _ = write!(line, ", identification {:#06x}", packet.identification);
    }
    line.push_str("; headers in hex: ");
    for byte in headers(sighting) {
        let _ = write!(line, "{byte:02x}");
    }
    line + "."
}

/// IP and transport header, without what they carry.
fn headers(sighting: &Sighting) -> &[u8] {
    let packet = &sighting.packet;
    let end = packet.payload_at().min(packet.end) as usize;
    let bytes = sighting.bytes.get(packet.network as usize..end.min(sighting.bytes.len())).unwrap_or_default();
    &bytes[..bytes.len().min(BYTES_MAX)]
}

fn flags(bits: u8) -> String {
    const NAMES: [(u8, &str); 6] = [(SYN, "SYN"), (ACK, "ACK"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (URG, "URG")];
    let names: Vec<&str> = NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { "none".into() } else { names.join(" ") }
}
