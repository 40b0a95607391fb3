//! DNS answers from another address than was asked.
//!
//! Where the questions are visible (captures of both directions) an answer is compared with them. An interface shows answers alone; there, two
//! answers to one question from different addresses are the sign, and a weaker one: clients do ask a second server.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use annotator_common::Transport;
use annotator_common::packet::port::DNS;

use super::Knowledge;
use super::seen::Seen;
use super::text::Facts;
use super::words::{add_ids, write};
use crate::finding::{ADDRESSES_MAX, Confidence, Finding};
use crate::payload::dns::Identity;
use crate::quantity::count;
use crate::recognise::thresholds;

const ID: &str = "payload.dns-unexpected-source";
/// Answers in evidence.
const SHOWN: usize = 8;

/// A question as the client knows it: its address, its port, the message's id and name.
type Question = (IpAddr, u16, u16, String);

/// The finding, where there is such an answer.
pub(super) fn finding(knowledge: &Knowledge, seen: &[Seen<'_>], limits: &thresholds::Answers) -> Option<Finding> {
    let mut asked: BTreeMap<Question, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut answered: BTreeMap<Question, BTreeSet<IpAddr>> = BTreeMap::new();
    for seen in seen {
        let sighting = seen.sighting;
        let packet = &sighting.packet;
        if packet.transport != Transport::Udp || (packet.source_port != DNS && packet.destination_port != DNS) {
            continue;
        }
        let Some(identity) = Identity::of(sighting.payload()) else { continue };
        if identity.is_answer && packet.source_port == DNS {
            let question = (sighting.destination(), packet.destination_port, identity.id, identity.name);
            answered.entry(question).or_default().insert(sighting.source());
        } else if !identity.is_answer && packet.destination_port == DNS {
            let question = (sighting.source(), packet.source_port, identity.id, identity.name);
            asked.entry(question).or_default().insert(sighting.destination());
        }
    }
    let unasked = answered.iter().filter(|(question, _)| !asked.contains_key(question));
    let by_chance = are_chance(unasked.map(|(question, servers)| (question, servers.len())), limits);
    let mut evidence = Vec::new();
    let mut sources = BTreeSet::new();
    let mut confidence = Confidence::Possible;
    for (question, servers) in &answered {
        let (client, _, id, name) = question;
        match asked.get(question) {
            Some(expected) => {
                let strangers: Vec<String> = servers.difference(expected).map(IpAddr::to_string).collect();
                if !strangers.is_empty() {
                    confidence = Confidence::Likely;
                    sources.extend(servers.difference(expected));
                    let expected: Vec<String> = expected.iter().map(IpAddr::to_string).collect();
                    evidence.push(format!(
                        "{client} asked {} for {name} (id {id:04X}); {} answered.",
                        expected.join(", "),
                        strangers.join(", ")
                    ));
                }
            }
            None if servers.len() > 1 && !by_chance => {
                sources.extend(servers);
                let servers: Vec<String> = servers.iter().map(IpAddr::to_string).collect();
                evidence.push(format!(
                    "{} answered one question of {client} for {name} (id {id:04X}); at most one of them was asked.",
                    servers.join(" and ")
                ));
            }
            None => {}
        }
    }
    if evidence.is_empty() {
        return None;
    }
    let texts = knowledge.texts(knowledge.voice(ID)?);
    let mut finding = write(&texts, &Facts::from([("detail", evidence[0].trim_end_matches('.').to_owned())]));
    add_ids(&mut finding, texts.also.iter().map(|id| (*id).to_owned()));
    finding.confidence = confidence;
    finding.packets = evidence.len() as u64;
    finding.sources = sources.into_iter().take(ADDRESSES_MAX).collect();
    let more = evidence.len().saturating_sub(SHOWN);
    evidence.truncate(SHOWN);
    if more > 0 {
        evidence.push(format!("{}.", count(more as u64, "more answer")));
    }
    finding.evidence = evidence;
    Some(finding)
}

/// Whether questions that several servers answer are no more than there must be among so many answers: of those to one port about one name any two have
/// the same of 65,536 identifiers now and then.
fn are_chance<'q>(answered: impl Iterator<Item = (&'q Question, usize)>, limits: &thresholds::Answers) -> bool {
    let pairs = |answers: usize| answers as f64 * answers.saturating_sub(1) as f64 / 2.0;
    let mut found = 0.0;
    let mut alike: HashMap<(IpAddr, u16, &str), usize> = HashMap::new();
    for ((client, port, _, name), servers) in answered {
        found += pairs(servers);
        *alike.entry((*client, *port, name)).or_default() += servers;
    }
    let expected: f64 = alike.into_values().map(|answers| pairs(answers) / f64::from(1 << u16::BITS)).sum();
    found <= limits.beyond_chance * expected
}
