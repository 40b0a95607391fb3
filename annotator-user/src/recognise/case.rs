//! A set of sightings that belong together → [`Recognition`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::scene::{Outcome, Scene};
use super::words;
use crate::example::EXAMPLES_MAX;
use crate::extent::{Extent, destination_ports};
use crate::finding::{ADDRESSES_MAX, Confidence, PortPackets, Recognition, Verdict, unlisted};
use crate::names;
use crate::observation::{Moment, Sighting};
use crate::quantity::number;

/// Seconds below which a rate says nothing.
const RATE_FROM: f64 = 0.05;
/// Ports that are listed by name; more of them are listed by number only.
const NAMED_MAX: usize = 6;

/// Sightings that are one thing, in order of time, and what is to be said of them.
pub struct Case<'s, 'a> {
    scene: &'s Scene<'a>,
    members: Vec<usize>,
    made: Recognition,
    counted: Option<u64>,
    in_vain: bool,
    /// Where among the evidence the ports are to stand.
    ports_at: Option<usize>,
}

impl<'s, 'a> Case<'s, 'a> {
    /// Opens a case under an id of the knowledge.
    pub fn new(scene: &'s Scene<'a>, id: &str, mut members: Vec<usize>) -> Self {
        members.sort_unstable();
        members.dedup();
        let made = Recognition {
            id: id.into(),
            also: Vec::new(),
            verdict: None,
            confidence: None,
            packets: members.len() as u64,
            sources: Vec::new(),
            destinations: Vec::new(),
            extent: Extent::default(),
            evidence: Vec::new(),
            examples: Vec::new(),
            facts: Vec::new(),
            explains: Vec::new(),
            unsampled: PortPackets::default(),
            alone: false,
            subsumes: false,
            together: 1,
        };
        Case { scene, members, made, counted: None, in_vain: false, ports_at: None }
    }

    fn seen(&self) -> impl Iterator<Item = &'a Sighting> + Clone + use<'_, 's, 'a> {
        self.members.iter().map(|index| self.scene.sighting(*index))
    }

    /// Ports that the members go to, in the order in which they came.
    pub fn ports(&self) -> Vec<u16> {
        destination_ports(self.seen())
    }

    /// TTLs on arrival.
    pub fn ttls(&self) -> BTreeSet<u8> {
        self.seen().map(|s| s.packet.ttl).collect()
    }

    /// Answers another row of the coverage, too.
    pub fn also(mut self, id: &str) -> Self {
        self.made.also.push(id.into());
        self
    }

    /// The evidence makes it graver or calmer than the entry says.
    pub fn verdict(mut self, verdict: Verdict) -> Self {
        self.made.verdict = Some(verdict);
        self
    }

