//! What a knowledge file holds. `docs/knowledge-format.md` describes it to those who write one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use annotator_common::packet::protocol;
use annotator_common::{Flag, Flags};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use toml::Spanned;

use super::ranges::{Bytes, Ports};
use crate::finding::{Confidence, Verdict};
use crate::observation::Prefix;

/// A whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its entries.
    #[serde(default, rename = "entry")]
    pub entries: Vec<Spanned<Entry>>,
    /// Where payload of which shape is worth reading.
    #[serde(default, rename = "payload")]
    pub payloads: Vec<Spanned<PayloadPorts>>,
    /// Which source ports mark an answer.
    #[serde(default)]
    pub answers: Option<Answers>,
    /// Other thresholds for the recognisers, which check them.
    #[serde(default)]
    pub thresholds: Option<toml::Table>,
}

/// Something the knowledge can explain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Stable id.
    pub id: String,
    /// One line.
    pub title: String,
    /// What it amounts to.
    pub verdict: Verdict,
    /// How sure that is.
    pub confidence: Confidence,
    /// What it is.
    pub explanation: String,
    /// What looks just like it.
    pub looks_like: String,
    /// What to do.
    pub advice: String,
    /// What has changed since 2003.
    #[serde(default)]
    pub era: Option<Era>,
    /// Where the knowledge comes from.
    pub references: Vec<String>,
    /// Other ids that it answers.
    #[serde(default)]
    pub also: Vec<String>,
    /// Whether recognisers speak through it: it has no match of its own.
    #[serde(default)]
    pub recognised: bool,
    /// Ids of findings, or the beginnings of such, beside which this one says nothing new: where they speak of the same packets, they carry its
    /// id instead.
    #[serde(default)]
    pub told_by: Vec<String>,
    /// When it speaks: any of these.
    #[serde(default, rename = "match")]
    pub matches: Vec<Match>,
    /// Who speaks in its place: the first that fits.
    #[serde(default, rename = "variant")]
    pub variants: Vec<Variant>,
}

/// What was true when the sources were written and what is true now.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Era {
    /// Around 2003.
    pub then: String,
    /// Today.
    pub now: String,
}

/// What speaks in an entry's place under narrower conditions. What it leaves out it has from the entry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Stable id.
    pub id: String,
    /// One line.
    #[serde(default)]
    pub title: Option<String>,
    /// What it amounts to.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// How sure that is.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// What it is.
    #[serde(default)]
    pub explanation: Option<String>,
    /// What looks just like it.
    #[serde(default)]
    pub looks_like: Option<String>,
    /// What to do.
    #[serde(default)]
    pub advice: Option<String>,
    /// What has changed since 2003. The entry's own belongs to the entry's explanation and goes with it.
    #[serde(default)]
    pub era: Option<Era>,
    /// Where the knowledge comes from, besides the entry's own references.
    #[serde(default)]
    pub references: Vec<String>,
    /// Other ids that it answers.
    #[serde(default)]
    pub also: Vec<String>,
    /// See [`Entry::told_by`].
    #[serde(default)]
    pub told_by: Vec<String>,
    /// When it speaks: any of these. None: a recogniser or another part of the program chooses it.
    #[serde(default, rename = "match")]
    pub matches: Vec<Match>,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// 4 or 6.
    #[serde(default)]
    pub family: Option<FamilyNumber>,
    /// IP protocol.
    #[serde(default)]
    pub proto: Option<Proto>,
    /// Destination port in this set.
    #[serde(default)]
    pub dst_port: Option<Ports>,
    /// Source port in this set.
    #[serde(default)]
    pub src_port: Option<Ports>,
    /// Destination port not in this set.
    #[serde(default)]
    pub dst_port_not: Option<Ports>,
    /// Source port not in this set.
    #[serde(default)]
    pub src_port_not: Option<Ports>,
    /// ICMP type in this set.
    #[serde(default)]
    pub icmp_type: Option<Bytes>,
    /// ICMP code in this set.
    #[serde(default)]
    pub icmp_code: Option<Bytes>,
    /// Which TCP packets. Left out: SYNs, or all where no destination port is 1024 or more.
    #[serde(default)]
    pub segment: Option<Segment>,
    /// Destination of this kind, or in one of these prefixes.
    #[serde(default)]
    pub dst: Option<Destination>,
    /// Source on the local network, at home, or in one of these prefixes.
    #[serde(default)]
    pub src: Option<Source>,
    /// All these flags.
    #[serde(default)]
    pub flags: FlagNames,
    /// None of these flags.
    #[serde(default)]
    pub flags_not: FlagNames,
    /// Payload of this shape.
    #[serde(default)]
    pub payload: Option<PayloadMatch>,
    /// An ICMP error about such a packet.
    #[serde(default)]
    pub embedded: Option<Embedded>,
    /// Whether packets from the destination to the source were seen, too: they talk with each other, and we see both sides. With a destination port or
    /// a payload: packets from the very port.
    #[serde(default)]
    pub answered: Option<bool>,
    /// Whether the destination had sent to the source's port before, or was seen to ask for the TCP connection: what comes is an answer. With UDP between
    /// two equal ports nobody knows which.
    #[serde(default)]
    pub asked: Option<bool>,
    /// Whether something listens here at the destination port, or shows that it does. Where that is not known, neither holds.
    #[serde(default)]
    pub listening: Option<bool>,
    /// TCP: the source got at least so many bytes behind the packet, beyond those that it sent in it, by what it acknowledges and, where that was seen, by
    /// what it was sent; or did behind another packet of the kind.
    #[serde(default)]
    pub received: Option<u32>,
    /// Whether the source says the same to the same port again and again, or looks after the same zone, at even intervals: with a payload.
    #[serde(default)]
    pub regular: Option<bool>,
    /// Whether the source tries communities, extensions or passwords at the same port one after the other, by SNMP or SIP.
    #[serde(default)]
    pub guesses: Option<bool>,
}

