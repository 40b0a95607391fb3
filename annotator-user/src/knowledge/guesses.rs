//! Who guesses: one community of SNMP after the other, one extension of a telephone system after the other, or one password after the other for it.

use std::collections::{HashMap, HashSet};

use annotator_common::Address;

use super::seen::{End, Seen, ends};
use crate::observation::Moment;
use crate::payload::Shape;
use crate::recognise::thresholds;

const SIGNS_ON: &str = "REGISTER";
/// What tells by its answer whether there is such an extension.
const ASKS: [&str; 3] = [SIGNS_ON, "OPTIONS", "INVITE"];

/// What one program asks of a telephone system.
#[derive(Default)]
struct Calls<'s> {
    /// When it named each extension.
    named: HashMap<&'s str, Vec<Moment>>,
    /// When it signed on under each.
    signed_on: HashMap<&'s str, Vec<Moment>>,
}

impl Calls<'_> {
    /// Whether they try extensions, each of which a telephone would name again to give its password, or passwords faster than a telephone repeats itself.
    fn are_guesses(&self, limits: &thresholds::Guesses) -> bool {
        let in_haste = |moments: &[Moment], count: usize| {
            moments.windows(count).any(|run| run[run.len() - 1].follows(run[0], limits.within))
        };
        let once = self.named.values().filter(|moments| moments.len() == 1);
        let mut once: Vec<Moment> = once.flatten().copied().collect();
        once.sort_unstable();
        in_haste(&once, limits.extensions) || self.signed_on.values().any(|moments| in_haste(moments, limits.sign_ons))
    }
}

/// Marks all that who guesses sends to the port at which he does. The sightings are in order of time.
pub fn mark_guesses(all: &mut [Seen<'_>], limits: &thresholds::Guesses) {
    let mut communities: HashMap<(Address, End), HashSet<&str>> = HashMap::new();
    let mut calls: HashMap<(End, End), Calls<'_>> = HashMap::new();
    for seen in all.iter() {
        let (from, to) = ends(&seen.sighting.packet);
        for shape in &seen.shapes {
            communities.entry((from.0, to)).or_default().extend(community(shape));
            let method = shape.attribute("method").filter(|method| shape.name == "sip" && ASKS.contains(method));
            let Some(method) = method else { continue };
            // It may lie behind what was sampled, as where a proxy signs on for all telephones behind it.
            let Some(extension) = shape.attribute("extension") else { continue };
            let calls = calls.entry((from, to)).or_default();
            calls.named.entry(extension).or_default().push(seen.sighting.at);
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

/// The community of an SNMP message; what stands behind an `@` names a part of the device, which monitoring reads one after the other.
fn community(shape: &Shape) -> Option<&str> {
    shape.attribute("community")?.split('@').next()
}
