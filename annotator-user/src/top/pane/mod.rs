//! What can be looked at, one table each.

mod findings;
mod flags;
mod icmp;
mod ports;
mod protocols;
mod sources;

use super::listing::Listing;
use crate::report::Report;

/// A table of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// What it all means.
    #[default]
    Findings,
    /// Ports at either end.
    Ports,
    /// ICMP types and codes.
    Icmp,
    /// Who sends.
    Sources,
    /// Properties of packets.
    Flags,
    /// Protocols.
    Protocols,
}

impl Pane {
    /// All of them, in the order of their keys.
    pub const ALL: [Pane; 6] = [Pane::Findings, Pane::Ports, Pane::Icmp, Pane::Sources, Pane::Flags, Pane::Protocols];

    /// What its tab says.
    pub fn title(self) -> &'static str {
        match self {
            Pane::Findings => "Findings",
            Pane::Ports => "Ports",
            Pane::Icmp => "ICMP",
            Pane::Sources => "Sources",
            Pane::Flags => "Flags",
            Pane::Protocols => "Protocols",
        }
    }

    /// Its place among all.
    pub fn index(self) -> usize {
        self as usize
    }

    /// How many rows there are.
    pub fn len(self, report: &Report) -> usize {
        match self {
            Pane::Findings => report.findings.len(),
            Pane::Ports => report.ports.len(),
            Pane::Icmp => report.icmp.len(),
            Pane::Sources => report.sources.len(),
            Pane::Flags => report.flags.len(),
            Pane::Protocols => report.protocols.len(),
        }
    }

    /// The table.
    pub fn listing(self, report: &Report) -> Listing {
        match self {
            Pane::Findings => findings::listing(&report.findings),
            Pane::Ports => ports::listing(&report.ports),
            Pane::Icmp => icmp::listing(&report.icmp),
            Pane::Sources => sources::listing(&report.sources),
            Pane::Flags => flags::listing(&report.flags),
            Pane::Protocols => protocols::listing(&report.protocols),
        }
    }
}