/// What an ICMP error says of the packet that it is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedded {
    /// IP protocol.
    #[serde(default)]
    pub proto: Option<Proto>,
    /// Source port in this set.
    #[serde(default)]
    pub src_port: Option<Ports>,
    /// Destination port in this set.
    #[serde(default)]
    pub dst_port: Option<Ports>,
}

/// Ports on which payload of a protocol is to be sampled and read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadPorts {
    /// Which decoder.
    pub protocol: String,
    /// TCP destination ports.
    #[serde(default)]
    pub tcp: Option<Ports>,
    /// UDP ports, destination or source.
    #[serde(default)]
    pub udp: Option<Ports>,
    /// Whether the ends of TCP connections are to be sampled, too: they acknowledge what was given.
    #[serde(default)]
    pub ends: bool,
    /// Where that comes from.
    pub references: Vec<String>,
}

/// Source ports that mark a packet to a high port as an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// UDP.
    pub udp: Ports,
}

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub enum FamilyNumber {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl TryFrom<u8> for FamilyNumber {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            4 => Ok(FamilyNumber::V4),
            6 => Ok(FamilyNumber::V6),
            _ => Err(format!("family {number} is neither 4 nor 6")),
        }
    }
}

/// An IP protocol, written by name or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proto(pub u8);

/// Protocols that have a name in the files (IANA protocol numbers).
const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", protocol::ICMP),
    ("igmp", 2),
    ("tcp", protocol::TCP),
    ("udp", protocol::UDP),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", protocol::ICMPV6),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("sctp", 132),
];

impl Proto {
    /// TCP.
    pub const TCP: Proto = Proto(protocol::TCP);
    /// UDP.
    pub const UDP: Proto = Proto(protocol::UDP);

