//! The report: one value, which every writer shows in its own way. Its serialised form is `annotator.report/1`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use annotator_common::source::distinct;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::counters::Counters;
use crate::finding::Finding;
use crate::names;
use crate::observation::{Moment, Observations, Rate, Sighting, SourceView};

/// Version of the serialised form.
pub const SCHEMA: &str = "annotator.report/1";

/// Sources that a report lists; [`Coverage::sources_tracked`] says how many there were.
pub const SOURCES_LISTED: usize = 2000;

/// What a stretch of traffic amounts to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Name and version of this form.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// Where the packets come from.
    pub source: Origin,
    /// When they came.
    pub window: Window,
    /// How many.
    pub totals: Totals,
    /// What the report can and cannot say.
    pub coverage: Coverage,
    /// Packets over time, oldest first; stretches without any are left out. The first and the last may reach beyond the window.
    pub rates: Vec<Rate>,
    /// By protocol, most packets first. Complete.
    pub protocols: Vec<ProtocolRow>,
    /// By flag. Complete.
    pub flags: BTreeMap<&'static str, u64>,
    /// By port, most packets first. Complete.
    pub ports: Vec<PortRow>,
    /// By ICMP type and code, most packets first. Complete.
    pub icmp: Vec<IcmpRow>,
    /// Sources, most packets first, [`SOURCES_LISTED`] at most.
    pub sources: Vec<SourceRow>,
    /// What it means, gravest first.
    pub findings: Vec<Finding>,
    /// What the reader should know of how the report came about: a damaged file, a kernel that is too old for something.
    pub notes: Vec<String>,
    /// The sampled packets in order of time, for those who show more of them than [`Finding::examples`]. Not part of the serialised form.
    #[serde(skip)]
    pub sightings: Vec<Sighting>,
}

/// Capture or interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OriginKind {
    /// Capture files.
    Capture,
    /// Network interfaces.
    Interface,
}

/// Where the packets come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Origin {
    /// Capture or interface.
    pub kind: OriginKind,
    /// Names of the files or interfaces.
    pub name: String,
    /// How the program is attached; `None` for captures.
    pub xdp_mode: Option<String>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Window {
    /// Its beginning.
    pub from: Moment,
    /// Its end.
    pub to: Moment,
    /// Its length.
    pub seconds: f64,
}

/// Sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Totals {
    /// Packets.
    pub packets: u64,
    /// Frame bytes.
    pub bytes: u64,
}

/// What the report can and cannot say.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Coverage {
    /// Packets parsed to their end.
    pub parsed: u64,
    /// The others, by reason.
    pub not_parsed: BTreeMap<&'static str, u64>,
    /// Sources whose behaviour is known.
    pub sources_tracked: u64,
    /// Packets from sources that found no room in the source table, and sources that had to be let go again.
    pub sources_not_tracked: u64,
    /// Packets looked at closely.
    pub samples: u64,
    /// Packets that would have deserved it and were over budget.
    pub samples_withheld: u64,
    /// Percent of packets whose protocol or port has a name, or that the largest finding covers: an estimate from the counters.
    pub explained_percent: f64,
}

/// A protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProtocolRow {
    /// IANA keyword, EtherType name, or a name made from the number.
    pub name: Cow<'static, str>,
    /// 4, 6, or 0 for what is not IP.
    pub family: u8,
    /// Packets.
    pub packets: u64,
    /// Frame bytes.
    pub bytes: u64,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PortRow {
    /// `tcp` or `udp`.
    #[schemars(extend("enum" = ["tcp", "udp"]))]
    pub proto: &'static str,
    /// `dst` or `src`.
    #[schemars(extend("enum" = ["dst", "src"]))]
    pub side: &'static str,
    /// Number.
    pub port: u16,
    /// Usual service.
    pub service: Option<String>,
    /// Packets.
    pub packets: u64,
    /// Frame bytes.
    pub bytes: u64,
    /// SYNs without ACK among them.
    pub syn: u64,
}

/// An ICMP type and code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IcmpRow {
    /// 4 for ICMP, 6 for ICMPv6.
    pub family: u8,
    /// Type.
    #[serde(rename = "type")]
    pub icmp_type: u8,
    /// Code.
    pub code: u8,
    /// Name, where the type has one.
    pub name: Option<&'static str>,
    /// Packets.
    pub packets: u64,
    /// Frame bytes.
    pub bytes: u64,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceRow {
    /// Address.
    pub address: IpAddr,
    /// Packets, without established TCP data.
    pub packets: u64,
    /// First packet.
    pub first: Moment,
    /// Last packet.
    pub last: Moment,
    /// Estimate of distinct destination ports.
    pub ports_about: u32,
    /// Estimate of distinct destination addresses.
    pub destinations_about: u32,
    /// SYNs without ACK.
    pub syn: u64,
    /// Packets with RST.
    pub rst: u64,
    /// Packets with FIN.
    pub fin: u64,
    /// UDP packets.
    pub udp: u64,
    /// ICMP packets.
    pub icmp: u64,
    /// Lowest TTL seen.
    pub ttl_low: u8,
    /// Highest TTL seen.
    pub ttl_high: u8,
}

