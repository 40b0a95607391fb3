//! Lines of firewall logs: iptables and nftables (`SRC=… DST=… PROTO=TCP SPT=… DPT=…`), and the older form
//! `proto=1 from=10.2.3.4:8 to=192.0.2.123:0`, where an ICMP type stands in the place of a port.

use std::net::IpAddr;

use annotator_common::packet::{protocol, tcp};

use super::packet::{ip, somebody};
use crate::counters::{IcmpKey, PortProto};
use crate::names;
use annotator_common::Family;

/// TTL of a line that gives none.
const TTL: u8 = 60;

/// What a line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    protocol: u8,
    /// What stands in the places of the ports.
    numbers: (Option<u16>, Option<u16>),
    /// Whether type and code stood in the places of ports.
    called_ports: bool,
    tcp_flags: u8,
    ttl: Option<u8>,
    /// The packet that an ICMP error is about.
    original: Option<Box<Entry>>,
}

/// Whether a text looks like a line of a firewall log.
pub(super) fn looks_like_one(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let has = |key: &str| lower.split_whitespace().any(|word| word.starts_with(key));
    has("proto=") && (has("src=") || has("dst=") || has("from=") || has("to="))
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Result<Entry, String> {
    // iptables quotes the packet that an ICMP error is about in brackets.
    let (outer, inner) = match line.split_once('[') {
        Some((before, after)) if looks_like_one(after.split(']').next().unwrap_or_default()) => {
            let (inside, behind) = after.split_once(']').unwrap_or((after, ""));
            (format!("{before} {behind}"), Some(inside))
        }
        _ => (line.to_owned(), None),
    };
    let mut entry = fields(&outer)?;
    entry.original = match inner {
        Some(inner) => Some(Box::new(fields(inner)?)),
        None => None,
    };
    Ok(entry)
}

fn fields(text: &str) -> Result<Entry, String> {
    let mut entry = Entry::default();
    let mut protocol = None;
    let (mut kind, mut code) = (None, None);
    for word in text.split_whitespace() {
        let Some((key, value)) = word.split_once('=') else {
            entry.tcp_flags |= flag(word);
            continue;
        };
        let value = value.trim_matches(['"', ',', ';']);
        match key.to_ascii_uppercase().as_str() {
            "SRC" => entry.source = Some(address(value)?),
            "DST" => entry.destination = Some(address(value)?),
            "FROM" => {
                let (address, port) = socket(value)?;
                (entry.source, entry.numbers.0) = (Some(address), port);
                entry.called_ports = true;
            }
            "TO" => {
                let (address, port) = socket(value)?;
                (entry.destination, entry.numbers.1) = (Some(address), port);
                entry.called_ports = true;
            }
            "PROTO" => protocol = Some(protocol_number(value)?),
            "SPT" => entry.numbers.0 = Some(number(value, "port")?),
            "DPT" => entry.numbers.1 = Some(number(value, "port")?),
            "TYPE" => kind = Some(number::<u8>(value, "ICMP type")?),
            "CODE" => code = Some(number::<u8>(value, "ICMP code")?),
            "TTL" => entry.ttl = value.parse().ok(),
            _ => {}
        }
    }
    entry.protocol = protocol.ok_or("The line names no protocol (PROTO=), so its numbers cannot be read.")?;
    if entry.is_icmp() {
        if let Some(kind) = kind {
            entry.numbers = (Some(kind.into()), code.map(u16::from));
            entry.called_ports = false;
        }
        let too_big = |number: Option<u16>| number.is_some_and(|number| number > u16::from(u8::MAX));
        if too_big(entry.numbers.0) || too_big(entry.numbers.1) {
            return Err("ICMP types and codes are numbers from 0 to 255.".to_owned());
        }
    }
    if let (Some(source), Some(destination)) = (entry.source, entry.destination)
        && source.is_ipv4() != destination.is_ipv4()
    {
        return Err("The two addresses are of different families.".to_owned());
    }
    Ok(entry)
}

fn flag(word: &str) -> u8 {
    match word {
        "SYN" => tcp::SYN,
        "ACK" => tcp::ACK,
        "FIN" => tcp::FIN,
        "RST" => tcp::RST,
        "PSH" => tcp::PSH,
        "URG" => tcp::URG,
        _ => 0,
    }
}

fn address(value: &str) -> Result<IpAddr, String> {
    value.parse().map_err(|_| format!("`{}` is no address.", value.escape_debug()))
}

/// `address:port`, or an address alone.
fn socket(value: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(address) = value.parse() {
        return Ok((address, None));
    }
    let (host, port) = value.rsplit_once(':').ok_or_else(|| format!("`{}` is no address.", value.escape_debug()))?;
    Ok((address(host.trim_matches(['[', ']']))?, Some(number(port, "port")?)))
}

fn number<T: std::str::FromStr>(value: &str, what: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{}` is no {what}.", value.escape_debug()))
}

fn protocol_number(value: &str) -> Result<u8, String> {
    if let Ok(number) = value.parse() {
        return Ok(number);
    }
    let known = (0..=u8::MAX).find(|number| names::ip_protocol(*number).eq_ignore_ascii_case(value));
    known.ok_or_else(|| format!("`{}` is no protocol.", value.escape_debug()))
}

impl Entry {
    fn is_icmp(&self) -> bool {
        matches!(self.protocol, protocol::ICMP | protocol::ICMPV6)
    }

    /// What the line says, in words, and what it says wrongly.
    pub fn notes(&self) -> Vec<String> {
        let end = |address: Option<IpAddr>| address.map_or("somebody".to_owned(), |address| address.to_string());
        let (source, destination) = (end(self.source), end(self.destination));
        let mut notes = Vec::new();
        if self.is_icmp() {
            let family = if self.protocol == protocol::ICMPV6 { Family::V6 } else { Family::V4 };
            let (icmp_type, code) = self.type_and_code();
            let name =
                names::icmp(IcmpKey { family, icmp_type, code }).map_or(String::new(), |name| format!(" ({name})"));
            let protocol = if family == Family::V6 { "ICMPv6" } else { "ICMP" };
            notes.push(format!("{protocol} type {icmp_type} code {code}{name}, from {source} to {destination}."));
            if self.called_ports {
                notes.push(format!(
                    "{protocol} has no ports: protocol {} with {icmp_type} and {code} where ports would stand means type {icmp_type}, code {code}.",
                    self.protocol
                ));
            }
        } else {
            let port = |number: Option<u16>| {
                number.map_or(String::new(), |number| format!(" port {number}{}", self.service(number)))
            };
            let name = names::ip_protocol(self.protocol).to_uppercase();
            notes.push(format!(
                "{name} from {source}{} to {destination}{}.",
                port(self.numbers.0),
                port(self.numbers.1)
            ));
        }
        if let Some(original) = &self.original {
            notes.push(format!("It is about another packet: {}", original.notes().join(" ")));
        }
        notes
    }

    fn service(&self, port: u16) -> String {
        let proto = match self.protocol {
            protocol::TCP => PortProto::Tcp,
            protocol::UDP => PortProto::Udp,
            _ => return String::new(),
        };
        names::service(proto, port).map_or(String::new(), |name| format!(" ({name})"))
    }

    fn type_and_code(&self) -> (u8, u8) {
        let byte = |number: Option<u16>| number.and_then(|number| u8::try_from(number).ok()).unwrap_or(0);
        (byte(self.numbers.0), byte(self.numbers.1))
    }

    /// The packet that the line is about.
    pub fn packet(&self) -> Vec<u8> {
        let like = self.source.or(self.destination).unwrap_or(IpAddr::from([198, 18, 0, 1]));
        let source = self.source.unwrap_or(somebody(like));
        // The neighbour of the one who stands for a stranger: two equal addresses would be an attack of their own.
        let destination = self.destination.unwrap_or_else(|| match somebody(like) {
            IpAddr::V4(v4) => (u32::from(v4) + 1).to_be_bytes().into(),
            IpAddr::V6(v6) => (u128::from(v6) + 1).to_be_bytes().into(),
        });
        ip(source, destination, self.protocol, self.ttl.unwrap_or(TTL), &self.body())
    }

    fn body(&self) -> Vec<u8> {
        let (source, destination) = (self.numbers.0.unwrap_or(0), self.numbers.1.unwrap_or(0));
        let mut body = Vec::new();
        match self.protocol {
            protocol::TCP => {
                body.extend(source.to_be_bytes());
                body.extend(destination.to_be_bytes());
                let flags = if self.tcp_flags == 0 { tcp::SYN } else { self.tcp_flags };
                body.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
            }
            protocol::UDP => {
                body.extend(source.to_be_bytes());
                body.extend(destination.to_be_bytes());
                body.extend([0, 8, 0, 0]);
            }
            protocol::ICMP | protocol::ICMPV6 => {
                let (icmp_type, code) = self.type_and_code();
                body.extend([icmp_type, code, 0, 0, 0, 0, 0, 0]);
                body.extend(self.original.iter().flat_map(|original| original.packet()));
            }
            _ => {}
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_in_the_place_of_ports() {
        let entry = parse("proto=1 from=10.2.3.4:8 to=192.0.2.123:0").unwrap();
        assert_eq!(entry.type_and_code(), (8, 0));
        let notes = entry.notes();
        assert!(notes[0].contains("ICMP type 8 code 0"), "{notes:?}");
        assert!(notes[1].contains("no ports"), "{notes:?}");
    }

    #[test]
    fn netfilter() {
        let line = "kernel: DROP IN=eth0 OUT= MAC=00:01 SRC=198.18.5.5 DST=198.18.0.9 LEN=60 TTL=52 ID=1 DF PROTO=TCP SPT=40000 DPT=23 \
                    WINDOW=1024 RES=0x00 SYN URGP=0";
        assert!(looks_like_one(line));
        let entry = parse(line).unwrap();
        assert_eq!((entry.protocol, entry.numbers, entry.tcp_flags), (6, (Some(40000), Some(23)), tcp::SYN));
        let about = "SRC=198.18.5.5 DST=198.18.0.9 PROTO=ICMP TYPE=3 CODE=3 [SRC=198.18.0.9 DST=198.18.5.5 PROTO=UDP SPT=53 DPT=4000 ]";
        let entry = parse(about).unwrap();
        assert_eq!(entry.type_and_code(), (3, 3));
        assert_eq!(entry.original.unwrap().numbers, (Some(53), Some(4000)));
    }

    #[test]
    fn lines_that_cannot_be_read() {
        for line in [
            "SRC=1.2.3.4 PROTO=TCP DPT=70000",
            "SRC=1.2.3.4 DST=::1 PROTO=UDP",
            "SRC=nobody PROTO=TCP",
            "PROTO=quux SRC=1.2.3.4",
            "proto=1 from=10.2.3.4:800 to=192.0.2.123:0",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(!looks_like_one("tcp/23"));
    }
}