    /// The protocol with this name.
    pub fn from_name(name: &str) -> Option<Proto> {
        PROTOCOLS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| Proto(*number))
    }
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PROTOCOLS.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "protocol {}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Proto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = Proto;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a protocol name or number")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Proto, E> {
                u8::try_from(number).map(Proto).map_err(|_| E::custom(format!("protocol {number} is not in 0-255")))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Proto, E> {
                u8::try_from(number).map(Proto).map_err(|_| E::custom(format!("protocol {number} is not in 0-255")))
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Proto, E> {
                if let Ok(number) = name.parse::<u8>() {
                    return Ok(Proto(number));
                }
                Proto::from_name(name).ok_or_else(|| E::custom(format!("unknown protocol `{name}`: give its number")))
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

/// Kinds of TCP packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segment {
    /// SYN without ACK.
    Syn,
    /// SYN and ACK.
    SynAck,
    /// FIN without SYN and RST.
    Fin,
    /// RST without SYN.
    Rst,
    /// ACK with none of SYN, FIN and RST.
    Ack,
    /// Whatever its flags.
    Any,
}

/// Kinds of sources.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// On the local network, as far as that is known.
    Local,
    /// An address of ours, or in a network of ours, given or evident.
    Home,
    /// In one of these prefixes.
    In(Prefixes),
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Source;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`local`, `home`, or a list of prefixes")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Source, E> {
                match name {
                    "local" => Ok(Source::Local),
                    "home" => Ok(Source::Home),
                    _ => Err(E::custom(format!("unknown source `{name}`: local, home, or a list of prefixes"))),
                }
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<Source, A::Error> {
                Prefixes::deserialize(de::value::SeqAccessDeserializer::new(list)).map(Source::In)
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

/// Kinds of destinations.
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    /// A broadcast of either kind.
    Broadcast,
    /// 255.255.255.255.
    LimitedBroadcast,
    /// The broadcast address of a subnet.
    DirectedBroadcast,
    /// 224/4 or ff00::/8.
    Multicast,
    /// None of these.
    Unicast,
    /// In one of these prefixes.
    In(Prefixes),
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Destination;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a kind of destination, or a list of prefixes")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Destination, E> {
                match name {
                    "broadcast" => Ok(Destination::Broadcast),
                    "limited-broadcast" => Ok(Destination::LimitedBroadcast),
                    "directed-broadcast" => Ok(Destination::DirectedBroadcast),
                    "multicast" => Ok(Destination::Multicast),
                    "unicast" => Ok(Destination::Unicast),
                    _ => Err(E::custom(format!(
                        "unknown destination `{name}`: one of broadcast, limited-broadcast, directed-broadcast, multicast, \
                         unicast, or a list of prefixes"
                    ))),
                }
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<Destination, A::Error> {
                Prefixes::deserialize(de::value::SeqAccessDeserializer::new(list)).map(Destination::In)
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

/// A list of address prefixes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Prefixes(pub Vec<Prefix>);

impl Prefixes {
    /// Whether an address lies in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|prefix| prefix.contains(address))
    }
}

impl TryFrom<Vec<String>> for Prefixes {
    type Error = String;
    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        if texts.is_empty() {
            return Err("an empty list of prefixes matches nothing".to_owned());
        }
        texts.iter().map(|text| prefix(text)).collect::<Result<_, _>>().map(Prefixes)
    }
}

/// Reads `address/bits` or a single address.
pub fn prefix(text: &str) -> Result<Prefix, String> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| format!("`{text}` is not an address prefix"))?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => longest,
        Some(bits) => bits
            .parse::<u8>()
            .ok()
            .filter(|bits| *bits <= longest)
            .ok_or_else(|| format!("`{text}` is not an address prefix: its length must be 0 to {longest}"))?,
    };
    Ok(Prefix { address, bits })
}

/// A list of flags by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct FlagNames(pub Flags);

impl TryFrom<Vec<String>> for FlagNames {
    type Error = String;
    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let mut flags = Flags::NONE;
        for name in &names {
            let flag =
                Flag::ALL.iter().find(|flag| flag.name() == name).ok_or_else(|| format!("unknown flag `{name}`"))?;
            flags.insert(*flag);
        }
        Ok(FlagNames(flags))
    }
}

/// The payload that a match asks for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Wanted>")]
pub struct PayloadMatch {
    /// Name of the shape.
    pub shape: String,
    /// Attributes that must have one of the values.
    pub attributes: BTreeMap<String, Wanted>,
}

/// One value or several, of which any will do.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    /// A number.
    Number(u64),
    /// A text, compared without regard to case; `"10-20"` is a range of numbers.
    Text(String),
    /// Any of these.
    AnyOf(Vec<Wanted>),
}

impl Wanted {
    /// Whether a value of a payload is wanted.
    pub fn accepts(&self, value: &str) -> bool {
        match self {
            Wanted::Number(number) => value.parse() == Ok(*number),
            Wanted::Text(text) => text.eq_ignore_ascii_case(value) || in_range(text, value),
            Wanted::AnyOf(any) => any.iter().any(|wanted| wanted.accepts(value)),
        }
    }
}

fn in_range(range: &str, value: &str) -> bool {
    let bounds =
        range.split_once('-').and_then(|(from, to)| Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?)));
    match (bounds, value.parse::<u64>()) {
        (Some((from, to)), Ok(value)) => (from..=to).contains(&value),
        _ => false,
    }
}

impl TryFrom<BTreeMap<String, Wanted>> for PayloadMatch {
    type Error = String;
    fn try_from(mut table: BTreeMap<String, Wanted>) -> Result<Self, String> {
        let Some(Wanted::Text(shape)) = table.remove("shape") else {
            return Err("a payload needs `shape`, a text".to_owned());
        };
        let known = crate::payload::attributes_of(&shape).ok_or_else(|| format!("unknown payload shape `{shape}`"))?;
        if let Some(name) = table.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("the payload shape `{shape}` has no `{name}`; it has: {}", known.join(", ")));
        }
        Ok(PayloadMatch { shape, attributes: table })
    }
}
