//! Tallies and recognitions → findings.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use annotator_common::Transport;

use super::tally::{Row, Tally};
use super::tell::Teller;
use super::text::{Facts, fill};
use super::{Knowledge, Texts, Voice, answers, companions, is_of, zen};
use crate::counters::{IcmpKey, PortProto, Side};
use crate::example::{EXAMPLES_MAX, Example};
use crate::extent::Extent;
use crate::finding::{ADDRESSES_MAX, Confidence, Finding, PortPackets, Recognition, Verdict, unlisted};
use crate::names;
use crate::payload::route::routes;
use crate::quantity::{count, number};

/// Rows and details that evidence lists.
const LISTED_MAX: usize = 12;
/// Ids of silenced entries that a recognition carries at most.
const SILENCED_MAX: usize = 24;
/// Of a recognition that stands alone only those that would have spoken for this part of it, at least: one in so many packets.
const ALONE_PART: usize = 20;

/// Packets of unknown sources are told of from one in so many on.
const UNKNOWN_PART: u64 = 20;

/// Where something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Voice(Voice),
    /// By index.
    Recognition(usize),
}

/// Where a voice is told that has nothing to say beside others.
struct Fold {
    into: Place,
    /// Whether all its packets are told there, and not some of them in other places.
    whole: bool,
}

/// Finds the words for what was told.
pub(super) struct Words<'a> {
    teller: &'a Teller<'a>,
    knowledge: &'a Knowledge,
    /// How many SYNs and datagrams of a source of which some packet was sampled were not.
    unsampled: HashMap<IpAddr, u64>,
}

impl<'a> Words<'a> {
    pub fn new(teller: &'a Teller<'a>) -> Self {
        let mut sampled: HashMap<IpAddr, PortPackets> = HashMap::new();
        teller.seen.iter().for_each(|seen| sampled.entry(seen.sighting.source()).or_default().note(seen.sighting));
        let unsampled = teller.observations.sources.iter().filter_map(|view| {
            let sampled = sampled.get(&view.address)?;
            Some((view.address, view.syn.saturating_sub(sampled.syn) + view.udp.saturating_sub(sampled.udp)))
        });
        Words { teller, knowledge: teller.knowledge, unsampled: unsampled.collect() }
    }

    /// Every finding, gravest first.
    pub fn findings(&self, recognitions: &[Recognition]) -> Vec<Finding> {
        let folded = self.folded(recognitions);
        let mut findings: Vec<Finding> = Vec::new();
        for (voice, tally) in &self.teller.tallies {
            if !folded.contains_key(voice) {
                let mut finding = self.of_tally(*voice, tally);
                self.take_in(&mut finding, Place::Voice(*voice), &folded);
                findings.push(finding);
            }
        }
        for (index, recognition) in recognitions.iter().enumerate() {
            let mut finding = self.of_recognition(index, recognition);
            self.take_in(&mut finding, Place::Recognition(index), &folded);
            findings.push(finding);
        }
        findings.extend(answers::finding(self.knowledge, &self.teller.seen, &self.teller.thresholds.answers));
        findings.extend(zen::findings(self.knowledge, &self.teller.seen));
        companions::add(self.knowledge, self.teller.observations, &mut findings);
        findings.sort_by_key(|finding| {
            (Reverse(finding.verdict), Reverse(finding.confidence), Reverse(finding.packets), finding.id.clone())
        });
        findings
    }

    /// Voices that have nothing to say beside another, with where they are told.
    fn folded(&self, recognitions: &[Recognition]) -> BTreeMap<Voice, Fold> {
        let tallies = &self.teller.tallies;
        let mut folded = BTreeMap::new();
        for (voice, tally) in tallies {
            let told_by = self.knowledge.texts(*voice).told_by;
            if told_by.is_empty() || tally.sightings.is_empty() {
                continue;
            }
            let speaks_as = |id: &str| told_by.iter().any(|wanted| is_of(id, wanted));
            let voices = tallies
                .iter()
                .filter(|(other, _)| *other != voice && speaks_as(self.knowledge.texts(**other).id))
                .map(|(other, tally)| (Place::Voice(*other), tally.sightings.clone()));
            let recognised = recognitions.iter().enumerate().filter(|(_, recognition)| speaks_as(&recognition.id)).map(
                |(index, recognition)| (Place::Recognition(index), recognition.explains.iter().copied().collect()),
            );
            let places: Vec<(Place, BTreeSet<usize>)> =
                voices.chain(recognised).filter(|(_, theirs)| !theirs.is_disjoint(&tally.sightings)).collect();
            let covered: BTreeSet<usize> = places.iter().flat_map(|(_, theirs)| theirs).copied().collect();
            let whole = places.iter().find(|(_, theirs)| tally.sightings.is_subset(theirs));
            if let Some((into, _)) = whole.or(places.first())
                && tally.sightings.is_subset(&covered)
            {
                folded.insert(*voice, Fold { into: *into, whole: whole.is_some() });
            }
        }
        // Who tells for others must be told itself.
        let silent: BTreeSet<Voice> = folded.keys().copied().collect();
        folded.retain(|_, fold| !matches!(fold.into, Place::Voice(voice) if silent.contains(&voice)));
        folded
    }