/// A moment as a timestamp; what no calendar can hold becomes its first or last day.
pub fn timestamp(moment: Moment) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(moment.0)).unwrap_or(if moment.0 < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

impl Report {
    /// A report of what was observed, with what it was found to mean.
    pub fn new(
        origin: Origin,
        observations: &Observations<'_>,
        findings: Vec<Finding>,
        explained_percent: f64,
        notes: Vec<String>,
    ) -> Self {
        let counters = observations.counters;
        let total = counters.total();
        Report {
            schema: SCHEMA,
            source: origin,
            window: Window {
                from: observations.from,
                to: observations.to,
                seconds: observations.to.seconds_since(observations.from),
            },
            totals: Totals { packets: total.packets, bytes: total.bytes },
            coverage: Coverage {
                parsed: counters.parsed(),
                not_parsed: counters.not_parsed.iter().map(|(reason, count)| (reason.name(), count.packets)).collect(),
                sources_tracked: observations.sources.len() as u64,
                sources_not_tracked: counters.packets_of_untracked_sources + observations.sources_dropped,
                samples: counters.samples,
                samples_withheld: counters.samples_withheld,
                explained_percent,
            },
            rates: observations.rates.to_vec(),
            protocols: protocols(counters),
            flags: counters.flags.iter().map(|(flag, count)| (flag.name(), count.packets)).collect(),
            ports: ports(counters),
            icmp: icmp(counters),
            sources: sources(observations.sources),
            findings,
            notes,
            sightings: Vec::new(),
        }
    }
}

#[cfg(test)]
impl Report {
    /// Of nothing, for tests to put something into.
    pub fn empty() -> Self {
        let observations = Observations {
            from: Moment(0),
            to: Moment(0),
            live: false,
            counters: &Counters::default(),
            rates: &[],
            busiest: &[],
            sources: &[],
            sources_dropped: 0,
            sightings: &[],
            outbound: None,
            locality: &crate::observation::Locality::default(),
        };
        let origin = Origin { kind: OriginKind::Capture, name: String::new(), xdp_mode: None };
        Report::new(origin, &observations, Vec::new(), 100.0, Vec::new())
    }
}

fn protocols(counters: &Counters) -> Vec<ProtocolRow> {
    use crate::counters::Protocol;
    let mut rows: Vec<_> = counters
        .protocols
        .iter()
        .map(|(row, count)| ProtocolRow {
            name: names::protocol(*row),
            family: match row {
                Protocol::Ip(family, _) => *family as u8,
                Protocol::EtherType(_) | Protocol::Ieee8023 => 0,
            },
            packets: count.packets,
            bytes: count.bytes,
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.packets));
    rows
}

fn ports(counters: &Counters) -> Vec<PortRow> {
    let mut rows: Vec<_> = counters
        .ports
        .iter()
        .map(|(key, count)| PortRow {
            proto: key.proto.name(),
            side: key.side.name(),
            port: key.port,
            service: names::service(key.proto, key.port).map(str::to_owned),
            packets: count.all.packets,
            bytes: count.all.bytes,
            syn: count.syn.packets,
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.packets));
    rows
}

fn icmp(counters: &Counters) -> Vec<IcmpRow> {
    let mut rows: Vec<_> = counters
        .icmp
        .iter()
        .map(|(key, count)| IcmpRow {
            family: key.family as u8,
            icmp_type: key.icmp_type,
            code: key.code,
            name: names::icmp(*key),
            packets: count.packets,
            bytes: count.bytes,
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.packets));
    rows
}

/// The busiest sources; where there are too many, half of the places go to those that touched the most ports and hosts.
fn sources(views: &[SourceView]) -> Vec<SourceRow> {
    let mut views: Vec<&SourceView> = views.iter().collect();
    if views.len() > SOURCES_LISTED {
        let spread = |view: &SourceView| view.ports.count_ones().max(1) * view.destinations.count_ones().max(1);
        views.sort_by_key(|view| std::cmp::Reverse((spread(view), view.packets)));
        views[SOURCES_LISTED / 2..].sort_by_key(|view| std::cmp::Reverse(view.packets));
        views.truncate(SOURCES_LISTED);
    }
    views.sort_by_key(|view| (std::cmp::Reverse(view.packets), view.address));
    views.into_iter().map(source).collect()
}

/// How many values set the bits of a source's map: no more than it sent packets, unless more of them were seen before.
fn about(view: &SourceView, bits: u64) -> u32 {
    let most = view.packets.max(bits.count_ones().into());
    distinct(bits).min(most.try_into().unwrap_or(u32::MAX))
}

fn source(view: &SourceView) -> SourceRow {
    SourceRow {
        address: view.address,
        packets: view.packets,
        first: view.first,
        last: view.last,
        ports_about: about(view, view.ports),
        destinations_about: about(view, view.destinations),
        syn: view.syn,
        rst: view.rst,
        fin: view.fin,
        udp: view.udp,
        icmp: view.icmp,
        ttl_low: view.ttl_low,
        ttl_high: view.ttl_high,
    }
}
