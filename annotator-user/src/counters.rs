//! Ledgers → counts by name, sparse and addable.

use std::collections::BTreeMap;

use annotator_common::ledger::{LOW_PORTS, Tally};
use annotator_common::{Count, Family, Flag, Ledger, Reason};

/// A row of the protocol table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// An IP protocol by number.
    Ip(Family, u8),
    /// A frame that is not IP, by EtherType.
    EtherType(u16),
    /// An IEEE 802.3 frame with a length in place of the EtherType.
    Ieee8023,
}

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortProto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl PortProto {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            PortProto::Tcp => "tcp",
            PortProto::Udp => "udp",
        }
    }
}

/// Which end of a packet a port belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Destination.
    Dst,
    /// Source.
    Src,
}

impl Side {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Dst => "dst",
            Side::Src => "src",
        }
    }
}

/// A row of the port table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortKey {
    /// TCP or UDP.
    pub proto: PortProto,
    /// Destination or source.
    pub side: Side,
    /// Port number.
    pub port: u16,
}

/// Counts of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCount {
    /// All packets.
    pub all: Count,
    /// Those that are SYNs without ACK.
    pub syn: Count,
    /// How many end a connection, of TCP packets to a port.
    pub fin: u64,
}

impl std::ops::AddAssign for PortCount {
    fn add_assign(&mut self, other: PortCount) {
        self.all += other.all;
        self.syn += other.syn;
        self.fin += other.fin;
    }
}

/// A row of the ICMP table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpKey {
    /// [`Family::V4`] for ICMP, [`Family::V6`] for ICMPv6.
    pub family: Family,
    /// Type.
    pub icmp_type: u8,
    /// Code.
    pub code: u8,
}

/// What was counted in a stretch of time. All exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By protocol.
    pub protocols: BTreeMap<Protocol, Count>,
    /// Frames that reached no protocol row (all not parsed).
    pub without_protocol: Count,
    /// By reason not parsed.
    pub not_parsed: BTreeMap<Reason, Count>,
    /// By flag.
    pub flags: BTreeMap<Flag, Count>,
    /// By port: every TCP and UDP destination, every UDP source, TCP sources below 1024.
    pub ports: BTreeMap<PortKey, PortCount>,
    /// By ICMP type and code.
    pub icmp: BTreeMap<IcmpKey, Count>,
    /// Samples handed out.
    pub samples: u64,
    /// Packets that were news but not handed out, for want of budget or of room in the ring buffer.
    pub samples_withheld: u64,
    /// Slots given to sources in the source table.
    pub sources_tracked: u64,
    /// Packets whose source found no slot.
    pub packets_of_untracked_sources: u64,
}

impl Counters {
    /// What was counted at a port, if anything.
    pub fn port(&self, proto: PortProto, side: Side, port: u16) -> Option<&PortCount> {
        self.ports.get(&PortKey { proto, side, port })
    }

    /// Reads a ledger that holds the difference of two readings.
    pub fn from_difference(ledger: &Ledger) -> Self {
        let mut counters = Counters::default();
        for number in 0..=u8::MAX {
            for family in [Family::V4, Family::V6] {
                add(&mut counters.protocols, Protocol::Ip(family, number), ledger.protocol(family, number));
            }
        }
        for number in 0..=u16::MAX {
            add(&mut counters.protocols, Protocol::EtherType(number), ledger.ethertype(number));
        }
        add(&mut counters.protocols, Protocol::Ieee8023, ledger.ieee_802_3());
        counters.without_protocol = ledger.without_protocol();
        for &reason in Reason::ALL {
            add(&mut counters.not_parsed, reason, ledger.reason(reason));
        }
        for &flag in Flag::ALL {
            add(&mut counters.flags, flag, ledger.flag(flag));
        }
        for port in 0..=u16::MAX {
            counters.add_port(
                PortProto::Tcp,
                Side::Dst,
                port,
                ledger.tcp(port),
                ledger.tcp_syn(port),
                ledger.tcp_fin(port),
            );
            counters.add_port(PortProto::Udp, Side::Dst, port, ledger.udp(port), Count::default(), 0);
            counters.add_port(PortProto::Udp, Side::Src, port, ledger.udp_source(port), Count::default(), 0);
            if usize::from(port) < LOW_PORTS {
                let (rest, syn) = (ledger.tcp_low_source(port), ledger.tcp_low_source_syn(port));
                counters.add_port(PortProto::Tcp, Side::Src, port, rest, syn, 0);
            }
            let [icmp_type, code] = port.to_be_bytes();
            for family in [Family::V4, Family::V6] {
                add(&mut counters.icmp, IcmpKey { family, icmp_type, code }, ledger.icmp(family, icmp_type, code));
            }
        }
        let tallied = |tally| ledger.journal.tallied(tally);
        counters.samples = tallied(Tally::Samples);
        counters.samples_withheld = tallied(Tally::SamplesOverBudget) + tallied(Tally::SamplesRingFull);
        counters.sources_tracked = tallied(Tally::SourcesTracked);
        counters.packets_of_untracked_sources = tallied(Tally::SourcesNotTracked);
        counters
    }

    fn add_port(&mut self, proto: PortProto, side: Side, port: u16, rest: Count, syn: Count, fin: u64) {
        if rest.packets + syn.packets != 0 {
            let row = self.ports.entry(PortKey { proto, side, port }).or_default();
            *row += PortCount { all: rest + syn, syn, fin };
        }
    }

    /// Adds another stretch of time.
    pub fn add(&mut self, other: &Counters) {
        merge(&mut self.protocols, &other.protocols);
        self.without_protocol += other.without_protocol;
        merge(&mut self.not_parsed, &other.not_parsed);
        merge(&mut self.flags, &other.flags);
        for (key, count) in &other.ports {
            *self.ports.entry(*key).or_default() += *count;
        }
        merge(&mut self.icmp, &other.icmp);
        self.samples += other.samples;
        self.samples_withheld += other.samples_withheld;
        self.sources_tracked += other.sources_tracked;
        self.packets_of_untracked_sources += other.packets_of_untracked_sources;
    }

    /// All packets.
    pub fn total(&self) -> Count {
        self.protocols.values().fold(self.without_protocol, |sum, count| sum + *count)
    }

    /// Packets that were parsed to their end.
    pub fn parsed(&self) -> u64 {
        self.total().packets - self.not_parsed.values().map(|count| count.packets).sum::<u64>()
    }
}

fn add<K: Ord>(map: &mut BTreeMap<K, Count>, key: K, count: Count) {
    if count.packets != 0 {
        *map.entry(key).or_default() += count;
    }
}

fn merge<K: Ord + Copy>(map: &mut BTreeMap<K, Count>, other: &BTreeMap<K, Count>) {
    for (key, count) in other {
        add(map, *key, *count);
    }
}