    /// Adds to a finding what is told in it.
    fn take_in(&self, finding: &mut Finding, place: Place, folded: &BTreeMap<Voice, Fold>) {
        for (voice, fold) in folded.iter().filter(|(_, fold)| fold.into == place) {
            add_ids(finding, self.ids(*voice));
            // The counters of what was folded are exact where sightings are not.
            let tally = &self.teller.tallies[voice];
            if fold.whole && tally.packets() > finding.packets {
                finding.packets = tally.packets();
                finding.evidence.extend(self.others(tally));
            }
        }
    }

    fn ids(&self, voice: Voice) -> Vec<String> {
        let texts = self.knowledge.texts(voice);
        std::iter::once(texts.id).chain(texts.also).map(str::to_owned).collect()
    }

    fn of_tally(&self, voice: Voice, tally: &Tally) -> Finding {
        let texts = self.knowledge.texts(voice);
        let (facts, evidence) = self.facts(tally);
        let mut finding = write(&texts, &facts);
        finding.packets = tally.packets();
        finding.evidence = evidence;
        if texts.entry.starts_with("range.") && tally.rows.len() > 1 {
            finding.title.push_str(&format!(" (and {})", count(tally.rows.len() as u64 - 1, "more port")));
        }
        self.add_addresses(&mut finding, &tally.sightings);
        finding.evidence.extend(self.others(tally));
        finding.extent = Extent::of(tally.sightings.iter().map(|index| self.teller.seen[*index].sighting));
        finding.examples = self.examples(tally.sightings.iter().copied());
        finding.sightings = tally.sightings.iter().copied().collect();
        add_ids(&mut finding, texts.also.iter().map(|id| (*id).to_owned()));
        if tally.sightings.is_empty() {
            only_counted(&mut finding);
        } else if finding.verdict == Verdict::ThirdParty && self.comes_to_nothing(tally) {
            finding.verdict = Verdict::Background;
            finding.evidence.push("Nothing listens at that port here: it comes to nothing.".to_owned());
        }
        finding
    }

    /// Whether all that was sampled are datagrams to ports of which it is known that nothing listens there: there is no answer that could reach a victim.
    fn comes_to_nothing(&self, tally: &Tally) -> bool {
        tally.sightings.iter().all(|index| {
            let seen = &self.teller.seen[*index];
            seen.sighting.packet.transport == Transport::Udp && seen.listening == Some(false) && !seen.port_answered
        })
    }

    fn of_recognition(&self, index: usize, recognition: &Recognition) -> Finding {
        let mut finding = match self.knowledge.voice(&recognition.id) {
            Some(voice) => {
                let texts = self.knowledge.texts(voice);
                let mut facts = recognition.facts.clone();
                if !facts.iter().any(|(name, _)| *name == "detail")
                    && let Some(first) = recognition.evidence.first()
                {
                    facts.push(("detail", first.trim_end_matches('.').to_owned()));
                }
                let mut finding = write(&texts, &facts);
                add_ids(&mut finding, texts.also.iter().map(|id| (*id).to_owned()));
                finding
            }
            // A rules file cannot take a built-in entry away, so this is an id without an entry: say at least what was recognised.
            None => bare(recognition),
        };
        if recognition.together > 1 {
            finding.title.push_str(&format!(" ({} smaller ones)", number(recognition.together as u64)));
        }
        finding.verdict = recognition.verdict.unwrap_or(finding.verdict);
        finding.confidence = recognition.confidence.unwrap_or(finding.confidence);
        finding.packets = recognition.packets;
        finding.sources = recognition.sources.iter().copied().take(ADDRESSES_MAX).collect();
        finding.destinations = recognition.destinations.iter().copied().take(ADDRESSES_MAX).collect();
        finding.extent = recognition.extent.clone();
        finding.evidence = recognition.evidence.clone();
        finding.examples = self.examples(recognition.examples.iter().copied());
        finding.sightings = recognition.explains.clone();
        add_ids(&mut finding, recognition.also.iter().cloned());
        let of_weight = |sightings: usize| !recognition.alone || sightings * ALONE_PART >= recognition.explains.len();
        let silenced = self.teller.silenced.get(&index).into_iter().flatten();
        let specific = silenced.filter(|(voice, sightings)| {
            of_weight(**sightings) && !self.knowledge.texts(**voice).entry.starts_with("range.")
        });
        for (voice, _) in specific.take(SILENCED_MAX) {
            add_ids(&mut finding, self.ids(*voice));
        }
        finding
    }

