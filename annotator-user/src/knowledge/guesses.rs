//! Who guesses: one community of SNMP after the other, one extension of a telephone system after the other, or one password after the other for it.

use std::collections::{HashMap, HashSet};

use annotator_common::Address;

use super::seen::{End, Seen, ends};
use crate::observation::{Moment, Sighting};
use crate::payload::{Shape, sip_branch, sip_origin};
use crate::recognise::thresholds;

const SIGNS_ON: &str = "REGISTER";
/// What tells by its answer whether there is such an extension.
const ASKS: [&str; 3] = [SIGNS_ON, "OPTIONS", "INVITE"];

/// How the answer to a SIP request begins that grants it, and how those that refuse it because of who asks, or for whom (RFC 3261 §21).
const GRANTED: &[u8] = b"SIP/2.0 2";
const REFUSED: [&[u8]; 4] = [b"SIP/2.0 401", b"SIP/2.0 403", b"SIP/2.0 404", b"SIP/2.0 407"];

/// What one program asks of a telephone system.
#[derive(Default)]
struct Calls<'s> {
    /// Who named each extension.
    named: HashMap<&'s str, Vec<Named<'s>>>,
    /// When it signed on under each.
    signed_on: HashMap<&'s str, Vec<Moment>>,
}

/// An extension, named once.
struct Named<'s> {
    at: Moment,
    /// For whom the program forwards it.
    origin: Option<&'s [u8]>,
    /// Whether it was seen to be granted.
    granted: bool,
}

impl Calls<'_> {
    /// Whether they try extensions, each of which a telephone would name again to give its password, or passwords faster than a telephone repeats itself.
    fn are_guesses(&self, limits: &thresholds::Guesses) -> bool {
        let in_haste = |moments: &[Moment], count: usize| {
            moments.windows(count).any(|run| run[run.len() - 1].follows(run[0], limits.within))
        };
        let mut once: HashMap<Option<&[u8]>, Vec<Moment>> = HashMap::new();
        for named in self.named.values() {
            if let [Named { at, origin, granted: false }] = named[..] {
                once.entry(origin).or_default().push(at);
            }
        }
        let tries = |mut moments: Vec<Moment>| {
            moments.sort_unstable();
            in_haste(&moments, limits.extensions)
        };
        once.into_values().any(tries) || self.signed_on.values().any(|moments| in_haste(moments, limits.sign_ons))
    }
}

/// Marks all that who guesses sends to the port at which he does. The sightings are in order of time.
pub fn mark_guesses(all: &mut [Seen<'_>], limits: &thresholds::Guesses) {
    let mut communities: HashMap<(Address, End), HashSet<&str>> = HashMap::new();
    let mut calls: HashMap<(End, End), Calls<'_>> = HashMap::new();
    let mut granted = answers(all, &[GRANTED]);
    let refused = answers(all, &REFUSED);
    for seen in all.iter() {
        let (from, to) = ends(&seen.sighting.packet);
        let payload = seen.sighting.payload();
        for shape in &seen.shapes {
            communities.entry((from.0, to)).or_default().extend(community(shape));
            let method = shape.attribute("method").filter(|method| shape.name == "sip" && ASKS.contains(method));
            let Some(method) = method else { continue };
            // It may lie behind what was sampled, as where a proxy signs on for all telephones behind it.
            let Some(extension) = shape.attribute("extension") else { continue };
            let calls = calls.entry((from, to)).or_default();
            let request = sip_branch(payload).map(|branch| (from.0, to, branch));
            // To be forwarded is easily said, and helps nobody who is refused. One answer grants one request.
            let origin = sip_origin(payload).filter(|_| !request.is_some_and(|request| refused.contains(&request)));
            // Some exchanges grant what asks for nothing.
            let granted = method == SIGNS_ON && request.is_some_and(|request| granted.remove(&request));
            calls.named.entry(extension).or_default().push(Named { at: seen.sighting.at, origin, granted });
            if method == SIGNS_ON {
                calls.signed_on.entry(extension).or_default().push(seen.sighting.at);
            }
        }
    }
    communities.retain(|_, tried| tried.len() >= limits.communities);
    calls.retain(|_, calls| calls.are_guesses(limits));
    let tried: HashSet<(Address, End)> = communities.into_keys().collect();
    let called: HashSet<(End, End)> = calls.into_keys().collect();
    for seen in all {
        let (from, to) = ends(&seen.sighting.packet);
        seen.guesses = tried.contains(&(from.0, to)) || called.contains(&(from, to));
    }
}

/// Which requests are seen to get one of some SIP answers: by who sent them, where to, and their branch.
fn answers<'s>(all: &[Seen<'s>], starts: &[&[u8]]) -> HashSet<(Address, End, &'s [u8])> {
    let answers = all.iter().map(|seen| seen.sighting);
    let answers = answers.filter(|answer| starts.iter().any(|start| answer.payload().starts_with(start)));
    let request = |answer: &'s Sighting| {
        let (from, to) = ends(&answer.packet);
        Some((to.0, from, sip_branch(answer.payload())?))
    };
    answers.filter_map(request).collect()
}

/// The community of an SNMP message; what stands behind an `@` names a part of the device, which monitoring reads one after the other.
fn community(shape: &Shape) -> Option<&str> {
    shape.attribute("community")?.split('@').next()
}