    /// The evidence makes it more or less sure than the entry says.
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.made.confidence = Some(confidence);
        self
    }

    /// Adds a sentence of evidence.
    pub fn evidence(mut self, sentence: impl Into<String>) -> Self {
        self.made.evidence.push(sentence.into());
        self
    }

    /// Nothing else needs to be said of these packets, whatever each of them would mean by itself.
    pub fn alone(mut self) -> Self {
        self.made.alone = true;
        self
    }

    /// Connections of its sources that came about are none of it: as many as they ended are not counted.
    pub fn in_vain(mut self) -> Self {
        self.in_vain = true;
        self
    }

    /// What these packets carry needs no telling of its own, unless that is graver.
    pub fn subsuming(mut self) -> Self {
        self.made.subsumes = true;
        self
    }

    /// Sets a placeholder of the entry's texts.
    pub fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.made.facts.push((name, value.into()));
        self
    }

    /// Says how many packets there were, where that is known better than by counting the sightings.
    pub fn packets(mut self, packets: u64) -> Self {
        self.counted = Some(packets.max(self.members.len() as u64));
        self
    }

    /// Adds the ports, in order, to the evidence.
    pub fn with_ports(mut self) -> Self {
        self.ports_at = Some(self.made.evidence.len());
        self
    }

    /// The ports as a sentence: those that all its packets went to, or only those that were sampled.
    fn ports_told(&self) -> Option<String> {
        let ports = self.ports();
        let proto = self.seen().find_map(Sighting::port_proto);
        let named = |port: &u16| proto.map_or_else(|| port.to_string(), |proto| names::port(proto, *port));
        let of_which = if self.made.packets > self.members.len() as u64 { " in the samples" } else { "" };
        match ports.len() {
            0 => None,
            1 => Some(format!("Destination port {}.", named(&ports[0]))),
            n => {
                let listed = match n {
                    ..=NAMED_MAX => words::list(ports.iter().map(named), NAMED_MAX),
                    _ => words::ports(ports),
                };
                let n = number(n as u64);
                Some(format!("{n} destination ports{of_which}, in order of arrival: {listed}."))
            }
        }
    }

    /// Adds the TTLs to the evidence.
    pub fn with_ttls(self) -> Self {
        let ttls = words::range(&self.ttls());
        self.evidence(format!("TTL on arrival: {ttls}."))
    }

    /// Closes the case; its sightings need no further explanation.
    pub fn close(self) -> Recognition {
        let explains = self.members.clone();
        Recognition { explains, ..self.close_open() }
    }

    /// Closes the case; its sightings are still to be explained one by one.
    pub fn close_open(mut self) -> Recognition {
        let parts = self.parts();
        self.made.extent = Extent::of(self.seen());
        self.made.extent.last = self.made.extent.last.max(self.last_counted(&parts));
        self.made.packets = self.packet_count(&parts);
        if let Some((at, ports)) = self.ports_at.zip(self.ports_told()) {
            self.made.evidence.insert(at, ports);
        }
        // When the packets came that are of none of these sources is not known.
        if self.made.packets <= parts.iter().map(|(source, part)| self.counted_of(*source, part)).sum() {
            self.made.evidence.splice(0..0, pace(&self.made));
        }
        self.made.examples = self.members.iter().copied().take(EXAMPLES_MAX).collect();
        let sources = distinct(self.seen().map(Sighting::source));
        let destinations = distinct(self.seen().map(Sighting::destination));
        let short = [unlisted("sources", sources.len()), unlisted("destinations", destinations.len())];
        self.made.evidence.extend(short.into_iter().flatten());
        self.made.sources = sources.into_iter().take(ADDRESSES_MAX).collect();
        self.made.destinations = destinations.into_iter().take(ADDRESSES_MAX).collect();
        self.made
    }

    /// What was said, or what was counted of each source.
    fn packet_count(&self, parts: &BTreeMap<IpAddr, Part>) -> u64 {
        self.counted.unwrap_or_else(|| parts.iter().map(|(source, part)| self.counted_of(*source, part)).sum())
    }

    /// The last moment of the sources of which more was counted than sampled, where that was not something else.
    fn last_counted(&self, parts: &BTreeMap<IpAddr, Part>) -> Option<Moment> {
        let is_all = |source: IpAddr, part: &Part| {
            !self.in_vain || self.unsampled(source, part) == self.scene.unsampled_like(source, part.sampled)
        };
        let counted = parts
            .iter()
            .filter(|(source, part)| self.counted_of(**source, part) > part.members as u64 && is_all(**source, part));
        counted.filter_map(|(source, _)| self.scene.view(*source)).map(|view| view.last).max()
    }

    /// The sightings by source.
    fn parts(&self) -> BTreeMap<IpAddr, Part> {
        let mut parts: BTreeMap<IpAddr, Part> = BTreeMap::new();
        for sighting in self.seen() {
            let part = parts.entry(sighting.source()).or_default();
            part.members += 1;
            part.sampled.note(sighting);
        }
        parts
    }

    /// Those like them that were not sampled.
    fn unsampled(&self, source: IpAddr, part: &Part) -> PortPackets {
        let like = self.scene.unsampled_like(source, part.sampled);
        // Else it may be a server, and what it ends was opened by others.
        let connects = |index: &usize| self.scene.outcome(*index) == Outcome::Answered;
        let ended = self.scene.view(source).filter(|_| self.in_vain && self.scene.from(source).iter().any(connects));
        PortPackets { syn: like.syn.saturating_sub(ended.map_or(0, |view| view.fin)), ..like }
    }

    /// What the source table counted where the source sent nothing but this, or the sightings and those like them that were not sampled.
    fn counted_of(&self, source: IpAddr, part: &Part) -> u64 {
        let members = part.members as u64;
        match self.scene.view(source) {
            Some(view) if part.members == self.scene.from(source).len() => view.packets.max(members),
            _ => members + self.unsampled(source, part).sum(),
        }
    }
}

/// How many in which time, where that says more than the number.
fn pace(made: &Recognition) -> Option<String> {
    let seconds = made.extent.last?.seconds_since(made.extent.first?);
    let rate = rate(made.packets, seconds)?;
    Some(format!("{} within {}, about {rate}.", words::count(made.packets, "packet"), words::seconds(seconds)))
}

/// What a case has of one source.
#[derive(Default)]
struct Part {
    members: usize,
    sampled: PortPackets,
}

fn rate(packets: u64, seconds: f64) -> Option<String> {
    let rate = packets as f64 / seconds.max(f64::MIN_POSITIVE);
    match rate {
        _ if packets < 10 || seconds < RATE_FROM => None,
        r if r >= 1.0 => Some(format!("{} a second", number(r.round() as u64))),
        r if r * 60.0 >= 1.0 => Some(format!("{:.0} a minute", r * 60.0)),
        r if r * 3600.0 < 1.0 => None,
        r => Some(format!("{:.0} an hour", r * 3600.0)),
    }
}

fn distinct(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut known = BTreeSet::new();
    addresses.filter(|address| known.insert(*address)).collect()
}
