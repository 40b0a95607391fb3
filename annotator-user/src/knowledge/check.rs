//! Checks of the knowledge beyond what loading refuses: what would never speak, and what is missing.

use std::collections::BTreeMap;
use std::fmt;

use super::Knowledge;
use super::load::Origin;
use super::schema::{Entry, Match, Segment};
use super::text::{PLACEHOLDERS, placeholders};
use super::topics::Topic;

/// Something to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where the entry is.
    pub origin: Origin,
    /// Whether the entry comes with the program.
    pub built_in: bool,
    /// The entry.
    pub id: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: `{}` {}", self.origin.file, self.origin.line, self.id, self.problem)
    }
}

/// What is wrong with the knowledge.
pub fn faults(knowledge: &Knowledge) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut ports: BTreeMap<(String, String, String, u16), String> = BTreeMap::new();
    for (entry, origin) in knowledge.entries() {
        let mut report = |problem: String| {
            faults.push(Fault { origin: origin.clone(), built_in: origin.built_in, id: entry.id.clone(), problem });
        };
        texts(entry, &mut report);
        for wanted in entry.matches.iter().chain(entry.variants.iter().flat_map(|variant| &variant.matches)) {
            contradictions(wanted, &mut report);
        }
        variants(entry, &mut report);
        for id in entry.told_by.iter().chain(entry.variants.iter().flat_map(|variant| &variant.told_by)) {
            if !knowledge.has_ids_of(id) {
                report(format!("is told by `{id}`, which does not exist"));
            }
        }
        for wanted in &entry.matches {
            if let Some(key) = shadow_key(wanted)
                && let Some(other) = ports.insert(key, entry.id.clone())
                && other != entry.id
            {
                report(format!("asks for the same packets as `{other}`: only one of them can speak"));
            }
        }
    }
    faults
}

/// Missing texts, and placeholders that nothing fills.
fn texts(entry: &Entry, report: &mut impl FnMut(String)) {
    if entry.looks_like.trim().is_empty() {
        report("does not say what looks like it".to_owned());
    }
    let own = [&entry.title, &entry.explanation, &entry.looks_like, &entry.advice].into_iter();
    let narrow = entry
        .variants
        .iter()
        .flat_map(|variant| [&variant.title, &variant.explanation, &variant.looks_like, &variant.advice]);
    for name in own.chain(narrow.flatten()).flat_map(|text| placeholders(text)) {
        if !PLACEHOLDERS.iter().any(|(known, _)| *known == name) {
            report(format!("has an unknown placeholder {{{name}}}"));
        }
    }
}

/// Conditions that no packet can meet at once.
fn contradictions(wanted: &Match, report: &mut impl FnMut(String)) {
    let proto = wanted.proto.map(|proto| proto.0);
    let asks_ports = wanted.dst_port.is_some() || wanted.src_port.is_some();
    if asks_ports && !matches!(proto, None | Some(6 | 17)) {
        report(format!("can never match: {} has no ports", wanted.describe()));
    }
    if (wanted.icmp_type.is_some() || wanted.icmp_code.is_some()) && !matches!(proto, None | Some(1 | 58)) {
        report(format!("can never match: {} has no ICMP type", wanted.describe()));
    }
    if wanted.segment.is_some() && !matches!(proto, None | Some(6)) {
        report(format!("can never match: {} has no TCP flags", wanted.describe()));
    }
    if wanted.flags.0.intersects(wanted.flags_not.0) {
        report("can never match: it asks for a flag and for its absence".to_owned());
    }
    let excluded = |ports: &Option<super::ranges::Ports>, not: &Option<super::ranges::Ports>| match (ports, not) {
        (Some(ports), Some(not)) => not.covers(ports),
        _ => false,
    };
    if excluded(&wanted.dst_port, &wanted.dst_port_not) || excluded(&wanted.src_port, &wanted.src_port_not) {
        report("can never match: it excludes all ports that it asks for".to_owned());
    }
}

/// Variants that an earlier one always forestalls, or that lie outside their entry.
fn variants(entry: &Entry, report: &mut impl FnMut(String)) {
    let same = |a: &Match, b: &Match| a.describe() == b.describe();
    for (index, variant) in entry.variants.iter().enumerate() {
        let forestalled = !variant.matches.is_empty()
            && variant.matches.iter().all(|wanted| {
                entry.variants[..index].iter().flat_map(|earlier| &earlier.matches).any(|earlier| same(earlier, wanted))
            });
        if forestalled {
            report(format!("has a variant `{}` that an earlier one always forestalls", variant.id));
        }
        for wanted in &variant.matches {
            let outside = |inner: &Option<super::ranges::Ports>, outer: fn(&Match) -> &Option<super::ranges::Ports>| {
                inner.as_ref().is_some_and(|inner| {
                    !entry
                        .matches
                        .iter()
                        .any(|outer_match| outer(outer_match).as_ref().is_none_or(|outer| outer.covers(inner)))
                })
            };
            if outside(&wanted.dst_port, |wanted| &wanted.dst_port)
                || outside(&wanted.src_port, |wanted| &wanted.src_port)
            {
                report(format!("has a variant `{}` that asks for ports outside the entry's own", variant.id));
            }
        }
    }
}

/// What two unconditional matches on a single port share if one shadows the other.
fn shadow_key(wanted: &Match) -> Option<(String, String, String, u16)> {
    let topic = Topic::of(wanted);
    let set = match topic {
        Topic::Port => wanted.dst_port.as_ref()?,
        Topic::SourcePort => wanted.src_port.as_ref()?,
        _ => return None,
    };
    if set.size() != 1 {
        return None;
    }
    let segment = if wanted.proto.is_some_and(|proto| proto.0 == 6) { wanted.segment() } else { Segment::Any };
    Some((format!("{topic:?}"), wanted.describe(), format!("{segment:?}"), set.first()))
}