    fn examples(&self, sightings: impl Iterator<Item = usize>) -> Vec<Example> {
        sightings.take(EXAMPLES_MAX).map(|index| Example::of(self.teller.seen[index].sighting)).collect()
    }

    /// Who sent a finding's packets and to whom, most frequent first.
    fn add_addresses(&self, finding: &mut Finding, sightings: &BTreeSet<usize>) {
        let sources = sightings.iter().map(|index| self.teller.seen[*index].sighting.source());
        let destinations = sightings.iter().map(|index| self.teller.seen[*index].sighting.destination());
        for (what, addresses, list) in [
            ("sources", ranked(sources), &mut finding.sources),
            ("destinations", ranked(destinations), &mut finding.destinations),
        ] {
            finding.evidence.extend(unlisted(what, addresses.len()));
            *list = addresses.into_iter().take(ADDRESSES_MAX).collect();
        }
    }

    /// What is to be said where some packets cannot be of the sources that were sampled.
    fn others(&self, tally: &Tally) -> Option<String> {
        let mut sampled = PortPackets::default();
        let sightings = || tally.sightings.iter().map(|index| self.teller.seen[*index].sighting);
        sightings().for_each(|sighting| sampled.note(sighting));
        let is_datagrams = |row: &Row| matches!(row, Row::Port(PortProto::Udp, Side::Dst, _));
        let datagrams: u64 = tally.rows.iter().filter(|(row, _)| is_datagrams(row)).map(|(_, packets)| packets).sum();
        let unsampled = (tally.syn + datagrams).saturating_sub(sampled.syn + sampled.udp);
        let sources: BTreeSet<IpAddr> = sightings().map(|sighting| sighting.source()).collect();
        let known = sources.iter().filter_map(|source| self.unsampled.get(source));
        // All of those without room in the table may be of one of them.
        let untracked = match known.clone().count() < sources.len() {
            true => self.teller.observations.counters.packets_of_untracked_sources,
            false => 0,
        };
        let theirs = known.sum::<u64>() + untracked;
        let others = unsampled.saturating_sub(theirs);
        let is_much = !sources.is_empty() && others * UNKNOWN_PART >= tally.packets();
        (is_much && others > 0).then(|| {
            format!("At least {} came from other sources, of whom nothing was sampled.", count(others, "packet"))
        })
    }

    fn facts(&self, tally: &Tally) -> (Facts, Vec<String>) {
        let mut facts = Facts::new();
        let mut evidence = Vec::new();
        let mut rows: Vec<(Row, u64)> = tally.rows.iter().map(|(row, packets)| (*row, *packets)).collect();
        rows.sort_by_key(|(row, packets)| (Reverse(*packets), *row));
        for (row, packets) in rows.iter().take(LISTED_MAX) {
            evidence.push(self.describe_row(row, *packets));
        }
        if let Some((row, _)) = rows.first() {
            row_facts(row, &mut facts);
        }
        if rows.len() > LISTED_MAX {
            let rest: u64 = rows[LISTED_MAX..].iter().map(|(_, packets)| packets).sum();
            let (ports, rest) = (count((rows.len() - LISTED_MAX) as u64, "more port"), count(rest, "packet"));
            evidence.push(format!("{ports} with {rest}."));
        }
        if tally.syn > 0 && tally.syn < tally.packets() {
            let verb = if tally.syn == 1 { "opens" } else { "open" };
            evidence.push(format!("{} of them {verb} a connection (SYN).", number(tally.syn)));
        }
        let seen = tally.sightings.iter().map(|index| &self.teller.seen[*index]);
        let mut details: Vec<String> = Vec::new();
        for seen in seen.clone() {
            details.extend(seen.original.iter().map(|original| format!("about {}", original.describe())));
            details.extend(seen.shapes.iter().map(|shape| shape.detail.clone()));
            details.extend(routes(seen.sighting));
        }
        let details = ranked(details.into_iter());
        for detail in details.iter().take(LISTED_MAX) {
            evidence.push(format!("Read in it: {detail}."));
        }
        if let Some(detail) = details.first() {
            facts.push(("detail", detail.clone()));
        }
        if !tally.sightings.is_empty() && seen.clone().all(|seen| seen.outgoing) {
            evidence.push("All of these packets were sent from here: look at the machine that sent them.".to_owned());
        }
        if let Some(first) = seen.clone().next() {
            sighting_facts(first, &mut facts);
        }
        (facts, evidence)
    }

