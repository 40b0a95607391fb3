//! Findings: what a reader is told.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::example::Example;
use crate::extent::Extent;
use crate::quantity::number;

/// What a finding amounts to, from calm to grave; `Unknown` stands apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Ordinary traffic.
    Normal,
    /// Looks hostile and is not.
    BenignLookalike,
    /// The Internet's radiation: reaches everybody, means nobody.
    Background,
    /// Something is set up wrongly, here or elsewhere.
    Misconfiguration,
    /// Somebody else is the target.
    ThirdParty,
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// Somebody looks for something here.
    Reconnaissance,
    /// Meant to do harm here.
    Attack,
}

impl Verdict {
    /// Whether somebody means this host by it.
    pub const fn is_alert(self) -> bool {
        matches!(self, Verdict::Reconnaissance | Verdict::Attack)
    }

    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Normal => "normal",
            Verdict::BenignLookalike => "benign-lookalike",
            Verdict::Background => "background",
            Verdict::Misconfiguration => "misconfiguration",
            Verdict::ThirdParty => "third-party",
            Verdict::Unknown => "unknown",
            Verdict::Reconnaissance => "reconnaissance",
            Verdict::Attack => "attack",
        }
    }
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// One reading among several.
    #[default]
    Possible,
    /// The usual reading, with the evidence for it.
    Likely,
    /// The packets leave no other reading.
    Certain,
}

impl Confidence {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Confidence::Possible => "possible",
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }
}

/// Addresses that a finding lists at most; evidence says how many more there were.
pub const ADDRESSES_MAX: usize = 16;

/// A sentence of evidence where not all addresses are listed.
pub fn unlisted(what: &str, addresses: usize) -> Option<String> {
    let listed = || format!("{} {what} in the samples; {ADDRESSES_MAX} are listed.", number(addresses as u64));
    (addresses > ADDRESSES_MAX).then(listed)
}

/// Packets by the columns of the port tables that count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortPackets {
    /// TCP SYNs without ACK.
    pub syn: u64,
    /// Other TCP packets, without established data.
    pub other_tcp: u64,
    /// UDP.
    pub udp: u64,
}

/// What many packets mean together, before the knowledge has found words for it.
#[derive(Clone, Debug)]
pub struct Recognition {
    /// Id of the knowledge entry.
    pub id: String,
    /// Ids of other rows that it answers.
    pub also: Vec<String>,
    /// Where the evidence makes it graver or calmer than the entry says.
    pub verdict: Option<Verdict>,
    /// Where the evidence makes it more or less sure than the entry says.
    pub confidence: Option<Confidence>,
    /// Packets it covers.
    pub packets: u64,
    /// Who sent them.
    pub sources: Vec<IpAddr>,
    /// To whom.
    pub destinations: Vec<IpAddr>,
    /// When and to which ports they came.
    pub extent: Extent,
    /// What it rests on, a sentence each.
    pub evidence: Vec<String>,
    /// Indices of sightings that show it best.
    pub examples: Vec<usize>,
    /// Values for the placeholders of the entry's texts: `("hops", "4")`.
    pub facts: Vec<(&'static str, String)>,
    /// Indices into the sightings that need no further explanation once this is said.
    pub explains: Vec<usize>,
    /// Packets of its sources that were counted and not sampled, and that belong to it as those that were.
    pub unsampled: PortPackets,
    /// Whether nothing else is to be said of these, whatever each of them would mean by itself.
    pub alone: bool,
    /// Whether what its packets carry is told with it, unless that is graver.
    pub subsumes: bool,
    /// How many of its kind it is: more than one where there are too many to tell each.
    pub together: usize,
}

/// A finding, ready to be shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// Stable id.
    pub id: String,
    /// Other ids that it answers.
    pub also: Vec<String>,
    /// One line.
    pub title: String,
    /// What it amounts to.
    pub verdict: Verdict,
    /// How sure that is.
    pub confidence: Confidence,
    /// Packets it covers.
    pub packets: u64,
    /// Who sent them, [`ADDRESSES_MAX`] at most.
    pub sources: Vec<IpAddr>,
    /// To whom, [`ADDRESSES_MAX`] at most.
    pub destinations: Vec<IpAddr>,
    /// When and to which ports they came, as far as they were sampled.
    pub extent: Extent,
    /// What it is.
    pub explanation: String,
    /// What looks just like it.
    pub looks_like: String,
    /// What to do.
    pub advice: String,
    /// What it rests on.
    pub evidence: Vec<String>,
    /// A few of its packets.
    pub examples: Vec<Example>,
    /// Those of [`Report::sightings`](crate::report::Report::sightings) that it covers, by index.
    #[serde(skip)]
    pub sightings: Vec<usize>,
    /// Where the knowledge comes from.
    pub references: Vec<String>,
}

/// What the ids of [remarks](Finding::is_remark) begin with.
const REMARKS: [&str; 4] = ["advice.", "icmp.not-a-port", "perspective.", "zen."];

impl Finding {
    /// Whether it says how to read the rest, or what headers tell of their senders, rather than what somebody did.
    pub fn is_remark(&self) -> bool {
        REMARKS.iter().any(|beginning| self.id.starts_with(beginning))
    }
}
