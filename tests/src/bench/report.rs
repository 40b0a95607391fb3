//! The figures, as a table for people and as one JSON document.

use std::fmt;

use serde_json::{Value, json};

use super::xdp_filter;

/// One kind of traffic.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// Nanoseconds over an empty program: the least of all runs less the empty program's least …
    pub added_ns_min: f64,
    /// … and its median less the empty program's median.
    pub added_ns_median: f64,
}

/// Somebody else's work on the packets of a case.
pub struct Peer {
    /// Whose.
    pub name: &'static str,
    /// Which case.
    pub case: &'static str,
    /// Nanoseconds over an empty program.
    pub added_ns_min: f64,
}

/// Live frames with one verdict.
pub struct Live {
    /// Frames per second with an empty program.
    pub empty_pps: f64,
    /// Frames per second with the annotator.
    pub annotator_pps: f64,
    /// Frames sent to the annotator.
    pub sent: u64,
    /// Frames that it counted.
    pub counted: u64,
}

/// Live frames with both verdicts.
pub struct LiveBoth {
    /// Handed to the network stack.
    pub pass: Live,
    /// Dropped.
    pub drop: Live,
}

/// Scanners hidden in a flood.
pub struct Flood {
    /// How many there were.
    pub scanners: u32,
    /// How many have a slot at the end.
    pub kept: usize,
    /// The share of their packets that their slots know of.
    pub packets_kept_percent: f64,
}

/// Reading a capture.
pub struct Read {
    /// Packets per second, start of the program included.
    pub packets_per_second: f64,
    /// The most memory that was held.
    pub rss_mib: f64,
}

/// What many packets mean together, under a million sources.
pub struct Recognisers {
    /// Sources, each with a SYN.
    pub sources: u32,
    /// Sampled packets that are kept of them.
    pub sightings: usize,
    /// Milliseconds that all recognisers take.
    pub milliseconds: f64,
    /// The most memory that reading the capture and reporting on it held.
    pub rss_mib: f64,
    /// Whether the scanner among them is found.
    pub scanner_found: bool,
}

/// All figures.
pub struct Report {
    /// What a packet costs.
    pub cases: Vec<Case>,
    /// What others cost.
    pub peers: Vec<Peer>,
    /// Frames over devices.
    pub live: LiveBoth,
    /// The source table under a flood.
    pub flood: Flood,
    /// Milliseconds to read all counters of all CPUs.
    pub poll_ms: f64,
    /// `annotator read`.
    pub read: Read,
    /// The recognisers.
    pub recognisers: Recognisers,
}

/// No figure here is good to more than a hundredth.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Live {
    fn json(&self) -> Value {
        json!({
            "empty_pps": self.empty_pps.round(),
            "annotator_pps": self.annotator_pps.round(),
            "sent": self.sent,
            "counted": self.counted,
        })
    }
}

impl Report {
    /// Others that would be measured, were they installed.
    fn absent(&self) -> Vec<&'static str> {
        [xdp_filter::NAME].into_iter().filter(|name| self.peers.iter().all(|peer| peer.name != *name)).collect()
    }

    /// One document; the names are stable.
    pub fn json(&self) -> Value {
        let cases: Vec<_> = self
            .cases
            .iter()
            .map(|case| {
                json!({
                    "name": case.name,
                    "added_ns_min": rounded(case.added_ns_min),
                    "added_ns_median": rounded(case.added_ns_median),
                })
            })
            .collect();
        let peers: Vec<_> = self
            .peers
            .iter()
            .map(|peer| json!({"name": peer.name, "case": peer.case, "added_ns_min": rounded(peer.added_ns_min)}))
            .collect();
        json!({
            "cases": cases,
            "peers": peers,
            "peers_absent": self.absent(),
            "live": {"pass": self.live.pass.json(), "drop": self.live.drop.json()},
            "flood": {
                "scanners": self.flood.scanners,
                "kept": self.flood.kept,
                "packets_kept_percent": rounded(self.flood.packets_kept_percent),
            },
            "poll_ms": rounded(self.poll_ms),
            "read": {
                "packets_per_second": self.read.packets_per_second.round(),
                "rss_mib": rounded(self.read.rss_mib),
            },
            "recognisers": {
                "sources": self.recognisers.sources,
                "sightings": self.recognisers.sightings,
                "milliseconds": rounded(self.recognisers.milliseconds),
                "rss_mib": rounded(self.recognisers.rss_mib),
                "scanner_found": self.recognisers.scanner_found,
            },
        })
    }
}

const MILLION: f64 = 1e6;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Nanoseconds added to a packet, over an empty program")?;
        writeln!(f, "  {:<22}{:>8}{:>8}", "", "min", "median")?;
        for case in &self.cases {
            writeln!(f, "  {:<22}{:>8.1}{:>8.1}", case.name, case.added_ns_min, case.added_ns_median)?;
        }
        writeln!(f, "\nFor scale, on the same packets")?;
        for peer in &self.peers {
            writeln!(f, "  {:<22}{:>8.1}          {}", peer.case, peer.added_ns_min, peer.name)?;
        }
        for name in self.absent() {
            writeln!(f, "  {name} is not installed here, so it is not among them")?;
        }
        writeln!(f, "\nLive frames over a veth pair, millions per second, one core sending and receiving")?;
        writeln!(f, "  {:<10}{:>10}{:>12}{:>14}{:>14}", "", "empty", "annotator", "sent", "counted")?;
        for (verdict, live) in [("pass", &self.live.pass), ("drop", &self.live.drop)] {
            writeln!(
                f,
                "  {verdict:<10}{:>10.2}{:>12.2}{:>14}{:>14}",
                live.empty_pps / MILLION,
                live.annotator_pps / MILLION,
                live.sent,
                live.counted
            )?;
        }
        let Flood { scanners, kept, packets_kept_percent } = self.flood;
        writeln!(
            f,
            "\nFlood of 16.8 million packets: {kept} of {scanners} hidden scanners kept, with {packets_kept_percent:.1} % of their packets"
        )?;
        writeln!(f, "Reading all counters of all CPUs: {:.2} ms", self.poll_ms)?;
        writeln!(
            f,
            "annotator read: {:.1} million packets per second, {:.0} MiB",
            self.read.packets_per_second / MILLION,
            self.read.rss_mib
        )?;
        let Recognisers { sources, sightings, milliseconds, rss_mib, scanner_found } = self.recognisers;
        write!(
            f,
            "Recognisers, {sources} sources, {sightings} packets kept: {milliseconds:.0} ms, {rss_mib:.0} MiB; \
             the scanner among them is {}found",
            if scanner_found { "" } else { "not " }
        )
    }
}
