//! Asking the knowledge without a packet.

use std::cmp::Reverse;

use annotator_common::{Family, Flag};
use serde::Serialize;

use super::schema::{Entry, Segment};
use super::text::{Facts, fill};
use super::topics::Candidate;
use super::{Knowledge, Voice};
use crate::counters::PortProto;
use crate::finding::{Confidence, Finding, Verdict};

/// Source port sets up to this size are about a service, not about a range from which anybody may send.
const SERVICE_PORTS_MAX: u64 = 64;

/// What the knowledge has to say under an id.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// Other ids that it answers.
    pub also: Vec<String>,
    /// When it is said.
    pub when: Vec<String>,
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
    /// Where the knowledge comes from.
    pub references: Vec<String>,
    /// What is said instead under narrower conditions.
    pub variants: Vec<Told>,
}

impl From<Finding> for Told {
    fn from(finding: Finding) -> Self {
        Told {
            id: finding.id,
            also: finding.also,
            when: finding.evidence,
            title: finding.title,
            verdict: finding.verdict,
            confidence: finding.confidence,
            explanation: finding.explanation,
            looks_like: finding.looks_like,
            advice: finding.advice,
            references: finding.references,
            variants: Vec::new(),
        }
    }
}

impl Knowledge {
    /// What is said under an id; where none has it, what answers it.
    pub fn told(&self, id: &str, facts: &Facts) -> Vec<Told> {
        if let Some(voice) = self.voice(id) {
            return vec![self.told_by_voice(voice, facts)];
        }
        let answers = |also: &[String]| also.iter().any(|also| also.eq_ignore_ascii_case(id));
        let entries = self.entries.iter().enumerate();
        entries
            .filter_map(|(index, entry)| {
                let variant = entry.variants.iter().position(|variant| answers(&variant.also));
                let voice = Voice { entry: index, variant: None };
                (answers(&entry.also) || variant.is_some()).then(|| self.told_by_voice(voice, facts))
            })
            .collect()
    }

    /// What is said of packets to a port; several entries where it depends.
    pub fn told_of_port(&self, proto: PortProto, port: u16, facts: &Facts) -> Vec<Told> {
        let row =
            |segment| self.row_voice(self.port_candidates(port), |wanted| wanted.fits_port_row(proto, port, segment));
        let general = row(Segment::Syn).or_else(|| row(Segment::Ack));
        let conditional = self.port_candidates(port).filter(|candidate| {
            let wanted = self.condition(*candidate);
            let asked = wanted.dst_port.as_ref().is_some_and(|ports| ports.contains(port))
                && wanted.proto.is_none_or(|wanted| wanted.to_string() == proto.name());
            asked
                && !wanted.fits_port_row(proto, port, Segment::Syn)
                && !wanted.fits_port_row(proto, port, Segment::Ack)
        });
        // Nobody said who sends: what holds for some only comes last.
        let (of_some, of_all): (Vec<Candidate>, Vec<Candidate>) =
            conditional.partition(|candidate| self.condition(*candidate).src.is_some());
        let of_some = of_some.into_iter().map(|candidate| candidate.entry);
        let of_all = of_all.into_iter().map(|candidate| candidate.entry);
        self.told_by_entries(of_all.chain(general.map(|voice| voice.entry)).chain(of_some).collect(), facts)
    }

    /// What is said of packets from a port.
    pub fn told_of_source_port(
        &self,
        protos: &[PortProto],
        port: u16,
        services_only: bool,
        facts: &Facts,
    ) -> Vec<Told> {
        let fitting = |candidate: &Candidate| {
            let wanted = self.condition(*candidate);
            let ports = wanted.src_port.as_ref();
            ports.is_some_and(|ports| ports.contains(port) && (!services_only || ports.size() <= SERVICE_PORTS_MAX))
                && wanted.proto.is_none_or(|wanted| protos.iter().any(|proto| wanted.to_string() == proto.name()))
        };
        let mut candidates: Vec<Candidate> = self.source_candidates(port).filter(fitting).collect();
        // Nobody asked about a destination: first who speaks of most of them.
        candidates.sort_by_key(|candidate| {
            let (to, from, ..) = self.condition(*candidate).breadth();
            (from, Reverse(to))
        });
        self.told_by_entries(candidates.into_iter().map(|candidate| candidate.entry).collect(), facts)
    }

    /// What is said of ICMP of a type, and a code if one is asked for.
    pub fn told_of_icmp(&self, family: Family, icmp_type: u8, code: Option<u8>, facts: &Facts) -> Vec<Told> {
        let codes = match code {
            Some(code) => code..=code,
            None => 0..=u8::MAX,
        };
        let voices = codes.filter_map(|code| {
            self.row_voice(self.icmp_candidates(), |wanted| wanted.fits_icmp_row(family, icmp_type, code))
        });
        match code {
            // With a code the variant that it chooses is the answer.
            Some(_) => voices.map(|voice| self.told_by_voice(voice, facts)).collect(),
            None => self.told_by_entries(voices.map(|voice| voice.entry).collect(), facts),
        }
    }

    /// What is said of packets with a flag.
    pub fn told_of_flag(&self, flag: Flag, facts: &Facts) -> Vec<Told> {
        let fitting = self.general_candidates().filter(|candidate| self.condition(*candidate).flags.0.contains(flag));
        self.told_by_entries(fitting.map(|candidate| candidate.entry).collect(), facts)
    }

    /// Entries in whose id or title a word occurs.
    pub fn told_of_word(&self, word: &str, facts: &Facts) -> Vec<Told> {
        let word = word.to_ascii_lowercase();
        let in_id = |id: &str| id.split(['.', '-']).any(|part| part.eq_ignore_ascii_case(&word));
        let in_title = |title: &str| {
            title.to_ascii_lowercase().split(|letter: char| !letter.is_alphanumeric()).any(|part| part == word)
        };
        let of_id = |entry: &Entry| in_id(&entry.id) || entry.variants.iter().any(|variant| in_id(&variant.id));
        let of_title = |entry: &Entry| in_title(&entry.title);
        let indices = |wanted: &dyn Fn(&Entry) -> bool| -> Vec<usize> {
            self.entries.iter().enumerate().filter(|(_, entry)| wanted(entry)).map(|(index, _)| index).collect()
        };
        let mut entries = indices(&of_id);
        entries.extend(indices(&of_title));
        self.told_by_entries(entries, facts)
    }

    fn told_by_entries(&self, entries: Vec<usize>, facts: &Facts) -> Vec<Told> {
        let mut told: Vec<Told> = Vec::new();
        let mut known: Vec<usize> = Vec::new();
        for entry in entries {
            if !known.contains(&entry) {
                known.push(entry);
                told.push(self.told_by_voice(Voice { entry, variant: None }, facts));
            }
        }
        told
    }

    fn told_by_voice(&self, voice: Voice, facts: &Facts) -> Told {
        let texts = self.texts(voice);
        let entry = &self.entries[voice.entry];
        let (matches, variants) = match voice.variant {
            Some(variant) => (&entry.variants[variant].matches, Vec::new()),
            None => {
                let variants = (0..entry.variants.len())
                    .map(|variant| self.told_by_voice(Voice { entry: voice.entry, variant: Some(variant) }, facts));
                (&entry.matches, variants.collect())
            }
        };
        let finding = super::words::write(&texts, facts);
        Told {
            also: texts.also.iter().map(|id| (*id).to_owned()).collect(),
            when: matches.iter().map(|wanted| fill(&wanted.describe(), facts)).collect(),
            variants,
            ..Told::from(finding)
        }
    }
}
