//! What many packets mean together, and what only looks like an attack.
//!
//! [`Scene`] indexes a window once; then each subject looks for its own pattern, in the order of [`SUBJECTS`]: lookalikes come before the
//! attacks that they resemble, and what a finding explains is not looked at again by the subjects behind it. Nothing here knows a
//! clock or does I/O, and every subject takes time in proportion to the sightings, whatever arrives.

pub mod addresses;
pub mod case;
pub mod contacts;
pub mod half;
pub mod packets;
pub mod questions;
pub mod quote;
pub mod rounds;
pub mod scene;
pub mod thresholds;
pub mod words;

mod ack_flood;
mod amplification;
mod attempts;
mod backscatter;
mod broadcast;
mod clients;
mod datagram_flood;
mod decoy;
mod dns_low_source;
mod dual_homed;
mod echo_loop;
mod echo_reply;
mod flood;
mod forged;
mod fragments;
mod ftp_data;
mod ident;
mod irc;
mod late_fin;
mod leftover;
mod masses;
mod own_address;
mod probe;
mod proxy;
mod research;
mod scan;
mod service_down;
mod shares;
mod silent;
mod site;
mod sscan;
mod tools;
mod traceroute;
mod traceroute_own;
mod unreachable;
mod unsampled;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use annotator_common::packet::port::{DNS, FIRST_CLIENT_PORT};

use crate::extent::append;
use crate::finding::{ADDRESSES_MAX, Confidence, Recognition, Verdict};
use crate::observation::Observations;
pub use case::Case;
use half::Half;
pub use scene::Scene;
pub use thresholds::Thresholds;

/// Which sightings a finding explains already.
pub struct Claims(Vec<bool>);

impl Claims {
    /// Whether no finding explains the sighting yet.
    pub fn is_free(&self, index: usize) -> bool {
        !self.0[index]
    }

    /// Those of some sightings that no finding explains yet.
    pub fn free<'i>(&self, indices: &'i [usize]) -> impl Iterator<Item = usize> + use<'i, '_> {
        indices.iter().copied().filter(|index| self.is_free(*index))
    }

    fn take(&mut self, found: &[Recognition]) {
        for index in found.iter().flat_map(|recognition| &recognition.explains) {
            self.0[*index] = true;
        }
    }
}

type Subject = fn(&Scene<'_>, &Claims) -> Vec<Recognition>;

/// All subjects, lookalikes first.
const SUBJECTS: &[Subject] = &[
    own_address::recognise,
    service_down::recognise,
    flood::recognise,
    forged::recognise,
    traceroute::recognise,
    traceroute_own::recognise,
    ftp_data::recognise,
    ident::recognise,
    irc::recognise,
    late_fin::recognise,
    site::recognise,
    dual_homed::recognise,
    broadcast::recognise,
    echo_loop::recognise,
    amplification::recognise,
    unreachable::recognise,
    echo_reply::recognise,
    backscatter::recognise,
    datagram_flood::recognise,
    ack_flood::recognise,
    fragments::recognise,
    research::recognise,
    decoy::recognise,
    sscan::recognise,
    proxy::recognise,
    shares::recognise,
    scan::recognise,
    leftover::recognise,
    tools::recognise,
    dns_low_source::recognise,
    probe::recognise,
];

/// Findings of one id, equally grave and sure, that are told apart; what is beyond is told as one.
const FINDINGS_MAX: usize = 32;
/// What the rest says at one place, as far as it is listed.
const FACTS_LISTED: usize = 3;

/// Finds what the packets of a window mean together.
pub fn recognise(observations: &Observations<'_>, thresholds: &Thresholds) -> Vec<Recognition> {
    let scene = Scene::new(observations, thresholds);
    let mut claims = Claims(vec![false; observations.sightings.len()]);
    let mut all = Vec::new();
    for subject in SUBJECTS {
        let found = subject(&scene, &claims);
        claims.take(&found);
        all.extend(found);
    }
    explain_conversations(&scene, &claims, &mut all);
    unsampled::share_out(&scene, &mut all);
    merge_surplus(all)
}

/// What answers or continues an explained packet needs no further explanation either: both directions of its conversation.
fn explain_conversations(scene: &Scene<'_>, claims: &Claims, all: &mut [Recognition]) {
    let mut explained: HashMap<Half, usize> = HashMap::new();
    for (which, recognition) in all.iter().enumerate() {
        for half in recognition.explains.iter().filter_map(|index| Half::of(scene.sighting(*index))) {
            explained.insert(half, which);
            explained.insert(half.reverse(), which);
        }
    }
    for (index, sighting) in scene.sightings().filter(|(index, _)| claims.is_free(*index)) {
        if let Some(which) = Half::of(sighting).and_then(|half| explained.get(&half)) {
            all[*which].explains.push(index);
        }
    }
}

/// Keeps the largest findings of each id apart, by what they amount to and how sure that is, and tells the rest as one, so that the report stays readable whatever arrives.
fn merge_surplus(all: Vec<Recognition>) -> Vec<Recognition> {
    let mut alike: BTreeMap<(String, Option<Verdict>, Option<Confidence>), Vec<Recognition>> = BTreeMap::new();
    for recognition in all {
        let kind = (recognition.id.clone(), recognition.verdict, recognition.confidence);
        alike.entry(kind).or_default().push(recognition);
    }
    let mut kept = Vec::new();
    for mut alike in alike.into_values() {
        if alike.len() > FINDINGS_MAX {
            alike.sort_by_key(|recognition| std::cmp::Reverse(recognition.packets));
            let surplus = alike.split_off(FINDINGS_MAX - 1);
            alike.extend(merged(surplus));
        }
        kept.extend(alike);
    }
    kept
}

fn merged(surplus: Vec<Recognition>) -> Option<Recognition> {
    let facts = merged_facts(&surplus);
    let mut rest = surplus.into_iter();
    let mut sum = rest.next()?;
    for mut other in rest {
        sum.together += 1;
        sum.packets += other.packets;
        sum.unsampled += other.unsampled;
        sum.extent.join(other.extent);
        sum.explains.append(&mut other.explains);
        append(&mut sum.also, other.also, usize::MAX);
        append(&mut sum.sources, other.sources, ADDRESSES_MAX);
        append(&mut sum.destinations, other.destinations, ADDRESSES_MAX);
        sum.subsumes &= other.subsumes;
    }
    sum.facts = facts;
    sum.evidence = vec![format!("{} smaller findings of the same kind, taken together.", sum.together)];
    Some(sum)
}

/// All that findings say at the same place of a text.
fn merged_facts(findings: &[Recognition]) -> Vec<(&'static str, String)> {
    let mut by_name: BTreeMap<&'static str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in findings.iter().flat_map(|finding| &finding.facts) {
        by_name.entry(name).or_default().insert(value);
    }
    by_name.into_iter().map(|(name, values)| (name, words::list(values, FACTS_LISTED))).collect()
}
