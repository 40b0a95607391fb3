//! What is known of traffic, as data, and the words for what was seen.
//!
//! The files are in `annotator-user/knowledge`, their form in [`schema`]. [`load`] reads them; [`topics`] orders what can match a packet
//! by how narrow it is; [`tell`] goes through the exact counters and the sightings and decides which entry speaks for how many
//! packets; [`words`] makes findings of that.

mod answers;
mod builtin;
pub mod check;
mod companions;
mod describe;
mod fits;
mod guesses;
pub mod load;
pub mod lookup;
mod named;
pub mod page;
pub mod ranges;
pub mod schema;
mod seen;
mod share;
mod tally;
mod tell;
pub(crate) mod text;
mod topics;
mod words;
mod zen;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use self::load::Origin;
use self::ranges::Ports;
use self::schema::{Answers, Entry, Era, PayloadPorts, Variant};
use self::topics::Topics;
use crate::finding::{Confidence, Finding, Recognition, Verdict};
use crate::observation::Observations;
use crate::payload::{PortClasses, Reader};
use crate::recognise::Thresholds;
use crate::toml_file::FileError;

/// The knowledge in force.
#[derive(Debug)]
pub struct Knowledge {
    entries: Vec<Entry>,
    origins: Vec<Origin>,
    by_id: HashMap<String, Voice>,
    topics: Topics,
    reader: Reader,
    answers: Option<Ports>,
    thresholds: Vec<toml::Table>,
}

/// Who speaks: an entry, or one of its variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Voice {
    entry: usize,
    variant: Option<usize>,
}

/// The texts of a voice, before placeholders are filled.
pub(crate) struct Texts<'a> {
    pub id: &'a str,
    pub also: Vec<&'a str>,
    pub told_by: Vec<&'a str>,
    pub title: &'a str,
    pub verdict: Verdict,
    pub confidence: Confidence,
    pub explanation: &'a str,
    pub looks_like: &'a str,
    pub advice: &'a str,
    pub era: Option<&'a Era>,
    pub references: Vec<&'a str>,
    /// Id of the entry, where a variant speaks for it.
    pub entry: &'a str,
}

impl Knowledge {
    /// Loads what comes with the program and then the user's own files, which add entries or override them by id.
    pub fn load(files: &[PathBuf]) -> Result<Self, FileError> {
        load::load(files)
    }

    fn new(
        loaded: Vec<(Entry, Origin)>,
        payloads: Vec<PayloadPorts>,
        answers: Option<Answers>,
        thresholds: Vec<toml::Table>,
    ) -> Self {
        let (entries, origins): (Vec<Entry>, Vec<Origin>) = loaded.into_iter().unzip();
        let mut by_id = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            by_id.insert(entry.id.clone(), Voice { entry: index, variant: None });
            for (variant, told) in entry.variants.iter().enumerate() {
                by_id.insert(told.id.clone(), Voice { entry: index, variant: Some(variant) });
            }
        }
        let topics = Topics::new(&entries, &origins);
        Knowledge {
            entries,
            origins,
            by_id,
            topics,
            reader: Reader::new(payloads),
            answers: answers.map(|answers| answers.udp),
            thresholds,
        }
    }

    /// What a reader is to be told of a window of time. `recognitions` are what many packets mean together; what they explain is not
    /// explained again.
    pub fn findings(
        &self,
        observations: &Observations<'_>,
        thresholds: &Thresholds,
        recognitions: &[Recognition],
    ) -> Vec<Finding> {
        tell::tell(self, observations, thresholds, recognitions)
    }

    /// For each port, 0 or the class of payload that can be read there: what the engine is to sample.
    pub fn payload_classes(&self) -> PortClasses {
        self.reader.classes()
    }

    /// What reads payloads.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What the files say of the recognisers' thresholds, later files last.
    pub fn thresholds(&self) -> &[toml::Table] {
        &self.thresholds
    }

    /// The entries, with where each was read.
    pub fn entries(&self) -> impl Iterator<Item = (&Entry, &Origin)> {
        self.entries.iter().zip(&self.origins)
    }

    /// The entry with an id, or the one whose variant has it.
    pub fn entry(&self, id: &str) -> Option<(&Entry, Option<&Variant>)> {
        let voice = self.voice(id)?;
        let entry = &self.entries[voice.entry];
        Some((entry, voice.variant.map(|variant| &entry.variants[variant])))
    }

    /// Every id that some entry has or answers, with the id of who speaks.
    pub fn answered_ids(&self) -> BTreeMap<&str, &str> {
        let mut ids = BTreeMap::new();
        for entry in &self.entries {
            for also in entry.also.iter().chain(entry.variants.iter().flat_map(|variant| &variant.also)) {
                ids.entry(also.as_str()).or_insert(entry.id.as_str());
            }
        }
        ids.extend(self.by_id.iter().map(|(id, voice)| (id.as_str(), self.entries[voice.entry].id.as_str())));
        ids
    }

    /// Whether some entry or variant has this id or a finer one of it.
    pub fn has_ids_of(&self, id: &str) -> bool {
        self.by_id.keys().any(|known| is_of(known, id))
    }

    pub(crate) fn voice(&self, id: &str) -> Option<Voice> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn texts(&self, voice: Voice) -> Texts<'_> {
        let entry = &self.entries[voice.entry];
        let variant = voice.variant.map(|index| &entry.variants[index]);
        let mut also: Vec<&str> = entry.also.iter().map(String::as_str).collect();
        let mut told_by: Vec<&str> = entry.told_by.iter().map(String::as_str).collect();
        if let Some(variant) = variant {
            also.insert(0, &entry.id);
            also.extend(variant.also.iter().map(String::as_str));
            told_by.extend(variant.told_by.iter().map(String::as_str));
        }
        Texts {
            id: variant.map_or(&entry.id, |variant| &variant.id),
            also,
            told_by,
            title: variant.and_then(|variant| variant.title.as_deref()).unwrap_or(&entry.title),
            verdict: variant.and_then(|variant| variant.verdict).unwrap_or(entry.verdict),
            confidence: variant.and_then(|variant| variant.confidence).unwrap_or(entry.confidence),
            explanation: variant.and_then(|variant| variant.explanation.as_deref()).unwrap_or(&entry.explanation),
            looks_like: variant.and_then(|variant| variant.looks_like.as_deref()).unwrap_or(&entry.looks_like),
            advice: variant.and_then(|variant| variant.advice.as_deref()).unwrap_or(&entry.advice),
            era: match variant {
                Some(variant) if variant.explanation.is_some() || variant.era.is_some() => variant.era.as_ref(),
                _ => entry.era.as_ref(),
            },
            references: entry
                .references
                .iter()
                .chain(variant.into_iter().flat_map(|variant| &variant.references))
                .map(String::as_str)
                .collect(),
            entry: &entry.id,
        }
    }

    /// Whether a UDP packet with these ports is an answer: to a port that systems lend to programs, which either asked or, by the looks, is
    /// answered by a service.
    fn is_udp_answer(&self, source_port: u16, destination_port: u16, asked: bool) -> bool {
        destination_port >= 1024 && (asked || self.answers.as_ref().is_some_and(|ports| ports.contains(source_port)))
    }
}

/// Whether an id is the wanted one or a finer one of it: `port.7.squid` is of `port.7` and of `port`.
pub(crate) fn is_of(id: &str, wanted: &str) -> bool {
    id.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
