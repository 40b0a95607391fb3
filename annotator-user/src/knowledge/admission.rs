//! Who signs on and is let in, a telephone at its exchange; and who keeps a line open with us, which shows where answers cannot be seen.

use std::collections::{BTreeMap, HashMap, HashSet};

use annotator_common::Address;

use super::seen::{End, Seen, ends};
use crate::observation::Moment;
use crate::payload::Shape;
use crate::recognise::rounds::{are_rounds, count};
use crate::recognise::thresholds;

/// What was said to those who signed on.
#[derive(Default)]
struct Answers {
    let_in: usize,
    refused: usize,
}

/// Marks all that comes from those who signed on and were let in, at us or we at them, or of whom it is not known and who keep a line open. The sightings
/// are in order of time: an answer is to the latest request.
pub fn mark_admitted(all: &mut [Seen<'_>], limits: &thresholds::Rounds) {
    let mut signs_on: HashMap<(End, End), bool> = HashMap::new();
    let mut answers: HashMap<(Address, End), Answers> = HashMap::new();
    for seen in all.iter() {
        let (from, to) = ends(&seen.sighting.packet);
        for shape in &seen.shapes {
            if shape.name == "sip" {
                signs_on.insert((from, to), shape.attribute("method") == Some("REGISTER"));
            } else if shape.name == "sip-answer" && signs_on.get(&(to, from)) == Some(&true) {
                let answers = answers.entry((to.0, from)).or_default();
                match status_class(shape) {
                    Some(b'2') => answers.let_in += 1,
                    Some(b'3'..=b'6') => answers.refused += 1,
                    _ => {}
                }
            }
        }
    }
    let is_let_in = |answers: &Answers| answers.let_in > 0 && answers.refused <= limits.refusals * answers.let_in;
    let lines = open_lines(all, limits);
    for seen in all {
        let (from, to) = ends(&seen.sighting.packet);
        seen.admitted = match answers.get(&(from.0, to)) {
            Some(answers) => is_let_in(answers),
            None => lines.contains(&(from, to)) || answers.get(&(to.0, from)).is_some_and(is_let_in),
        };
    }
}

fn status_class(shape: &Shape) -> Option<u8> {
    shape.attribute("status")?.bytes().next()
}

/// Ends that sign on, look whether we are there, or answer that they are, at even intervals; unless they sign on more often than that takes: who guesses
/// passwords does not wait for the next round.
fn open_lines(all: &[Seen<'_>], limits: &thresholds::Rounds) -> HashSet<(End, End)> {
    const SIGNS_ON: &str = "REGISTER";
    let mut moments: HashMap<(End, End), BTreeMap<&str, Vec<Moment>>> = HashMap::new();
    for seen in all {
        for shape in &seen.shapes {
            let kind = match shape.name {
                "sip" => shape.attribute("method").filter(|method| [SIGNS_ON, "OPTIONS"].contains(method)),
                "sip-answer" => (status_class(shape) == Some(b'2')).then_some(shape.name),
                _ => None,
            };
            if let Some(kind) = kind {
                let moments = moments.entry(ends(&seen.sighting.packet)).or_default();
                moments.entry(kind).or_default().push(seen.sighting.at);
            }
        }
    }
    let in_haste = |moments: &Vec<Moment>| {
        let rounds = count(moments, limits);
        let seconds = moments.last().zip(moments.first()).map_or(0.0, |(last, first)| last.seconds_since(*first));
        moments.len() > (1 + limits.refusals) * rounds || seconds < (rounds - 1) as f64 * limits.renewal
    };
    moments.retain(|_, kinds| {
        !kinds.get(SIGNS_ON).is_some_and(in_haste) && kinds.values().any(|moments| are_rounds(moments, limits))
    });
    moments.into_keys().collect()
}
