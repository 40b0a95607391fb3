//! Packets that must make the knowledge speak, and near misses that must not.

use std::sync::OnceLock;

use annotator::capture::{Captured, LinkType, Observer};
use annotator::engine::Interpreter;
use annotator::finding::Finding;
use annotator::observation::{Gathered, Locality, Moment};
use annotator_common::Settings;
use annotator_common::settings::Budget;

use crate::frames::Packet;

/// What the program knows as it comes.
pub fn interpreter() -> &'static Interpreter {
    static INTERPRETER: OnceLock<Interpreter> = OnceLock::new();
    INTERPRETER.get_or_init(|| Interpreter::load(&[]).expect("the built-in knowledge is good"))
}

/// A row of the table.
pub struct Stimulus {
    /// The id that must be among the findings, or in the `also` of one.
    pub id: &'static str,
    /// Packets that must bring it.
    pub packets: Vec<Packet>,
    /// Packets that must not.
    pub near_miss: Vec<Packet>,
}

/// What the whole engine says of packets, each at its own time or a tenth of a second after the one before.
pub fn findings(packets: &[Packet], locality: &Locality) -> Vec<Finding> {
    findings_of(packets, locality, false)
}

/// The same as an interface would tell it, with the budget of live samples.
pub fn findings_live(packets: &[Packet], locality: &Locality) -> Vec<Finding> {
    findings_of(packets, locality, true)
}

/// What a capture tells if the engine counts every packet and samples none.
pub fn findings_unsampled(packets: &[Packet], locality: &Locality) -> Vec<Finding> {
    let mut gathered = gather(packets, locality, false);
    gathered.sightings.clear();
    interpreter().findings(&gathered.observations(false, locality))
}

/// The same of the sightings of the last window alone, which begins so many seconds after the first packet.
pub fn findings_live_since(seconds: f64, packets: &[Packet], locality: &Locality) -> Vec<Finding> {
    let mut gathered = gather(packets, locality, true);
    gathered.sightings.retain(|sighting| sighting.at >= moment(seconds));
    interpreter().findings(&gathered.observations(true, locality))
}

/// When a test's packet came, in seconds from the beginning.
fn moment(seconds: f64) -> Moment {
    Moment(1_700_000_000_000_000_000 + (seconds * 1e9) as i64)
}

fn findings_of(packets: &[Packet], locality: &Locality, live: bool) -> Vec<Finding> {
    interpreter().findings(&gather(packets, locality, live).observations(live, locality))
}

fn gather(packets: &[Packet], locality: &Locality, live: bool) -> Gathered {
    let mut settings = Box::new(Settings::DEFAULT);
    if live {
        settings.budget = Budget::LIVE;
    }
    for address in &locality.addresses {
        settings.local.add_address((*address).into());
    }
    interpreter().prepare(&mut settings);
    let observer = Observer::new(settings);
    let mut observer = if live { observer } else { observer.begin_whole() };
    let mut after = 0.0;
    for packet in packets {
        after = packet.time().unwrap_or(after + 0.1);
        observer.observe(Captured { at: Some(moment(after)), link_type: LinkType::Ethernet, frame: &packet.frame() });
    }
    observer.finish()
}

/// Whether a finding has the id or answers it.
pub fn tells(findings: &[Finding], id: &str) -> bool {
    findings.iter().any(|finding| finding.id == id || finding.also.iter().any(|also| also == id))
}

/// Whether a text holds a placeholder that was not filled.
pub fn has_placeholder(text: &str) -> bool {
    text.split('{').skip(1).any(|rest| {
        rest.split_once('}')
            .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    })
}

/// Whether a sentence has something like "1 packets"; "1 s" and "1 ms" are times.
pub fn counts_one_as_many(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).any(|pair| {
        let noun = pair[1].trim_end_matches([',', '.', ';', ')']);
        pair[0].trim_start_matches('(') == "1" && noun.len() > 2 && noun.ends_with('s') && !noun.ends_with("ss")
    })
}
