//! Findings that stand beside others: ICMP is no port, and who is meant.

use annotator_common::Family;

use super::Knowledge;
use super::text::Facts;
use super::words::{add_ids, write};
use crate::extent::append;
use crate::finding::{Finding, Verdict};
use crate::observation::Observations;

/// Titles of grave findings that are listed.
const GRAVE_LISTED: usize = 5;

/// Adds what every report says, and what is said once beside all findings about ICMP.
pub(super) fn add(knowledge: &Knowledge, observations: &Observations<'_>, findings: &mut Vec<Finding>) {
    let icmp: u64 = observations
        .counters
        .icmp
        .iter()
        .filter(|(key, _)| key.family == Family::V4)
        .map(|(_, count)| count.packets)
        .sum();
    if icmp > 0 {
        findings.extend(beside(knowledge, "icmp.not-a-port", icmp));
        findings.extend(beside(knowledge, "advice.icmp-filter", icmp));
    }
    findings.extend(perspective(knowledge, observations, findings));
}

fn beside(knowledge: &Knowledge, id: &str, packets: u64) -> Option<Finding> {
    let texts = knowledge.texts(knowledge.voice(id)?);
    let mut finding = write(&texts, &Facts::new());
    finding.packets = packets;
    add_ids(&mut finding, texts.also.iter().map(|id| (*id).to_owned()));
    Some(finding)
}

/// Whether anything is aimed at the reader. The variant depends on the gravest of the other findings.
fn perspective(knowledge: &Knowledge, observations: &Observations<'_>, findings: &[Finding]) -> Option<Finding> {
    const ID: &str = "perspective.not-personal";
    let grave: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict >= Verdict::Reconnaissance).collect();
    let narrow = match grave.iter().map(|finding| finding.verdict).max() {
        Some(Verdict::Attack) => "perspective.not-personal.attack",
        Some(_) => "perspective.not-personal.probes",
        None if observations.counters.total().packets == 0 => "perspective.not-personal.silence",
        None => ID,
    };
    let voice = knowledge.voice(narrow).or_else(|| knowledge.voice(ID))?;
    let texts = knowledge.texts(voice);
    let mut finding = write(&texts, &Facts::new());
    finding.packets = observations.counters.total().packets;
    add_ids(&mut finding, texts.also.iter().map(|id| (*id).to_owned()));
    if !grave.is_empty() {
        let mut titles: Vec<&str> = Vec::new();
        append(&mut titles, grave.iter().map(|finding| finding.title.as_str()), GRAVE_LISTED);
        finding.evidence.push(format!("What a report should be read for: {}.", titles.join("; ")));
    }
    Some(finding)
}