    fn describe_row(&self, row: &Row, packets: u64) -> String {
        let packets = count(packets, "packet");
        match row {
            Row::Port(proto, side, port) => {
                let (word, name) = match side {
                    Side::Dst => ("to", proto.name()),
                    Side::Src => ("from", proto.name()),
                };
                format!("{packets} {word} {name} port {}.", names::port(*proto, *port))
            }
            Row::Icmp(family, kind, code) => {
                let name = icmp_name(*family, *kind, *code).map_or(String::new(), |name| format!(" ({name})"));
                let protocol = if *family == annotator_common::Family::V6 { "ICMPv6" } else { "ICMP" };
                format!("{packets} of {protocol} type {kind} code {code}{name}.")
            }
        }
    }
}

/// Facts of the row with the most packets.
fn row_facts(row: &Row, facts: &mut Facts) {
    match row {
        Row::Port(proto, side, port) => {
            let name = if *side == Side::Dst { "port" } else { "src_port" };
            set(facts, name, port.to_string());
            set(facts, "proto", proto.name().to_uppercase());
            if let Some(service) = names::registered(*proto, *port) {
                set(facts, "service", service.to_owned());
            }
        }
        Row::Icmp(family, kind, code) => {
            set(facts, "type", kind.to_string());
            set(facts, "code", code.to_string());
            if let Some(name) = icmp_name(*family, *kind, *code) {
                set(facts, "name", name.to_owned());
            }
        }
    }
}

/// Facts that a packet has even where its row is not what the finding is about.
fn sighting_facts(seen: &super::seen::Seen<'_>, facts: &mut Facts) {
    let packet = &seen.sighting.packet;
    if let Some(proto) = seen.port_proto() {
        set(facts, "port", packet.destination_port.to_string());
        set(facts, "src_port", packet.source_port.to_string());
        if let Some(service) = names::registered(proto, packet.destination_port) {
            set(facts, "service", service.to_owned());
        }
    }
    if packet.has_protocol {
        set(facts, "proto", names::ip_protocol(packet.protocol).to_uppercase());
    }
}

fn set(facts: &mut Facts, name: &'static str, value: String) {
    if !facts.iter().any(|(known, _)| *known == name) {
        facts.push((name, value));
    }
}

fn icmp_name(family: annotator_common::Family, icmp_type: u8, code: u8) -> Option<&'static str> {
    names::icmp(IcmpKey { family, icmp_type, code })
}

/// Values by how often they occur, most frequent first.
fn ranked<T: Ord + Clone>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut counts: BTreeMap<T, u64> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let mut ranked: Vec<(T, u64)> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| Reverse(*count));
    ranked.into_iter().map(|(value, _)| value).collect()
}

/// A finding with the words of an entry and no packets yet.
pub(super) fn write(texts: &Texts<'_>, facts: &Facts) -> Finding {
    let era = texts.era.map(|era| format!(" Then: {} Now: {}", era.then, era.now));
    Finding {
        id: texts.id.to_owned(),
        title: fill(texts.title, facts),
        verdict: texts.verdict,
        confidence: texts.confidence,
        explanation: fill(&format!("{}{}", texts.explanation.trim(), era.unwrap_or_default()), facts),
        looks_like: fill(texts.looks_like, facts),
        advice: fill(texts.advice, facts),
        references: texts.references.iter().map(|reference| (*reference).to_owned()).collect(),
        ..Finding::default()
    }
}

/// Of packets that were counted and not sampled the sender and the kind are unknown, and that decides what they amount to: a neighbour's broadcast
/// stands in the same row as a stranger's probe.
fn only_counted(finding: &mut Finding) {
    finding.verdict = finding.verdict.min(Verdict::Background);
    finding.confidence = Confidence::Possible;
    finding.evidence.push("Known by number only: none of these packets was sampled.".to_owned());
}

fn bare(recognition: &Recognition) -> Finding {
    Finding {
        id: recognition.id.clone(),
        title: recognition.id.clone(),
        explanation: recognition.evidence.join(" "),
        ..Finding::default()
    }
}

pub(super) fn add_ids(finding: &mut Finding, ids: impl IntoIterator<Item = String>) {
    for id in ids {
        if id != finding.id && !finding.also.contains(&id) {
            finding.also.push(id);
        }
    }
}
